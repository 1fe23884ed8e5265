/** What a run left behind, read without the code that wrote it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import h5wasm, { type Dataset, type Group } from 'h5wasm/node';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';

await h5wasm.ready;

export interface StoredDataset {
  readonly shape: readonly number[];
  /** As h5py writes it: `<f`, `<d`, `<i`, `<q`, `S`. */
  readonly dtype: string;
  readonly values: readonly unknown[];
}

export type Attributes = Readonly<Record<string, unknown>>;

export interface StoredFile {
  readonly datasets: Readonly<Record<string, StoredDataset>>;
  /** By name of the group or dataset; `/` is the file. */
  readonly attributes: Readonly<Record<string, Attributes>>;
}

/** Every dataset and attribute of an HDF5 file. */
export function readHdf5(path: string): StoredFile {
  const file = new h5wasm.File(path, 'r');
  const datasets: Record<string, StoredDataset> = {};
  const attributes: Record<string, Attributes> = {};
  const attributesOf = (of: Group | Dataset): Attributes =>
    Object.fromEntries(Object.entries(of.attrs).map(([key, { value }]) => [key, value]));
  const walk = (group: Group, prefix: string): void => {
    for (const name of group.keys()) {
      const entity = group.get(name);
      if (entity instanceof h5wasm.Group) walk(entity, `${prefix}${name}/`);
      if (entity instanceof h5wasm.Dataset) {
        const values = entity.value as ArrayLike<unknown> | null;
        datasets[prefix + name] = {
          shape: entity.shape ?? [],
          dtype: String(entity.dtype),
          values: Array.from(values ?? []),
        };
      }
      if (entity instanceof h5wasm.Group || entity instanceof h5wasm.Dataset)
        attributes[prefix + name] = attributesOf(entity);
    }
  };
  try {
    attributes['/'] = attributesOf(file);
    walk(file, '');
  } finally {
    file.close();
  }
  return { datasets, attributes };
}

export const grouped = (dir: string): StoredFile => readHdf5(join(dir, 'grouped.hdf5'));

/** Rows of `tiles.parquet`. */
export async function tileRows(dir: string): Promise<readonly Record<string, unknown>[]> {
  return parquetReadObjects({ file: await asyncBufferFromFile(join(dir, 'tiles.parquet')) });
}

export type LedgerLine = Readonly<Record<string, unknown>> & { readonly type: string };

/** Records of the ledger; a torn last line is left out. */
export async function ledgerLines(dir: string): Promise<readonly LedgerLine[]> {
  const text = await readFile(join(dir, 'ledger.jsonl'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LedgerLine);
}

/** The last record of outcome of every item. */
export async function outcomesOf(dir: string): Promise<ReadonlyMap<string, LedgerLine>> {
  const last = new Map<string, LedgerLine>();
  for (const line of await ledgerLines(dir))
    if (line.type === 'outcome') for (const item of line.items as string[]) last.set(item, line);
  return last;
}

/** Items that became `ok` again although their results were there. */
export async function doneTwice(dir: string): Promise<readonly string[]> {
  const shardOf = new Map<string, unknown>();
  const twice: string[] = [];
  for (const { type, items, outcome, shard } of await ledgerLines(dir)) {
    if (type === 'redo' && shard !== undefined)
      for (const [item, of] of shardOf) if (of === shard) shardOf.delete(item);
    for (const item of (items ?? []) as string[]) {
      if (type === 'redo') shardOf.delete(item);
      else if (outcome === 'ok' && shardOf.has(item)) twice.push(item);
      else if (outcome === 'ok') shardOf.set(item, shard);
    }
  }
  return twice;
}

export const runJson = async (dir: string): Promise<Readonly<Record<string, unknown>>> =>
  JSON.parse(await readFile(join(dir, 'run.json'), 'utf8'));
