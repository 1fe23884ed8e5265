import { FormatError } from '../errors.js';
import { bytesOf, type ColumnLayout, columnLayouts, heapOf, readDescriptor } from './columns.js';
import { randomCount } from './dither.js';
import { type Element, elementBytes, elementOfBitpix } from './elements.js';
import type { FitsFile, Hdu } from './file.js';
import type { Header } from './header.js';
import { readExactly } from './source.js';

/** A tile is decoded whole, so its pixels are bounded: 11585 pixels squared. */
const MAX_TILE_PIXELS = 2 ** 27;
/** Deflate cannot pack more than this many bytes into one. */
const MAX_GZIP_RATIO = 1032;
const ROWS_BYTES = 1 << 20;

export type TileMethod = 'rice' | 'gzip1' | 'gzip2' | 'plio' | 'raw';

/** Which column holds a tile: its compressed form, or one of the two lossless ones for tiles that resist. */
export const TileColumn = { compressed: 0, gzip: 1, raw: 2 } as const;

/** How the integers of float tiles were made; one number for each tile, in shared memory. */
export interface TileQuanta {
  readonly scales: Float64Array;
  readonly zeros: Float64Array;
  /** The integer that stands for NaN; NaN where there is none. */
  readonly blanks: Float64Array;
  readonly dither: 0 | 1 | 2;
  /** Where the dither sequence starts for tile 0; tile t starts t further on. */
  readonly seedIndex: number;
}

/** The tiles of a compressed image (standard chapter 10). Tiles are counted x fastest, then y, then planes. */
export interface TileStorage {
  readonly kind: 'tiles';
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly tileDepth: number;
  readonly method: TileMethod;
  readonly blockSize: number;
  readonly bytePix: 1 | 2 | 4;
  /** What a tile in the lossless gzip column is made of, and an unquantised one in the compressed column. */
  readonly element: Element;
  /** What a tile in the uncompressed column is made of. */
  readonly rawElement: Element;
  /** First byte of each tile, from the start of the region, and its bytes; in shared memory. */
  readonly starts: Float64Array;
  readonly lengths: Float64Array;
  readonly columns: Uint8Array;
  /** Of images of floating-point pixels that were turned into integers. */
  readonly quanta: TileQuanta | undefined;
}

/** Width, height and planes of the whole image. */
export type Axes = readonly [width: number, height: number, planes: number];

/** The pixels a tile covers; at the far edges a tile is cut to the image. */
export interface TileBox {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly width: number;
  readonly height: number;
  readonly depth: number;
}

export function tileBox(storage: TileStorage, [width, height, planes]: Axes, tile: number): TileBox {
  const { tileWidth, tileHeight, tileDepth } = storage;
  const across = Math.ceil(width / tileWidth);
  const down = Math.ceil(height / tileHeight);
  const x = (tile % across) * tileWidth;
  const y = (Math.floor(tile / across) % down) * tileHeight;
  const z = Math.floor(tile / (across * down)) * tileDepth;
  return {
    x,
    y,
    z,
    width: Math.min(tileWidth, width - x),
    height: Math.min(tileHeight, height - y),
    depth: Math.min(tileDepth, planes - z),
  };
}

interface TileColumns {
  readonly compressed: ColumnLayout | undefined;
  readonly gzip: ColumnLayout | undefined;
  readonly raw: ColumnLayout | undefined;
}

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
  const columns: TileColumns = {
    compressed: variable(header, named('COMPRESSED_DATA')),
    gzip: variable(header, named('GZIP_COMPRESSED_DATA')),
    raw: variable(header, named('UNCOMPRESSED_DATA')),
  };
  if (Object.values(columns).every((column) => column === undefined)) {
    throw header.unexpected('TFIELDS', 'a column COMPRESSED_DATA among them');
  }
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
    rawElement: numberLetter(header, columns.raw) ?? element,
    starts: sharedDoubles(rows),
    lengths: sharedDoubles(rows),
    columns: new Uint8Array(new SharedArrayBuffer(rows)),
    quanta,
  };
  readRows(file, hdu, storage, columns, named);
  checkLengths(header, storage, axes);
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
      {
        place: header.place,
      },
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
      {
        place: header.place,
      },
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

/** Fills the storage's arrays from the rows of the table. */
function readRows(
  file: FitsFile,
  hdu: Hdu,
  storage: TileStorage,
  columns: TileColumns,
  named: (name: string) => ColumnLayout | undefined,
): void {
  const { header } = hdu;
  const heap = heapOf(header);
  const rowBytes = header.integer('NAXIS1');
  const rows = storage.starts.length;
  const perRead = Math.max(1, Math.floor(ROWS_BYTES / rowBytes));
  const bytes = Buffer.allocUnsafe(Math.min(perRead, rows) * rowBytes);
  const { quanta } = storage;
  const fill = (
    values: Float64Array | undefined,
    column: ColumnLayout | undefined,
    row: number,
    at: number,
  ) => {
    if (values !== undefined && column !== undefined) values[row] = readNumber(header, bytes, at, column);
  };
  for (let row = 0; row < rows; row++) {
    const at = (row % perRead) * rowBytes;
    if (at === 0) {
      const some = Math.min(perRead, rows - row);
      readExactly(file.region, hdu.dataOffset + row * rowBytes, some * rowBytes, bytes);
    }
    const place = { ...header.place, row };
    const found = findTile(bytes, at, columns);
    if (found === undefined)
      throw new FormatError('fits_compressed', 'no column holds data for this tile', { place });
    const { count, start, column, letter } = found;
    const length = bytesOf(letter, count);
    if (count < 0 || start < 0 || start + length > heap.bytes) {
      const message = `the tile's descriptor says ${length} bytes at ${start}, the heap has ${heap.bytes}`;
      throw new FormatError('fits_compressed', message, { place });
    }
    storage.columns[row] = column;
    storage.starts[row] = hdu.dataOffset + heap.offset + start;
    storage.lengths[row] = length;
    fill(quanta?.scales, named('ZSCALE'), row, at);
    fill(quanta?.zeros, named('ZZERO'), row, at);
    fill(quanta?.blanks, named('ZBLANK'), row, at);
  }
}

/** The first column whose descriptor is not empty, in the order the standard gives them. */
function findTile(rows: Buffer, at: number, columns: TileColumns) {
  for (const name of ['compressed', 'gzip', 'raw'] as const) {
    const column = columns[name];
    if (column?.descriptor === undefined) continue;
    const { count, start } = readDescriptor(rows, at + column.offset, column.descriptor);
    if (count !== 0) return { count, start, column: TileColumn[name], letter: column.letter };
  }
  return undefined;
}

/** Refuses tiles with fewer bytes than their pixels need at the very least, before room for pixels is made. */
function checkLengths(header: Header, storage: TileStorage, axes: Axes): void {
  for (let row = 0; row < storage.starts.length; row++) {
    const box = tileBox(storage, axes, row);
    const pixels = box.width * box.height * box.depth;
    const length = storage.lengths[row] as number;
    const { least, most } = bytesFor(storage, storage.columns[row] as number, pixels);
    if (length >= least && length <= most) continue;
    const message = `the tile has ${length} bytes, its ${pixels} pixels need ${least === most ? '' : 'at least '}${least}`;
    throw new FormatError('fits_compressed', message, { place: { ...header.place, row } });
  }
}

function bytesFor(storage: TileStorage, column: number, pixels: number): { least: number; most: number } {
  const plain = pixels * elementBytes[storage.element];
  const gzip = (bytes: number) => ({
    least: Math.ceil(bytes / MAX_GZIP_RATIO),
    most: Number.POSITIVE_INFINITY,
  });
  if (column === TileColumn.gzip) return gzip(plain);
  if (column === TileColumn.raw) {
    const bytes = pixels * elementBytes[storage.rawElement];
    return { least: bytes, most: bytes };
  }
  switch (storage.method) {
    case 'raw':
      return { least: plain, most: plain };
    case 'rice': {
      // the first pixel, then at least a number of 3 to 5 bits for each block
      const bits = Math.ceil(pixels / storage.blockSize) * { 1: 3, 2: 4, 4: 5 }[storage.bytePix];
      return { least: storage.bytePix + Math.ceil(bits / 8), most: Number.POSITIVE_INFINITY };
    }
    case 'plio':
      return { least: 0, most: Number.POSITIVE_INFINITY };
    default:
      return gzip(storage.quanta === undefined ? plain : pixels * 4);
  }
}

function variable(header: Header, column: ColumnLayout | undefined): ColumnLayout | undefined {
  if (column === undefined || column.descriptor !== undefined) return column;
  throw header.unexpected(`TFORM${column.number}`, `a variable-length column for ${column.name}`);
}

function numberLetter(header: Header, column: ColumnLayout | undefined): Element | undefined {
  if (column === undefined) return undefined;
  const { letter } = column;
  if (letter in elementBytes) return letter as Element;
  throw header.unexpected(`TFORM${column.number}`, `a column of numbers for ${column.name}`);
}

function readNumber(header: Header, rows: Buffer, at: number, column: ColumnLayout): number {
  const position = at + column.offset;
  if (column.descriptor === undefined && column.repeat === 1) {
    if (column.letter === 'D') return rows.readDoubleBE(position);
    if (column.letter === 'E') return rows.readFloatBE(position);
    if (column.letter === 'J') return rows.readInt32BE(position);
  }
  throw header.unexpected(`TFORM${column.number}`, `one number of type D, E or J for ${column.name}`);
}

function sharedDoubles(length: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(length * 8));
}
