import { FormatError } from '../../errors.js';
import type { CardList } from './card.js';
import type { HduBody, TableColumn, TableHdu } from './hdu.js';
import { opening } from './image.js';

/** Rows are put together this many bytes at a time; a single row may not be longer. */
const BLOCK_BYTES = 1 << 20;
const MOST_COLUMNS = 999;

/** Puts the cells of a column into rows: cell `row` at `at`. */
interface CellWriter {
  readonly column: TableColumn;
  readonly tform: string;
  readonly cellBytes: number;
  readonly rows: number;
  put(buffer: Buffer, at: number, row: number): void;
}

/**
 * A binary table.
 *
 * @throws FormatError `fits_header` for columns of different lengths, of the same name, or none; `fits_unsupported`
 * for text that is not ASCII and rows that are too long
 */
export function tableBody({ name, columns, cards = [] }: TableHdu): HduBody {
  const writers = columns.map(cellWriter);
  const rows = checkColumns(name, writers);
  const rowBytes = writers.reduce((sum, { cellBytes }) => sum + cellBytes, 0);
  if (rowBytes > BLOCK_BYTES)
    throw new FormatError(
      'fits_unsupported',
      `a row of ${name} has ${rowBytes} bytes, at most ${BLOCK_BYTES} fit`,
    );
  return {
    header() {
      const list = opening('BINTABLE', 8)
        .add('NAXIS', 2, '2-dimensional binary table')
        .add('NAXIS1', rowBytes, 'width of table in bytes')
        .add('NAXIS2', rows, 'number of rows in table')
        .add('PCOUNT', 0, 'size of special data area')
        .add('GCOUNT', 1, 'one data group')
        .add('TFIELDS', columns.length, 'number of fields in each row');
      writers.forEach((writer, index) => {
        addColumn(list, writer, index + 1);
      });
      return list.add('EXTNAME', name, 'name of this HDU').addAll(cards);
    },
    write(output) {
      const step = Math.floor(BLOCK_BYTES / rowBytes);
      for (let first = 0; first < rows; first += step) {
        const some = Math.min(step, rows - first);
        const block = output.room(some * rowBytes);
        let offset = 0;
        for (const writer of writers) {
          for (let row = 0; row < some; row++) writer.put(block, row * rowBytes + offset, first + row);
          offset += writer.cellBytes;
        }
      }
      return output.endData();
    },
  };
}

function addColumn(list: CardList, { column, tform }: CellWriter, number: number): void {
  list.add(`TTYPE${number}`, column.name).add(`TFORM${number}`, tform);
  if (column.unit !== undefined) list.add(`TUNIT${number}`, column.unit);
  if (column.doc !== undefined) list.add(`TCOMM${number}`, column.doc);
}

/** @returns rows of the table */
function checkColumns(table: string, writers: readonly CellWriter[]): number {
  const [first] = writers;
  if (first === undefined || writers.length > MOST_COLUMNS)
    throw new FormatError(
      'fits_header',
      `${table} has ${writers.length} columns, expected 1 to ${MOST_COLUMNS}`,
    );
  const names = new Set<string>();
  for (const { column, rows } of writers) {
    const name = column.name.toUpperCase();
    if (name.trim() === '' || names.has(name))
      throw new FormatError(
        'fits_header',
        `${table} has a column ${JSON.stringify(column.name)} twice or without name`,
      );
    names.add(name);
    if (rows !== first.rows) {
      const message = `column ${column.name} has ${rows} rows, ${first.column.name} has ${first.rows}`;
      throw new FormatError('fits_header', message);
    }
  }
  return first.rows;
}

function cellWriter(column: TableColumn): CellWriter {
  if (column.form === 'A') return textWriter(column);
  const { repeat = 1, data } = column;
  const rows = data.length / repeat;
  if (!(Number.isInteger(repeat) && repeat >= 1 && Number.isInteger(rows))) {
    const message = `column ${column.name}: ${data.length} values are no whole cells of ${repeat}`;
    throw new FormatError('fits_header', message);
  }
  const [size, putOne] = elementWriter(column);
  return {
    column,
    tform: `${repeat}${column.form}`,
    cellBytes: size * repeat,
    rows,
    put(buffer, at, row) {
      for (let i = 0; i < repeat; i++) putOne(buffer, at + i * size, row * repeat + i);
    },
  };
}

type PutElement = (buffer: Buffer, at: number, index: number) => void;

function elementWriter(
  column: Exclude<TableColumn, { form: 'A' }>,
): readonly [size: number, put: PutElement] {
  switch (column.form) {
    case 'D':
      return [8, (buffer, at, i) => buffer.writeDoubleBE(column.data[i] as number, at)];
    case 'E':
      return [4, (buffer, at, i) => buffer.writeFloatBE(column.data[i] as number, at)];
    case 'J':
      return [4, (buffer, at, i) => buffer.writeInt32BE(column.data[i] as number, at)];
    case 'K':
      return [8, (buffer, at, i) => buffer.writeBigInt64BE(column.data[i] as bigint, at)];
    case 'L':
      return [1, (buffer, at, i) => buffer.writeUInt8(column.data[i] ? 0x54 : 0x46, at)];
  }
}

/** Strings are filled up with NUL, which no reader takes for a blank. */
function textWriter(column: TableColumn & { form: 'A' }): CellWriter {
  const { data, name } = column;
  const width = data.reduce((most, text) => Math.max(most, text.length), 1);
  const row = data.findIndex((text) => !/^[ -~]*$/.test(text));
  if (row >= 0) {
    const message = `column ${name} holds ${JSON.stringify(data[row])}, a FITS table holds ASCII text`;
    throw new FormatError('fits_unsupported', message, { place: { row } });
  }
  return {
    column,
    tform: `${width}A`,
    cellBytes: width,
    rows: data.length,
    put(buffer, at, cell) {
      buffer.fill(0, at, at + width);
      buffer.write(data[cell] as string, at, 'latin1');
    },
  };
}
