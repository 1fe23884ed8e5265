/** The threads that make windows ready, and the memory they are made ready in. */
import { builtUrl } from '../../../config/built.js';
import { WorkerPool } from '../../../engine/workers.js';
import type { Visit } from './augment.js';
import type { FreshWindow, LoadJob } from './loader-worker.js';
import { Places } from './places.js';
import type { WindowCache } from './window-cache.js';
import { imageLength, type WindowShape } from './window-file.js';

/** A window as it is seen once. */
export interface SeenWindow {
  /** Averaged, turned, with noise: bands × side × side float32. Given back with `Loaders.give`. */
  readonly image: SharedArrayBuffer;
  /** Cells × cells. */
  readonly membership: Uint8Array;
}

export interface LoadersOptions {
  readonly threads: number;
  /** Windows that are ready, or being made ready, at once. */
  readonly places: number;
  readonly shape: WindowShape;
  readonly pool: number;
  readonly cache: WindowCache;
  readonly signal: AbortSignal;
}

const entry = builtUrl(import.meta.url, './loader-worker.js');

export class Loaders {
  readonly threads: number;
  readonly #options: LoadersOptions;
  readonly #pool: WorkerPool;
  readonly #places: Places<SharedArrayBuffer>;

  constructor(options: LoadersOptions) {
    this.threads = options.threads;
    this.#options = options;
    this.#pool = new WorkerPool(entry, { name: 'loader', threads: options.threads });
    this.#places = new Places(Array.from({ length: options.places }, () => this.newImage()));
  }

  /** Memory for one image, for whoever keeps it. */
  newImage(): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * imageLength(this.#options.shape));
  }

  /** Memory for a window to come, as soon as there is some; undefined once nothing more is made ready. */
  take(): Promise<SharedArrayBuffer | undefined> {
    return this.#places.take();
  }

  give(image: SharedArrayBuffer): void {
    this.#places.give(image);
  }

  /** Keeps a window of the stream under its name, and is done. */
  async keep(id: string, window: FreshWindow): Promise<void> {
    const { cache } = this.#options;
    await this.#load({ window, keepAt: cache.pathOf(id), visit: undefined });
    cache.wrote(id);
  }

  /** Shows a window of the stream as a visit says, and keeps it under its name if asked to. */
  async show(
    window: FreshWindow,
    visit: Visit,
    into: SharedArrayBuffer,
    keepAs: string | undefined,
  ): Promise<SeenWindow> {
    const { cache } = this.#options;
    const keepAt = keepAs === undefined ? undefined : cache.pathOf(keepAs);
    const membership = await this.#load({ window, keepAt, visit: { ...visit, into } });
    if (keepAs !== undefined) cache.wrote(keepAs);
    return { image: into, membership };
  }

  /** Shows a window of the cache as a visit says. @throws `cache_damaged` */
  async showAgain(id: string, visit: Visit, into: SharedArrayBuffer): Promise<SeenWindow> {
    const window = this.#options.cache.pathOf(id);
    return {
      image: into,
      membership: await this.#load({ window, keepAt: undefined, visit: { ...visit, into } }),
    };
  }

  /** Returns when all that was kept will be there after a power cut. */
  async sync(): Promise<void> {
    const paths = this.#options.cache.takeUnsynced();
    if (paths.length > 0) await this.#pool.run('sync', paths, { signal: this.#options.signal });
  }

  /** Makes nothing more ready; who waits for memory gets none. */
  stop(): void {
    this.#places.close();
  }

  async close(): Promise<void> {
    this.stop();
    await this.#pool.close();
  }

  #load(job: Pick<LoadJob, 'window' | 'keepAt' | 'visit'>): Promise<Uint8Array> {
    const { shape, pool, signal } = this.#options;
    return this.#pool.run<LoadJob, Uint8Array>('load', { ...job, shape, pool }, { signal });
  }
}
