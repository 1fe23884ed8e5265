import { FormatError } from '../errors.js';

/** How the integers of one tile become floating-point pixels: `value = (integer - random + 0.5) * scale + zero`. */
export interface TileQuantum {
  /** ZSCALE of the tile. */
  readonly scale: number;
  /** ZZERO of the tile. */
  readonly zero: number;
  /** 0 NO_DITHER, 1 SUBTRACTIVE_DITHER_1, 2 SUBTRACTIVE_DITHER_2 (which keeps exact zeros). */
  readonly dither: 0 | 1 | 2;
  /** ZBLANK: the integer that stands for NaN. */
  readonly blank: number | undefined;
  /** (tile index + ZDITHER0 - 1) mod 10000, from 0: where in the random sequence the tile begins. */
  readonly seedIndex: number;
}

/** Length of the random sequence; a tile walks through it again and again. */
export const randomCount = 10_000;

/** The integer that stands for exactly 0 under SUBTRACTIVE_DITHER_2. */
export const exactZero = -2147483646;

/**
 * The 10000 uniform numbers in [0, 1) that every FITS writer subtracts, rounded to float32.
 *
 * Park and Miller's generator as fixed by the FITS standard 4.0, appendix I: seed 1, factor 16807, modulus 2^31 - 1;
 * the seed after the last step is 1043618065.
 */
export function ditherSequence(): Float32Array {
  const randoms = new Float32Array(randomCount);
  let seed = 1;
  for (let i = 0; i < randomCount; i++) {
    seed = (seed * 16807) % 2147483647;
    randoms[i] = seed / 2147483647;
  }
  return randoms;
}

/**
 * Restores float64 pixels (ZBITPIX -64) from quantised integers, `count` of them.
 *
 * @returns how many pixels are NaN
 */
export function dequantizeFloat64(
  integers: Int32Array,
  from: number,
  count: number,
  quantum: TileQuantum,
  randoms: Float32Array,
  into: Float64Array,
  at: number,
): number {
  const { scale, zero, dither, blank } = quantum;
  let seedIndex = quantum.seedIndex;
  let k = firstRandom(randoms, seedIndex);
  let nanCount = 0;
  for (let i = 0; i < count; i++) {
    const integer = integers[from + i] as number;
    if (integer === blank) {
      into[at + i] = Number.NaN;
      nanCount++;
    } else if (dither === 2 && integer === exactZero) into[at + i] = 0;
    else if (dither === 0) into[at + i] = integer * scale + zero;
    else into[at + i] = (integer - (randoms[k] as number) + 0.5) * scale + zero;
    if (++k === randomCount) {
      seedIndex = (seedIndex + 1) % randomCount;
      k = firstRandom(randoms, seedIndex);
    }
  }
  return nanCount;
}

const firstRandom = (randoms: Float32Array, seedIndex: number) =>
  Math.floor((randoms[seedIndex] as number) * 500);

/** @throws FormatError `fits_compressed` when the sequence has no such start, which would make every pixel NaN */
export function checkQuantum(quantum: TileQuantum): void {
  const { seedIndex } = quantum;
  if (!(Number.isInteger(seedIndex) && seedIndex >= 0 && seedIndex < randomCount))
    throw new FormatError(
      'fits_compressed',
      `the dither sequence starts at 0 to ${randomCount - 1}, not at ${seedIndex}`,
    );
}
