/** Whether a training has lost its way: its loss is no number, or far above what it was. */

/** Steps whose losses are looked back on. */
const memory = 64;
/** Steps before which nothing counts as exploding. */
const leastSteps = 16;
/** Times the median of the steps before from which on a loss counts as exploding. */
export const explodingFactor = 100;
/** Losses that small come and go without meaning. */
const smallestMedian = 1e-3;

/** Adds the loss of a step to those before. */
export const remember = (losses: readonly number[], loss: number): readonly number[] =>
  [...losses, loss].slice(-memory);

/** What is wrong with the loss of a step, in words; undefined when nothing is. */
export function divergence(
  losses: readonly number[],
  loss: number,
  gradientNorm: number,
): string | undefined {
  if (!Number.isFinite(loss)) return `the loss is ${loss}`;
  if (!Number.isFinite(gradientNorm)) return `the norm of the gradient is ${gradientNorm}`;
  if (losses.length < leastSteps) return undefined;
  const median = losses.toSorted((a, b) => a - b)[losses.length >> 1] as number;
  const limit = explodingFactor * Math.max(median, smallestMedian);
  return loss > limit
    ? `the loss is ${loss.toPrecision(3)}, more than ${explodingFactor} times its running median of ${median.toPrecision(3)}`
    : undefined;
}
