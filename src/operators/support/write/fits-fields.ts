/** A field as FITS files: plain images, tiles as DES makes them, and tables of what is in them. */
import type { DesBand, DesTileImages } from '../../../formats/des-tile-writer.js';
import { real, type WriteCard } from '../../../formats/fits/write/card.js';
import type { FitsHdu, RowSource, TableColumn, TableHdu } from '../../../formats/fits/write/hdu.js';
import {
  type ClusterTruth,
  catalogColumns,
  columnMeaning,
  type SourceTable,
} from '../../../science/catalog.js';
import { aberrations } from '../../../science/render/psf.js';
import { TanWcs } from '../../../science/wcs.js';
import { PixelRows } from '../pixel-rows.js';
import type { FieldContent } from './field-content.js';
import { desTag } from './field-files.js';

/** What made the fields. */
export interface Provenance {
  readonly version: string;
  readonly configSha256: string;
  /** Of the whole data set; null when nobody knows. */
  readonly seed: number | null;
}

/** AB magnitude of flux 1, in everything that is drawn, and in DES DR2. */
const zeroPoint = 30;

const originCards = ({ version, seed }: Provenance): readonly WriteCard[] => [
  ['ORIGIN', 'Skypass', 'who made this file'],
  ['CREATOR', `skypass ${version}`, 'program and version'],
  ...(seed === null ? [] : [['SEED', seed, 'all fields are drawn from it'] as const]),
];

/**
 * What made one field. Neither the run nor its configuration is told, but in `dataset.json`: a field has the same bytes
 * alone as among others.
 */
const fieldCards = ({ sources }: FieldContent, provenance: Provenance): readonly WriteCard[] => [
  ...originCards(provenance),
  ...(sources === undefined ? [] : [['FLDSEED', sources.seed, 'this field is drawn from it'] as const]),
];

/** How a band was drawn: its PSF, and its noise. */
function drawnCards({ drawn }: FieldContent, band: number): readonly WriteCard[] {
  if (drawn === undefined) return [];
  const { kolmogorov, optical } = drawn.psf;
  return [
    ...(kolmogorov === undefined
      ? []
      : ([
          ['PSFFWHM', real(kolmogorov.fwhm), '[arcsec] FWHM of the atmosphere'],
          ['PSFE', real(kolmogorov.e), 'its distortion (a2 - b2)/(a2 + b2)'],
          ['PSFBETA', real(kolmogorov.beta), '[rad] position angle of that, from +x'],
        ] as const)),
    ...(optical === undefined
      ? []
      : aberrations.map(
          (name) => [name.toUpperCase(), real(optical[name]), '[wave] circular Zernike, as Noll'] as const,
        )),
    ['SKYSIGMA', real(drawn.noiseSigma[band] ?? 0), '[pmgy] noise of a pixel'],
  ];
}

/** Cards of one band: what it is called, its unit where that is known, and where it is. */
function imageCards(field: FieldContent, band: string, provenance: Provenance): readonly WriteCard[] {
  return [
    ['OBJECT', field.id, 'name of the field'],
    ['FILTER', band, 'band'],
    // Of an image that was not drawn here nobody has said it.
    ...(field.sources === undefined
      ? []
      : ([
          ['BUNIT', 'pmgy', 'picomaggies: flux of zero point 30'],
          ['MAGZERO', real(zeroPoint), '[mag] AB magnitude of flux 1'],
        ] as const)),
    ...new TanWcs(field.wcs).cards(),
    ...fieldCards(field, provenance),
    ...drawnCards(field, field.bands.indexOf(band)),
  ];
}

/** A band as one plain float32 image. */
export function plainImage(field: FieldContent, band: number, provenance: Provenance): readonly FitsHdu[] {
  const { width, height } = field;
  const pixels = new BandRows(field, band);
  const cards = imageCards(field, field.bands[band] as string, provenance);
  const rows: RowSource['rows'] = (y0, y1) => pixels.pixels(y0, y1);
  return [{ kind: 'image', bitpix: -32, cards, width, height, rows }];
}

/** A band as a tile of DES DR2: SCI, MSK (1 where a pixel is masked or NaN), and WGT from the noise of the pixels. */
export function desTile(field: FieldContent, band: number, provenance: Provenance): DesTileImages {
  const { id: name, width, height } = field;
  const rows = new BandRows(field, band);
  const images: DesBand = {
    band: field.bands[band] as string,
    science: (y0, y1) => rows.pixels(y0, y1),
    mask: (y0, y1) => new Int32Array(rows.marked(y0, y1)),
    weight: (y0, y1) => rows.weights(y0, y1),
    magZero: zeroPoint,
    cards: [...fieldCards(field, provenance), ...drawnCards(field, band)],
  };
  return { name, tag: desTag, width, height, wcs: new TanWcs(field.wcs), bands: [images] };
}

/** Pixels that the noise is estimated from, at most. */
const SAMPLE_PIXELS = 1 << 16;

/** The rows of one band as its planes need them; an array is used again by the next call. */
class BandRows {
  readonly #field: FieldContent;
  readonly #band: number;
  readonly #rows: PixelRows;
  #floats = new Float32Array(0);
  #flags = new Uint8Array(0);
  #weight: number | undefined;

  constructor(field: FieldContent, band: number) {
    this.#field = field;
    this.#band = band;
    this.#rows = PixelRows.of(field.pixels as NonNullable<FieldContent['pixels']>);
  }

  pixels(y0: number, y1: number): Float32Array {
    const count = (y1 - y0) * this.#field.width;
    if (this.#floats.length < count) this.#floats = new Float32Array(count);
    this.#rows.read(this.#band, y0, y1, this.#floats, 0);
    return this.#floats.subarray(0, count);
  }

  /** 1 where a pixel is masked or not a number. */
  marked(y0: number, y1: number): Uint8Array {
    const pixels = this.pixels(y0, y1);
    if (this.#flags.length < pixels.length) this.#flags = new Uint8Array(pixels.length);
    const flags = this.#flags.subarray(0, pixels.length);
    for (let i = 0; i < pixels.length; i++) flags[i] = Number.isNaN(pixels[i]) ? 1 : 0;
    this.#rows.orMask(this.#band, y0, y1, flags, 0, this.#field.width, 1);
    return flags;
  }

  /** One over the variance; 0 where a pixel is marked. */
  weights(y0: number, y1: number): Float32Array {
    this.#weight ??= 1 / (this.#field.drawn?.noiseSigma[this.#band] || this.#noise()) ** 2;
    const weight = this.#weight;
    const flags = this.marked(y0, y1);
    const weights = this.#floats.subarray(0, flags.length);
    for (let i = 0; i < flags.length; i++) weights[i] = flags[i] === 0 ? weight : 0;
    return weights;
  }

  /**
   * The noise of a band that was not drawn: 1.4826 times the median absolute deviation of some of its rows, spread evenly. Sources are
   * few enough among the pixels not to be seen by a median. 1 when all those pixels are equal.
   */
  #noise(): number {
    const { width, height } = this.#field;
    const step = Math.max(1, Math.ceil((width * height) / SAMPLE_PIXELS));
    const sample: number[] = [];
    for (let y = step >> 1; y < height; y += step) {
      for (const pixel of this.pixels(y, y + 1)) if (!Number.isNaN(pixel)) sample.push(pixel);
    }
    const middle = median(sample);
    const deviation = 1.4826 * median(sample.map((pixel) => Math.abs(pixel - middle)));
    return deviation > 0 ? deviation : 1;
  }
}

function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[sorted.length >> 1] ?? 0;
}

/** A cluster, and the tile it was put in. */
export interface PlacedCluster extends ClusterTruth {
  readonly tile: string;
  readonly id: string;
}

export const clustersOf = (tile: string, clusters: readonly ClusterTruth[]): readonly PlacedCluster[] =>
  clusters.map((cluster, index) => ({ ...cluster, tile, id: `${tile}_c${index}` }));

/** Clusters as a table, one row each. */
function clusterTable(clusters: readonly PlacedCluster[], cards: readonly WriteCard[] = []): TableHdu {
  const numbers = (of: (cluster: PlacedCluster) => number) => Float64Array.from(clusters, of);
  const columns: readonly TableColumn[] = [
    { name: 'id_str', form: 'A', doc: 'name of the cluster', data: clusters.map(({ id }) => id) },
    { name: 'ra', form: 'D', unit: 'deg', doc: 'right ascension, ICRS', data: numbers(({ ra }) => ra) },
    { name: 'dec', form: 'D', unit: 'deg', doc: 'declination, ICRS', data: numbers(({ dec }) => dec) },
    { name: 'z', form: 'D', doc: 'redshift', data: numbers(({ redshift }) => redshift) },
    { name: 'richness', form: 'D', doc: 'expected members', data: numbers(({ richness }) => richness) },
    {
      name: 'members',
      form: 'J',
      doc: 'members that were drawn',
      data: Int32Array.from(clusters, ({ members }) => members),
    },
    { name: 'tile', form: 'A', doc: 'tile it is in', data: clusters.map(({ tile }) => tile) },
    { name: 'x', form: 'D', unit: 'pix', doc: 'column of its centre', data: numbers(({ x }) => x) },
    { name: 'y', form: 'D', unit: 'pix', doc: 'row of its centre', data: numbers(({ y }) => y) },
    {
      name: 'radius',
      form: 'D',
      unit: 'pix',
      doc: 'cut-off radius',
      data: numbers(({ radiusPx }) => radiusPx),
    },
  ];
  return { kind: 'table', name: 'CLUSTERS', columns, cards };
}

/** The clusters of a whole survey. */
export const surveyClusters = (
  clusters: readonly PlacedCluster[],
  provenance: Provenance,
): readonly FitsHdu[] => [
  clusterTable(clusters, [
    ...originCards(provenance),
    ['CONFHASH', provenance.configSha256, 'SHA-256 of the configuration'],
  ]),
];

/** What is in one tile: its clusters, and its sources in the columns of a .dat catalogue. */
export function tileTruth(field: FieldContent, provenance: Provenance): readonly FitsHdu[] {
  const { table, clusters } = field.sources as NonNullable<FieldContent['sources']>;
  return [
    { kind: 'empty', cards: [['OBJECT', field.id, 'name of the tile'], ...fieldCards(field, provenance)] },
    clusterTable(clustersOf(field.id, clusters)),
    sourceTable(table),
  ];
}

function sourceTable({ columns }: SourceTable): TableHdu {
  return {
    kind: 'table',
    name: 'SOURCES',
    columns: catalogColumns.map((name) => {
      const { unit, doc } = columnMeaning[name];
      return { name, form: 'D', doc, data: columns[name], ...(unit !== '' && { unit }) };
    }),
  };
}
