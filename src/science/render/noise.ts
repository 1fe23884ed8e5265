/** Noise of images: how much, and the same numbers whoever draws them, row by row. */
import type { CatalogBand } from '../catalog.js';
import { deriveSeed } from '../random.js';
import { instantiate, pageBytes } from './kernels.js';
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

/** What `noise-kernel.as.ts` exports; described there. */
interface WasmNoise {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly heapAt: { readonly value: number };
  normals(out: number, count: number, seedHigh: number, seedLow: number, row: number, sigma: number): void;
}

/** Makes noise, in one thread. */
export class NoiseMaker {
  readonly #wasm: WasmNoise;
  readonly #at: number;

  /** @param bytes the compiled `noise-kernel.as.ts` */
  constructor(bytes: Uint8Array) {
    this.#wasm = instantiate(bytes) as WasmNoise;
    this.#at = 16 * Math.ceil(this.#wasm.heapAt.value / 16);
  }

  /**
   * Fills rows [y0, y1) of a band with its noise. Each row has a stream of its own, so that an image drawn in parts is
   * that drawn at once.
   */
  fill(
    { sigma, seed: [high, low] }: BandNoise,
    width: number,
    y0: number,
    y1: number,
    into: Float32Array,
  ): void {
    const { memory } = this.#wasm;
    const missing = this.#at + 4 * (width + 8) - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
    const row = new Float32Array(memory.buffer, this.#at, width);
    for (let y = y0; y < y1; y++) {
      this.#wasm.normals(this.#at, width, high, low, y, sigma);
      into.set(row, (y - y0) * width);
    }
  }
}
