/**
 * The folder of averaged windows that are seen more than once. Which windows it keeps is known before any has come:
 * all that scores are taken from, and as many of the others as fit, chosen by a seeded draw and not by their order.
 */
import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { formatBytes } from '../../../config/units.js';
import { EngineError } from '../../../engine/errors.js';
import { makeFolder } from '../../../engine/folder.js';
import { syncFolderOf, writeWhole } from '../../../formats/durable.js';
import { deriveSeed } from '../../../science/random.js';
import { type Splits, setOf, sizeOf } from './splits.js';
import { type WindowShape, windowFileBytes } from './window-file.js';

export interface CacheRules {
  readonly splits: Splits;
  readonly seed: number;
  /** Names of the items, in their order. */
  readonly names: readonly string[];
  /** Windows of each item. */
  readonly perImage: number;
  readonly shape: WindowShape;
  /** Most bytes of all windows together. */
  readonly bytes: number;
  /** Whether windows are trained on more than once. */
  readonly isRevisited: boolean;
}

/**
 * The items whose windows are kept.
 *
 * @throws EngineError `config_invalid` when not even those that scores are taken from fit
 */
export function keptItems({
  splits,
  seed,
  names,
  perImage,
  shape,
  bytes,
  isRevisited,
}: CacheRules): ReadonlySet<string> {
  const itemBytes = perImage * windowFileBytes(shape);
  const scored = names.filter((_, i) => ['validation', 'test'].includes(setOf(splits, i) ?? ''));
  const places = Math.floor(bytes / itemBytes) - scored.length;
  if (places < 0) {
    const needed = scored.length * itemBytes;
    throw new EngineError(
      'config_invalid',
      `the ${scored.length} items of the validation and test sets need ${formatBytes(needed)}, more than the ${formatBytes(bytes)} of the cache`,
      { hint: `use train.cache.size=${Math.ceil(needed / 2 ** 20)}MiB or more, or smaller sets` },
    );
  }
  if (!isRevisited) return new Set(scored);
  const drawn = names
    .slice(splits.train.from, splits.train.to)
    .map((name) => ({ name, draw: deriveSeed(seed, 'cache', name) }));
  if (places < sizeOf(splits.train)) drawn.sort((a, b) => (a.draw < b.draw ? -1 : 1));
  return new Set([...scored, ...drawn.slice(0, places).map(({ name }) => name)]);
}

/** Whose windows a cache folder holds. */
interface Owner {
  readonly run: string;
  /** Folder of the encoder that is trained from them, seen from that of the cache: both may be moved together. */
  readonly into: string;
}

export interface WindowCacheOptions extends Owner {
  readonly dir: string;
  readonly shape: WindowShape;
}

const ownerFile = 'cache.json';

export class WindowCache {
  readonly #dir: string;
  readonly #bytes: number;
  /** Files that may not be on disk yet. */
  #unsynced: string[] = [];

  private constructor(dir: string, bytes: number) {
    this.#dir = dir;
    this.#bytes = bytes;
  }

  /**
   * Takes the folder. Windows of another configuration of the same encoder are deleted.
   *
   * @throws EngineError `output_exists` when the folder belongs to another encoder
   */
  static async open({ dir, run, into, shape }: WindowCacheOptions): Promise<WindowCache> {
    await makeFolder(dir);
    const path = join(dir, ownerFile);
    const owner: Owner = { run, into: relative(dir, into) };
    const before = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Owner) : undefined;
    const other = before === undefined ? undefined : resolve(dir, before.into);
    if (other !== undefined && other !== resolve(into)) {
      throw new EngineError('output_exists', `this folder holds windows of the training in ${other}`, {
        place: { file: dir },
        hint: 'choose another train.cache.dir, or delete the folder if that training needs it no more',
      });
    }
    const windows = join(dir, 'windows');
    if (before?.run !== run) {
      rmSync(windows, { recursive: true, force: true });
      await makeFolder(windows);
      writeWhole(path, `${JSON.stringify(owner)}\n`);
    } else await makeFolder(windows);
    return new WindowCache(windows, windowFileBytes(shape));
  }

  pathOf(id: string): string {
    return join(this.#dir, encodeURIComponent(id));
  }

  /** Whether there is a whole file of this window; its bytes are compared when it is read. */
  has(id: string): boolean {
    return statSync(this.pathOf(id), { throwIfNoEntry: false })?.size === this.#bytes;
  }

  /** Remembers that a window has been written. */
  wrote(id: string): void {
    this.#unsynced.push(this.pathOf(id));
  }

  /** Files written since the last call; `syncFiles` puts them on disk. */
  takeUnsynced(): readonly string[] {
    const paths = this.#unsynced;
    this.#unsynced = [];
    return paths;
  }
}

/** Returns when these files, of one folder, will be there after a power cut. */
export function syncFiles(paths: readonly string[]): void {
  for (const path of paths) {
    const fd = openSync(path, 'r+');
    try {
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
  if (paths[0] !== undefined) syncFolderOf(paths[0]);
}
