/** Options whose value is a number, or drawn anew for each item from a distribution. */
import { z } from 'zod';
import { anyOf, group, list } from './field-composed.js';
import {
  bounds,
  type CrossProblem,
  complete,
  type Described,
  type Field,
  inUnit,
  type Limits,
  limited,
  within,
} from './field-parts.js';

/** A number, or how to draw one. */
export type Distribution =
  | number
  | { readonly uniform: readonly [low: number, high: number] }
  /** Mean and standard deviation. */
  | { readonly normal: readonly [mean: number, sigma: number] }
  /** A histogram: ascending edges, and the relative weight of each bin between two of them. */
  | { readonly bins: readonly number[]; readonly probabilities: readonly number[] };

type Options = Described<Distribution> & Limits;

/**
 * A number or a distribution of it: `0.9`, `{ uniform: [0.6, 1.1] }`, `{ normal: [0.9, 0.1] }` or
 * `{ bins: [0.6, 0.8, 1.1], probabilities: [1, 3] }`. The stage sees what was written.
 *
 * Limits hold for whatever can be drawn, except that the tails of a normal distribution may exceed them: of it
 * only the mean is held against them, and whoever draws decides what to do with the tails.
 */
export function distribution(
  options: Options & { readonly default: Distribution },
): Field<Distribution, Distribution, 'defaulted'>;
export function distribution(options: Options): Field<Distribution, Distribution, 'required'>;
export function distribution(
  options: Options & { readonly default?: Distribution },
): Field<Distribution, Distribution> {
  const limits = {
    ...(options.min !== undefined && { min: options.min }),
    ...(options.max !== undefined && { max: options.max }),
  };
  const number = (doc: string, limit: Limits, unit = options.unit) =>
    complete<number, number>(
      { doc },
      {
        kind: 'number',
        schema: limited(z.number(), limit),
        expected: `a number${within(limit)}${inUnit(unit)}`,
        bounds: bounds(limit),
      },
    );
  const value = number('The value.', limits);
  const pair = { min: 2, max: 2 };
  const alternatives = [
    value,
    group(
      { uniform: list(value, { ...pair, doc: 'Lowest and highest value.' }) },
      {
        doc: 'Every value between two is as likely.',
        check: ({ uniform: [low = 0, high = 0] }) =>
          low <= high ? [] : wrong('uniform', `the lowest value ${low} is above the highest, ${high}`),
      },
    ),
    group(
      { normal: list(number('Mean or sigma.', {}), { ...pair, doc: 'Mean and standard deviation.' }) },
      {
        doc: 'A normal distribution.',
        check: ({ normal: [mean = 0, sigma = 0] }) => [
          ...(value.schema.safeParse(mean).success
            ? []
            : wrong('normal.0', `the mean should be ${value.expected}, but is ${mean}`)),
          ...(sigma >= 0 ? [] : wrong('normal.1', `sigma should be at least 0, but is ${sigma}`)),
        ],
      },
    ),
    group(
      {
        bins: list(value, { min: 2, doc: 'Edges, ascending.' }),
        probabilities: list(number('Weight of a bin.', { min: 0 }, ''), {
          min: 1,
          doc: 'Weight of each bin; their sum is taken as 1.',
        }),
      },
      { doc: 'A histogram.', check: checkBins },
    ),
  ];
  return complete<Distribution, Distribution>(options, {
    kind: 'distribution',
    schema: anyOf<Distribution>(alternatives),
    expected: `${value.expected}, or {uniform: [low, high]}, {normal: [mean, sigma]} or {bins: [edges], probabilities: [weights]}`,
    bounds: bounds(options),
    alternatives,
  });
}

const wrong = (path: string, message: string): readonly CrossProblem[] => [{ path, message }];

function checkBins({
  bins,
  probabilities,
}: {
  readonly bins: readonly number[];
  readonly probabilities: readonly number[];
}): readonly CrossProblem[] {
  const fallen = bins.findIndex((edge, i) => edge <= (bins[i - 1] ?? Number.NEGATIVE_INFINITY));
  if (fallen >= 0) {
    return wrong(`bins.${fallen}`, `edges should ascend, but ${bins[fallen]} follows ${bins[fallen - 1]}`);
  }
  if (probabilities.length !== bins.length - 1) {
    const message = `${bins.length} edges make ${bins.length - 1} bins, but there are ${probabilities.length} probabilities`;
    return wrong('probabilities', message);
  }
  return probabilities.some((weight) => weight > 0)
    ? []
    : wrong('probabilities', 'at least one bin should have a probability above 0');
}
