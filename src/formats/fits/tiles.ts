import { FormatError } from '../errors.js';
import { type ColumnLayout, columnLayouts } from './columns.js';
import { randomCount } from './dither.js';
import { type Element, elementBytes, elementOfBitpix } from './elements.js';
import type { FitsFile, Hdu } from './file.js';
import type { Header } from './header.js';
import { readTileRows } from './tile-rows.js';
import { type Axes, TileColumn, type TileMethod, type TileQuanta, type TileStorage } from './tile-storage.js';

/** A tile is decoded whole, so its pixels are bounded: 11585 pixels squared. */
const MAX_TILE_PIXELS = 2 ** 27;

/**
 * Reads the table of a compressed image and checks every row of it: after this, a tile can only fail by its own bytes.
 *
 * @throws FormatError `fits_header`, `fits_compressed` (with the row), `fits_unsupported`, `fits_too_large`
 */
export function planTiles(file: FitsFile, hdu: Hdu, axes: Axes): TileStorage {
  const { header } = hdu;
  const bitpix = header.bitpix('ZBITPIX');
  const method = readMethod(header);
  const tile = readTileShape(header, axes);
  const tiles = axes.reduce((product, axis, i) => product * Math.ceil(axis / (tile[i] as number)), 1);
  const rows = header.integer('NAXIS2');
  if (tiles !== rows)
    throw header.unexpected('NAXIS2', `${tiles} rows, one for each tile of ZNAXISn and ZTILEn`);

  const layouts = columnLayouts(header);
  const named = (name: string) => layouts.find((column) => column.name.toUpperCase() === name);
  const dataColumns = (
    [
      ['COMPRESSED_DATA', TileColumn.compressed],
      ['GZIP_COMPRESSED_DATA', TileColumn.gzip],
      ['UNCOMPRESSED_DATA', TileColumn.raw],
    ] as const
  ).flatMap(([name, kind]) => {
    const layout = named(name);
    if (layout === undefined) return [];
    if (layout.descriptor !== undefined && layout.repeat === 1) return { kind, layout };
    throw header.unexpected(`TFORM${layout.number}`, `a variable-length column for ${name}`);
  });
  if (dataColumns.length === 0) throw header.unexpected('TFIELDS', 'a column COMPRESSED_DATA among them');
  const element = elementOfBitpix(bitpix);
  const quanta = bitpix < 0 ? planQuanta(header, named, rows) : undefined;
  if (bitpix < 0 && quanta === undefined && (method === 'rice' || method === 'plio')) {
    throw header.unexpected(
      'ZSCALE',
      'a column or a keyword, as pixels are floating and ZCMPTYPE holds integers',
    );
  }
  const storage: TileStorage = {
    kind: 'tiles',
    tileWidth: tile[0],
    tileHeight: tile[1],
    tileDepth: tile[2],
    method,
    ...(method === 'rice' ? riceParameters(header) : { blockSize: 32, bytePix: 4 }),
    element,
    rawElement: numberLetter(header, named('UNCOMPRESSED_DATA')) ?? element,
    starts: sharedDoubles(rows),
    lengths: sharedDoubles(rows),
    columns: new Uint8Array(new SharedArrayBuffer(rows)),
    quanta,
  };
  const numberColumns = [
    [named('ZSCALE'), quanta?.scales] as const,
    [named('ZZERO'), quanta?.zeros] as const,
    [named('ZBLANK'), quanta?.blanks] as const,
  ].flatMap(([layout, into]) => (layout === undefined || into === undefined ? [] : { layout, into }));
  readTileRows(file, hdu, axes, storage, dataColumns, numberColumns);
  return storage;
}

function readMethod(header: Header): TileMethod {
  const name = header.text('ZCMPTYPE').trim();
  const methods: Readonly<Record<string, TileMethod>> = {
    RICE_1: 'rice',
    RICE_ONE: 'rice',
    GZIP_1: 'gzip1',
    GZIP_2: 'gzip2',
    PLIO_1: 'plio',
    NOCOMPRESS: 'raw',
  };
  const method = methods[name];
  if (method !== undefined) return method;
  throw new FormatError(
    'fits_unsupported',
    `ZCMPTYPE is ${name}, read are ${Object.keys(methods).join(', ')}`,
    {
      place: header.place,
    },
  );
}

function readTileShape(header: Header, axes: Axes): [number, number, number] {
  const dimensions = header.integer('ZNAXIS');
  const shape = [1, 1, 1] as [number, number, number];
  for (let axis = 0; axis < Math.max(dimensions, 1); axis++) {
    const keyword = `ZTILE${axis + 1}`;
    const length = header.integer(keyword, axis === 0 ? axes[0] : 1);
    if (length < 1) throw header.unexpected(keyword, 'an integer of 1 or more');
    if (axis < 3) shape[axis] = Math.min(length, axes[axis] as number);
    if (axis > 1 && dimensions > 3 && length > 1) {
      throw new FormatError(
        'fits_unsupported',
        `${keyword} is ${length}: tiles of more than 3 axes are not read`,
        {
          place: header.place,
        },
      );
    }
  }
  const pixels = shape[0] * shape[1] * shape[2];
  if (pixels > MAX_TILE_PIXELS) {
    throw new FormatError(
      'fits_too_large',
      `a tile has ${pixels} pixels, at most ${MAX_TILE_PIXELS} are read`,
      { place: header.place },
    );
  }
  return shape;
}

function riceParameters(header: Header): { blockSize: number; bytePix: 1 | 2 | 4 } {
  let blockSize = 32;
  let bytePix = 4;
  for (let n = 1; header.has(`ZNAME${n}`); n++) {
    const name = header.text(`ZNAME${n}`).trim();
    const keyword = `ZVAL${n}`;
    if (name === 'BLOCKSIZE') {
      blockSize = header.integer(keyword);
      if (blockSize !== 16 && blockSize !== 32)
        throw header.unexpected(keyword, 'a Rice BLOCKSIZE of 16 or 32');
    } else if (name === 'BYTEPIX') {
      bytePix = header.integer(keyword);
      if (![1, 2, 4].includes(bytePix)) throw header.unexpected(keyword, 'a Rice BYTEPIX of 1, 2 or 4');
    }
  }
  return { blockSize, bytePix: bytePix as 1 | 2 | 4 };
}

function planQuanta(
  header: Header,
  named: (name: string) => ColumnLayout | undefined,
  rows: number,
): TileQuanta | undefined {
  const quantize = header.text('ZQUANTIZ', 'NO_DITHER').trim();
  const hasScale = header.has('ZSCALE') || named('ZSCALE') !== undefined;
  if (quantize === 'NONE' || !hasScale) return undefined;
  const dithers: Readonly<Record<string, 0 | 1 | 2>> = {
    NO_DITHER: 0,
    SUBTRACTIVE_DITHER_1: 1,
    SUBTRACTIVE_DITHER_2: 2,
  };
  const dither = dithers[quantize];
  if (dither === undefined) {
    throw new FormatError(
      'fits_unsupported',
      `ZQUANTIZ is ${quantize}, read are ${Object.keys(dithers).join(', ')}`,
      { place: header.place },
    );
  }
  const seed = header.integer('ZDITHER0', 1) - 1;
  const blank = header.get('ZBLANK') === undefined ? Number.NaN : header.integer('ZBLANK');
  return {
    scales: sharedDoubles(rows).fill(named('ZSCALE') ? 0 : header.number('ZSCALE')),
    zeros: sharedDoubles(rows).fill(named('ZZERO') ? 0 : header.number('ZZERO', 0)),
    blanks: sharedDoubles(rows).fill(blank),
    dither,
    seedIndex: ((seed % randomCount) + randomCount) % randomCount,
  };
}

function numberLetter(header: Header, column: ColumnLayout | undefined): Element | undefined {
  if (column === undefined) return undefined;
  const { letter } = column;
  if (letter in elementBytes) return letter as Element;
  throw header.unexpected(`TFORM${column.number}`, `a column of numbers for ${column.name}`);
}

function sharedDoubles(length: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(length * 8));
}
