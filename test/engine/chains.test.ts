/**
 * Random chains in the least memory they can run in: whatever the credits, slots, groups, failures and ends, nothing
 * waits for ever, nothing is lost, nothing comes twice, what should be in order is, and every byte comes back.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EngineError, type ErrorCode } from '../../src/engine/errors.js';
import type { Run, RunSummary } from '../../src/engine/run.js';
import { settle, testRun } from '../support/run.js';
import { counted, expanded, grouped, type Names, type Names$, recorded, worked } from '../support/stages.js';

interface Link {
  readonly kind: 'work' | 'expand' | 'group';
  readonly slots: number;
  readonly credit: number;
  readonly bytes: number;
  readonly retries: number;
  /** Children of an `expand`, members of a `group`. */
  readonly count: number;
  readonly mostResults: number | undefined;
  /** Of a `work`. */
  readonly isOrdered: boolean;
}

interface Chain {
  readonly items: number;
  readonly sourceCredit: number;
  readonly sourceBytes: number;
  readonly links: readonly Link[];
  /** Memory beyond the least that does. */
  readonly spare: number;
  /** Of 100 pieces of work, how many fail. */
  readonly failing: number;
  readonly seed: number;
  readonly end: 'completes' | 'stopped' | 'aborted' | 'source fails';
  /** After so many items at the end of the chain. */
  readonly endAfter: number;
}

const link: fc.Arbitrary<Link> = fc.record({
  kind: fc.constantFrom('work', 'expand', 'group'),
  slots: fc.integer({ min: 1, max: 3 }),
  credit: fc.integer({ min: 1, max: 3 }),
  bytes: fc.integer({ min: 0, max: 100 }),
  retries: fc.integer({ min: 0, max: 2 }),
  count: fc.integer({ min: 1, max: 4 }),
  mostResults: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  isOrdered: fc.boolean(),
});

/** Items are divided once: the ledger knows parents and children, no grandchildren. */
const withOneExpand = (links: readonly Link[]): readonly Link[] =>
  links.map((each, i) =>
    each.kind === 'expand' && links.slice(0, i).some(({ kind }) => kind === 'expand')
      ? { ...each, kind: 'work' }
      : each,
  );

const chain: fc.Arbitrary<Chain> = fc.record({
  items: fc.integer({ min: 0, max: 20 }),
  sourceCredit: fc.integer({ min: 1, max: 3 }),
  sourceBytes: fc.integer({ min: 0, max: 100 }),
  links: fc.array(link, { maxLength: 5 }).map(withOneExpand),
  spare: fc.constantFrom(0, 0, 1, 50, 1000),
  failing: fc.constantFrom(0, 0, 5, 50, 100),
  seed: fc.nat(),
  end: fc.constantFrom('completes', 'completes', 'stopped', 'aborted', 'source fails'),
  endAfter: fc.integer({ min: 0, max: 20 }),
});

/** A number that depends on all of its arguments and nothing else. */
function hash(...parts: readonly unknown[]): number {
  let h = 2166136261;
  for (const character of parts.join('|')) h = Math.imul(h ^ character.charCodeAt(0), 16777619);
  h = Math.imul(h ^ (h >>> 15), 2246822507);
  return (h ^ (h >>> 13)) >>> 0;
}

/** A group takes its members from the edge before it, so that edge must hold them. */
const gathersAt = (links: readonly Link[], index: number): number => {
  const next = links[index];
  return next?.kind === 'group' ? next.count : 1;
};

/** A group of groups holds the members of all of them. */
const heldAt = (links: readonly Link[], index: number): number =>
  links[index]?.kind === 'group' ? gathersAt(links, index) * heldAt(links, index + 1) : 1;

const bytesOf = ({ kind, bytes }: Link): number => (kind === 'group' ? 0 : bytes);

/** The least memory: as many results of each stage as must exist at once. */
const leastMemory = ({ sourceBytes, links }: Chain): number =>
  links.reduce((sum, each, i) => sum + bytesOf(each) * heldAt(links, i + 1), sourceBytes * heldAt(links, 0));

const keepsOrder = ({ links }: Chain): boolean =>
  links.every(
    ({ kind, slots, isOrdered }) => kind === 'group' || slots === 1 || (kind === 'work' && isOrdered),
  );

/** What the names at the source become at the end, when nothing fails. */
function leavesOf({ items, links }: Chain): readonly string[] {
  return links.reduce(
    (names, { kind, count }) =>
      kind === 'expand'
        ? names.flatMap((name) => Array.from({ length: count }, (_, i) => `${name}/${i}`))
        : names,
    Array.from({ length: items }, (_, i) => `t${i}`),
  );
}

function build(run: Run, plan: Chain, written: string[], onWritten: () => void): Names$ {
  const { links, seed } = plan;
  const attempts = new Map<string, number>();
  const work = (stage: string) => async (names: Names) => {
    const key = `${stage} ${names.join()}`;
    const attempt = (attempts.get(key) ?? 0) + 1;
    attempts.set(key, attempt);
    await settle(hash(seed, key) % 3);
    const chance = hash(seed, key, attempt) % 100;
    if (chance >= plan.failing) return;
    const code: ErrorCode = chance % 2 === 0 ? 'encoder_run' : 'fits_truncated';
    throw new EngineError(code, `${names} does not please ${stage}`);
  };
  const before = (index: number) => {
    if (plan.end === 'source fails' && index === plan.endAfter)
      throw new EngineError('out_of_files', 'no more files');
  };
  const head = counted(run, {
    count: plan.items,
    credit: Math.max(plan.sourceCredit, gathersAt(links, 0)),
    bytes: plan.sourceBytes,
    before,
  });
  const body = links.reduce<Names$>((stream, each, i) => {
    const { slots, bytes, retries, count, mostResults, isOrdered } = each;
    const name = `${each.kind}${i}`;
    const options = {
      name,
      slots,
      bytes,
      retries,
      mostResults,
      credit: Math.max(each.credit, gathersAt(links, i + 1)),
    };
    if (each.kind === 'expand') return stream.pipe(expanded(run, count, options));
    if (each.kind === 'group') return stream.pipe(grouped(run, count, { name, credit: options.credit }));
    return stream.pipe(worked(run, name, { ...options, isOrdered }, work(name)));
  }, head);
  return body.pipe(recorded(run, written, { credit: 1 }, onWritten));
}

async function runOf(plan: Chain): Promise<{ run: Run; summary: RunSummary; written: readonly string[] }> {
  await using scene = await testRun({ memoryBytes: leastMemory(plan) + plan.spare });
  const { run } = scene;
  const written: string[] = [];
  let arrived = 0;
  const stream = build(run, plan, written, () => {
    if (arrived++ !== plan.endAfter) return;
    if (plan.end === 'stopped') run.stop('the test says so');
    if (plan.end === 'aborted') run.abort(new DOMException('the test says so', 'AbortError'));
  });
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const where = scene.meters
        .snapshot()
        .stages.map(({ name, queue, received, sent }) => ({ name, queue, received, sent }));
      reject(new Error(`nothing moves any more: ${JSON.stringify(where)}`));
    }, 10_000);
  });
  try {
    return { run, summary: await Promise.race([run.execute(stream), tooLong]), written };
  } finally {
    clearTimeout(timer);
  }
}

describe('any chain', () => {
  it('ends, loses nothing, repeats nothing and gives every byte back', async () => {
    await fc.assert(
      fc.asyncProperty(chain, async (plan) => {
        const { run, summary, written } = await runOf(plan);
        const wanted = leavesOf(plan);
        const setAside = [...run.ledger.items]
          .filter(([, { outcome }]) => outcome !== 'ok')
          .map(([item]) => item);

        expect(run.memory.inUse, 'bytes still held').toBe(0);
        expect(summary.memoryPeakBytes).toBeLessThanOrEqual(run.memory.total);
        expect(new Set(written).size, 'items that came twice').toBe(written.length);
        expect(wanted).toEqual(expect.arrayContaining([...written]));
        if (keepsOrder(plan)) expect(written).toEqual(wanted.filter((leaf) => written.includes(leaf)));
        if (plan.end === 'completes') {
          const lost = new Set(
            wanted.filter((leaf) => !setAside.some((item) => leaf === item || leaf.startsWith(`${item}/`))),
          );
          for (const leaf of written) lost.delete(leaf);
          expect([...lost], 'items that were lost').toEqual([]);
          expect(summary.items.ok).toBe(written.length);
          expect(summary.error).toBeUndefined();
          expect(summary.end).toBe(setAside.length === 0 ? 'complete' : 'incomplete');
        }
        if (plan.end === 'source fails' && plan.endAfter < plan.items) {
          expect(summary).toMatchObject({ end: 'failed', error: { code: 'out_of_files' } });
        }
      }),
      { numRuns: 150, endOnFailure: true },
    );
  }, 120_000);
});
