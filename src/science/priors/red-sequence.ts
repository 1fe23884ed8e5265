/** Colours of the members of a cluster: its red sequence, and the blue galaxies beside it. */
import type { Random } from '../random.js';
import { type ColourCloud, cloudColours } from './background.js';
import { type ClippedLine, onLine } from './population.js';

/** Plain data; keys as in the options of `sample`. */
export interface RedSequencePrior {
  /** Redshifts of the rows of the table, increasing; between them straight lines, beyond them the last row. */
  readonly z: readonly number[];
  /** Characteristic i magnitude m*, and the ridge of the red sequence at m*. */
  readonly m_star: readonly number[];
  readonly g_r: readonly number[];
  readonly r_i: readonly number[];
  readonly i_z: readonly number[];
  /** Scatter about the ridge. */
  readonly scatter_g_r: number;
  readonly scatter_r_i: number;
  readonly scatter_i_z: number;
  /** Change of the ridge per magnitude fainter than m*. */
  readonly slope_g_r: number;
  readonly slope_r_i: number;
  /** Part of the members that have the colours of blue background galaxies instead, by redshift. */
  readonly blue_fraction: ClippedLine;
}

/**
 * Fitted to the DES templates of redMaPPer (bursts at z = 3 that evolve passively, Bruzual and Charlot 2003); the blue
 * fraction follows the trend of Butcher and Oemler 1984 (ApJ 285, 426).
 */
export const redSequenceDefaults: RedSequencePrior = {
  z: [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9],
  m_star: [
    16.15, 17.1, 17.77, 18.3, 18.74, 19.13, 19.47, 19.78, 20.06, 20.31, 20.55, 20.78, 20.99, 21.2, 21.42,
    21.66, 21.91,
  ],
  g_r: [1.02, 1.16, 1.31, 1.47, 1.58, 1.7, 1.8, 1.77, 1.77, 1.76, 1.73, 1.75, 1.84, 1.91, 1.99, 2.16, 2.37],
  r_i: [0.43, 0.43, 0.46, 0.5, 0.54, 0.59, 0.62, 0.69, 0.79, 0.89, 1.01, 1.11, 1.18, 1.23, 1.29, 1.21, 1.13],
  i_z: [0.3, 0.33, 0.33, 0.32, 0.31, 0.31, 0.34, 0.37, 0.41, 0.42, 0.45, 0.46, 0.48, 0.52, 0.6, 0.7, 0.81],
  scatter_g_r: 0.05,
  scatter_r_i: 0.03,
  scatter_i_z: 0.03,
  slope_g_r: -0.03,
  slope_r_i: -0.02,
  blue_fraction: { value: 0.1, pivot: 0.4, slope: 0.375, min: 0.1, max: 0.25 },
};

/** m* at a redshift. */
export const characteristicMagnitude = (prior: RedSequencePrior, z: number): number =>
  interpolate(prior.z, prior.m_star, z);

/** g - r, r - i and i - z of the ridge of the red sequence at m*. */
export function ridgeColours(
  prior: RedSequencePrior,
  z: number,
): readonly [gr: number, ri: number, iz: number] {
  const ridge = (colours: readonly number[]): number => interpolate(prior.z, colours, z);
  return [ridge(prior.g_r), ridge(prior.r_i), ridge(prior.i_z)];
}

/** g - r, r - i and i - z of a member of this i magnitude. */
export function memberColours(
  prior: RedSequencePrior,
  blue: ColourCloud,
  z: number,
  i: number,
  random: Random,
): [gr: number, ri: number, iz: number] {
  if (random.chance(onLine(prior.blue_fraction, z))) return cloudColours(blue, random);
  const [gr, ri, iz] = ridgeColours(prior, z);
  const fainter = i - characteristicMagnitude(prior, z);
  return [
    gr + prior.slope_g_r * fainter + prior.scatter_g_r * random.normal(),
    ri + prior.slope_r_i * fainter + prior.scatter_r_i * random.normal(),
    iz + prior.scatter_i_z * random.normal(),
  ];
}

/** The value at `x` of the straight lines through points; the first or last value beyond them. */
function interpolate(xs: readonly number[], ys: readonly number[], x: number): number {
  const above = xs.findIndex((each) => each > x);
  if (above === 0) return ys[0] as number;
  if (above < 0) return ys[xs.length - 1] as number;
  const [x0, x1] = [xs[above - 1] as number, xs[above] as number];
  const [y0, y1] = [ys[above - 1] as number, ys[above] as number];
  return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
}
