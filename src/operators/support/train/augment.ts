/**
 * What is done to an image each time an encoder sees it: mirrored, turned by quarters, and given fresh noise. Averaging
 * over pool × pool pixels commutes with the first two, and makes white noise of σ white noise of σ / pool; so all of
 * it is done to the averaged image. Every draw follows from the seed, the window and the epoch: any visit can be made again.
 */
import { catalogBands } from '../../../science/catalog.js';
import { deriveSeed, Random } from '../../../science/random.js';
import type { BandNoise, NoiseMaker } from '../../../science/render/noise.js';
import { type NoiseOption, noiseOf } from '../render/options.js';

export const transforms = ['flip', 'turn'] as const;
export type Transform = (typeof transforms)[number];

/** Mirrored left to right, then turned by so many quarters from +x to −y (counterclockwise with row 0 on top). */
export interface Orientation {
  readonly isFlipped: boolean;
  readonly quarters: number;
}

/** How a window is seen once. Plain data. */
export interface Visit {
  readonly orientation: Orientation;
  /** Of each band, per pixel of the image before averaging; undefined for none. */
  readonly noise: readonly BandNoise[] | undefined;
}

export const upright: Orientation = { isFlipped: false, quarters: 0 };

export interface AugmentRules {
  readonly seed: number;
  readonly transforms: readonly Transform[];
  /** What noise there is to choose from. */
  readonly noise: readonly NoiseOption[];
}

/** How a window is seen in an epoch of training. */
export function trainingVisit(rules: AugmentRules, id: string, epoch: number): Visit {
  const seed = deriveSeed(rules.seed, 'visit', id, epoch);
  const random = new Random(seed);
  // All are drawn, whatever is used: leaving out the flips leaves the noise as it was.
  const [isFlipped, quarters] = [random.chance(0.5), random.integer(4)];
  const option = random.choose(rules.noise);
  return {
    orientation: {
      isFlipped: isFlipped && rules.transforms.includes('flip'),
      quarters: rules.transforms.includes('turn') ? quarters : 0,
    },
    noise: noiseOf(option, catalogBands, seed),
  };
}

/** How a window is seen whenever an encoder is judged by it, with one of the kinds of noise. */
export function scoringVisit(rules: AugmentRules, id: string, kind: number): Visit {
  const seed = deriveSeed(rules.seed, 'score', id, kind);
  return { orientation: upright, noise: noiseOf(rules.noise[kind] as NoiseOption, catalogBands, seed) };
}

/** Planes of side × side values, one behind the other, as an orientation shows them. */
export function orient<T extends Float32Array | Uint8Array>(
  planes: T,
  side: number,
  { isFlipped, quarters }: Orientation,
  into: T,
): void {
  const area = side * side;
  // Where the first value of the result comes from, and how far its neighbours to the right and below lie.
  const last = side - 1;
  const right = isFlipped ? -1 : 1;
  const [first, across, down] = (
    [
      [isFlipped ? last : 0, right, side],
      [isFlipped ? 0 : last, side, -right],
      [last * side + (isFlipped ? 0 : last), -right, -side],
      [last * side + (isFlipped ? last : 0), -side, right],
    ] as const
  )[quarters] as readonly [number, number, number];
  for (let plane = 0; plane < planes.length; plane += area) {
    for (let y = 0; y < side; y++) {
      let from = plane + first + y * down;
      const row = plane + y * side;
      if (across === 1) {
        into.set(planes.subarray(from, from + side), row);
        continue;
      }
      for (let x = 0; x < side; x++, from += across) into[row + x] = planes[from] as number;
    }
  }
}

/** Adds the noise that averaging over `pool` × `pool` pixels leaves to planes of side × side values. */
export function addNoise(
  planes: Float32Array,
  side: number,
  noise: readonly BandNoise[],
  pool: number,
  maker: NoiseMaker,
): void {
  const row = new Float32Array(side);
  for (const [band, { sigma, seed }] of noise.entries()) {
    if (sigma === 0) continue;
    for (let y = 0; y < side; y++) {
      maker.fill({ sigma: sigma / pool, seed }, side, y, y + 1, row);
      const at = (band * side + y) * side;
      for (let x = 0; x < side; x++) planes[at + x] = (planes[at + x] as number) + (row[x] as number);
    }
  }
}

/** The mean over squares of `pool` × `pool` values; `planes` are side × side, those of the result side / pool. */
export function average(planes: Float32Array, side: number, pool: number, into: Float32Array): void {
  const small = side / pool;
  const bands = planes.length / (side * side);
  const sums = new Float64Array(small);
  const share = 1 / (pool * pool);
  for (let row = 0; row < bands * small; row++) {
    sums.fill(0);
    for (let y = 0; y < pool; y++) {
      let from = (row * pool + y) * side;
      for (let x = 0; x < small; x++) {
        let sum = 0;
        for (let i = 0; i < pool; i++) sum += planes[from++] as number;
        sums[x] = (sums[x] as number) + sum;
      }
    }
    for (let x = 0; x < small; x++) into[row * small + x] = share * (sums[x] as number);
  }
}
