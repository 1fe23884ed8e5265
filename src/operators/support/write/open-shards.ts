/** Which shards are open, which tile goes into which, and which are whole. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../../engine/errors.js';
import { makeFolder } from '../../../engine/folder.js';
import { parentOf } from '../../../engine/ledger.js';
import type { Run } from '../../../engine/run.js';
import type { WorkerPool } from '../../../engine/workers.js';
import type { Input, PredictionRows, ShardLayout } from '../../../formats/hdf5/layout.js';
import type { InputFile, Prediction, PredictionRow, Shard } from '../nouns.js';
import { lostFile } from './lost-file.js';
import type { ShardTask } from './results-worker.js';

export interface OpenShardsOptions {
  readonly dir: string;
  readonly layout: ShardLayout;
  readonly gzip: number;
  readonly tilesPerShard: number;
  readonly run: Run;
  readonly pool: WorkerPool;
}

/** What a kill leaves of an open shard. */
const journalName = /^(shard-\d{6})\.journal$/;
const partName = /^(shard-\d{6})\.h5\.part$/;
const nameOf = (index: number): string => `shard-${String(index).padStart(6, '0')}`;
const indexOf = (name: string): number => Number(name.slice('shard-'.length));

export class OpenShards {
  readonly #options: OpenShardsOptions;
  /** Tiles of every open shard. */
  readonly #tiles = new Map<string, Set<string>>();
  readonly #shardOf = new Map<string, string>();
  #next = 0;

  private constructor(options: OpenShardsOptions) {
    this.#options = options;
  }

  /**
   * Takes up what an earlier start left: open shards are made anew from their journals, and items whose results
   * cannot be found any more lose their place in the ledger, so that they are done again.
   */
  static async open(options: OpenShardsOptions): Promise<OpenShards> {
    await makeFolder(options.dir);
    const shards = new OpenShards(options);
    await shards.#checkCommitted();
    await shards.#takeUp();
    return shards;
  }

  /** Shards committed by earlier starts, by name. */
  get committed(): readonly Shard[] {
    const { run, dir } = this.#options;
    return [...run.ledger.shards.values()]
      .map(({ shard, file, rows }) => ({ name: shard, path: join(dir, file), rows }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Writes predictions into the shards of their tiles. They are on disk when this returns. */
  async append(predictions: readonly Prediction[]): Promise<void> {
    const { run, pool } = this.#options;
    for (const [shard, rows] of this.#assign(predictions)) {
      await pool.run('append', { ...this.#task(shard), rows });
      await run.ledger.append({ type: 'outcome', items: rows.ids, outcome: 'ok', shard });
    }
  }

  /** Commits the open shards that can get no more rows; all of them when no more rows will come. */
  async commit(hasEnded: boolean): Promise<readonly Shard[]> {
    const done: Shard[] = [];
    for (const [shard, tiles] of this.#tiles) {
      const isFull = tiles.size >= this.#options.tilesPerShard;
      if (
        hasEnded ||
        (isFull && [...tiles].every((tile) => this.#options.run.ledger.outcomeOf(tile) !== undefined))
      ) {
        done.push(await this.#commit(shard, tiles));
      }
    }
    return done;
  }

  async #commit(shard: string, tiles: ReadonlySet<string>): Promise<Shard> {
    const { dir, pool, run } = this.#options;
    const { rows, bytes } = await pool.run<unknown, { rows: number; bytes: number }>('commit', {
      ...this.#task(shard),
      inputs: this.#inputs(tiles),
    });
    await run.ledger.append({ type: 'shard', shard, file: `${shard}.h5`, rows, bytes });
    await pool.run('forget', { dir, shard });
    this.#tiles.delete(shard);
    for (const tile of tiles) this.#shardOf.delete(tile);
    return { name: shard, path: join(dir, `${shard}.h5`), rows };
  }

  #task(shard: string): ShardTask {
    const { dir, layout, gzip } = this.#options;
    return { dir, shard, layout, gzip };
  }

  #inputs(tiles: ReadonlySet<string>): readonly Input[] {
    return [...tiles]
      .sort()
      .flatMap(
        (tile) =>
          (this.#options.run.ledger.parent(tile)?.detail.inputs as readonly InputFile[] | undefined) ?? [],
      );
  }

  /** All rows of the predictions by the shard they belong to, in order of arrival: one write for each shard. */
  #assign(predictions: readonly Prediction[]): ReadonlyMap<string, PredictionRows> {
    const assigned = new Map<string, { readonly row: PredictionRow; readonly values: Float32Array }[]>();
    for (const { rows, values } of predictions) {
      const size = values.length / rows.length;
      for (const [i, row] of rows.entries()) {
        const shard = this.#shardFor(row.parent);
        const list = assigned.get(shard) ?? [];
        assigned.set(shard, list);
        list.push({ row, values: values.subarray(i * size, (i + 1) * size) });
      }
    }
    return new Map([...assigned].map(([shard, list]) => [shard, rowsOf(list)]));
  }

  #shardFor(tile: string): string {
    const known = this.#shardOf.get(tile);
    if (known !== undefined) return known;
    const open = [...this.#tiles].find(([, tiles]) => tiles.size < this.#options.tilesPerShard)?.[0];
    const shard = open ?? nameOf(this.#next++);
    this.#place(tile, shard);
    return shard;
  }

  #place(tile: string, shard: string): void {
    this.#shardOf.set(tile, shard);
    const tiles = this.#tiles.get(shard) ?? new Set();
    this.#tiles.set(shard, tiles.add(tile));
  }

  /** A committed shard counts only while its file is there, whole to the byte. */
  async #checkCommitted(): Promise<void> {
    const { run, dir } = this.#options;
    for (const { shard, file, bytes } of [...run.ledger.shards.values()]) {
      this.#next = Math.max(this.#next, indexOf(shard) + 1);
      const reason = await lostFile(dir, file, bytes);
      if (reason === undefined) continue;
      await run.ledger.append({ type: 'redo', shard, reason });
      run.log.warn({ shard }, 'a committed shard is gone or has changed: its items are done again');
    }
  }

  async #takeUp(): Promise<void> {
    const { run, dir, pool } = this.#options;
    const open = new Map<string, Set<string>>();
    for (const [item, { outcome, shard }] of run.ledger.items) {
      if (outcome !== 'ok' || shard === undefined || run.ledger.shards.has(shard)) continue;
      open.set(shard, (open.get(shard) ?? new Set()).add(item));
    }
    const names = await readdir(dir);
    const shardsOf = (name: RegExp): Set<string> =>
      new Set(names.flatMap((each) => name.exec(each)?.[1] ?? []));
    const journals = shardsOf(journalName);
    for (const shard of new Set([...open.keys(), ...journals, ...shardsOf(partName)])) {
      this.#next = Math.max(this.#next, indexOf(shard) + 1);
      const known = open.get(shard) ?? new Set<string>();
      const { ids } =
        journals.has(shard) && known.size > 0
          ? await pool.run<unknown, { ids: readonly string[] }>('takeUp', { ...this.#task(shard), known })
          : { ids: [] };
      if (ids.length === 0) await pool.run('forget', { dir, shard });
      for (const id of ids) {
        known.delete(id);
        this.#place(parentOf(id) ?? id, shard);
      }
      if (known.size > 0) {
        await run.ledger.append({
          type: 'redo',
          items: [...known],
          reason: `their rows are not in ${shard}.journal`,
        });
        run.log.warn(
          { shard, items: known.size },
          'results of an earlier start are gone: their items are done again',
        );
      }
    }
  }
}

function rowsOf(
  list: readonly { readonly row: PredictionRow; readonly values: Float32Array }[],
): PredictionRows {
  const size = list[0]?.values.length ?? 0;
  const values = new Float32Array(list.length * size);
  for (const [i, each] of list.entries()) values.set(each.values, i * size);
  const column = (of: (row: PredictionRow) => number) => list.map(({ row }) => of(row));
  return {
    ids: list.map(({ row }) => row.id),
    values,
    columns: {
      ra: column((row) => row.ra),
      dec: column((row) => row.dec),
      x0: column((row) => row.x0),
      y0: column((row) => row.y0),
      masked_fraction: column((row) => row.maskedFraction),
    },
  };
}

/** Errors of writing end the run: a result that cannot be kept must not be counted. */
export function asWriteError(thrown: unknown): unknown {
  const { code, name } = thrown as { code?: unknown; name?: unknown };
  if (typeof code === 'string' || name === 'AbortError') return thrown;
  return new EngineError('write_failed', (thrown as Error).message, { cause: thrown });
}
