/**
 * The tasks of the results thread: it alone has the files of open shards.
 *
 * Every open shard is two files. The journal is the truth: its records carry checksums and are on disk before
 * anybody is told. The `.h5.part` is for people who want to look while the run goes on; a kill may tear it, so
 * it is made anew from the journal whenever a run is taken up again.
 */
import { renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { task } from '../../../engine/workers.js';
import { partPath, removeIfThere, syncFolderOf } from '../../../formats/durable.js';
import type { Input, PredictionRows, ShardLayout } from '../../../formats/hdf5/layout.js';
import { mergeShards } from '../../../formats/hdf5/merge.js';
import { iterateRows } from '../../../formats/hdf5/read-shard.js';
import { decodeRows, encodeRows } from '../../../formats/hdf5/rows-codec.js';
import { ShardFile } from '../../../formats/hdf5/shard.js';
import { Journal } from '../../../formats/journal.js';
import { tileStatistics as statisticsOf, type TileStatistics } from './tile-statistics.js';

interface OpenShard {
  readonly journal: Journal;
  readonly file: ShardFile;
}

const open = new Map<string, OpenShard>();

/** Which shard is meant, and what it is made of. */
export interface ShardTask {
  readonly dir: string;
  readonly shard: string;
  readonly layout: ShardLayout;
  readonly gzip: number;
}

export const shardPath = ({ dir, shard }: Pick<ShardTask, 'dir' | 'shard'>): string =>
  join(dir, `${shard}.h5`);
export const journalPath = ({ dir, shard }: Pick<ShardTask, 'dir' | 'shard'>): string =>
  join(dir, `${shard}.journal`);

const begin = (request: ShardTask, journal: Journal): OpenShard => {
  const shard = {
    journal,
    file: ShardFile.create(shardPath(request), request.layout, { gzip: request.gzip }),
  };
  open.set(request.shard, shard);
  return shard;
};

/** Adds rows to a shard. When this returns they are on disk, and the part file shows them. */
export const append = task((request: ShardTask & { readonly rows: PredictionRows }): void => {
  const { journal, file } =
    open.get(request.shard) ?? begin(request, Journal.open(journalPath(request), { shard: request.shard }));
  journal.append([encodeRows(request.rows)]);
  journal.sync();
  file.append(request.rows);
  file.flush();
});

/** Takes up a shard that an earlier start left open: rows the ledger does not know of are dropped. */
export const takeUp = task(
  (request: ShardTask & { readonly known: ReadonlySet<string> }): { readonly ids: readonly string[] } => {
    const path = journalPath(request);
    const before = Journal.open(path, { shard: request.shard });
    const fresh = `${path}.new`;
    removeIfThere(fresh);
    const journal = Journal.open(fresh, { shard: request.shard });
    const taken = new Set<string>();
    const shard = begin(request, journal);
    for (const payload of before.replay()) {
      const rows = pick(decodeRows(payload), (id) => request.known.has(id) && !taken.has(id));
      if (rows.ids.length === 0) continue;
      for (const id of rows.ids) taken.add(id);
      journal.append([encodeRows(rows)]);
      shard.file.append(rows);
    }
    journal.sync();
    shard.file.flush();
    before.close();
    // The descriptor goes on under the new name.
    renameSync(fresh, path);
    syncFolderOf(path);
    return { ids: [...taken] };
  },
);

function pick(rows: PredictionRows, isWanted: (id: string) => boolean): PredictionRows {
  const kept = rows.ids.flatMap((id, i) => (isWanted(id) ? [i] : []));
  if (kept.length === rows.ids.length) return rows;
  const size = rows.values.length / rows.ids.length;
  const values = new Float32Array(kept.length * size);
  kept.forEach((row, i) => void values.set(rows.values.subarray(row * size, (row + 1) * size), i * size));
  const columns = Object.entries(rows.columns).map(([name, numbers]) => [
    name,
    kept.map((row) => numbers[row] as number),
  ]);
  return { ids: kept.map((row) => rows.ids[row] as string), values, columns: Object.fromEntries(columns) };
}

/** Gives a shard its name for good. The journal stays until the ledger has the shard. */
export const commit = task(
  (
    request: ShardTask & { readonly inputs: readonly Input[] },
  ): { readonly rows: number; readonly bytes: number } => {
    const shard = open.get(request.shard) as OpenShard;
    const { rows } = shard.file;
    shard.file.finish(request.inputs);
    return { rows, bytes: statSync(shardPath(request)).size };
  },
);

/** Removes what a shard was made of: it is committed, or there is nothing in it to keep. */
export const forget = task((request: Pick<ShardTask, 'dir' | 'shard'>): void => {
  const shard = open.get(request.shard);
  open.delete(request.shard);
  shard?.file.abandon();
  shard?.journal.close();
  // Not `journal.remove()`: a journal that was taken up has been renamed since it was opened.
  removeIfThere(journalPath(request));
  removeIfThere(partPath(shardPath(request)));
  syncFolderOf(journalPath(request));
});

/** Lets go of all open shards; their journals and part files stay for the next start. */
export const release = task((): void => {
  for (const { journal, file } of open.values()) {
    journal.close();
    file.flush();
  }
  open.clear();
});

export const merge = task(
  (request: {
    readonly shards: readonly string[];
    readonly into: string;
    readonly attributes: Record<string, string | number>;
  }): number => {
    return mergeShards(request.shards, request.into, { attributes: request.attributes }).rows;
  },
);

/** Cells above the threshold and the highest value of every parent of a merged file. */
export const tileStatistics = task(
  (request: { readonly path: string; readonly threshold: number }): TileStatistics =>
    statisticsOf(iterateRows(request.path), request.threshold),
);
