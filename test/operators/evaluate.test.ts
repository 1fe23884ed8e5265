/** What is left on disk of predictions and truth, however many starts it took. */
import { cp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Run, RunSummary } from '../../src/engine/run.js';
import { readTable } from '../../src/formats/parquet.js';
import { evaluate } from '../../src/operators/evaluate.js';
import type { PredictionFacts } from '../../src/operators/support/facts.js';
import type { Prediction, PredictionRow, Table } from '../../src/operators/support/nouns.js';
import { toTileCatalog } from '../../src/science/tile-catalog.js';
import { TanWcs } from '../../src/science/wcs.js';
import { catalog } from '../support/fields.js';
import { fatal } from '../support/keep-fields.js';
import { prediction, predictionFacts, tileName, wcs } from '../support/nouns.js';
import { doneTwice, type LedgerLine, ledgerLines } from '../support/results.js';
import { type TempFolder, tempFolder, testRun, until } from '../support/run.js';
import { Progress, produced } from '../support/stages.js';
import { takeAll } from '../support/take-all.js';

const count = 6;
/** Of the four cells of a field: sources lie along a diagonal, every other one is a member. */
const truth = [1, 1, 1, 0];
const said = (index: number): readonly number[] =>
  index % 2 === 0 ? [0.1, 0.2, 0.3, 0.9] : [0.9, 0.25, 0.75, 0.4 + index / 100];
const facts: PredictionFacts = { ...predictionFacts, hasTruth: true };

let temp: TempFolder;
beforeAll(async () => {
  temp = await tempFolder();
});
afterAll(() => temp[Symbol.asyncDispose]());
afterEach(() => rm(at('run'), { recursive: true, force: true }));
const at = (...names: readonly string[]): string => join(temp.path, ...names);

type Known = (row: PredictionRow, index: number) => PredictionRow;

const withSources: Known = (row, index) => ({ ...row, truth: catalog(index, row.size) });
const withTiles: Known = (row, index) => {
  const { sources, width, height } = catalog(index, row.size);
  return {
    ...row,
    cells: toTileCatalog(sources, { width, height, tileSize: 32, origin: 1, band: 'i', minFlux: 0 }),
  };
};

interface Start {
  readonly dir?: string;
  /** Fields that come, in this order. */
  readonly order?: readonly number[];
  readonly facts?: PredictionFacts;
  readonly known?: Known;
  readonly values?: (index: number) => readonly number[];
  readonly options?: Partial<Parameters<typeof evaluate>[0]>;
  readonly overwrite?: boolean;
  /** Called before a field is made; may throw, which ends the run. */
  readonly before?: (index: number, run: Run) => void | Promise<void>;
}

interface Done {
  readonly summary: RunSummary;
  readonly tables: readonly Table[];
}

/** One start of a run. */
async function score(start: Start = {}): Promise<Done> {
  const { dir = 'run', order = [...Array(count).keys()], known = withSources, values = said } = start;
  await using own = await testRun({
    dir: at(dir),
    memoryBytes: 256 << 20,
    overwrite: start.overwrite ?? false,
  });
  const { run } = own;
  const chain = produced<Prediction>(run, new Progress(), {
    name: 'encode',
    count: order.length,
    bytes: 100,
    facts: start.facts ?? facts,
    itemsOf: (i) => [`${tileName(order[i] as number)}/r0c0`],
    before: (i) => start.before?.(order[i] as number, run),
    value: async (i) => {
      const index = order[i] as number;
      await run.ledger.append({ type: 'parent', item: tileName(index), children: 1, detail: {} });
      const { rows } = prediction(tileName(index));
      return {
        rows: rows.map((row) => known(row, index)),
        values: Float32Array.from(values(index)),
      };
    },
  }).pipe(evaluate({ into: at(dir), bootstrap: { draws: 50 }, ...start.options }, run));
  const { taken, summary } = await takeAll(run, chain, (table) => table);
  return { summary, tables: taken };
}

const scoresIn = async (dir = 'run') => {
  const { run, ...document } = JSON.parse(await readFile(at(dir, 'scores.json'), 'utf8'));
  expect(run).toMatch(/^test-/);
  return document;
};

const whole = { end: 'complete', error: undefined };

describe('predictions held against the truth', () => {
  it('are scored, cell by cell', async () => {
    const { summary, tables } = await score();
    expect(summary).toMatchObject(whole);
    expect(tables).toEqual([
      { name: 'cells', path: at('run', 'cells.parquet'), rows: 24 },
      { name: 'picture', path: at('run', 'scores.png'), rows: 6 },
      { name: 'scores', path: at('run', 'scores.json'), rows: 6 },
    ]);
    const { scores, baselines, ...provenance } = await scoresIn();
    expect(provenance).toMatchObject({ encoder: 'test', windows: 6, cell_px: 32, pipeline: 'test' });
    expect(provenance.config_sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(scores).toMatchObject({ fields: 6, cells: 24, members: 18 });
    expect(scores.confusion).toEqual({ tp: 6, fp: 3, fn: 12, tn: 3 });
    expect(scores.mode.recall.value).toBeCloseTo(6 / 18, 6);
    expect(scores.mode.recall.low).toBeLessThan(6 / 18);
    expect(baselines.commoner_class.confusion).toEqual({ tp: 18, fp: 6, fn: 0, tn: 0 });
    expect(baselines.matched_filter.about).toContain('in its favour');
    expect((await stat(at('run', 'scores.png'))).size).toBeGreaterThan(10_000);
  });

  it('stand in a table, with the place of each cell on the sky', async () => {
    await score({ order: [1, 0] });
    const { rows, columns, attributes } = await readTable(at('run', 'cells.parquet'));
    expect(columns.map(({ name }) => name)).toEqual([
      'id_str',
      'field',
      'row',
      'column',
      'ra',
      'dec',
      'probability',
      'membership',
    ]);
    expect(rows.map(({ id_str, row, column }) => `${id_str} ${row} ${column}`)).toEqual(
      ['T000', 'T001'].flatMap((field) =>
        ['0 0', '0 1', '1 0', '1 1'].map((cell) => `${field}/r0c0 ${cell}`),
      ),
    );
    expect(rows.map(({ membership }) => Number(membership))).toEqual([...truth, ...truth]);
    expect(rows.map(({ probability }) => probability)).toEqual(
      [...said(0), ...said(1)].map((each) => Math.fround(each)),
    );
    const sky = new TanWcs(wcs);
    const [x, y] = sky.toPixel([rows[1]?.ra as number, rows[1]?.dec as number]);
    expect([x, y].map((each) => each.toFixed(6))).toEqual(['47.500000', '15.500000']);
    expect(attributes).toMatchObject({ encoder: 'test', encoder_sha256: '0' });
  });

  it('have the same scores in whatever order they come', async () => {
    await score({ dir: 'one' });
    await score({ dir: 'other', order: [3, 0, 5, 1, 4, 2] });
    expect(await scoresIn('other')).toEqual(await scoresIn('one'));
    expect(await readTable(at('other', 'cells.parquet'))).toMatchObject({
      rows: (await readTable(at('one', 'cells.parquet'))).rows,
    });
  });

  it('are the means of the passes of a stochastic encoder', async () => {
    const values = (index: number) => [
      ...said(index).map((each) => each - 0.1),
      ...said(index).map((each) => each + 0.1),
    ];
    await score({ facts: { ...facts, passes: 2 }, values });
    const { rows } = await readTable(at('run', 'cells.parquet'));
    for (const [i, each] of said(0).entries()) expect(rows[i]?.probability).toBeCloseTo(each, 6);
  });

  it('can do without baselines', async () => {
    await score({ options: { baselines: false } });
    expect((await scoresIn()).baselines).toBeNull();
  });

  it('are scored where the truth is known by tiles alone, but nothing can be counted there', async () => {
    await score({ dir: 'sources' });
    await score({ dir: 'tiles', known: withTiles });
    const [{ scores }, byTiles] = [await scoresIn('sources'), await scoresIn('tiles')];
    expect(byTiles.scores).toEqual(scores);
    expect(byTiles.baselines.matched_filter).toBeNull();
    expect((await readTable(at('tiles', 'cells.parquet'))).rows[0]).toMatchObject({ ra: null, dec: null });
  });
});

describe('windows that nobody knows the content of', () => {
  it('are set aside, and the others scored', async () => {
    await score({ dir: 'others', order: [0, 2, 3] });
    const { summary } = await score({
      order: [0, 1, 2, 3],
      known: (row, index) => (index === 1 ? row : withSources(row, index)),
    });
    expect(summary).toMatchObject({ end: 'incomplete', error: undefined, items: { ok: 3, failed: 1 } });
    expect((await scoresIn()).scores).toEqual((await scoresIn('others')).scores);
  });
});

describe('a run that is taken up again', () => {
  beforeAll(async () => {
    await score({ dir: 'calm' });
    const { summary, tables } = await score({
      dir: 'interrupted',
      before: async (index, run) => {
        if (index < 4) return;
        await until(() => run.ledger.isDone(`${tileName(3)}/r0c0`));
        throw fatal();
      },
    });
    expect(summary).toMatchObject({ end: 'failed', error: { code: 'out_of_files' } });
    expect(tables).toEqual([]);
  });
  beforeEach(() => cp(at('interrupted'), at('run'), { recursive: true }));

  const expectCalm = async (): Promise<void> => {
    expect(await scoresIn()).toEqual(await scoresIn('calm'));
    const [rows, calm] = await Promise.all(
      ['run', 'calm'].map(async (dir) => (await readTable(at(dir, 'cells.parquet'))).rows),
    );
    expect(rows).toEqual(calm);
  };

  it('has the scores of one that was not disturbed', async () => {
    expect((await score({ order: [5, 4] })).summary).toMatchObject(whole);
    await expectCalm();
    expect(await doneTwice(at('run'))).toEqual([]);
  });

  it('counts a window once whose cells were kept when the ledger did not know yet', async () => {
    const path = at('run', 'ledger.jsonl');
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    const last = lines.findLastIndex((line) => line.includes('"outcome":"ok"'));
    const lost = (JSON.parse(lines[last] as string).items as string[]).map((id) => Number(id.slice(1, 4)));
    await writeFile(path, `${lines.toSpliced(last, 1).join('\n')}\n`);
    expect((await score({ order: [...lost, 4, 5] })).summary).toMatchObject(whole);
    await expectCalm();
  });

  it('does windows again whose cells are gone', async () => {
    await truncate(at('run', 'cells.journal'), (await stat(at('run', 'cells.journal'))).size - 10);
    await score({ order: [] });
    const redo = (await ledgerLines(at('run'))).find(({ type }) => type === 'redo') as LedgerLine;
    const lost = (redo.items as string[]).map((id) => Number(id.slice(1, 4)));
    expect(lost.length).toBeGreaterThan(0);
    expect((await score({ order: [...lost, 4, 5] })).summary).toMatchObject(whole);
    await expectCalm();
  });

  it('scores all windows anew at another threshold, and encodes none for it', async () => {
    await score({ order: [4, 5] });
    const { summary } = await score({ order: [], options: { threshold: 0.22 } });
    expect(summary).toMatchObject(whole);
    const { scores } = await scoresIn();
    expect(scores.threshold).toBe(0.22);
    expect(scores.confusion).toEqual({ tp: 12, fp: 6, fn: 6, tn: 0 });
  });

  it('mixes nothing with a run of another configuration that it replaces', async () => {
    const { summary } = await score({ order: [0], options: { baselines: false }, overwrite: true });
    expect(summary).toMatchObject(whole);
    expect((await scoresIn()).scores.fields).toBe(1);
  });
});

describe('what cannot be scored is refused before anything starts', () => {
  it.each([
    ['images nobody knows', { hasTruth: false }, 'truth_missing', /nobody/],
    ['an answer for whole images', { cells: undefined }, 'encoder_mismatch', /for whole images/],
    ['several answers', { answers: ['smooth', 'disc'] }, 'encoder_mismatch', /smooth, disc/],
    ['features', { encoder: { ...facts.encoder, kind: 'features' } }, 'encoder_mismatch', /features/],
  ])('%s', async (_what, changed, code, message) => {
    const { summary } = await score({ facts: { ...facts, ...changed } });
    expect(summary).toMatchObject({ end: 'failed', error: { code, reach: 'usage' } });
    expect(summary.error?.message).toMatch(message);
  });
});
