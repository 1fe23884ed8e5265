/**
 * What every operator must do, whatever it does: the same tests for all of them.
 *
 * A subject says how to feed the operator and how to recognise what comes out; `complies` puts it between a feed that
 * makes inputs on demand and a recorder that takes outputs when it is told to, and looks at it from all sides.
 */
import { type Observable, type OperatorFunction, take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type StageSpec, stageSpec } from '../../src/config/spec.js';
import { EngineError, type ErrorCode } from '../../src/engine/errors.js';
import { metrics } from '../../src/engine/metrics.js';
import type { Parcel } from '../../src/engine/ports.js';
import type { Run, RunSummary } from '../../src/engine/run.js';
import { type Facts, operator } from '../../src/engine/stage.js';
import { settle, type TestRun, testRun, until } from './run.js';
import { Progress, produced } from './stages.js';

export interface Feed<I> {
  /** What the stage before says of its results. */
  readonly facts: Facts;
  readonly bytes: number;
  /** Places on the edge before the operator: 1 unless it gathers more. */
  readonly credit?: number;
  input(index: number, run: Run): I | Promise<I>;
  /** Ledger items the input carries. */
  itemsOf(index: number): readonly string[];
}

/** Something that fits into no memory: refused with `code`, while all other inputs go through. */
export interface Oversized<I> {
  readonly input: I;
  readonly memoryBytes: number;
  readonly code: ErrorCode;
}

export interface Subject<I, O> {
  readonly memoryBytes: number;
  /** Absent for a source. */
  readonly feed?: Feed<I>;
  /** The operator behind its feed. Its out-edge must have a credit of 1. */
  attach?(run: Run): OperatorFunction<Parcel<I>, Parcel<O>>;
  /** A source of so many items. */
  start?(run: Run, count: number): Observable<Parcel<O>>;
  /** Names that say which outputs came. */
  idsOf(output: O): readonly string[];
  /** The names that must come from inputs 0 … count-1, each once. */
  expected(count: number): readonly string[];
  /**
   * How many inputs are made (by a source: how many outputs) when the recorder holds one output and takes no more;
   * counted by hand. `whole`: the operator makes nothing before it has everything, and holds none of it meanwhile.
   */
  readonly stalledAfter: number | 'whole';
  /** What a source says when there is nothing to read; other subjects complete with `expected(0)`. */
  readonly emptyError?: ErrorCode;
  /** An input that is too large to be worked on; absent when the plan knows all sizes and refuses to start. */
  oversized?(): Oversized<I>;
  [Symbol.asyncDispose]?(): Promise<void>;
}

/** How many inputs make `many`. */
const many = 5;

/** Takes outputs one by one, `each` before the next, and ends what they carry in the ledger. */
function recorder<O>(
  run: Run,
  seen: O[],
  each: (output: O) => unknown,
): OperatorFunction<Parcel<O>, Parcel<O>> {
  return operator<StageSpec, O, O>({
    spec: stageSpec('recorder', { takes: 'Window', gives: 'Window' }, 'The end of a test.', {}),
    operational: [],
    inspect: async () => ({ facts: {}, itemBytes: 0, workingBytes: 0, slots: 1 }),
    open: async (self) => (ports) =>
      self.each<O, O>(ports, 1, async ({ value, items }, slot) => {
        await Promise.race([each(value), aborted(ports.signal)]);
        seen.push(value);
        if (items.length > 0) await run.ledger.append({ type: 'outcome', items, outcome: 'ok' });
        (await slot.reserve(0)).emit(value, []);
      }),
  })({ credit_items: 1 }, run);
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
  });

interface Scene<I, O> extends AsyncDisposable {
  readonly run: Run;
  readonly subject: Subject<I, O>;
  readonly meters: TestRun['meters'];
  readonly progress: Progress;
  /** Outputs the recorder has taken. */
  readonly seen: O[];
  readonly stream: Observable<Parcel<O>>;
  ids(): readonly string[];
}

interface SceneOptions<I, O> {
  readonly count: number;
  readonly memoryBytes?: number;
  /** Called before an input is made. */
  readonly before?: (index: number) => void;
  /** Stands in for one of the inputs. */
  readonly replaced?: { readonly index: number; readonly input: I };
  /** What the recorder does with an output before it takes the next. */
  readonly each?: (output: O, run: Run) => unknown;
}

/**
 * Runs the shared suite on one operator.
 *
 * @param stage name of its stage, as the metrics label it
 * @param makeSubject a fresh subject for each test
 */
export function complies<I, O>(
  stage: string,
  makeSubject: () => Subject<I, O> | Promise<Subject<I, O>>,
): void {
  async function scene(options: SceneOptions<I, O>): Promise<Scene<I, O>> {
    const subject = await makeSubject();
    const own = await testRun({ memoryBytes: options.memoryBytes ?? subject.memoryBytes });
    const { run, meters } = own;
    const progress = new Progress();
    const seen: O[] = [];
    const { feed, attach, start } = subject;
    const head =
      feed === undefined || attach === undefined
        ? (start as NonNullable<typeof start>).call(subject, run, options.count)
        : produced<I>(run, progress, {
            name: 'feed',
            count: options.count,
            bytes: feed.bytes,
            credit: feed.credit ?? 1,
            facts: feed.facts,
            itemsOf: (i) => feed.itemsOf(i),
            value: (i) => (i === options.replaced?.index ? options.replaced.input : feed.input(i, run)),
            ...(options.before !== undefined && { before: options.before }),
          }).pipe(attach.call(subject, run));
    const stream = head.pipe(recorder<O>(run, seen, (output) => options.each?.(output, run)));
    return {
      run,
      subject,
      meters,
      progress,
      seen,
      stream,
      ids: () => seen.flatMap((output) => subject.idsOf(output)),
      [Symbol.asyncDispose]: async () => {
        await own[Symbol.asyncDispose]();
        await subject[Symbol.asyncDispose]?.();
      },
    };
  }

  const sorted = (ids: readonly string[]): readonly string[] => ids.toSorted();

  function expectWhole({ run, subject, ids }: Scene<I, O>, summary: RunSummary, count: number): void {
    expect(summary).toMatchObject({ end: 'complete', error: undefined });
    expect(sorted(ids())).toEqual(sorted(subject.expected(count)));
    expect(run.memory.inUse).toBe(0);
  }

  /** Nothing came that should not have come, nothing came twice, nothing is held. */
  function expectPart({ run, subject, ids }: Scene<I, O>, count: number): void {
    expect(new Set(ids()).size, 'outputs that came twice').toBe(ids().length);
    expect(subject.expected(count)).toEqual(expect.arrayContaining([...ids()]));
    expect(run.memory.inUse).toBe(0);
  }

  describe(`${stage} complies`, () => {
    it('with an empty stream', async () => {
      await using here = await scene({ count: 0 });
      const summary = await here.run.execute(here.stream);
      const { emptyError } = here.subject;
      if (emptyError === undefined) expectWhole(here, summary, 0);
      else expect(summary).toMatchObject({ end: 'failed', error: { code: emptyError, reach: 'usage' } });
    });

    it('with one item', async () => {
      await using here = await scene({ count: 1 });
      expectWhole(here, await here.run.execute(here.stream), 1);
    });

    it('with many items', async () => {
      await using here = await scene({ count: many });
      expectWhole(here, await here.run.execute(here.stream), many);
    });

    it('with a slow consumer', async () => {
      await using here = await scene({ count: many, each: () => settle(50) });
      expectWhole(here, await here.run.execute(here.stream), many);
    });

    it('by stopping the source after exactly its credit when the consumer stalls, and losing nothing', async () => {
      const gate = new AbortController();
      const opened = aborted(gate.signal).catch(() => {});
      await using here = await scene({ count: many * 4, each: () => opened });
      const { subject, progress, run } = here;
      const summary = run.execute(here.stream);
      const made = () => {
        const stages = here.meters.snapshot().stages;
        return subject.feed === undefined
          ? (stages.find(({ name }) => name === stage)?.sent.items ?? 0)
          : progress.made;
      };
      const limit = subject.stalledAfter === 'whole' ? many * 4 : subject.stalledAfter;
      await until(() => made() >= limit);
      await stable(() => run.memory.inUse);
      expect(made(), 'made while nobody takes').toBe(limit);
      gate.abort();
      expectWhole(here, await summary, many * 4);
    });

    it('when upstream fails: the error is passed on and nothing is held', async () => {
      const before = (index: number) => {
        if (index === 3) throw new EngineError('out_of_files', 'no more files');
      };
      await using here = await scene({ count: many, before });
      if (here.subject.feed === undefined) {
        // Upstream of a source is the run itself.
        here.run.abort(new EngineError('out_of_files', 'no more files'));
      }
      const summary = await here.run.execute(here.stream);
      expect(summary).toMatchObject({ end: 'failed', error: { code: 'out_of_files' } });
      expectPart(here, many);
    });

    it('when the run is aborted midway', async () => {
      await using here = await scene({
        count: many,
        each: (_output, run) => run.abort(new DOMException('the test says so', 'AbortError')),
      });
      expect(await here.run.execute(here.stream)).toMatchObject({ end: 'interrupted', error: undefined });
      expect(here.ids().length).toBeLessThan(Math.max(1, here.subject.expected(many).length));
      expectPart(here, many);
    });

    it('when the consumer leaves midway', async () => {
      await using here = await scene({ count: many });
      await here.run.execute(here.stream.pipe(take(1)));
      expect(here.seen.length).toBeGreaterThan(0);
      expectPart(here, many);
    });

    it('when the run is asked to stop midway: what is in flight is finished', async () => {
      await using here = await scene({
        count: many,
        each: (_output, run) => run.stopping.aborted || run.stop('the test says so'),
      });
      expect(await here.run.execute(here.stream)).toMatchObject({ end: 'interrupted', error: undefined });
      expectPart(here, many);
    });

    it('with an item that is too large: it is refused with its size, and the run goes on', async () => {
      const asked = await makeSubject();
      const oversized = asked.oversized?.();
      await asked[Symbol.asyncDispose]?.();
      if (oversized === undefined) {
        await using here = await scene({ count: many, memoryBytes: 1 });
        const summary = await here.run.execute(here.stream);
        expect(summary).toMatchObject({
          end: 'failed',
          error: { code: 'memory_too_small', hint: expect.stringContaining('memory=') },
        });
        expect(here.seen).toEqual([]);
        return;
      }
      const { input, memoryBytes, code } = oversized;
      await using here = await scene({ count: 3, memoryBytes, replaced: { index: 1, input } });
      const summary = await here.run.execute(here.stream);
      expect(summary).toMatchObject({ end: 'incomplete', error: undefined, items: { unprocessable: 1 } });
      const others = here.subject
        .expected(3)
        .filter((id) => !here.subject.expected(2).includes(id) || here.subject.expected(1).includes(id));
      expect(sorted(here.ids())).toEqual(sorted(others));
      const [item] = here.subject.feed?.itemsOf(1) ?? [];
      expect(here.run.ledger.causeOf(item as string)).toMatchObject({ code, stage });
      expect(here.run.memory.inUse).toBe(0);
    });

    it('and leaves nothing running', async () => {
      const before = process.getActiveResourcesInfo();
      {
        await using here = await scene({ count: many });
        await here.run.execute(here.stream);
      }
      const left = () => surplus(process.getActiveResourcesInfo(), before);
      await until(() => left().length === 0);
      expect(left()).toEqual([]);
    });

    it('and is measured', async () => {
      await using here = await scene({ count: many });
      await here.run.execute(here.stream);
      const own = here.meters.snapshot().stages.find(({ name }) => name === stage);
      expect(own).toMatchObject({
        received: { items: here.subject.feed === undefined ? 0 : many },
        sent: { items: here.seen.length },
        slotsBusy: 0,
        queue: { items: 0, bytes: 0 },
      });
      const spent =
        (own?.busySeconds ?? 0) +
        Object.values(own?.blockedSeconds ?? {}).reduce((sum, seconds) => sum + seconds, 0);
      expect(spent, 'seconds worked or waited').toBeGreaterThan(0);
      if (here.subject.feed !== undefined) expect(own?.limits.items).toBe(here.subject.feed.credit ?? 1);
      const text = await here.meters.text();
      const names = Object.values(metrics).filter(
        ({ name }) => name.startsWith('skypass_stage_') && !name.includes('_errors_'),
      );
      const missing = names.filter(
        ({ name }) => !new RegExp(`^${name}(_count)?{.*stage="${stage}"`, 'm').test(text),
      );
      expect(missing.map(({ name }) => name)).toEqual([]);
    });
  });
}

/** Waits until a number stays as it is for longer than threads take to answer and the disk to confirm. */
async function stable(value: () => number): Promise<void> {
  for (let same = 0, last = value(); same < 10; ) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    same = value() === last ? same + 1 : 0;
    last = value();
  }
}

/** What is in `now` more often than in `before`. */
function surplus(now: readonly string[], before: readonly string[]): readonly string[] {
  const left = [...before];
  return now.filter((each) => {
    const at = left.indexOf(each);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}
