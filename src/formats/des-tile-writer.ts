/**
 * Writes DES DR2 coadd tiles as the survey's own files are: one per band, each an empty primary HDU, then SCI, MSK
 * and WGT, compressed as fpack does it for DES. `des-tiles.ts` reads them.
 */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TanWcs } from '../science/wcs.js';
import { syncFolderOf } from './durable.js';
import { real, type WriteCard } from './fits/write/card.js';
import type { FitsHdu, RowSource } from './fits/write/hdu.js';
import { writeFits } from './fits/write/writer.js';

/** Rows `y0` to `y1` (exclusive) of a plane; the array may be reused by the next call. */
export type PlaneRows<Pixels> = (y0: number, y1: number) => Pixels;

export interface DesBand {
  /** One or more letters, such as `g`. */
  readonly band: string;
  /** SCI: fluxes of zero point `magZero`; NaN where there is none. */
  readonly science: PlaneRows<Float32Array>;
  /** MSK: 0 where a pixel is good; bits below 2^24. */
  readonly mask?: PlaneRows<Int32Array>;
  /** WGT: inverse variance. */
  readonly weight?: PlaneRows<Float32Array>;
  /** AB magnitude of flux 1. */
  readonly magZero: number;
  /** Further cards for the headers of all planes, such as GAIN, SATURATE and provenance. */
  readonly cards?: readonly WriteCard[];
}

export interface DesTileImages {
  /** Such as `DES0001-0041`. */
  readonly name: string;
  /** Request and attempt of the processing run, such as `r4907p01`. */
  readonly tag: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly wcs: TanWcs;
  readonly bands: readonly DesBand[];
}

/** Where a band of a tile lies in a survey's folder: `NAME/NAME_TAG_BAND_nobkg.fits.fz`. */
export const desBandPath = (survey: string, tile: string, tag: string, band: string): string =>
  join(survey, tile, `${tile}_${tag}_${band}_nobkg.fits.fz`);

/**
 * Writes the bands of a tile, each file whole or absent. Synchronous: call it from a worker thread.
 *
 * @param survey the folder in which the tile's folder is made
 * @returns the paths of the files, in the order of the bands
 * @throws RangeError for names that do not make such a path; otherwise as `writeFits`
 */
export function writeDesTile(survey: string, tile: DesTileImages): readonly string[] {
  check('tile name', tile.name, /^[A-Za-z0-9.+-]*[A-Za-z0-9]$/);
  const [, request = '', attempt = ''] = check('tag', tile.tag, /^r(\d+)p(\d+)$/);
  return tile.bands.map((band) => {
    check('band', band.band, /^[A-Za-z]+$/);
    const path = desBandPath(survey, tile.name, tile.tag, band.band);
    if (mkdirSync(dirname(path), { recursive: true }) !== undefined) syncFolderOf(dirname(path));
    writeFits(path, bandHdus(tile, band, Number(request), Number(attempt)));
    return path;
  });
}

function check(what: string, text: string, pattern: RegExp): RegExpExecArray {
  const match = pattern.exec(text);
  if (match === null)
    throw new RangeError(`the ${what} is ${JSON.stringify(text)}, expected ${pattern.source}`);
  return match;
}

function bandHdus(tile: DesTileImages, band: DesBand, request: number, attempt: number): readonly FitsHdu[] {
  const { name, width, height, wcs } = tile;
  const shared: readonly WriteCard[] = [
    ['TILENAME', name, 'DES tile'],
    ['BAND', band.band, 'band'],
    ['FILTER', `${band.band} DECam SDSS`, 'filter'],
    ...wcs.cards(),
    ['MAGZERO', real(band.magZero), '[mag] AB magnitude of flux 1'],
    ['UNITNAME', name, 'tile that was processed'],
    ['REQNUM', request, 'request of the processing run'],
    ['ATTNUM', attempt, 'attempt of the processing run'],
    ...(band.cards ?? []),
  ];
  const float = (extension: string, rows: RowSource['rows']): FitsHdu => ({
    kind: 'compressed',
    as: 'rice',
    bitpix: -32,
    name: extension,
    width,
    height,
    rows,
    cards: [...shared, ...riceCards],
  });
  return [
    { kind: 'empty' },
    float('SCI', band.science),
    ...(band.mask === undefined
      ? []
      : ([
          {
            kind: 'compressed',
            as: 'plio',
            bitpix: 32,
            name: 'MSK',
            width,
            height,
            rows: band.mask,
            cards: [...shared, ['FZALGOR', 'PLIO_1', 'how fpack compresses this']],
          },
        ] as const)),
    ...(band.weight === undefined ? [] : [float('WGT', band.weight)]),
  ];
}

/** They make fpack compress the image in this way again, after it has been unpacked. */
const riceCards: readonly WriteCard[] = [
  ['FZALGOR', 'RICE_1', 'how fpack compresses this'],
  ['FZQMETHD', 'SUBTRACTIVE_DITHER_2', 'how fpack quantises this'],
  ['FZQVALUE', 16, 'noise divided by the quantum'],
  ['FZDTHRSD', 'CHECKSUM', 'where the dithering offset comes from'],
];
