/** A number that is fixed or drawn anew for each item, as options write it. Plain data. */
import type { Random } from './random.js';

export type Distribution =
  | number
  | { readonly uniform: readonly [low: number, high: number] }
  | { readonly normal: readonly [mean: number, sigma: number] }
  /** A histogram: the edges of `bins` increase, one more of them than `probabilities`, which need not sum to 1. */
  | { readonly bins: readonly number[]; readonly probabilities: readonly number[] };

/** One number of the distribution. A fixed one takes nothing from the stream. */
export function draw(distribution: Distribution, random: Random): number {
  if (typeof distribution === 'number') return distribution;
  if ('uniform' in distribution) {
    const [low, high] = distribution.uniform;
    return low + (high - low) * random.uniform();
  }
  if ('normal' in distribution) {
    const [mean, sigma] = distribution.normal;
    return mean + sigma * random.normal();
  }
  return drawBin(distribution.bins, distribution.probabilities, random);
}

function drawBin(edges: readonly number[], probabilities: readonly number[], random: Random): number {
  let rest = random.uniform() * probabilities.reduce((sum, probability) => sum + probability, 0);
  // Rounding may leave a rest after the last bin that can occur.
  let bin = probabilities.findLastIndex((probability) => probability > 0);
  for (const [index, probability] of probabilities.entries()) {
    if (rest < probability) {
      bin = index;
      break;
    }
    rest -= probability;
  }
  const low = edges[bin];
  const high = edges[bin + 1];
  if (low === undefined || high === undefined)
    throw new RangeError(
      `${edges.length} edges and ${probabilities.length} probabilities, expected one edge more than probabilities, not all 0`,
    );
  return low + (high - low) * random.uniform();
}
