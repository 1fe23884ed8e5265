/** Makes the finished tables of a run from its shards. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { field, stageSpec } from '../config/spec.js';
import type { Outcome } from '../engine/errors.js';
import { makeFolder } from '../engine/folder.js';
import type { Run } from '../engine/run.js';
import { operator, type StageNeeds } from '../engine/stage.js';
import { type RowGroup, type TableColumn, writeTable } from '../formats/parquet.js';
import type { PredictionFacts } from './support/facts.js';
import type { Shard, Table } from './support/nouns.js';
import { resultsThread } from './support/threads.js';
import type { TileStatistics } from './support/write/tile-statistics.js';

export const aggregateSpec = stageSpec(
  'aggregate',
  { takes: 'Shard', gives: 'Table' },
  'Merges shards into one file sorted by id, and sums up every tile in a table.',
  {
    into: field.path({ doc: 'Folder of grouped.hdf5 and tiles.parquet.', example: 'runs/y6' }),
    threshold: field.fraction({
      default: 0.5,
      doc: 'Probability above which a cell is counted in tiles.parquet.',
    }),
  },
);

/**
 * @emits      grouped.hdf5 and tiles.parquet, after the last shard; nothing when the run is asked to stop
 * @waits      for the last shard
 * @completes  when both tables are whole and have their names
 * @fails      `hdf5_damaged` when a shard cannot be read back or an id occurs twice; `disk_full` (the run)
 * @order      rows sorted by id, whatever the order of shards
 * @memory     ids, 12 bytes a row, and slabs of 32 MiB of rows; paths of the shards
 */
export const aggregate = operator<typeof aggregateSpec, Shard, Table>({
  spec: aggregateSpec,
  operational: ['into'],

  inspect: async (_options, incoming): Promise<StageNeeds> => ({
    facts: incoming,
    itemBytes: 4096,
    workingBytes: mergeBytes,
    slots: 1,
  }),

  open: async (stage, options) => {
    const { run } = stage;
    const pool = resultsThread(run);
    const { encoder } = stage.incoming as PredictionFacts;
    await makeFolder(options.into);
    const grouped = join(options.into, 'grouped.hdf5');
    const tiles = join(options.into, 'tiles.parquet');

    return async ({ inlet, outlet, signal }) => {
      const shards: string[] = [];
      for (let held = await inlet.take(); held !== undefined; held = await inlet.take()) {
        shards.push(held.value.path);
        held.lease.release();
      }
      if (run.stopping.aborted) return;

      using _memory = await stage.workspace(mergeBytes, signal);
      const worked = stage.meter.running();
      try {
        let statistics: TileStatistics = new Map();
        if (shards.length > 0) {
          const merged = await pool.run<unknown, number>(
            'merge',
            { shards, into: grouped, attributes: { threshold: options.threshold } },
            { signal },
          );
          statistics = await pool.run(
            'tileStatistics',
            { path: grouped, threshold: options.threshold },
            { signal },
          );
          (await outlet.reserve(4096)).emit({ name: 'grouped', path: grouped, rows: merged }, []);
        } else {
          await rm(grouped, { force: true });
        }
        const rows = tileRows(run, statistics);
        const attributes = {
          run: run.id,
          skypass_version: run.version,
          config_sha256: run.identityHash,
          encoder: encoder.name,
          encoder_sha256: encoder.sha256,
          encoder_trained: encoder.isTrained ? 1 : 0,
          threshold: options.threshold,
        };
        await writeTable(tiles, { columns: tileColumns, rows: [columnsOf(rows)], attributes });
        (await outlet.reserve(4096)).emit({ name: 'tiles', path: tiles, rows: rows.length }, []);
      } finally {
        worked();
      }
    };
  },
});

/** What merging holds at most, ids left out. */
const mergeBytes = 96 << 20;

const tileColumns: readonly TableColumn[] = [
  { name: 'id_str', type: 'string', unit: '', doc: 'name of the tile' },
  { name: 'ra', type: 'f64', unit: 'deg', doc: 'right ascension of the centre of the tile, ICRS' },
  { name: 'dec', type: 'f64', unit: 'deg', doc: 'declination of the centre of the tile, ICRS' },
  {
    name: 'outcome',
    type: 'string',
    unit: '',
    doc: 'ok, ok_partial, no_work, unprocessable, upstream_incomplete or failed',
  },
  { name: 'windows', type: 'i32', unit: '', doc: 'windows of the tile' },
  { name: 'windows_ok', type: 'i32', unit: '', doc: 'windows with predictions' },
  {
    name: 'windows_no_work',
    type: 'i32',
    unit: '',
    doc: 'windows left out because too much of them is masked',
  },
  { name: 'windows_set_aside', type: 'i32', unit: '', doc: 'windows that could not be processed' },
  {
    name: 'cells',
    type: 'i64',
    unit: '',
    doc: 'predicted values of the tile; cells where windows overlap count twice',
  },
  { name: 'cells_above_threshold', type: 'i64', unit: '', doc: 'those above the threshold' },
  { name: 'highest_probability', type: 'f32', unit: '', doc: 'highest predicted value of the tile' },
  {
    name: 'area',
    type: 'f64',
    unit: 'deg2',
    doc: 'sky area of the tile, overlap with its neighbours included',
  },
  {
    name: 'cause',
    type: 'string',
    unit: '',
    doc: 'why the tile, or the first window that was, is set aside',
  },
];

type TileRow = Readonly<Record<string, string | number | null>>;

/** The rows as one group of columns. */
const columnsOf = (rows: readonly TileRow[]): RowGroup =>
  Object.fromEntries(tileColumns.map(({ name }) => [name, rows.map((row) => row[name] ?? null)]));

function tileRows(run: Run, statistics: TileStatistics): readonly TileRow[] {
  const { ledger } = run;
  const whole = [...ledger.items.keys()].filter((item) => !item.includes('/'));
  const causes = firstCauses(run);
  return [...new Set([...ledger.parents, ...whole])].sort().map((name) => {
    const parent = ledger.parent(name);
    const found = statistics.get(name);
    const count = (...outcomes: Outcome[]) =>
      outcomes.reduce((sum, outcome) => sum + (parent?.counts.get(outcome) ?? 0), 0);
    const number = (key: string) =>
      typeof parent?.detail[key] === 'number' ? (parent.detail[key] as number) : null;
    return {
      id_str: name,
      ra: number('ra'),
      dec: number('dec'),
      outcome: ledger.outcomeOf(name) ?? 'failed',
      windows: parent?.children ?? 0,
      windows_ok: count('ok'),
      windows_no_work: count('no_work'),
      windows_set_aside: count('unprocessable', 'failed', 'upstream_incomplete'),
      cells: found?.cells ?? 0,
      cells_above_threshold: found?.above ?? 0,
      highest_probability: found?.highest ?? null,
      area: number('area_square_degrees'),
      cause: causes.get(name) ?? null,
    };
  });
}

/** The first cause of each tile, in order of its items' names. */
function firstCauses(run: Run): ReadonlyMap<string, string> {
  const causes = new Map<string, string>();
  for (const [item, { outcome }] of [...run.ledger.items].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (outcome === 'ok' || outcome === 'no_work') continue;
    const tile = item.split('/')[0] as string;
    const cause = run.ledger.causeOf(item);
    if (cause !== undefined && !causes.has(tile)) causes.set(tile, `${cause.code}: ${cause.message}`);
  }
  return causes;
}
