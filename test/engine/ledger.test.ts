import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Outcome, outcomes } from '../../src/engine/errors.js';
import { combineOutcomes, Ledger } from '../../src/engine/ledger.js';
import type { LedgerRecord, OutcomeRecord } from '../../src/engine/records.js';
import { type TempFolder, tempFolder } from '../support/run.js';

let folder: TempFolder;
let count = 0;
const newPath = (): string => join(folder.path, `ledger-${count++}.jsonl`);
beforeAll(async () => {
  folder = await tempFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

const start: LedgerRecord = {
  type: 'start',
  run: 'r1',
  pipeline: 'des-pass',
  version: '1.0.0',
  time: '2026-11-21T00:00:00Z',
  identity_hash: 'abc',
  identity: { tile: { size: 2560 } },
};
const parent = (item: string, children: number): LedgerRecord => ({
  type: 'parent',
  item,
  children,
  detail: { ra: 1.5 },
});
const ended = (
  items: readonly string[],
  outcome: Outcome,
  more: Partial<OutcomeRecord> = {},
): LedgerRecord => ({ type: 'outcome', items, outcome, ...more });

const history: readonly LedgerRecord[] = [
  start,
  parent('DES0001-0001', 3),
  ended(['DES0001-0001/r0c0', 'DES0001-0001/r0c1'], 'ok', { shard: 's0' }),
  ended(['DES0001-0001/r1c0'], 'no_work', { code: 'masked', message: '99 % masked “äöü”' }),
  { type: 'shard', shard: 's0', file: 's0.hdf5', rows: 2, bytes: 100 },
  ended(['DES0002-0041'], 'unprocessable', {
    code: 'fits_truncated',
    message: 'ends early',
    stage: 'read',
    attempt: 1,
  }),
];

async function written(records: readonly LedgerRecord[]): Promise<string> {
  const path = newPath();
  await using ledger = await Ledger.open(path);
  for (const record of records) await ledger.append(record);
  return path;
}

/** All a ledger says, as plain data. */
const stateOf = (ledger: Ledger) => ({
  start: ledger.start,
  starts: ledger.starts,
  items: [...ledger.items],
  parents: [...ledger.parents].map((item) => [item, ledger.parent(item)]),
  shards: [...ledger.shards],
});

describe('a ledger opened again', () => {
  it('says what it said before', async () => {
    const path = newPath();
    const first = await Ledger.open(path);
    await first.append(...history);
    const said = stateOf(first);
    await first.close();
    await using second = await Ledger.open(path);
    expect(stateOf(second)).toEqual(said);
    expect(second.causeOf('DES0002-0041')).toMatchObject({ code: 'fits_truncated', stage: 'read' });
    expect(stateOf(await Ledger.read(path))).toEqual(said);
  });

  it('starts empty when there is no file, or an empty one', async () => {
    const path = newPath();
    await (await Ledger.open(path)).close();
    await using ledger = await Ledger.open(path);
    expect(stateOf(ledger)).toMatchObject({ start: undefined, starts: 0, items: [] });
  });

  it('keeps the first start and counts them all', async () => {
    const path = await written([start, { ...start, time: '2026-11-22T00:00:00Z' }]);
    const ledger = await Ledger.read(path);
    expect(ledger.start).toEqual(start);
    expect(ledger.starts).toBe(2);
  });
});

describe('a record torn by a kill', () => {
  it('is dropped wherever it was cut, and the ledger goes on behind the record before', async () => {
    const whole = await readFile(await written(history));
    const kept = await readFile(await written(history.slice(0, -1)));
    const before = stateOf(await Ledger.read(await written(history.slice(0, -1))));
    const path = newPath();
    for (let length = kept.length; length < whole.length; length++) {
      await writeFile(path, whole.subarray(0, length));
      expect(stateOf(await Ledger.read(path)), `cut at byte ${length}, read`).toEqual(before);
      await using ledger = await Ledger.open(path);
      expect(stateOf(ledger), `cut at byte ${length}`).toEqual(before);
      await ledger.append(history.at(-1) as LedgerRecord);
      expect((await readFile(path)).equals(whole), `cut at byte ${length}, appended`).toBe(true);
    }
  });

  it('is dropped when the file system left zeros where it should be', async () => {
    const whole = await readFile(await written(history));
    for (const zeros of [1, 7, 4096]) {
      const path = newPath();
      await writeFile(path, Buffer.concat([whole, Buffer.alloc(zeros)]));
      await using ledger = await Ledger.open(path);
      expect(ledger.items.size).toBe(4);
      expect((await stat(path)).size).toBe(whole.length);
    }
  });

  it('is left in the file by who only reads', async () => {
    const whole = await readFile(await written(history));
    const path = newPath();
    await writeFile(path, whole.subarray(0, -3));
    await Ledger.read(path);
    expect((await stat(path)).size).toBe(whole.length - 3);
  });
});

describe('a record damaged in the middle', () => {
  it('is refused with the number of its line, whichever bit was flipped', async () => {
    const whole = await readFile(await written(history));
    const ends = [...whole.entries()].filter(([, byte]) => byte === 10).map(([at]) => at);
    const lastButOne = ends.at(-2) as number;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: lastButOne - 1 }),
        fc.integer({ min: 0, max: 7 }),
        async (at, bit) => {
          const damaged = Buffer.from(whole);
          damaged[at] = (damaged[at] as number) ^ (1 << bit);
          const path = newPath();
          await writeFile(path, damaged);
          const line = ends.filter((end) => end < at).length + 1;
          await expect(Ledger.open(path)).rejects.toMatchObject({
            code: 'ledger_damaged',
            place: { file: path, line },
          });
          await expect(Ledger.read(path)).rejects.toMatchObject({ code: 'ledger_damaged' });
          expect((await readFile(path)).equals(damaged), 'the file is left as it is').toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a parent', () => {
  it.each<[Outcome, Outcome[]]>([
    ['ok', ['ok', 'ok']],
    ['ok', ['ok', 'no_work']],
    ['no_work', ['no_work', 'no_work']],
    ['ok_partial', ['ok', 'failed']],
    ['ok_partial', ['ok', 'unprocessable']],
    ['ok_partial', ['ok_partial', 'ok']],
    ['failed', ['failed', 'unprocessable', 'no_work']],
    ['unprocessable', ['unprocessable', 'no_work', 'upstream_incomplete']],
    ['upstream_incomplete', ['upstream_incomplete', 'no_work']],
  ])('is %s when its children are %j', (outcome, children) => {
    const counts = new Map(outcomes.map((each) => [each, children.filter((child) => child === each).length]));
    expect(combineOutcomes(counts)).toBe(outcome);
  });

  it('has no outcome until all its children have one, and is done when none of them is to be tried again', async () => {
    await using ledger = await Ledger.open(newPath());
    await ledger.append(parent('t', 2), ended(['t/a'], 'ok'));
    expect([ledger.outcomeOf('t'), ledger.isDone('t'), ledger.isDone('t/a'), ledger.isDone('t/b')]).toEqual([
      undefined,
      false,
      true,
      false,
    ]);
    await ledger.append(ended(['t/b'], 'failed', { code: 'encoder_run' }));
    expect([ledger.outcomeOf('t'), ledger.isDone('t'), ledger.isDone('t/b')]).toEqual([
      'ok_partial',
      false,
      false,
    ]);
    await ledger.append(ended(['t/b'], 'ok'));
    expect([ledger.outcomeOf('t'), ledger.isDone('t'), ledger.causeOf('t/b')]).toEqual([
      'ok',
      true,
      undefined,
    ]);
  });

  it('that was set aside whole has the outcome of its children once it is begun again', async () => {
    await using ledger = await Ledger.open(newPath());
    await ledger.append(ended(['t'], 'failed', { code: 'worker_died' }));
    expect([ledger.outcomeOf('t'), ledger.isDone('t')]).toEqual(['failed', false]);
    await ledger.append(parent('t', 1), ended(['t/a'], 'ok'));
    expect([ledger.outcomeOf('t'), ledger.isDone('t'), ledger.causeOf('t')]).toEqual(['ok', true, undefined]);
  });

  it('tells the listener its outcome once, with the last child', async () => {
    await using ledger = await Ledger.open(newPath());
    const heard: string[] = [];
    ledger.listen({
      onOutcome: (item, outcome, above) =>
        heard.push(`${item} ${outcome} ${above?.settled}/${above?.children}`),
      onParent: (item, outcome) => heard.push(`${item} ${outcome}`),
    });
    await ledger.append(parent('t', 2), ended(['t/a', 't/b'], 'ok'), ended(['u'], 'unprocessable'));
    expect(heard).toEqual(['t/a ok 1/2', 't/b ok 2/2', 't ok', 'u unprocessable']);
  });
});

describe('redo', () => {
  it('takes the outcome of the items named away', async () => {
    const path = await written([
      ...history,
      { type: 'redo', items: ['DES0001-0001/r0c1'], reason: 'input changed' },
    ]);
    const ledger = await Ledger.read(path);
    expect(ledger.isDone('DES0001-0001/r0c1')).toBe(false);
    expect(ledger.isDone('DES0001-0001/r0c0')).toBe(true);
    expect(ledger.parent('DES0001-0001')).toMatchObject({ settled: 2, outcome: undefined });
  });

  it('takes the outcome of everything in a lost shard away', async () => {
    const path = await written([...history, { type: 'redo', shard: 's0', reason: 'file is gone' }]);
    const ledger = await Ledger.read(path);
    expect(ledger.shards.size).toBe(0);
    expect([...ledger.items.keys()]).toEqual(['DES0001-0001/r1c0', 'DES0002-0041']);
  });
});

describe('append', () => {
  it('resolves only when the record is in the file, and knows it only then', async () => {
    const path = newPath();
    await using ledger = await Ledger.open(path);
    const appended = ledger.append(ended(['a'], 'ok'));
    expect(ledger.stateOf('a')).toBeUndefined();
    await appended;
    expect(ledger.stateOf('a')).toMatchObject({ outcome: 'ok' });
    expect((await Ledger.read(path)).stateOf('a')).toMatchObject({ outcome: 'ok' });
  });

  it('of many at once keeps every record, in order, whole', async () => {
    const path = newPath();
    await using ledger = await Ledger.open(path);
    const writers = Array.from({ length: 50 }, async (_, writer) => {
      for (let i = 0; i < 20; i++) {
        await ledger.append(ended([`w${writer}-${i}`], 'ok'));
        // What has been promised is there, whoever else is writing.
        if (i === 10) expect((await Ledger.read(path)).stateOf(`w${writer}-${i}`)).toBeDefined();
      }
    });
    await Promise.all(writers);
    const items = [...(await Ledger.read(path)).items.keys()];
    expect(items).toHaveLength(1000);
    for (let writer = 0; writer < 50; writer++) {
      const own = items.filter((item) => item.startsWith(`w${writer}-`));
      expect(own).toEqual(Array.from({ length: 20 }, (_, i) => `w${writer}-${i}`));
    }
  });

  it('shares one sync between writers that come together', async () => {
    await using ledger = await Ledger.open(newPath());
    const first = ledger.append(ended(['first'], 'ok'));
    const others = Array.from({ length: 100 }, (_, i) => ledger.append(ended([`o${i}`], 'ok')));
    await Promise.race(others);
    expect(ledger.items.size).toBe(101);
    await Promise.all([first, ...others]);
  });
});

describe('a full disk', () => {
  it.runIf(existsSync('/dev/full'))(
    'fails the append, keeps the items unknown, and refuses to write on',
    async () => {
      const path = newPath();
      await symlink('/dev/full', path);
      const ledger = await Ledger.open(path);
      await expect(ledger.append(ended(['a'], 'ok'))).rejects.toMatchObject({ code: 'ENOSPC' });
      expect(ledger.stateOf('a')).toBeUndefined();
      await expect(ledger.append(ended(['b'], 'ok'))).rejects.toMatchObject({ code: 'ENOSPC' });
      await ledger.close();
    },
  );

  it.runIf(canMountTmpfs())('leaves a ledger that says all that was promised and nothing else', async () => {
    const disk = join(folder.path, 'disk');
    execFileSync('mkdir', [disk]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
    try {
      const path = join(disk, 'ledger.jsonl');
      const ledger = await Ledger.open(path);
      const promised: string[] = [];
      const fill = async () => {
        for (let i = 0; ; i++) {
          await ledger.append(ended([`item-${i}`.padEnd(700, '.')], 'ok'));
          promised.push(`item-${i}`.padEnd(700, '.'));
        }
      };
      await expect(fill()).rejects.toMatchObject({ code: 'ENOSPC' });
      await ledger.close();
      const copy = newPath();
      await copyFile(path, copy);
      await using again = await Ledger.open(copy);
      expect([...again.items.keys()]).toEqual(promised);
      expect((await readFile(path)).at(-1), 'no half line is left').toBe(10);
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});

function canMountTmpfs(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

it('replays a whole survey: ten thousand tiles of sixteen windows', async () => {
  const path = newPath();
  const tiles = 10_169;
  {
    await using ledger = await Ledger.open(path);
    for (let tile = 0; tile < tiles; ) {
      const records: LedgerRecord[] = [];
      for (const end = Math.min(tile + 500, tiles); tile < end; tile++) {
        records.push(
          parent(`DES${tile}`, 16),
          ended(
            Array.from({ length: 16 }, (_, i) => `DES${tile}/r${i >> 2}c${i & 3}`),
            'ok',
            { shard: `s${tile >> 3}` },
          ),
        );
      }
      await ledger.append(...records);
    }
  }
  await using ledger = await Ledger.open(path);
  expect(ledger.items.size).toBe(tiles * 16);
  expect([...ledger.parents].every((tile) => ledger.isDone(tile))).toBe(true);
});
