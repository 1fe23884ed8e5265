/** The sources of a field as columns, in the 17-column layout of the galaxy-clustering case study of BLISS. */

/** Columns in the order of the file. */
export const catalogColumns = [
  'RA',
  'DEC',
  'X',
  'Y',
  'MEM',
  'FLUX_G',
  'FLUX_R',
  'FLUX_I',
  'FLUX_Z',
  'HLR',
  'FRACDEV',
  'G1',
  'G2',
  'Z',
  'SOURCE_TYPE',
  'GI_COLOR',
  'IZ_COLOR',
] as const;
export type CatalogColumn = (typeof catalogColumns)[number];

/** Bands a catalogue has fluxes in. */
export const catalogBands = ['g', 'r', 'i', 'z'] as const;
export type CatalogBand = (typeof catalogBands)[number];

export const fluxColumn = (band: CatalogBand): CatalogColumn =>
  `FLUX_${band.toUpperCase() as Uppercase<CatalogBand>}`;

/** Unit and meaning of each column, for headers and documentation. */
export const columnMeaning: Readonly<Record<CatalogColumn, { readonly unit: string; readonly doc: string }>> =
  {
    RA: { unit: 'deg', doc: 'right ascension, ICRS' },
    DEC: { unit: 'deg', doc: 'declination, ICRS' },
    X: { unit: 'pix', doc: 'column; what the centre of the first pixel is called is render.origin' },
    Y: { unit: 'pix', doc: 'row; what the centre of the first pixel is called is render.origin' },
    MEM: { unit: '', doc: '1 for a member of a cluster, 0 for the background' },
    FLUX_G: { unit: 'pmgy', doc: 'flux in g, zero point 30' },
    FLUX_R: { unit: 'pmgy', doc: 'flux in r, zero point 30' },
    FLUX_I: { unit: 'pmgy', doc: 'flux in i, zero point 30' },
    FLUX_Z: { unit: 'pmgy', doc: 'flux in z, zero point 30' },
    HLR: { unit: 'arcsec', doc: 'half-light radius of the Gaussian, geometric mean of its axes' },
    FRACDEV: { unit: '', doc: 'de Vaucouleurs fraction; kept for the layout, always 0' },
    G1: { unit: '', doc: 'reduced shear along x' },
    G2: { unit: '', doc: 'reduced shear along y = x' },
    Z: { unit: '', doc: 'redshift; -1 when unknown' },
    SOURCE_TYPE: { unit: '', doc: '1 galaxy, 0 star' },
    GI_COLOR: { unit: 'mag', doc: 'g - i' },
    IZ_COLOR: { unit: 'mag', doc: 'i - z' },
  };

/** Sources of one field: every column has `count` numbers. */
export interface SourceTable {
  readonly count: number;
  readonly columns: Readonly<Record<CatalogColumn, Float64Array>>;
}

/** A cluster that was put into a field. */
export interface ClusterTruth {
  /** Centre in the coordinates of X and Y. */
  readonly x: number;
  readonly y: number;
  /** Degrees ICRS. */
  readonly ra: number;
  readonly dec: number;
  readonly redshift: number;
  /** Expected number of members (lambda). */
  readonly richness: number;
  readonly members: number;
  /** Cut-off radius on the image, pixels. */
  readonly radiusPx: number;
}

/** A table of `count` sources, all zero. */
export function emptySources(count: number): SourceTable {
  const columns = Object.fromEntries(catalogColumns.map((name) => [name, new Float64Array(count)]));
  return { count, columns: columns as Record<CatalogColumn, Float64Array> };
}

/** Flux at zero point 30 of an AB magnitude; 0 for what is not a finite number or a sentinel (99, -99). */
export const fluxOf = (magnitude: number): number =>
  Number.isFinite(magnitude) && Math.abs(magnitude) < 90 ? 10 ** (0.4 * (30 - magnitude)) : 0;
