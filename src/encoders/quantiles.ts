/**
 * Fits the quantiles of the asinh normaliser as BLISS's AsinhQuantileNormalizer does
 * (https://github.com/prob-ml/bliss): each batch's quantiles, over all its bands and pixels at once as torch.quantile
 * gives them, enter a running mean. Everything is rounded to float32 where torch rounds.
 */

/** BLISS takes every so many-th pixel of both axes. */
export const SAMPLING_STRIDE = 4;
/** BLISS stops after so many batches. */
export const FITTED_BATCHES = 100;

/** How far a fit has come. */
export interface QuantileFitState {
  readonly quantiles: readonly number[];
  readonly updates: number;
}

export class QuantileFit {
  readonly #levels: readonly number[];
  #quantiles: Float32Array;
  #updates: number;

  /**
   * @param levels between 0 and 1
   * @param state of the fit to go on with; without one, a new fit begins
   */
  constructor(levels: readonly number[], state?: QuantileFitState) {
    this.#levels = levels;
    this.#quantiles = Float32Array.from(state?.quantiles ?? levels.map(() => 0));
    this.#updates = state?.updates ?? 0;
  }

  /** Mean over all batches so far, in image units. */
  get quantiles(): Float32Array {
    return this.#quantiles.slice();
  }

  /** How many batches there were. */
  get updates(): number {
    return this.#updates;
  }

  get state(): QuantileFitState {
    return { quantiles: [...this.#quantiles], updates: this.#updates };
  }

  /**
   * Adds one batch.
   *
   * @param values all that counts, in any order; at least one
   * @throws RangeError when there is no value, or one that is NaN
   */
  update(values: Float32Array): void {
    const found = quantilesOf(values, this.#levels);
    this.#updates += 1;
    const share = Math.fround(1 / this.#updates);
    const kept = Math.fround(1 - 1 / this.#updates);
    this.#quantiles = this.#quantiles.map((mean, i) =>
      Math.fround(Math.fround(mean * kept) + Math.fround((found[i] as number) * share)),
    );
  }
}

/** Quantiles with linear interpolation between neighbours, as torch.quantile: ranks are float32. */
function quantilesOf(values: Float32Array, levels: readonly number[]): readonly number[] {
  const sorted = values.slice().sort();
  const last = sorted.length - 1;
  if (last < 0) throw new RangeError('quantiles of no values were asked for');
  if (Number.isNaN(sorted[last])) throw new RangeError('some of the values are NaN: they have no quantiles');
  return levels.map((level) => {
    const rank = Math.fround(Math.fround(level) * Math.fround(last));
    const below = Math.floor(rank);
    const weight = rank - below;
    const low = sorted[below] as number;
    const high = sorted[Math.ceil(rank)] as number;
    const step = Math.fround(high - low);
    return weight < 0.5
      ? Math.fround(low + Math.fround(weight * step))
      : Math.fround(high - Math.fround(step * Math.fround(1 - weight)));
  });
}

/**
 * Every `stride`-th row and column of every plane, from the first on.
 *
 * @param image (planes, height, width)
 */
export function sampledPixels(
  image: Float32Array,
  { height, width }: { readonly height: number; readonly width: number },
  stride = SAMPLING_STRIDE,
): Float32Array {
  const planes = image.length / (height * width);
  const sampled = new Float32Array(planes * Math.ceil(height / stride) * Math.ceil(width / stride));
  let next = 0;
  for (let row = 0; row < planes * height; row++) {
    if ((row % height) % stride !== 0) continue;
    for (let x = 0; x < width; x += stride) sampled[next++] = image[row * width + x] as number;
  }
  return sampled;
}
