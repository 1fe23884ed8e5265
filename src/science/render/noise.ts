/** Noise of images: how much, and the same numbers whoever draws them, row by row. */
import type { CatalogBand } from '../catalog.js';
import { deriveSeed } from '../random.js';
import type { Kernels } from './kernels.js';
import { pixelArcsec } from './psf-model.js';

/** Magnitudes at S/N 10 in a 1.95″ aperture of the DES DR2 coadds (Abbott et al. 2021, ApJS 255, 20). */
export const desDepth: Readonly<Record<CatalogBand, number>> = { g: 24.7, r: 24.4, i: 23.8, z: 23.1 };
const depthApertureArcsec = 1.95;
const zeroPoint = 30;

/** Noise of one pixel (zero point 30): a tenth of the depth's flux, spread over the pixels of the aperture. */
export function sigmaOfDepth(magnitude: number): number {
  const aperturePixels = Math.PI * (depthApertureArcsec / 2 / pixelArcsec) ** 2;
  return 10 ** (0.4 * (zeroPoint - magnitude)) / 10 / Math.sqrt(aperturePixels);
}

/** Independent normal noise of one band: its standard deviation, and 64 bits of seed. Plain data. */
export interface BandNoise {
  readonly sigma: number;
  readonly seed: readonly [high: number, low: number];
}

/**
 * The seed of a band's noise.
 *
 * @param fieldSeed seed of the field
 * @param stream name of the band, or one name for all bands that have their noise in common
 */
export function noiseSeed(fieldSeed: string, stream: string): BandNoise['seed'] {
  const seed = deriveSeed(fieldSeed, 'noise', stream);
  return [Number.parseInt(seed.slice(0, 8), 16), Number.parseInt(seed.slice(8, 16), 16)];
}

/**
 * Fills rows [y0, y1) of a band with its noise. Each row has a stream of its own, so that an image drawn in parts is
 * that drawn at once.
 */
export function fillNoise(
  kernels: Kernels,
  noise: BandNoise,
  width: number,
  y0: number,
  y1: number,
  into: Float32Array,
): void {
  const mark = kernels.mark();
  const at = kernels.allocate(4 * (width + 8));
  const row = kernels.floats.subarray(at / 4, at / 4 + width);
  const [high, low] = noise.seed;
  for (let y = y0; y < y1; y++) {
    kernels.wasm.normals(at, width, high, low, y, noise.sigma);
    into.set(row, (y - y0) * width);
  }
  kernels.release(mark);
}
