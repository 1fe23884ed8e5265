/** Fills a strip with decoded rows and cuts windows out of it, in worker threads. */
import type { Lease } from '../../../engine/credit.js';
import type { WorkerPool } from '../../../engine/workers.js';
import type { BufferPool } from '../buffer-pool.js';
import type { SkyImage } from '../nouns.js';
import type { CutWindow, DecodeRows } from '../pixels-worker.js';
import { makeStrip, type PixelRules, type Strip, stripBytes } from './strip.js';
import type { GridCell } from './window-grid.js';

/** Rows one thread decodes before it is asked again: enough to read in one go, few enough to share evenly. */
const rowsPerTask = 64;

export interface OpenStrip extends Disposable {
  /** Makes rows [y0, y1) of the image stand in the strip; rows that already do are not decoded again. */
  fill(y0: number, y1: number, signal: AbortSignal): Promise<void>;
  /** A copy of one window, in a buffer of the pool. */
  cut(
    cell: GridCell,
    buffers: BufferPool,
    signal: AbortSignal,
  ): Promise<{ pixels: SharedArrayBuffer; maskedFraction: number }>;
}

/** Keeps the shared memory of the last strip, since the next tile nearly always has the same shape. */
export class StripReader {
  readonly #pool: WorkerPool;
  readonly #rules: PixelRules;
  #strip: Strip | undefined;

  constructor(pool: WorkerPool, rules: PixelRules) {
    this.#pool = pool;
    this.#rules = rules;
  }

  /** @param lend leases the memory of the strip, before it is made */
  async open(image: SkyImage, size: number, lend: (bytes: number) => Promise<Lease>): Promise<OpenStrip> {
    const bands = image.bands.length;
    const lease = await lend(stripBytes(bands, size, image.width));
    if (this.#strip?.width !== image.width || this.#strip.rows !== size || this.#strip.bands !== bands) {
      this.#strip = undefined;
      this.#strip = makeStrip(bands, size, image.width);
    }
    const strip = this.#strip;
    let decoded = { from: 0, to: 0 };

    return {
      fill: async (y0, y1, signal) => {
        const from = decoded.from <= y0 && y0 <= decoded.to ? Math.max(y0, decoded.to) : y0;
        // Until all rows are there, none of the new ones may be believed.
        const kept = { from: y0, to: from };
        decoded = kept;
        await this.#decode(image, strip, from, y1, signal);
        decoded = { from: y0, to: y1 };
      },
      cut: async (cell, buffers, signal) => {
        const pixels = buffers.take(4 * bands * size * size);
        const request: CutWindow = { strip, x0: cell.x0, y0: cell.y0, size, into: pixels };
        const maskedFraction = await this.#pool.run<CutWindow, number>('cutWindow', request, { signal });
        return { pixels, maskedFraction };
      },
      [Symbol.dispose]: () => lease.release(),
    };
  }

  async #decode(image: SkyImage, strip: Strip, y0: number, y1: number, signal: AbortSignal): Promise<void> {
    const starts = Array.from({ length: Math.ceil((y1 - y0) / rowsPerTask) }, (_, i) => y0 + i * rowsPerTask);
    // All threads must have let go of the strip before anything else happens to it, also when one of them fails.
    const results = await Promise.allSettled(
      starts.map((start) => {
        const request: DecodeRows = {
          source: image.pixels,
          strip,
          y0: start,
          y1: Math.min(start + rowsPerTask, y1),
          rules: this.#rules,
        };
        return this.#pool.run<DecodeRows, void>('decodeRows', request, { signal });
      }),
    );
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }
}
