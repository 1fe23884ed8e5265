import { FormatError } from '../errors.js';
import { bytesOf, type ColumnLayout, heapOf, readDescriptor } from './columns.js';
import { elementBytes } from './elements.js';
import type { FitsFile, Hdu } from './file.js';
import type { Header } from './header.js';
import { readExactly } from './source.js';
import { type Axes, TileColumn, type TileStorage, tileBox } from './tile-storage.js';

/** The table is read this many bytes at a time. */
const READ_BYTES = 1 << 20;
/** Deflate cannot pack more than this many bytes into one. */
const MAX_GZIP_RATIO = 1032;

/** The columns of a compressed image that hold tiles, in the order in which they are looked at. */
export interface DataColumn {
  readonly kind: (typeof TileColumn)[keyof typeof TileColumn];
  readonly layout: ColumnLayout;
}

/** A column of one number for each tile, and where the numbers go. */
export interface NumberColumn {
  readonly layout: ColumnLayout;
  readonly into: Float64Array;
}

/**
 * Fills `starts`, `lengths` and `columns` of a storage, and the number columns, from the rows of the table.
 *
 * @throws FormatError `fits_compressed` with the row whose descriptor is wrong, `fits_header`
 */
export function readTileRows(
  file: FitsFile,
  hdu: Hdu,
  axes: Axes,
  storage: TileStorage,
  dataColumns: readonly DataColumn[],
  numberColumns: readonly NumberColumn[],
): void {
  const { header } = hdu;
  const heap = heapOf(header);
  const rowBytes = header.integer('NAXIS1');
  const rows = storage.starts.length;
  const rowsPerRead = Math.max(1, Math.floor(READ_BYTES / rowBytes));
  const bytes = Buffer.allocUnsafe(Math.min(rowsPerRead, rows) * rowBytes);
  for (let row = 0; row < rows; row++) {
    const at = (row % rowsPerRead) * rowBytes;
    if (at === 0) {
      const some = Math.min(rowsPerRead, rows - row);
      readExactly(file.region, hdu.dataOffset + row * rowBytes, some * rowBytes, bytes);
    }
    readPointer(bytes, at, row, storage, dataColumns);
    const problem = problemOf(storage, axes, row, heap.bytes);
    if (problem !== undefined)
      throw new FormatError('fits_compressed', problem, { place: { ...header.place, row } });
    storage.starts[row] = (storage.starts[row] as number) + hdu.dataOffset + heap.offset;
    for (const { layout, into } of numberColumns)
      into[row] = readNumber(header, bytes, at + layout.offset, layout);
  }
}

/** Takes the first descriptor that is not empty. */
function readPointer(
  bytes: Buffer,
  at: number,
  row: number,
  storage: TileStorage,
  columns: readonly DataColumn[],
): void {
  storage.lengths[row] = 0;
  for (const { kind, layout } of columns) {
    const { count, start } = readDescriptor(bytes, at + layout.offset, layout.descriptor ?? 'P');
    if (count === 0) continue;
    storage.columns[row] = kind;
    storage.starts[row] = start;
    storage.lengths[row] = bytesOf(layout.letter, count);
    return;
  }
}

/** What is wrong with a row, if anything: a tile must lie in the heap, with the bytes its pixels need at least. */
function problemOf(storage: TileStorage, axes: Axes, row: number, heapBytes: number): string | undefined {
  const start = storage.starts[row] as number;
  const length = storage.lengths[row] as number;
  if (length === 0) return 'no column holds data for this tile';
  if (length < 0 || start < 0 || start + length > heapBytes) {
    return `the tile's descriptor says ${length} bytes at ${start}, the heap has ${heapBytes}`;
  }
  const box = tileBox(storage, axes, row);
  const pixels = box.width * box.height * box.depth;
  const { least, isExact } = bytesFor(storage, storage.columns[row] as number, pixels);
  if (isExact ? length === least : length >= least) return undefined;
  return `the tile has ${length} bytes, its ${pixels} pixels need ${isExact ? '' : 'at least '}${least}`;
}

function bytesFor(storage: TileStorage, column: number, pixels: number): { least: number; isExact: boolean } {
  const { method, element, rawElement, blockSize, bytePix, quanta } = storage;
  const gzip = (bytes: number) => ({ least: Math.ceil(bytes / MAX_GZIP_RATIO), isExact: false });
  if (column === TileColumn.gzip) return gzip(pixels * elementBytes[element]);
  if (column === TileColumn.raw) return { least: pixels * elementBytes[rawElement], isExact: true };
  switch (method) {
    case 'raw':
      return { least: pixels * elementBytes[element], isExact: true };
    case 'rice': {
      // the first pixel, then at least a number of 3 to 5 bits for each block
      const bits = Math.ceil(pixels / blockSize) * { 1: 3, 2: 4, 4: 5 }[bytePix];
      return { least: bytePix + Math.ceil(bits / 8), isExact: false };
    }
    case 'plio':
      return { least: 0, isExact: false };
    default:
      return gzip(pixels * (quanta === undefined ? elementBytes[element] : 4));
  }
}

function readNumber(header: Header, bytes: Buffer, at: number, column: ColumnLayout): number {
  if (column.descriptor === undefined && column.repeat === 1) {
    if (column.letter === 'D') return bytes.readDoubleBE(at);
    if (column.letter === 'E') return bytes.readFloatBE(at);
    if (column.letter === 'J') return bytes.readInt32BE(at);
  }
  throw header.unexpected(`TFORM${column.number}`, `one number of type D, E or J for ${column.name}`);
}
