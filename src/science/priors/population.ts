/** The galaxies and stars of one kind in a field, before they have fluxes: what every prior fills in. */
import { type CatalogBand, catalogBands } from '../catalog.js';
import { deriveSeed, Random } from '../random.js';

export type Magnitudes = Readonly<Record<CatalogBand, Float64Array>>;

export interface Population {
  readonly count: number;
  /** AB magnitudes; what is not finite, or a sentinel such as 99, has no flux. */
  readonly magnitudes: Magnitudes;
  /** Half-light radius, arcsec. */
  readonly hlr: Float64Array;
  /** 1 galaxy, 0 star. */
  readonly isGalaxy: Uint8Array;
}

export function emptyPopulation(count: number): Population {
  const magnitudes = Object.fromEntries(catalogBands.map((band) => [band, new Float64Array(count)]));
  return {
    count,
    magnitudes: magnitudes as Record<CatalogBand, Float64Array>,
    hlr: new Float64Array(count),
    isGalaxy: new Uint8Array(count).fill(1),
  };
}

/** Writes the magnitudes of one source, given i and the colours. */
export function setMagnitudes(
  { magnitudes }: Population,
  index: number,
  i: number,
  colours: readonly [gr: number, ri: number, iz: number],
): void {
  const [gr, ri, iz] = colours;
  magnitudes.g[index] = i + ri + gr;
  magnitudes.r[index] = i + ri;
  magnitudes.i[index] = i;
  magnitudes.z[index] = i - iz;
}

/**
 * The streams of a field: one for each purpose, so that a change of one prior leaves what the others draw as it is.
 *
 * @param seed seed of the field
 * @param scope what the purposes belong to: `background`, `cluster 0`
 */
export function streamsOf(seed: string, scope: string): (purpose: string) => Random {
  return (purpose) => new Random(deriveSeed(seed, scope, purpose));
}

/** A straight line that is held between two values. Plain data. */
export interface ClippedLine {
  /** Value at the pivot. */
  readonly value: number;
  readonly pivot: number;
  readonly slope: number;
  readonly min: number;
  readonly max: number;
}

export const onLine = ({ value, pivot, slope, min, max }: ClippedLine, x: number): number =>
  Math.min(max, Math.max(min, value + slope * (x - pivot)));

/** Mean and standard deviation. */
export type MeanSigma = readonly [mean: number, sigma: number];

export const drawMeanSigma = ([mean, sigma]: MeanSigma, random: Random): number =>
  mean + sigma * random.normal();
