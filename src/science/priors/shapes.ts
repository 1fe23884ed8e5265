/** Reduced shears of sources, as BLISS draws them. */
import type { Random } from '../random.js';
import { PriorError } from './errors.js';

/** Plain data; keys as in the options of `sample`. */
export interface ShapePrior {
  /** The density of each component is proportional to exp(-|g / scale|^power). */
  readonly power: number;
  readonly scale_g1: number;
  readonly scale_g2: number;
  /** A pair with a component of this or more is drawn again. */
  readonly largest: number;
  /** A pair this long or longer is drawn again: one in a million of BLISS's, too long to be drawn in any image. */
  readonly thinnest: number;
}

export const shapeDefaults: ShapePrior = {
  power: 0.6,
  scale_g1: 0.035,
  scale_g2: 0.032,
  largest: 0.8,
  thinnest: 0.9999,
};

/** Pairs tried for one shape. So many misses only happen to a prior that has nothing within the limits. */
const maxTries = 10_000;

/**
 * Fills in one pair of shears for each source, |g| < `thinnest` < 1.
 *
 * As in BLISS only the positive side of a component is held against `largest`: components down to -1 occur.
 *
 * @throws PriorError `prior_empty` when the scales are so wide that nothing is within the limits
 */
export function drawShapes(prior: ShapePrior, random: Random, g1: Float64Array, g2: Float64Array): void {
  for (let i = 0; i < g1.length; i++) [g1[i], g2[i]] = drawShape(prior, random);
}

function drawShape(prior: ShapePrior, random: Random): [g1: number, g2: number] {
  for (let tries = 0; tries < maxTries; tries++) {
    const g1 = generalisedNormal(prior.scale_g1, prior.power, random);
    const g2 = generalisedNormal(prior.scale_g2, prior.power, random);
    if (Math.hypot(g1, g2) < prior.thinnest && g1 < prior.largest && g2 < prior.largest) return [g1, g2];
  }
  throw new PriorError(
    'prior_empty',
    `none of ${maxTries} pairs of shears is within the limits: scale_g1 = ${prior.scale_g1} and scale_g2 = ${prior.scale_g2} are too wide`,
  );
}

/** A number of the density exp(-|x / scale|^power): its power is gamma-distributed (Nardon and Pianca 2009). */
function generalisedNormal(scale: number, power: number, random: Random): number {
  const size = scale * random.gamma(1 / power) ** (1 / power);
  return random.chance(0.5) ? size : -size;
}
