/**
 * What can be had without any network: galaxies as red as those of a cluster, counted cell by cell in the true catalogue.
 * It sees true fluxes, and every faint source, so no image is as good to it; but no cell beside the one it counts in.
 */
import type { SourceTable } from '../catalog.js';
import { type ClusterPrior, clusterDefaults } from '../priors/clusters.js';
import { characteristicMagnitude, type RedSequencePrior, ridgeColours } from '../priors/red-sequence.js';

/** The cells of a window, as the truth of the image counts them. */
export interface CellGrid {
  readonly ny: number;
  readonly nx: number;
  /** Side of a cell, pixels. */
  readonly cellPx: number;
  /** Offset of the window's first pixel in the image. */
  readonly x0: number;
  readonly y0: number;
  /** X and Y of the centre of the first pixel of the image. */
  readonly origin: number;
}

/** What a count needs of the sources. */
export type FilterSources = {
  readonly count: number;
  readonly columns: Pick<SourceTable['columns'], 'X' | 'Y' | 'FLUX_G' | 'FLUX_R' | 'FLUX_I' | 'FLUX_Z'>;
};

/** A place on the red sequence. */
interface Rung {
  /** i magnitudes that members have there. */
  readonly brightest: number;
  readonly faintest: number;
  readonly mStar: number;
  readonly gr: number;
  readonly ri: number;
  readonly iz: number;
}

/** Redshifts from 0.1 to 0.9, so near each other that the ridge moves by no more than its scatter. */
const redshifts = Array.from({ length: 41 }, (_, i) => 0.1 + 0.02 * i);
/** Distance from the ridge in units of its scatter, in three colours together, within which a source is counted. */
const reach = 3;

export class RedSequenceFilter {
  readonly #rungs: readonly Rung[];
  readonly #red: RedSequencePrior;

  constructor({
    red_sequence,
    luminosity,
  }: Pick<ClusterPrior, 'red_sequence' | 'luminosity'> = clusterDefaults) {
    this.#red = red_sequence;
    this.#rungs = redshifts.map((z) => {
      const mStar = characteristicMagnitude(red_sequence, z);
      const [gr, ri, iz] = ridgeColours(red_sequence, z);
      const { brighter, fainter } = luminosity;
      return { brightest: mStar - brighter, faintest: mStar + fainter, mStar, gr, ri, iz };
    });
  }

  /** How many redshifts are counted at. */
  get depth(): number {
    return this.#rungs.length;
  }

  /** Sources on the red sequence of each redshift: cells × redshifts, row by row; at most 255 are counted. */
  counts({ count, columns }: FilterSources, { ny, nx, cellPx, x0, y0, origin }: CellGrid): Uint8Array {
    const { X, Y, FLUX_G, FLUX_R, FLUX_I, FLUX_Z } = columns;
    const counts = new Uint8Array(ny * nx * this.depth);
    for (let source = 0; source < count; source++) {
      const column = Math.floor(((X[source] as number) - origin + 0.5 - x0) / cellPx);
      const row = Math.floor(((Y[source] as number) - origin + 0.5 - y0) / cellPx);
      if (!(column >= 0 && column < nx && row >= 0 && row < ny)) continue;
      const [g, r, i, z] = [FLUX_G, FLUX_R, FLUX_I, FLUX_Z].map((flux) =>
        magnitudeOf(flux[source] as number),
      ) as [number, number, number, number];
      const first = (row * nx + column) * this.depth;
      this.#rungs.forEach((rung, k) => {
        if (!this.#isOn(rung, g, r, i, z)) return;
        counts[first + k] = Math.min(255, (counts[first + k] as number) + 1);
      });
    }
    return counts;
  }

  #isOn(
    { brightest, faintest, mStar, gr, ri, iz }: Rung,
    g: number,
    r: number,
    i: number,
    z: number,
  ): boolean {
    if (!(i > brightest && i < faintest)) return false;
    const { slope_g_r, slope_r_i, scatter_g_r, scatter_r_i, scatter_i_z } = this.#red;
    const fainter = i - mStar;
    return (
      ((g - r - gr - slope_g_r * fainter) / scatter_g_r) ** 2 +
        ((r - i - ri - slope_r_i * fainter) / scatter_r_i) ** 2 +
        ((i - z - iz) / scatter_i_z) ** 2 <
      reach ** 2
    );
  }
}

/** AB magnitude of a flux at zero point 30; infinitely faint without flux. */
const magnitudeOf = (flux: number): number => 30 - 2.5 * Math.log10(flux);

/**
 * How far each cell stands out: of all redshifts the largest (N - B) / √(B + 1), where N is its count and B the mean count
 * of all cells at that redshift.
 *
 * @param counts as `RedSequenceFilter.counts` gives them, of any cells
 * @param background mean count at each redshift
 */
export function prominence(counts: Uint8Array, background: Float64Array): Float32Array {
  const depth = background.length;
  const most = new Float32Array(counts.length / depth).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < counts.length; i++) {
    const mean = background[i % depth] as number;
    const cell = Math.floor(i / depth);
    most[cell] = Math.max(most[cell] as number, ((counts[i] as number) - mean) / Math.sqrt(mean + 1));
  }
  return most;
}

/** Mean count of all cells at each redshift. */
export function meanCounts(all: readonly Uint8Array[], depth: number): Float64Array {
  const means = new Float64Array(depth);
  for (const counts of all)
    for (let i = 0; i < counts.length; i++)
      means[i % depth] = (means[i % depth] as number) + (counts[i] as number);
  const cells = all.reduce((sum, { length }) => sum + length, 0) / depth;
  return means.map((sum) => sum / cells);
}
