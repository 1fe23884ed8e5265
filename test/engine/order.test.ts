/** Stages of several slots whose results leave in the order of what they are made from. */
import fc from 'fast-check';
import { take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { EngineError } from '../../src/engine/errors.js';
import { Probe } from '../support/probe.js';
import { settle, testRun, until } from '../support/run.js';
import { counted, Gate, type Names, recorded, stage, worked } from '../support/stages.js';

const names = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `t${i}`);

/** Work that waits for the gate of its name, if it has one, and remembers what has begun and what was done. */
class Work {
  readonly begun: string[] = [];
  readonly done: string[] = [];
  readonly each = async ([name = '']: Names): Promise<void> => {
    this.begun.push(name);
    await this.gates[name]?.opened;
    this.done.push(name);
  };

  constructor(readonly gates: Readonly<Record<string, Gate>> = {}) {}
}

describe('results in order', () => {
  it('wait for a slow one before them, while the slots go on with other items', async () => {
    await using own = await testRun();
    const { run } = own;
    const work = new Work({ t0: new Gate() });
    using probe = new Probe(
      counted(run, { count: 8 }).pipe(
        worked(run, 'draw', { slots: 2, credit: 5, bytes: 10, isOrdered: true }, work.each),
      ),
    );
    probe.request(8);
    await until(() => work.done.length === 4);
    await probe.expectSilence();
    // Four wait on their places for the first; a sixth has none.
    expect(work.begun).toEqual(['t0', 't1', 't2', 't3', 't4']);
    expect(run.memory.inUse).toBeGreaterThanOrEqual(50);
    work.gates.t0?.open();
    await probe.expect(...names(8).map((name) => [name]));
    await probe.expectCompletion();
    expect(run.memory.inUse).toBe(0);
  });

  it('leave at once when all before them have left', async () => {
    await using own = await testRun();
    const { run } = own;
    const work = new Work({ t1: new Gate() });
    using probe = new Probe(
      counted(run, { count: 3 }).pipe(
        worked(run, 'draw', { slots: 3, credit: 3, isOrdered: true }, work.each),
      ),
    );
    probe.request(3);
    await probe.expect(['t0']);
    await until(() => work.done.includes('t2'));
    await probe.expectSilence();
    work.gates.t1?.open();
    await probe.expect(['t1'], ['t2']);
    await probe.expectCompletion();
  });

  it('do not wait for an item that is set aside', async () => {
    await using own = await testRun();
    const { run } = own;
    const work = new Work({ t0: new Gate() });
    const written: string[] = [];
    const summary = run.execute(
      counted(run, { count: 5 }).pipe(
        worked(run, 'draw', { slots: 2, credit: 3, isOrdered: true }, async (value) => {
          await work.each(value);
          if (value.includes('t0')) throw new EngineError('catalog_values', 'a source cannot be drawn');
        }),
        recorded(run, written),
      ),
    );
    await until(() => work.done.length === 2);
    expect(written).toEqual([]);
    work.gates.t0?.open();
    expect(await summary).toMatchObject({ end: 'incomplete', items: { ok: 4, unprocessable: 1 } });
    expect(written).toEqual(['t1', 't2', 't3', 't4']);
    expect(run.memory.inUse).toBe(0);
  });

  it('do not wait for an item that gives nothing', async () => {
    await using own = await testRun();
    const { run } = own;
    const written: string[] = [];
    const summary = await run.execute(
      counted(run, { count: 4 }).pipe(
        stage(run, 'draw', { slots: 2, isOrdered: true }, async ({ value, items }, slot) => {
          const place = await slot.reserve(0);
          if (!value.includes('t1')) return place.emit(value, items);
          place.cancel();
          await run.ledger.append({ type: 'outcome', items, outcome: 'no_work' });
        }),
        recorded(run, written),
      ),
    );
    expect(summary).toMatchObject({ end: 'complete', items: { ok: 3, no_work: 1 } });
    expect(written).toEqual(['t0', 't2', 't3']);
  });

  it('keep their places for another attempt, and no later one takes the last', async () => {
    await using own = await testRun();
    const { run } = own;
    const written: string[] = [];
    let failures = 2;
    const summary = await run.execute(
      counted(run, { count: 5 }).pipe(
        worked(run, 'draw', { slots: 3, credit: 1, retries: 2, isOrdered: true }, async (value) => {
          // By now the others stand in line for the only place.
          await settle();
          if (value.includes('t0') && failures-- > 0) throw new EngineError('encoder_run', 'not yet');
        }),
        recorded(run, written),
      ),
    );
    expect(summary).toMatchObject({ end: 'complete', items: { ok: 5 } });
    expect(written).toEqual(names(5));
  });

  it('are never two of one item', async () => {
    await using own = await testRun();
    const { run } = own;
    const summary = await run.execute(
      counted(run, { count: 1 }).pipe(
        stage(run, 'draw', { slots: 2, credit: 4, isOrdered: true }, async ({ value, items }, slot) => {
          (await slot.reserve(0)).emit(value, items);
          (await slot.reserve(0)).emit(value, items);
        }),
      ),
    );
    expect(summary.items.failed).toBe(1);
    expect(run.ledger.causeOf('t0')?.message).toMatch(/second place/);
  });

  it('that have not left when the run is aborted never leave, and hold nothing', async () => {
    await using own = await testRun();
    const { run } = own;
    const work = new Work({ t1: new Gate() });
    const written: string[] = [];
    const summary = run.execute(
      counted(run, { count: 9 }).pipe(
        worked(run, 'draw', { slots: 2, credit: 3, bytes: 10, isOrdered: true }, work.each),
        recorded(run, written),
      ),
    );
    await until(() => work.done.length === 3 && written.length === 1);
    run.abort(new DOMException('the test says so', 'AbortError'));
    expect(await summary).toMatchObject({ end: 'interrupted', error: undefined });
    expect(written).toEqual(['t0']);
    expect(run.memory.inUse).toBe(0);
  });

  it('behind one that ends the run never leave', async () => {
    await using own = await testRun();
    const { run } = own;
    const work = new Work({ t0: new Gate() });
    const written: string[] = [];
    const summary = run.execute(
      counted(run, { count: 4 }).pipe(
        worked(run, 'draw', { slots: 2, credit: 3, bytes: 10, isOrdered: true }, async (value) => {
          await work.each(value);
          if (value.includes('t0')) throw new EngineError('disk_full', 'no space is left');
        }),
        recorded(run, written),
      ),
    );
    await until(() => work.done.length === 2);
    work.gates.t0?.open();
    expect(await summary).toMatchObject({ end: 'failed', error: { code: 'disk_full' } });
    expect(written).toEqual([]);
    expect(run.memory.inUse).toBe(0);
  });

  it('hold nothing when the consumer leaves midway', async () => {
    await using own = await testRun();
    const { run } = own;
    const written: string[] = [];
    const work = new Work({ t2: new Gate() });
    await run.execute(
      counted(run, { count: 9 }).pipe(
        worked(run, 'draw', { slots: 2, credit: 3, bytes: 10, isOrdered: true }, work.each),
        recorded(run, written),
        take(2),
      ),
    );
    expect(written).toEqual(['t0', 't1']);
    expect(run.memory.inUse).toBe(0);
  });

  it('come all, in order, whatever fails and however long each takes, with few places and little memory', async () => {
    const plan = fc.record({
      slots: fc.integer({ min: 1, max: 4 }),
      credit: fc.integer({ min: 1, max: 4 }),
      memory: fc.integer({ min: 10, max: 60 }),
      retries: fc.integer({ min: 0, max: 1 }),
      items: fc.array(
        fc.record({ turns: fc.integer({ min: 0, max: 6 }), failures: fc.integer({ min: 0, max: 2 }) }),
        { maxLength: 8 },
      ),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ slots, credit, memory, retries, items }) => {
        await using own = await testRun({ memoryBytes: memory });
        const { run } = own;
        const written: string[] = [];
        const left = items.map(({ failures }) => failures);
        const options = { slots, credit, retries, bytes: 10, isOrdered: true };
        const summary = await run.execute(
          counted(run, { count: items.length, credit: 2 }).pipe(
            worked(run, 'draw', options, async ([name = '']) => {
              const index = Number(name.slice(1));
              await settle(items[index]?.turns);
              if ((left[index] as number) > 0) {
                left[index] = (left[index] as number) - 1;
                throw new EngineError('encoder_run', 'not yet');
              }
            }),
            recorded(run, written),
          ),
        );
        expect(written).toEqual(names(items.length).filter((_, i) => (items[i]?.failures ?? 0) <= retries));
        expect(summary.error).toBeUndefined();
        expect(run.memory.inUse).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});
