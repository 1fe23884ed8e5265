/** What the tests of the priors measure samples with. */

export const mean = (values: ArrayLike<number>): number => sum(values) / values.length;
export const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);

export const least = (values: Iterable<number>): number => extreme(values, Math.min);
export const most = (values: Iterable<number>): number => extreme(values, Math.max);
const extreme = (values: Iterable<number>, of: (a: number, b: number) => number): number =>
  [...values].reduce((a, b) => of(a, b));

/** Standard deviation. */
export function spread(values: ArrayLike<number>): number {
  const centre = mean(values);
  return Math.sqrt(mean(Array.from(values, (value) => (value - centre) ** 2)));
}

export function median(values: ArrayLike<number>): number {
  return Array.from(values).sort((a, b) => a - b)[values.length >> 1] as number;
}

/** Part of the values for which something holds. */
export const part = <T>(values: readonly T[], holds: (value: T) => boolean): number =>
  values.filter(holds).length / values.length;

/**
 * Largest distance between the cumulative distribution of the values and the one expected (Kolmogorov-Smirnov); above
 * 1.63/√n once in a hundred times.
 */
export function ksDistance(values: readonly number[], cumulative: (x: number) => number): number {
  const count = values.length;
  return values
    .toSorted((a, b) => a - b)
    .reduce((worst, value, i) => {
      const expected = cumulative(value);
      return Math.max(worst, (i + 1) / count - expected, expected - i / count);
    }, 0);
}

/** The slope of the straight line through points. */
export function slope(x: readonly number[], y: readonly number[]): number {
  const [centreX, centreY] = [mean(x), mean(y)];
  const covariance = sum(x.map((value, i) => (value - centreX) * ((y[i] as number) - centreY)));
  return covariance / sum(x.map((value) => (value - centreX) ** 2));
}
