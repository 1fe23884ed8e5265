/** A field of the sky drawn from its priors: the same sources for the same seed, wherever and whenever. */
import {
  type ClusterTruth,
  catalogBands,
  emptySources,
  fluxColumn,
  fluxOf,
  type SourceTable,
} from '../catalog.js';
import type { CosmologyParameters } from '../cosmology.js';
import { deriveSeed, type Random } from '../random.js';
import { type TanTerms, TanWcs } from '../wcs.js';
import { BackgroundModel, type BackgroundPrior, backgroundDefaults } from './background.js';
import { type Cluster, ClusterModel, type ClusterPrior, clusterDefaults } from './clusters.js';
import { addNoise, type MagnitudeNoise, noiseDefaults } from './noise.js';
import { type Population, streamsOf } from './population.js';
import { drawShapes, type ShapePrior, shapeDefaults } from './shapes.js';
import {
  resampleBackground,
  type UserBackground,
  type UserBackgroundRules,
  UserClusterModel,
  type UserClusters,
} from './user-catalogues.js';

/** Everything a field is drawn from. Plain data: it can be sent to another thread. */
export interface FieldPrior {
  readonly background: BackgroundPrior;
  readonly clusters: ClusterPrior;
  readonly shapes: ShapePrior;
  readonly noise: MagnitudeNoise;
  readonly cosmology: CosmologyParameters;
  /** Rows of these take the place of what would be drawn. */
  readonly user: {
    readonly background: UserBackground | undefined;
    readonly rules: UserBackgroundRules;
    readonly clusters: UserClusters | undefined;
  };
}

export const fieldDefaults: FieldPrior = {
  background: backgroundDefaults,
  clusters: clusterDefaults,
  shapes: shapeDefaults,
  noise: noiseDefaults,
  cosmology: { h0: 70, om: 0.3 },
  user: {
    background: undefined,
    rules: { star_threshold: 0.5, radius_scale: 0.263, offset: 1e-4 },
    clusters: undefined,
  },
};

/** Where a field is. */
export interface FieldFrame {
  /** 32 hexadecimal digits, as `deriveSeed` gives. */
  readonly seed: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly wcs: TanTerms;
  /** What the centre of the first pixel is called in X and Y. */
  readonly origin: number;
}

export interface SampledField {
  readonly sources: SourceTable;
  readonly clusters: readonly ClusterTruth[];
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A population with its places in the image and its shapes. */
interface Placed {
  readonly population: Population;
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly g1: Float64Array;
  readonly g2: Float64Array;
  /** Which of its sources are near enough to leave light in the image. */
  readonly rows: readonly number[];
  readonly isMember: boolean;
  /** -1 when unknown. */
  readonly redshift: number;
}

/** Draws fields of one size and pixel scale; what they have in common is worked out once. */
export class FieldSampler {
  readonly #prior: FieldPrior;
  readonly #background: BackgroundModel;
  readonly #clusters: ClusterModel;
  #userClusters: { readonly model: UserClusterModel; readonly pixelScaleArcsec: number } | undefined;

  constructor(prior: FieldPrior) {
    this.#prior = prior;
    this.#background = new BackgroundModel(prior.background);
    this.#clusters = new ClusterModel(prior.clusters, prior.cosmology);
  }

  /**
   * The sources of a field: the background first, then cluster by cluster its members, then what is taken for members.
   *
   * @throws PriorError `prior_empty` when no cluster fits
   */
  sample(frame: FieldFrame): SampledField {
    const { clusters } = this.#prior;
    const wcs = new TanWcs(frame.wcs);
    const pixelScaleArcsec = 3600 * Math.sqrt(wcs.pixelAreaSquareDegrees);
    const placed = [this.#placeBackground(frame)];
    const truth: ClusterTruth[] = [];
    for (let number = 0; number < clusters.count; number++) {
      const stream = streamsOf(frame.seed, `cluster ${number}`);
      if (!stream('presence').chance(clusters.probability)) continue;
      const [cluster, members] = this.#cluster(pixelScaleArcsec, stream);
      const centre = this.#centre(frame, stream('centre'));
      const placedMembers = this.#placeMembers(frame, cluster, members, centre, stream);
      placed.push(placedMembers, ...this.#placeContaminants(frame, cluster, centre, stream));
      const [ra, dec] = wcs.toSky([centre.x - frame.origin, centre.y - frame.origin]);
      const { redshift, richness, radiusPx } = cluster;
      truth.push({ ...centre, ra, dec, redshift, richness, members: placedMembers.rows.length, radiusPx });
    }
    return { sources: assemble(placed, wcs, frame.origin), clusters: truth };
  }

  /**
   * Sees whether clusters can be drawn at all, before anything is.
   *
   * @throws PriorError `prior_empty` as `sample`
   */
  try(pixelScaleArcsec: number): void {
    const { count, probability } = this.#prior.clusters;
    if (count > 0 && probability > 0)
      this.#cluster(pixelScaleArcsec, streamsOf(deriveSeed('trial'), 'cluster'));
  }

  #placeBackground(frame: FieldFrame): Placed {
    const { seed, width, height } = frame;
    const { background, noise, user } = this.#prior;
    const stream = streamsOf(seed, 'background');
    const count = stream('count').poisson(background.density * width * height);
    const population =
      user.background === undefined
        ? this.#background.population(count, stream)
        : resampleBackground(user.background, user.rules, this.#background, count, stream);
    if (user.background === undefined) addNoise(noise, population, stream('noise'));
    const positions = stream('positions');
    const anywhere = (): Point => ({ x: width * positions.uniform(), y: height * positions.uniform() });
    return this.#place(frame, population, stream('shapes'), { isMember: false, redshift: -1, at: anywhere });
  }

  #cluster(pixelScaleArcsec: number, stream: (purpose: string) => Random): [Cluster, Population] {
    const { user, clusters, cosmology, noise, background } = this.#prior;
    if (user.clusters !== undefined) {
      if (this.#userClusters?.pixelScaleArcsec !== pixelScaleArcsec) {
        const model = new UserClusterModel(user.clusters, clusters, cosmology, pixelScaleArcsec);
        this.#userClusters = { model, pixelScaleArcsec };
      }
      const { cluster, members } = this.#userClusters.model.cluster(stream);
      return [cluster, members];
    }
    const cluster = this.#clusters.cluster(pixelScaleArcsec, stream);
    const members = this.#clusters.members(cluster, background.blue, stream);
    addNoise(noise, members, stream('noise'));
    return [this.#clusters.centred(cluster, members, stream), members];
  }

  #centre({ width, height }: FieldFrame, random: Random): Point {
    const [from, to] = this.#prior.clusters.centre;
    const part = (): number => from + (to - from) * random.uniform();
    return { x: width * part(), y: height * part() };
  }

  #placeMembers(
    frame: FieldFrame,
    { radiiPx, redshift }: Cluster,
    population: Population,
    centre: Point,
    stream: (purpose: string) => Random,
  ): Placed {
    const { radii, known_redshifts } = this.#prior.clusters;
    const angles = stream('angles');
    const around = (i: number): Point => {
      const phi = 2 * Math.PI * angles.uniform();
      const sinTheta = 2 * angles.uniform() - 1;
      const distance = (radiiPx[i] as number) * (radii === 'reprojected' ? sinTheta : 1);
      return { x: centre.x + distance * Math.cos(phi), y: centre.y + distance * Math.sin(phi) };
    };
    return this.#place(frame, population, stream('shapes'), {
      isMember: true,
      redshift: known_redshifts ? redshift : -1,
      at: around,
    });
  }

  #placeContaminants(
    frame: FieldFrame,
    cluster: Cluster,
    centre: Point,
    stream: (purpose: string) => Random,
  ): Placed[] {
    const { clusters, noise, user } = this.#prior;
    // A catalogue of members has its own.
    if (clusters.contamination === 0 || user.clusters !== undefined) return [];
    const population = this.#clusters.contaminants(cluster, this.#background, stream);
    addNoise(noise, population, stream('contaminants/noise'));
    const positions = stream('contaminants/positions');
    const evenly = (): Point => {
      const distance = cluster.radiusPx * Math.sqrt(positions.uniform());
      const phi = 2 * Math.PI * positions.uniform();
      return { x: centre.x + distance * Math.cos(phi), y: centre.y + distance * Math.sin(phi) };
    };
    const shapes = stream('contaminants/shapes');
    return [this.#place(frame, population, shapes, { isMember: true, redshift: -1, at: evenly })];
  }

  /** Gives each source a place and a shape. */
  #place(
    { width, height, origin }: FieldFrame,
    population: Population,
    shapes: Random,
    { at, ...kind }: Pick<Placed, 'isMember' | 'redshift'> & { readonly at: (index: number) => Point },
  ): Placed {
    const { count } = population;
    const [x, y] = [new Float64Array(count), new Float64Array(count)];
    const [g1, g2] = [new Float64Array(count), new Float64Array(count)];
    drawShapes(this.#prior.shapes, shapes, g1, g2);
    const { reach } = this.#prior.clusters;
    const isNear = (value: number, size: number): boolean =>
      Math.abs(value - origin - (size - 1) / 2) <= (size - 1) / 2 + Math.min(reach, size - 1);
    const rows: number[] = [];
    for (let i = 0; i < count; i++) {
      const point = at(i);
      x[i] = point.x;
      y[i] = point.y;
      if (!kind.isMember || (isNear(point.x, width) && isNear(point.y, height))) rows.push(i);
    }
    return { ...kind, population, x, y, g1, g2, rows };
  }
}

/** Draws one field; see `FieldSampler` for many. */
export const sampleField = (prior: FieldPrior, frame: FieldFrame): SampledField =>
  new FieldSampler(prior).sample(frame);

/** All populations in one table, with fluxes and places on the sky. */
function assemble(placed: readonly Placed[], wcs: TanWcs, origin: number): SourceTable {
  const table = emptySources(placed.reduce((sum, { rows }) => sum + rows.length, 0));
  const { columns } = table;
  const fluxes = catalogBands.map((band) => [band, columns[fluxColumn(band)]] as const);
  let to = 0;
  for (const { population, x, y, g1, g2, rows, isMember, redshift } of placed) {
    const { magnitudes, hlr, isGalaxy } = population;
    columns.MEM.fill(isMember ? 1 : 0, to, to + rows.length);
    columns.Z.fill(redshift, to, to + rows.length);
    for (const from of rows) {
      const value = (column: ArrayLike<number>): number => column[from] as number;
      const [ra, dec] = wcs.toSky([value(x) - origin, value(y) - origin]);
      columns.RA[to] = ra;
      columns.DEC[to] = dec;
      columns.X[to] = value(x);
      columns.Y[to] = value(y);
      for (const [band, flux] of fluxes) flux[to] = fluxOf(value(magnitudes[band]));
      columns.HLR[to] = value(hlr);
      columns.G1[to] = value(g1);
      columns.G2[to] = value(g2);
      columns.SOURCE_TYPE[to] = value(isGalaxy);
      columns.GI_COLOR[to] = colour(value(magnitudes.g), value(magnitudes.i));
      columns.IZ_COLOR[to] = colour(value(magnitudes.i), value(magnitudes.z));
      to++;
    }
  }
  return table;
}

/** Difference of two magnitudes; 0 when one of them was not measured, which its flux of 0 tells. */
const colour = (blue: number, red: number): number => (fluxOf(blue) > 0 && fluxOf(red) > 0 ? blue - red : 0);
