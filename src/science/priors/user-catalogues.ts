/** Sources drawn from catalogues of real ones, row by row and cluster by cluster, as BLISS does. */
import { type CatalogBand, catalogBands } from '../catalog.js';
import { type CosmologyParameters, FlatCosmology } from '../cosmology.js';
import type { Random } from '../random.js';
import type { BackgroundModel } from './background.js';
import { type Cluster, type ClusterPrior, memberRadius, pixelsPerRadius } from './clusters.js';
import { PriorError } from './errors.js';
import { emptyPopulation, type Population } from './population.js';

export type BandColumns = Readonly<Record<CatalogBand, Float32Array>>;

/** Background sources; every column has one value for each row. The columns may be shared between threads. */
export interface UserBackground {
  /** For messages. */
  readonly file: string;
  readonly rows: number;
  readonly magnitudes: BandColumns;
  /** Half-light radius in the pixels of the survey it comes from; drawn from the prior when undefined. */
  readonly fluxRadius: Float32Array | undefined;
  /** 1 for a star, 0 for a galaxy; drawn from the prior when undefined. */
  readonly classStar: Float32Array | undefined;
}

/** Clusters whose members stand one after the other. */
export interface UserClusters {
  /** For messages. */
  readonly file: string;
  /** Members of cluster k are the rows from `first[k]` to `first[k + 1]`. */
  readonly first: Uint32Array;
  /** NaN when unknown. */
  readonly redshift: Float64Array;
  /** Projected distance from the centre, Mpc/h. */
  readonly radius: Float32Array;
  readonly magnitudes: BandColumns;
}

export interface UserBackgroundRules {
  /** A source whose CLASS_STAR is this or more is a star. */
  readonly star_threshold: number;
  /** Size of the pixels of FLUX_RADIUS, arcsec. */
  readonly radius_scale: number;
  /** Added to every radius, so that none is zero, arcsec. */
  readonly offset: number;
}

/**
 * `count` rows of a catalogue, each as likely as any other.
 *
 * @param model draws what the catalogue does not have
 * @throws PriorError `prior_empty` when there are no rows
 */
export function resampleBackground(
  { file, rows, magnitudes, fluxRadius, classStar }: UserBackground,
  rules: UserBackgroundRules,
  model: BackgroundModel,
  count: number,
  stream: (purpose: string) => Random,
): Population {
  if (rows === 0) throw new PriorError('prior_empty', 'the background catalogue has no rows', { file });
  const population = emptyPopulation(count);
  const [choices, kinds, sizes] = [stream('choice'), stream('kinds'), stream('sizes')];
  for (let index = 0; index < count; index++) {
    const row = choices.integer(rows);
    for (const band of catalogBands) population.magnitudes[band][index] = magnitudes[band][row] as number;
    const i = magnitudes.i[row] as number;
    const isStar =
      classStar === undefined ? model.isStar(i, kinds) : (classStar[row] as number) >= rules.star_threshold;
    population.isGalaxy[index] = isStar ? 0 : 1;
    population.hlr[index] =
      fluxRadius === undefined
        ? model.radius(i, isStar, sizes)
        : rules.offset + rules.radius_scale * measured(fluxRadius[row] as number);
  }
  return population;
}

/** A radius in pixels; 0, a point, for what was not measured (NaN, negative, or a sentinel larger than an image). */
const measured = (radius: number): number => (radius > 0 && radius < 1e4 ? radius : 0);

/** The clusters of a catalogue that fit into a field. */
export class UserClusterModel {
  readonly #catalogue: UserClusters;
  readonly #prior: ClusterPrior;
  readonly #usable: readonly { readonly index: number; readonly pixelsPerRadius: number }[];

  /** @throws PriorError `prior_empty` when none fits, with what each limit turned away */
  constructor(
    catalogue: UserClusters,
    prior: ClusterPrior,
    cosmology: CosmologyParameters,
    pixelScaleArcsec: number,
  ) {
    const universe = new FlatCosmology(cosmology);
    const { max_diameter, redshift } = prior;
    const clusters = catalogue.redshift.length;
    if (clusters === 0)
      throw new PriorError('prior_empty', 'no row of the cluster catalogue has a cluster and a radius', {
        file: catalogue.file,
      });
    let [unknown, outside, wide, narrowest] = [0, 0, 0, Number.POSITIVE_INFINITY];
    const usable: { index: number; pixelsPerRadius: number }[] = [];
    for (let index = 0; index < clusters; index++) {
      const z = catalogue.redshift[index] as number;
      if (!(z > 0)) {
        unknown++;
        continue;
      }
      if (z < redshift.min || z > redshift.max) {
        outside++;
        continue;
      }
      const scale = pixelsPerRadius(universe, z, pixelScaleArcsec);
      let most = 0;
      for (let row = catalogue.first[index] as number; row < (catalogue.first[index + 1] as number); row++)
        most = Math.max(most, catalogue.radius[row] as number);
      const diameter = 2 * scale * most;
      narrowest = Math.min(narrowest, diameter);
      if (diameter <= max_diameter) usable.push({ index, pixelsPerRadius: scale });
      else wide++;
    }
    if (usable.length === 0)
      throw new PriorError(
        'prior_empty',
        `none of ${clusters} clusters fits: ${wide} wider than max_diameter = ${max_diameter} px` +
          `${wide > 0 ? ` (the narrowest ${Math.ceil(narrowest)})` : ''}, ` +
          `${outside} not between the redshifts ${redshift.min} and ${redshift.max}, ${unknown} without a redshift`,
        { file: catalogue.file },
      );
    this.#catalogue = catalogue;
    this.#prior = prior;
    this.#usable = usable;
  }

  /** One of the clusters, each as likely as any other, with all its members. */
  cluster(stream: (purpose: string) => Random): { readonly cluster: Cluster; readonly members: Population } {
    const { first, redshift, radius, magnitudes } = this.#catalogue;
    const { index, pixelsPerRadius: scale } = stream('choice').choose(this.#usable);
    const [from, to] = [first[index] as number, first[index + 1] as number];
    const radiiPx = Float64Array.from(radius.subarray(from, to), (value) => value * scale);
    const members = emptyPopulation(to - from);
    const sizes = stream('sizes');
    for (const band of catalogBands) members.magnitudes[band].set(magnitudes[band].subarray(from, to));
    for (let i = 0; i < members.count; i++) members.hlr[i] = memberRadius(this.#prior.hlr, sizes);
    const radiusPx = radiiPx.reduce((most, value) => Math.max(most, value), 0);
    return {
      cluster: { redshift: redshift[index] as number, richness: members.count, radiusPx, radiiPx },
      members,
    };
  }
}
