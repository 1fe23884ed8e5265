/** The tasks of the loader threads: windows as an encoder sees them, from the stream or from the cache. */
import { moved, task } from '../../../engine/workers.js';
import type { NoiseMaker } from '../../../science/render/noise.js';
import { noiseMaker } from '../render/task.js';
import { addNoise, average, orient, type Visit } from './augment.js';
import { syncFiles } from './window-cache.js';
import { type CachedWindow, imageLength, readWindow, type WindowShape, writeWindow } from './window-file.js';

/** A window as it comes from the stage before. */
export interface FreshWindow {
  /** Bands × size × size. */
  readonly pixels: SharedArrayBuffer;
  readonly size: number;
  readonly membership: Uint8Array;
}

export interface LoadJob {
  readonly shape: WindowShape;
  /** Pixels that are averaged into one, along a side. */
  readonly pool: number;
  /** From the stream, or the path of its file in the cache. */
  readonly window: FreshWindow | string;
  /** Where a fresh window is kept. */
  readonly keepAt: string | undefined;
  /** How it is seen, and where that is put; absent for a window that is only kept. */
  readonly visit: (Visit & { readonly into: SharedArrayBuffer }) | undefined;
}

let maker: NoiseMaker | undefined;
/** The averaged image, before anything is done to it; kept for the next of the same size. */
let averaged = new Float32Array(0);

/**
 * Averages or reads a window, keeps it, and shows it as the visit says.
 *
 * @returns membership of its cells, as the visit shows them
 * @throws `cache_damaged`; `encoder_not_finite` when a pixel is not a finite number; the system's errors
 */
export const load = task((job: LoadJob): Uint8Array => {
  const { shape, window, keepAt, visit } = job;
  const found = typeof window === 'string' ? readWindow(window, shape) : averagedWindow(job, window);
  if (keepAt !== undefined) writeWindow(keepAt, shape, found);
  const membership = new Uint8Array(found.membership.length);
  if (visit === undefined) membership.set(found.membership);
  else {
    const into = new Float32Array(visit.into, 0, imageLength(shape));
    orient(found.image, shape.side, visit.orientation, into);
    orient(found.membership, shape.cells, visit.orientation, membership);
    maker ??= noiseMaker();
    if (visit.noise !== undefined) addNoise(into, shape.side, visit.noise, job.pool, maker);
  }
  return moved(membership, [membership.buffer]);
});

function averagedWindow({ shape, pool }: LoadJob, { pixels, size, membership }: FreshWindow): CachedWindow {
  const length = imageLength(shape);
  if (averaged.length !== length) averaged = new Float32Array(length);
  average(new Float32Array(pixels, 0, shape.bands * size * size), size, pool, averaged);
  // One that is not finite makes the sum so, too.
  if (!Number.isFinite(averaged.reduce((sum, value) => sum + value, 0))) {
    throw Object.assign(new Error('the window holds a pixel that is not a finite number'), {
      code: 'encoder_not_finite',
      hint: 'use tile.nan=zero, or leave the image out',
    });
  }
  return { image: averaged, membership };
}

/** Returns when the files will be there after a power cut. */
export const sync = task((paths: readonly string[]): void => syncFiles(paths));
