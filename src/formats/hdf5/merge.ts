/**
 * Merges shards into one file with its rows sorted by id, whatever the order of shards and rows.
 *
 * All ids stand in memory, with 12 bytes of index per row; the numbers pass through in windows of about 32 MiB of
 * output. For each window the rows it needs are read shard by shard, neighbours in one go, and put in their places.
 */
import { FormatError } from '../errors.js';
import type { ShardLayout } from './layout.js';
import {
  chunkRowsWithin,
  type Input,
  type PredictionRows,
  rowBytesOf,
  rowSizeOf,
  shapeKey,
} from './layout.js';
import { readShardIndex, ShardReader } from './read-shard.js';
import { ShardFile } from './shard.js';

const chunk = { rows: 512, bytes: 1 << 20 };

export interface MergeOptions {
  /** Put beside the attributes on which all shards agree; one of the same name is replaced. */
  readonly attributes?: Readonly<Record<string, string | number>>;
  readonly description?: string;
  readonly gzip?: number;
  /** Bytes of rows that stand in memory at once. Default 32 MiB; fewer means reading shards more often. */
  readonly windowBytes?: number;
  /** Called after each window. */
  readonly onProgress?: (progress: { rows: number; total: number }) => void;
  readonly signal?: AbortSignal;
}

/** Every row of every shard: `ids[n]` is row `n - firstRow[shard]` of shard `shardOf[n]`. */
interface Rows {
  readonly layout: ShardLayout;
  readonly ids: readonly string[];
  readonly shardOf: Uint32Array;
  readonly firstRow: readonly number[];
  readonly inputs: readonly Input[];
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function indexShards(shards: readonly string[]): Rows {
  const ids: string[] = [];
  const firstRow: number[] = [];
  const inputs = new Map<string, Input>();
  let layout: ShardLayout | undefined;
  for (const path of shards) {
    const shard = readShardIndex(path);
    layout =
      layout === undefined ? shard.layout : commonLayout(layout, shard.layout, path, shards[0] ?? path);
    firstRow.push(ids.length);
    for (const id of shard.ids) ids.push(id);
    for (const input of shard.inputs) inputs.set(`${input.name}\0${input.checksum}`, input);
  }
  if (layout === undefined) throw new TypeError('there are no shards to merge');
  const shardOf = new Uint32Array(ids.length);
  firstRow.forEach((first, shard) => void shardOf.fill(shard, first));
  const sortedInputs = [...inputs].sort(([a], [b]) => compare(a, b)).map(([, input]) => input);
  return { layout, ids, shardOf, firstRow, inputs: sortedInputs };
}

/** The first layout with the attributes on which both agree. */
function commonLayout(first: ShardLayout, next: ShardLayout, path: string, firstPath: string): ShardLayout {
  if (shapeKey(first) !== shapeKey(next)) {
    throw new FormatError(
      'hdf5_damaged',
      `its answers, passes, cells or columns are not those of ${firstPath}`,
      {
        place: { file: path },
        hint: 'shards of different encoders cannot be merged',
      },
    );
  }
  const shared = Object.entries(first.attributes).filter(([name, value]) => next.attributes[name] === value);
  return { ...first, attributes: Object.fromEntries(shared) };
}

/** Numbers of the rows in the order of their ids. Refuses an id that occurs twice. */
function sortRows({ ids, shardOf, firstRow }: Rows, shards: readonly string[]): Uint32Array {
  const idAt = (row: number): string => ids[row] ?? '';
  const order = Uint32Array.from(ids.keys()).sort((a, b) => compare(idAt(a), idAt(b)) || a - b);
  for (let index = 1; index < order.length; index++) {
    const [before = 0, row = 0] = [order[index - 1], order[index]];
    if (idAt(before) !== idAt(row)) continue;
    const placeOf = (n: number) => ({
      file: shards[shardOf[n] ?? 0] ?? '',
      row: n - (firstRow[shardOf[n] ?? 0] ?? 0),
    });
    const [one, two] = [placeOf(before), placeOf(row)];
    throw new FormatError('hdf5_damaged', `${idAt(row)} is also row ${one.row} of ${one.file}`, {
      place: two,
      hint: 'every item may stand in one shard only; delete the one that does not belong to this run',
    });
  }
  return order;
}

/** Reads the rows named by `picked` (numbers over all shards), each into its own place of the window. */
function gather(rows: Rows, shards: readonly string[], picked: Uint32Array): PredictionRows {
  const { layout, shardOf, firstRow } = rows;
  const rowSize = rowSizeOf(layout);
  const values = new Float32Array(picked.length * rowSize);
  const columns = layout.columns.map(({ name }) => [name, new Float64Array(picked.length)] as const);
  const places = Uint32Array.from(picked.keys()).sort((a, b) => (picked[a] ?? 0) - (picked[b] ?? 0));

  for (let at = 0; at < places.length; ) {
    const shard = shardOf[picked[places[at] ?? 0] ?? 0] ?? 0;
    const first = firstRow[shard] ?? 0;
    const reader = ShardReader.open(shards[shard] ?? '');
    try {
      const rowAt = (index: number): number => {
        const row = picked[places[index] ?? Number.NaN];
        return row === undefined || shardOf[row] !== shard ? Number.POSITIVE_INFINITY : row - first;
      };
      while (rowAt(at) < Number.POSITIVE_INFINITY) {
        const start = rowAt(at);
        let end = at + 1;
        while (rowAt(end) < start + reader.slabRows) end++;
        const slab = reader.readNumbers(start, rowAt(end - 1) + 1);
        for (; at < end; at++) {
          const [from, to] = [rowAt(at) - start, places[at] ?? 0];
          values.set(slab.values.subarray(from * rowSize, (from + 1) * rowSize), to * rowSize);
          for (const [name, column] of columns) column[to] = slab.columns[name]?.[from] ?? Number.NaN;
        }
      }
    } finally {
      reader.close();
    }
  }
  return {
    ids: Array.from(picked, (row) => rows.ids[row] ?? ''),
    values,
    columns: Object.fromEntries(columns),
  };
}

/**
 * Merges finished shards into `into`, sorted by id in code-unit order. The result is the same whatever the order of
 * `shards`. Its inputs are those of all shards, its attributes those on which all shards agree.
 *
 * Errors: `hdf5_damaged` for a shard that is not whole, shards that do not fit together, or an id that occurs twice;
 * the system's errors; the signal's reason. `into` is then as it was before.
 */
export function mergeShards(
  shards: readonly string[],
  into: string,
  options: MergeOptions = {},
): { rows: number } {
  const { gzip = 0, windowBytes = 32 << 20, onProgress, signal } = options;
  const rows = indexShards(shards);
  const order = sortRows(rows, shards);
  const layout: ShardLayout = {
    ...rows.layout,
    description: options.description ?? rows.layout.description,
    attributes: { ...rows.layout.attributes, ...options.attributes },
  };
  const chunkRows = chunkRowsWithin(4 * rowSizeOf(layout), chunk.bytes, chunk.rows);
  const windowRows = chunkRows * Math.max(1, Math.floor(windowBytes / (chunkRows * rowBytesOf(layout))));

  const merged = ShardFile.create(into, layout, { chunk, gzip });
  try {
    for (let start = 0; start < order.length; start += windowRows) {
      signal?.throwIfAborted();
      merged.append(gather(rows, shards, order.subarray(start, start + windowRows)));
      onProgress?.({ rows: merged.rows, total: order.length });
    }
    signal?.throwIfAborted();
    merged.finish(rows.inputs);
  } finally {
    merged.abandon();
  }
  return { rows: order.length };
}
