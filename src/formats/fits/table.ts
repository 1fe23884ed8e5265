import { FormatError } from '../errors.js';
import { asciiColumns } from './ascii-columns.js';
import { binaryDecoder, type CellDecoder, type CellValues, textOf } from './cells.js';
import { bytesOf, type ColumnLayout, columnLayouts, heapOf, readDescriptor } from './columns.js';
import { type FitsFile, type Hdu, hduAt } from './file.js';
import { type ByteRegion, readExactly } from './source.js';

/** Rows are read this many bytes at a time, and so is the heap of variable-length cells. */
const READ_BYTES = 1 << 20;
/** Rows may point to the same cell, but all of them together claim no more than this many heaps. */
const MAX_SHARING = 16;

export interface ColumnInfo {
  readonly name: string;
  /** TUNIT, or ''. */
  readonly unit: string;
  /** TCOMM, or ''. */
  readonly comment: string;
  /** Shape of one cell, slowest axis first; empty for single values, undefined where every row has its own length. */
  readonly shape: readonly number[] | undefined;
}

/**
 * A column in memory. Cells of one `shape` stand one after the other in one array; cells of variable length are an
 * array each. Single strings are a plain list of strings in any case.
 */
export interface Column extends ColumnInfo {
  readonly values: CellValues | CellValues[];
}

export interface Table {
  readonly rows: number;
  readonly columns: readonly Column[];
}

interface TableColumn extends ColumnInfo {
  readonly decoder: CellDecoder;
  readonly offset: number;
  /** Of variable-length columns. */
  readonly pointer: ColumnLayout | undefined;
}

/** Reads a whole table, binary or ASCII. @throws FormatError as `TableReader` */
export function readTable(file: FitsFile, hduIndex: number): Table {
  const reader = new TableReader(file, hduIndex);
  return { rows: reader.rows, columns: reader.readColumns() };
}

/** A table whose columns are read when asked for. */
export class TableReader {
  readonly rows: number;
  readonly columns: readonly ColumnInfo[];
  readonly #columns: readonly TableColumn[];
  readonly #region: ByteRegion;
  readonly #hdu: Hdu;

  /** @throws FormatError `fits_no_such_hdu`, `fits_header`, `fits_unsupported` for tile-compressed tables */
  constructor(file: FitsFile, hduIndex: number) {
    const hdu = hduAt(file, hduIndex);
    const { header } = hdu;
    if (hdu.kind !== 'table' && hdu.kind !== 'ascii-table') {
      throw new FormatError('fits_no_such_hdu', `HDU ${hduIndex} holds no table (it is: ${hdu.kind})`, {
        place: header.place,
        hint: 'name the HDU that holds the table',
      });
    }
    if (header.get('ZTABLE') === true) {
      throw new FormatError('fits_unsupported', 'compressed tables (ZTABLE) are not read', {
        place: header.place,
      });
    }
    this.#region = file.region;
    this.#hdu = hdu;
    this.rows = header.integer('NAXIS2');
    if (this.rows > 0 && header.integer('NAXIS1') === 0)
      throw header.unexpected('NAXIS1', 'rows of 1 byte or more');
    this.#columns = hdu.kind === 'table' ? binaryColumns(hdu) : textColumns(hdu);
    this.columns = this.#columns.map(({ name, unit, comment, shape }) => ({ name, unit, comment, shape }));
  }

  /** One column. @throws FormatError as `readColumns` */
  readColumn(name: string): Column {
    return this.readColumns([name])[0] as Column;
  }

  /**
   * Some columns, or all, in one pass over the rows. Names are compared without regard to case.
   *
   * @throws FormatError `fits_header` when there is no such column, or a cell points outside the heap; `fits_truncated`
   */
  readColumns(names?: readonly string[]): Column[] {
    const chosen = names?.map((name) => this.#find(name)) ?? this.#columns;
    const { rows } = this;
    const { header, dataOffset } = this.#hdu;
    const heap = new Heap(this.#region, this.#hdu);
    const values = chosen.map((column) => {
      if (column.pointer !== undefined) return new Array<CellValues | string>(rows);
      return column.decoder.make(rows * column.decoder.items);
    });
    const rowBytes = header.integer('NAXIS1');
    const rowsPerRead = Math.max(1, Math.floor(READ_BYTES / Math.max(1, rowBytes)));
    const bytes = Buffer.allocUnsafe(Math.min(rows, rowsPerRead) * rowBytes);
    for (let from = 0; from < rows; from += rowsPerRead) {
      const some = Math.min(rowsPerRead, rows - from);
      readExactly(this.#region, dataOffset + from * rowBytes, some * rowBytes, bytes);
      chosen.forEach(({ decoder, offset, pointer }, index) => {
        const into = values[index] as CellValues;
        for (let row = 0; row < some; row++) {
          const at = row * rowBytes + offset;
          if (pointer === undefined)
            decoder.read(bytes, at, decoder.items, into, (from + row) * decoder.items);
          else (into as unknown[])[from + row] = heap.readCell(bytes, at, pointer, decoder, from + row);
        }
      });
    }
    return chosen.map(({ name, unit, comment, shape }, index) => ({
      name,
      unit,
      comment,
      shape,
      values: values[index] as Column['values'],
    }));
  }

  #find(name: string): TableColumn {
    const column = this.#columns.find((candidate) => candidate.name.toUpperCase() === name.toUpperCase());
    if (column !== undefined) return column;
    const there = this.columns.map((candidate) => candidate.name).join(', ');
    throw new FormatError('fits_header', `there is no column ${name}, there are: ${there}`, {
      place: this.#hdu.header.place,
    });
  }
}

function binaryColumns({ header }: Hdu): TableColumn[] {
  return columnLayouts(header).map((layout) => {
    const decoder = binaryDecoder(header, layout);
    const isVariable = layout.descriptor !== undefined && layout.repeat === 1;
    return {
      ...describe(header, layout),
      shape: isVariable ? (layout.letter === 'A' ? [] : undefined) : decoder.shape,
      decoder,
      offset: layout.offset,
      pointer: isVariable ? layout : undefined,
    };
  });
}

function textColumns({ header }: Hdu): TableColumn[] {
  return asciiColumns(header).map(({ number, name, offset, decoder }) => ({
    ...describe(header, { number, name }),
    shape: decoder.shape,
    decoder,
    offset,
    pointer: undefined,
  }));
}

function describe(header: Hdu['header'], { number, name }: { number: number; name: string }) {
  return {
    name,
    unit: String(header.get(`TUNIT${number}`) ?? '').trim(),
    comment: String(header.get(`TCOMM${number}`) ?? '').trim(),
  };
}

/** The cells of variable length. What all rows together claim is bounded by the heap that is there. */
class Heap {
  readonly #region: ByteRegion;
  readonly #hdu: Hdu;
  readonly #start: number;
  readonly #bytes: number;
  /** A stretch of the heap: cells mostly follow each other. */
  #window = Buffer.alloc(0);
  #windowStart = 0;
  #claimed = 0;

  constructor(region: ByteRegion, hdu: Hdu) {
    const heap = heapOf(hdu.header);
    this.#region = region;
    this.#hdu = hdu;
    this.#start = hdu.dataOffset + heap.offset;
    this.#bytes = heap.bytes;
  }

  readCell(
    row: Buffer,
    at: number,
    pointer: ColumnLayout,
    decoder: CellDecoder,
    rowIndex: number,
  ): CellValues | string {
    const { letter } = pointer;
    const { count, start } = readDescriptor(row, at, pointer.descriptor ?? 'P');
    const length = bytesOf(letter, count);
    this.#claimed += length;
    if (count < 0 || start < 0 || start + length > this.#bytes || this.#claimed > this.#bytes * MAX_SHARING) {
      throw new FormatError(
        'fits_header',
        `a cell of ${pointer.name} claims ${length} bytes at ${start}, the heap has ${this.#bytes}`,
        { place: { ...this.#hdu.header.place, row: rowIndex } },
      );
    }
    const from = this.#hold(start, length);
    if (letter === 'A') return textOf(this.#window, from, from + length);
    const values = decoder.make(count);
    decoder.read(this.#window, from, count, values, 0);
    return values;
  }

  /** Sees to it that the window holds these bytes, and says where in it. */
  #hold(start: number, length: number): number {
    if (start < this.#windowStart || start + length > this.#windowStart + this.#window.length) {
      const bytes = Math.min(this.#bytes - start, Math.max(length, READ_BYTES));
      this.#window = Buffer.allocUnsafe(bytes);
      this.#windowStart = start;
      readExactly(this.#region, this.#start + start, bytes, this.#window);
    }
    return start - this.#windowStart;
  }
}
