/**
 * What an encoder learns from: the sources of a field as one row of numbers for each tile, in the layout of the
 * galaxy-clustering case study of BLISS.
 */
import { type CatalogBand, catalogBands, fluxColumn, type SourceTable } from './catalog.js';

/** The truth of a field, tile by tile; tile (row, column) is element `row * nx + column`. A tile without a source is 0. */
export interface TileCatalog {
  /** Side of a tile, pixels. */
  readonly tileSize: number;
  readonly ny: number;
  readonly nx: number;
  /** [ny, nx, 1, 2]: the source's place in its tile as fractions of the tile, vertical then horizontal. */
  readonly locs: Float32Array;
  /** [ny, nx]: 0 or 1. */
  readonly nSources: BigInt64Array;
  /** [ny, nx, 1, 4]: g, r, i, z; zero point 30. */
  readonly fluxes: Float64Array;
  /** [ny, nx, 1, 1]: 1 where any member of a cluster lies, however faint. */
  readonly membership: Uint8Array;
  /** [ny, nx, 1, 1] */
  readonly redshift: Float64Array;
  /** [ny, nx, 1, 4]: HLR, G1, G2, FRACDEV. */
  readonly galaxyParams: Float64Array;
  /** [ny, nx, 1, 1]: 1 galaxy, 0 star. */
  readonly sourceType: BigInt64Array;
}

export interface TileCatalogOptions {
  /** Size of the field, pixels; multiples of `tileSize`. */
  readonly width: number;
  readonly height: number;
  /** Side of a tile, pixels. */
  readonly tileSize: number;
  /**
   * What X and Y call the centre of the first pixel: 1 as FITS and GalSim, 0 as arrays. BLISS takes the numbers of the
   * file as distances from the image's edge (tile = floor(X / tileSize)), which is `origin: 0.5` whatever they mean.
   */
  readonly origin: number;
  /** The band in which the brightest source of a tile is chosen. */
  readonly band: CatalogBand;
  /** Sources up to this flux in `band` are left out, as BLISS does, and those without flux; members count all the same. */
  readonly minFlux: number;
}

/** The image cannot be cut into whole tiles. */
export class TileSizeError extends Error {
  override readonly name = 'TileSizeError';
  readonly code: TileSizeErrorCode = 'config_invalid';
}

export type TileSizeErrorCode = 'config_invalid';

/**
 * The brightest source of each tile of a checked catalogue, and whether any cluster member lies in it.
 *
 * A source belongs to the tile whose row comes from Y and whose column comes from X; so do members. (The case study
 * feeds X as the row and Y as the column for everything but the membership, which therefore lies transposed beside the
 * rest and beside the image; here all of it lies as the image does.) Sources outside the image are left out. Of equally
 * bright sources the first in the catalogue is taken.
 *
 * @throws TileSizeError `config_invalid` when width or height is not a multiple of `tileSize`
 */
export function toTileCatalog(sources: SourceTable, options: TileCatalogOptions): TileCatalog {
  const { width, height, tileSize, origin, band, minFlux } = options;
  const nx = width / tileSize;
  const ny = height / tileSize;
  if (!(Number.isInteger(nx) && Number.isInteger(ny) && nx > 0 && ny > 0)) {
    throw new TileSizeError(
      `an image of ${width} x ${height} pixels cannot be cut into tiles of ${tileSize}: ` +
        'both sides must be multiples of it',
    );
  }
  const tiles = nx * ny;
  const membership = new Uint8Array(tiles);
  const brightest = new Int32Array(tiles).fill(-1);
  const { columns } = sources;
  const flux = columns[fluxColumn(band)];
  const right = distances(columns.X, origin, tileSize);
  const down = distances(columns.Y, origin, tileSize);
  for (let source = 0; source < sources.count; source++) {
    const column = Math.floor(right(source));
    const row = Math.floor(down(source));
    if (!(column >= 0 && column < nx && row >= 0 && row < ny)) continue;
    const tile = row * nx + column;
    if ((columns.MEM[source] as number) > 0) membership[tile] = 1;
    const found = flux[source] as number;
    const rival = brightest[tile] as number;
    if (found > 0 && found > minFlux && (rival < 0 || found > (flux[rival] as number)))
      brightest[tile] = source;
  }

  const catalog: TileCatalog = {
    tileSize,
    ny,
    nx,
    locs: new Float32Array(2 * tiles),
    nSources: new BigInt64Array(tiles),
    fluxes: new Float64Array(4 * tiles),
    membership,
    redshift: new Float64Array(tiles),
    galaxyParams: new Float64Array(4 * tiles),
    sourceType: new BigInt64Array(tiles),
  };
  const at = (column: Float64Array, source: number): number => column[source] as number;
  for (let tile = 0; tile < tiles; tile++) {
    const source = brightest[tile] as number;
    if (source < 0) continue;
    catalog.nSources[tile] = 1n;
    catalog.locs.set([down(source) % 1, right(source) % 1], 2 * tile);
    catalog.fluxes.set(
      catalogBands.map((name) => at(columns[fluxColumn(name)], source)),
      4 * tile,
    );
    catalog.redshift[tile] = at(columns.Z, source);
    const { HLR, G1, G2, FRACDEV } = columns;
    catalog.galaxyParams.set(
      [at(HLR, source), at(G1, source), at(G2, source), at(FRACDEV, source)],
      4 * tile,
    );
    catalog.sourceType[tile] = BigInt(at(columns.SOURCE_TYPE, source));
  }
  return catalog;
}

/** Distance of a source from the image's edge, in tiles. */
const distances =
  (column: Float64Array, origin: number, tileSize: number) =>
  (source: number): number =>
    ((column[source] as number) - origin + 0.5) / tileSize;
