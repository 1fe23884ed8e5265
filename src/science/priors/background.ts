/** Field galaxies and stars: counts, colours and sizes down to the depth of the Dark Energy Survey. */
import { DensityTable } from '../density-table.js';
import type { Random } from '../random.js';
import {
  type ClippedLine,
  drawMeanSigma,
  emptyPopulation,
  type MeanSigma,
  onLine,
  type Population,
  setMagnitudes,
} from './population.js';

/** Mean and scatter of each colour. */
export interface ColourCloud {
  readonly g_r: MeanSigma;
  readonly r_i: MeanSigma;
  readonly i_z: MeanSigma;
}

/** Plain data; keys as in the options of `sample`. Magnitudes are AB, and i unless said otherwise. */
export interface BackgroundPrior {
  /** Sources per pixel, on average. */
  readonly density: number;
  readonly counts: {
    readonly brightest: number;
    readonly faintest: number;
    /** d log10(density) / d magnitude, on both sides of `slope_change`. */
    readonly slope_bright: number;
    readonly slope_faint: number;
    readonly slope_change: number;
    /** Magnitude at which half of the sources are detected, and the width over which they fade. */
    readonly depth: number;
    readonly depth_width: number;
  };
  /** Probability that a source is a star, by magnitude. */
  readonly star_fraction: ClippedLine;
  /** Probability that a galaxy is red, by magnitude. */
  readonly red_fraction: ClippedLine;
  readonly red: ColourCloud;
  readonly blue: ColourCloud;
  readonly stars: {
    /** Part of the stars that is blue, and g - i of both kinds. */
    readonly blue_fraction: number;
    readonly blue_g_i: MeanSigma;
    readonly red_g_i: MeanSigma;
    /** The locus: g - r is `g_r_slope` times g - i up to `knee`, and starts anew at `knee_g_r` with `knee_slope` there. */
    readonly g_r_slope: number;
    readonly knee: number;
    readonly knee_g_r: number;
    readonly knee_slope: number;
    /** i - z of a star with r - i = 0, and its slope with r - i. */
    readonly i_z_start: number;
    readonly i_z_slope: number;
    readonly scatter: number;
  };
  readonly sizes: {
    /** Median observed half-light radius of a galaxy at i = 22, arcsec; its logarithm changes by `slope` per magnitude. */
    readonly galaxy: number;
    readonly slope: number;
    /** Scatter of the natural logarithm. */
    readonly scatter: number;
    readonly smallest: number;
    readonly largest: number;
    readonly star: number;
    readonly star_scatter: number;
    /** Part of the sources whose size was not measured: points. */
    readonly point_fraction: number;
    /** Added to every radius, so that none is zero. */
    readonly offset: number;
  };
}

/**
 * Slopes after Capak et al. 2007 (ApJS 172, 99), the crossover of stars and galaxies after Sevilla-Noarbe et al. 2018
 * (MNRAS 481, 5451), two kinds of galaxies after Strateva et al. 2001 (AJ 122, 1861), the stellar locus after Covey et
 * al. 2007 (AJ 134, 2398), depth and density of DES SVA1 (Jarvis et al. 2016, MNRAS 460, 2245).
 */
export const backgroundDefaults: BackgroundPrior = {
  density: 0.00067,
  counts: {
    brightest: 15,
    faintest: 25,
    slope_bright: 0.55,
    slope_faint: 0.33,
    slope_change: 19,
    depth: 24,
    depth_width: 0.45,
  },
  star_fraction: { value: 0.55, pivot: 19, slope: -0.11, min: 0.04, max: 0.75 },
  red_fraction: { value: 0.55, pivot: 19, slope: -0.07, min: 0.15, max: 0.6 },
  red: { g_r: [1.35, 0.25], r_i: [0.7, 0.22], i_z: [0.36, 0.1] },
  blue: { g_r: [0.6, 0.25], r_i: [0.35, 0.18], i_z: [0.2, 0.14] },
  stars: {
    blue_fraction: 0.45,
    blue_g_i: [0.6, 0.2],
    red_g_i: [2.2, 0.45],
    g_r_slope: 0.7,
    knee: 1.9,
    knee_g_r: 1.33,
    knee_slope: 0.05,
    i_z_start: 0.02,
    i_z_slope: 0.5,
    scatter: 0.03,
  },
  sizes: {
    galaxy: 0.72,
    slope: -0.05,
    scatter: 0.3,
    smallest: 0.35,
    largest: 8,
    star: 0.55,
    star_scatter: 0.06,
    point_fraction: 0.01,
    offset: 1e-4,
  },
};

/** The background of a prior, with its tables made. */
export class BackgroundModel {
  readonly #prior: BackgroundPrior;
  readonly #counts: DensityTable;

  constructor(prior: BackgroundPrior) {
    const { counts } = prior;
    this.#prior = prior;
    this.#counts = new DensityTable(
      (magnitude) => countDensity(counts, magnitude),
      counts.brightest,
      counts.faintest,
      1001,
    );
  }

  /** An i magnitude, not fainter than `limit`. */
  magnitude(random: Random, limit?: number): number {
    return this.#counts.draw(random, limit);
  }

  /** Whether there are sources brighter than this. */
  reaches(magnitude: number): boolean {
    return this.#counts.integral(magnitude) > 0;
  }

  /** g - r, r - i and i - z of a galaxy. */
  galaxyColours(i: number, random: Random): [gr: number, ri: number, iz: number] {
    const { red_fraction, red, blue } = this.#prior;
    return cloudColours(random.chance(onLine(red_fraction, i)) ? red : blue, random);
  }

  /** Whether a source of this magnitude is a star. */
  isStar(i: number, random: Random): boolean {
    return random.chance(onLine(this.#prior.star_fraction, i));
  }

  /** Observed half-light radius, arcsec. */
  radius(i: number, isStar: boolean, random: Random): number {
    const { sizes } = this.#prior;
    return sizes.offset + observedRadius(sizes, i, isStar, random);
  }

  /** `count` sources of the field. */
  population(count: number, stream: (purpose: string) => Random): Population {
    const population = emptyPopulation(count);
    const [magnitudes, kinds] = [stream('magnitudes'), stream('kinds')];
    const [colours, sizes] = [stream('colours'), stream('sizes')];
    for (let index = 0; index < count; index++) {
      const i = this.magnitude(magnitudes);
      const isStar = this.isStar(i, kinds);
      population.isGalaxy[index] = isStar ? 0 : 1;
      const ownColours = isStar ? starColours(this.#prior.stars, colours) : this.galaxyColours(i, colours);
      setMagnitudes(population, index, i, ownColours);
      population.hlr[index] = this.radius(i, isStar, sizes);
    }
    return population;
  }
}

/** Sources per magnitude, unnormalised: a broken power law of flux that fades at the depth of the survey. */
function countDensity(counts: BackgroundPrior['counts'], magnitude: number): number {
  const { slope_bright, slope_faint, slope_change, depth, depth_width } = counts;
  const beyond = magnitude - slope_change;
  return (
    10 ** ((beyond < 0 ? slope_bright : slope_faint) * beyond) * 0.5 * erfc((magnitude - depth) / depth_width)
  );
}

export const cloudColours = (cloud: ColourCloud, random: Random): [gr: number, ri: number, iz: number] => [
  drawMeanSigma(cloud.g_r, random),
  drawMeanSigma(cloud.r_i, random),
  drawMeanSigma(cloud.i_z, random),
];

function starColours(stars: BackgroundPrior['stars'], random: Random): [gr: number, ri: number, iz: number] {
  const gi = drawMeanSigma(random.chance(stars.blue_fraction) ? stars.blue_g_i : stars.red_g_i, random);
  const gr = gi < stars.knee ? stars.g_r_slope * gi : stars.knee_g_r + stars.knee_slope * (gi - stars.knee);
  const ri = gi - gr;
  const iz = stars.i_z_start + stars.i_z_slope * ri;
  const scattered = (colour: number): number => colour + stars.scatter * random.normal();
  return [scattered(gr), scattered(ri), scattered(iz)];
}

function observedRadius(sizes: BackgroundPrior['sizes'], i: number, isStar: boolean, random: Random): number {
  if (random.chance(sizes.point_fraction)) return 0;
  if (isStar) return sizes.star * Math.exp(sizes.star_scatter * random.normal());
  const radius = sizes.galaxy * Math.exp(sizes.slope * (i - 22) + sizes.scatter * random.normal());
  return Math.min(sizes.largest, Math.max(sizes.smallest, radius));
}

/** The complementary error function, to 1.2e-7 of its value (Numerical Recipes, section 6.2). */
function erfc(x: number): number {
  const t = 1 / (1 + Math.abs(x) / 2);
  const series = [
    0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196,
    1.00002368, -1.26551223,
  ].reduce((sum, coefficient) => sum * t + coefficient, 0);
  const value = t * Math.exp(-x * x + series);
  return x < 0 ? 2 - value : value;
}
