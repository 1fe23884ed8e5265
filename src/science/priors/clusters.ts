/** Clusters of galaxies: redshift, richness, profile and luminosities, as redMaPPer finds them. */
import { type CosmologyParameters, FlatCosmology } from '../cosmology.js';
import { DensityTable } from '../density-table.js';
import { type Distribution, draw } from '../distribution.js';
import type { Random } from '../random.js';
import type { BackgroundModel, ColourCloud } from './background.js';
import { PriorError } from './errors.js';
import { emptyPopulation, type Population, setMagnitudes } from './population.js';
import {
  characteristicMagnitude,
  memberColours,
  type RedSequencePrior,
  redSequenceDefaults,
} from './red-sequence.js';

/** Plain data; keys as in the options of `sample`. Radii of profiles are in Mpc/h, projected. */
export interface ClusterPrior {
  /** How many times a coin is thrown in a field, and how often it gives a cluster. */
  readonly count: number;
  readonly probability: number;
  /** The centre is drawn between these parts of each axis. */
  readonly centre: readonly [from: number, to: number];
  /** Twice the largest radius of a member, pixels: a cluster beyond it is drawn again, so many times. */
  readonly max_diameter: number;
  readonly max_tries: number;
  /** Members this far outside the image are kept, pixels. */
  readonly reach: number;
  /** Z of the catalogue holds the redshift of members; -1 as in BLISS otherwise. */
  readonly known_redshifts: boolean;
  /** `reprojected` projects the radii, which are projected, once more, as BLISS does. */
  readonly radii: 'reprojected' | 'projected';
  /** Half-light radius of a member, arcsec. */
  readonly hlr: Distribution;
  /** Probability that the brightest member is at the centre. */
  readonly central_fraction: number;
  /** Galaxies of the background that are taken for members, per member. */
  readonly contamination: number;
  readonly redshift: {
    readonly min: number;
    readonly max: number;
    /** Whether clusters beyond `limit` get rare, over `limit_width`, as in a survey of limited depth. */
    readonly limited: boolean;
    readonly limit: number;
    readonly limit_width: number;
  };
  /** Expected number of members: density proportional to λ^slope · exp(-λ / scale). */
  readonly richness: {
    readonly min: number;
    readonly max: number;
    readonly slope: number;
    readonly scale: number;
  };
  readonly profile: {
    readonly form: 'nfw' | 'king';
    readonly scale_radius: number;
    /** The NFW profile is constant inside. */
    readonly core_radius: number;
    /** Where a cluster of richness 100 ends; the radius grows as (λ / 100)^power. */
    readonly cut_radius: number;
    readonly cut_power: number;
  };
  /** A Schechter function about m*. */
  readonly luminosity: {
    readonly alpha: number;
    /** Magnitudes brighter than m* of the brightest, and fainter of the faintest. */
    readonly brighter: number;
    readonly fainter: number;
  };
  readonly red_sequence: RedSequencePrior;
}

/**
 * Richness fitted to 16,000 clusters of SDSS DR8; radius, profile and luminosities after Rykoff et al. 2014 (ApJ 785,
 * 104), redshifts and centring after Rykoff et al. 2016 (ApJS 224, 1).
 */
export const clusterDefaults: ClusterPrior = {
  count: 1,
  probability: 0.5,
  centre: [0.3, 0.7],
  max_diameter: 1300,
  max_tries: 10_000,
  reach: 300,
  known_redshifts: false,
  radii: 'reprojected',
  hlr: { uniform: [0.5, 1] },
  central_fraction: 0.8,
  contamination: 0,
  redshift: { min: 0.1, max: 0.9, limited: false, limit: 0.7, limit_width: 0.1 },
  richness: { min: 20, max: 300, slope: -2.12, scale: 34.9 },
  profile: { form: 'nfw', scale_radius: 0.15, core_radius: 0.1, cut_radius: 1, cut_power: 0.2 },
  luminosity: { alpha: -1, brighter: 3, fainter: 1.75 },
  red_sequence: redSequenceDefaults,
};

/** A cluster before it has a place in a field. */
export interface Cluster {
  readonly redshift: number;
  /** Expected number of members. */
  readonly richness: number;
  /** Where its profile ends, pixels. */
  readonly radiusPx: number;
  /** Projected distances of the members from the centre, pixels. */
  readonly radiiPx: Float64Array;
}

/** The clusters of a prior, with its tables made. */
export class ClusterModel {
  readonly #prior: ClusterPrior;
  readonly #cosmology: FlatCosmology;
  readonly #redshifts: DensityTable;
  readonly #richnesses: DensityTable;
  readonly #radii: DensityTable;
  readonly #luminosities: DensityTable;

  constructor(prior: ClusterPrior, cosmology: CosmologyParameters) {
    const { redshift, richness, profile, luminosity } = prior;
    this.#prior = prior;
    this.#cosmology = new FlatCosmology(cosmology);
    this.#redshifts = new DensityTable(
      (z) => this.#cosmology.differentialVolume(z) * completeness(redshift, z),
      redshift.min,
      redshift.max,
      401,
    );
    this.#richnesses = new DensityTable(
      (lambda) => lambda ** richness.slope * Math.exp(-lambda / richness.scale),
      richness.min,
      richness.max,
    );
    this.#radii = new DensityTable(
      (radius) => radius * surfaceDensity(profile, radius),
      0,
      cutRadius(profile, richness.max),
    );
    this.#luminosities = new DensityTable(
      (fainter) => schechter(luminosity.alpha, fainter),
      -luminosity.brighter,
      luminosity.fainter,
      1001,
    );
  }

  /** Pixels of 1 Mpc/h at a redshift. */
  pixelsPerRadius(redshift: number, pixelScaleArcsec: number): number {
    return pixelsPerRadius(this.#cosmology, redshift, pixelScaleArcsec);
  }

  /**
   * A cluster that fits.
   *
   * @throws PriorError `prior_empty` when none of `max_tries` does, with what each limit turned away
   */
  cluster(pixelScaleArcsec: number, stream: (purpose: string) => Random): Cluster {
    const { max_tries, max_diameter, profile } = this.#prior;
    const [redshifts, richnesses, members, radii] = [
      stream('redshift'),
      stream('richness'),
      stream('members'),
      stream('radii'),
    ];
    let [empty, wide] = [0, 0];
    for (let tries = 0; tries < max_tries; tries++) {
      const redshift = this.#redshifts.draw(redshifts);
      const richness = this.#richnesses.draw(richnesses);
      const count = members.poisson(richness);
      const scale = this.pixelsPerRadius(redshift, pixelScaleArcsec);
      const cut = cutRadius(profile, richness);
      const radiiPx = Float64Array.from({ length: count }, () => scale * this.#radii.draw(radii, cut));
      if (count === 0) empty++;
      else if (!(2 * largest(radiiPx) <= max_diameter)) wide++;
      else return { redshift, richness, radiusPx: scale * cut, radiiPx };
    }
    throw new PriorError(
      'prior_empty',
      `none of ${max_tries} clusters fits: ${wide} wider than max_diameter = ${max_diameter} px, ${empty} without members`,
    );
  }

  /** The members of a cluster, one for each radius. */
  members(
    { redshift, radiiPx }: Cluster,
    blue: ColourCloud,
    stream: (purpose: string) => Random,
  ): Population {
    const { red_sequence, hlr } = this.#prior;
    const population = emptyPopulation(radiiPx.length);
    const [magnitudes, colours, sizes] = [stream('magnitudes'), stream('colours'), stream('sizes')];
    const mStar = characteristicMagnitude(red_sequence, redshift);
    for (let index = 0; index < population.count; index++) {
      const i = mStar + this.#luminosities.draw(magnitudes);
      setMagnitudes(population, index, i, memberColours(red_sequence, blue, redshift, i, colours));
      population.hlr[index] = memberRadius(hlr, sizes);
    }
    return population;
  }

  /** The cluster, in most cases with the brightest of its members at the centre. */
  centred(cluster: Cluster, { magnitudes }: Population, stream: (purpose: string) => Random): Cluster {
    if (!stream('centring').chance(this.#prior.central_fraction)) return cluster;
    const brightest = magnitudes.i.indexOf(
      magnitudes.i.reduce((least, magnitude) => Math.min(least, magnitude)),
    );
    return { ...cluster, radiiPx: cluster.radiiPx.with(brightest, 0) };
  }

  /** Galaxies of the background, bright enough to be members, that are taken for such. */
  contaminants(
    { redshift, richness }: Cluster,
    background: BackgroundModel,
    stream: (purpose: string) => Random,
  ): Population {
    const { contamination, hlr, red_sequence, luminosity } = this.#prior;
    const limit = characteristicMagnitude(red_sequence, redshift) + luminosity.fainter;
    const random = stream('contaminants');
    const count = background.reaches(limit) ? random.poisson(contamination * richness) : 0;
    const population = emptyPopulation(count);
    for (let index = 0; index < count; index++) {
      const i = background.magnitude(random, limit);
      setMagnitudes(population, index, i, background.galaxyColours(i, random));
      population.hlr[index] = memberRadius(hlr, random);
    }
    return population;
  }
}

/** Half-light radius of a member, arcsec. The tail of a normal distribution ends at a point. */
export const memberRadius = (hlr: Distribution, random: Random): number => Math.max(1e-4, draw(hlr, random));

/** Pixels of 1 Mpc/h at a redshift. */
export const pixelsPerRadius = (
  cosmology: FlatCosmology,
  redshift: number,
  pixelScaleArcsec: number,
): number =>
  (1 / cosmology.h / cosmology.angularDiameterDistanceMpc(redshift)) * (648_000 / Math.PI / pixelScaleArcsec);

export const largest = (values: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, values[i] as number);
  return most;
};

/** Where a cluster of this richness ends, Mpc/h. */
const cutRadius = ({ cut_radius, cut_power }: ClusterPrior['profile'], richness: number): number =>
  cut_radius * (richness / 100) ** cut_power;

function completeness({ limited, limit, limit_width }: ClusterPrior['redshift'], z: number): number {
  return limited && z > limit ? Math.exp(-(((z - limit) / limit_width) ** 2)) : 1;
}

/** Members per area at a projected radius, unnormalised: Bartelmann 1996 (A&A 313, 697), or King's. */
function surfaceDensity(profile: ClusterPrior['profile'], radius: number): number {
  if (profile.form === 'king') return 1 / (1 + (radius / profile.scale_radius) ** 2);
  const x = Math.max(radius, profile.core_radius) / profile.scale_radius;
  const square = x * x - 1;
  // The two branches meet here, where each divides by zero.
  if (Math.abs(square) < 1e-6) return 1 / 3;
  const root = Math.sqrt(Math.abs(square));
  const ratio = Math.sqrt(Math.abs(x - 1) / (x + 1));
  return (1 - (2 / root) * (x > 1 ? Math.atan(ratio) : Math.atanh(ratio))) / square;
}

/** Galaxies per magnitude, so many magnitudes fainter than m* (Schechter 1976, ApJ 203, 297), unnormalised. */
function schechter(alpha: number, fainter: number): number {
  const luminosity = 10 ** (-0.4 * fainter);
  return luminosity ** (alpha + 1) * Math.exp(-luminosity);
}
