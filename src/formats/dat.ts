/**
 * `.dat` catalogues: a source a line, numbers parted by single spaces, no header, as astropy's `ascii.no_header` writes
 * them and the galaxy-clustering case study of BLISS reads them. Line n is source n - 1.
 */
import { readFile } from 'node:fs/promises';
import { type CatalogColumn, catalogColumns, emptySources, type SourceTable } from '../science/catalog.js';
import { FormatError } from './errors.js';

const NEWLINE = 10;
/** Tab, carriage return and space. */
const BLANKS = [9, 13, 32];
/** Older files end with SOURCE_TYPE: they have no colours. */
const COLUMNS_WITHOUT_COLORS = catalogColumns.indexOf('GI_COLOR');
/** Fifteen digits, each with what ends it; the last line may end with the file. */
const MIN_LINE_BYTES = 2 * COLUMNS_WITHOUT_COLORS;
/** What the writers of such files use where they have no number. */
const NOT_NUMBERS = new Map([
  ['nan', Number.NaN],
  ['NaN', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['""', Number.NaN],
  ['--', Number.NaN],
]);
/** 0x10, 0b1 and 0o7, which only JavaScript reads as numbers. */
const OTHER_BASE = /^0[xbo]/i;

/** Reads a catalogue. Errors: those of `parseDat`; the system's pass through. */
export async function readDat(path: string): Promise<SourceTable> {
  return parseDat(await readFile(path), path);
}

/**
 * Reads a catalogue of 17 columns, or of the first 15: then both colours are computed from the fluxes, 0 where a flux is
 * not positive. A file of blank lines, or without a byte, is a field without a source; blank lines at the end of others
 * do not count. `nan`, `inf`, `--` and `""` are read as they are
 * meant; whether a value makes sense is for `checkSources` to say.
 *
 * @param file shown in errors
 * @throws FormatError `catalog_columns` when a line has another number of columns than the first, or that is neither 17
 *   nor 15; `catalog_values` for what is no number
 */
export function parseDat(content: Uint8Array, file: string): SourceTable {
  const bytes = withoutBlankEnd(content);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  // Lines too short to be right come to their error below, before memory for more rows than can be right is needed.
  const table = emptySources(Math.min(countLines(bytes), Math.ceil(bytes.length / MIN_LINE_BYTES)));
  const columns = catalogColumns.map((name) => table.columns[name]);
  let expected = 0;
  for (let row = 0, at = 0; row < table.count; row++) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    let found = 0;
    for (let start = at; start < end; ) {
      const code = text.charCodeAt(start);
      if (isBlank(code)) {
        start++;
        continue;
      }
      let stop = start + 1;
      while (stop < end && !isBlank(text.charCodeAt(stop))) stop++;
      const column = columns[found];
      if (column !== undefined) column[row] = readNumber(text.slice(start, stop), file, row, found);
      found++;
      start = stop;
    }
    if (row === 0) expected = found;
    if (found !== expected || !(found === COLUMNS_WITHOUT_COLORS || found === columns.length)) {
      throw wrongColumns(file, row, found, row === 0 ? undefined : expected);
    }
    at = end + 1;
  }
  if (table.count > 0 && expected === COLUMNS_WITHOUT_COLORS) addColors(table);
  return table;
}

/** Spaces, tabs and the carriage return of Windows part columns. */
const isBlank = (code: number): boolean => BLANKS.includes(code);

function withoutBlankEnd(bytes: Uint8Array): Uint8Array {
  const isEnd = (byte: number) => byte !== NEWLINE && !isBlank(byte);
  return bytes.subarray(0, bytes.findLastIndex(isEnd) + 1);
}

function countLines(bytes: Uint8Array): number {
  let count = bytes.length > 0 ? 1 : 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

function readNumber(token: string, file: string, row: number, column: number): number {
  const value = Number(token);
  if (Number.isFinite(value) && !OTHER_BASE.test(token)) return value;
  const known = NOT_NUMBERS.get(token);
  if (known !== undefined) return known;
  const found = JSON.stringify(token.slice(0, 40));
  throw new FormatError(
    'catalog_values',
    `line ${row + 1}, column ${column + 1} holds ${found}, expected a number`,
    {
      place: { file, line: row + 1, column: column + 1 },
      ...(row === 0 && column === 0 ? { hint: hintFor(token) } : {}),
    },
  );
}

/** Where the first thing in a file is no number, it has a header or is another kind of table. */
const hintFor = (token: string): string =>
  /[,;]/.test(token)
    ? 'part the numbers by spaces'
    : 'take the header out: these catalogues have none, and no comments';

function wrongColumns(file: string, row: number, found: number, before: number | undefined): FormatError {
  const message =
    `line ${row + 1} has ${found} columns` +
    (before === undefined ? '' : `, the lines before it have ${before}`) +
    `; expected ${catalogColumns.length} (${catalogColumns.join(' ')}), or the first ${COLUMNS_WITHOUT_COLORS}`;
  return new FormatError('catalog_columns', message, { place: { file, line: row + 1 } });
}

/** Colours as magnitude differences, from the flux ratio; 0 where there is none, as the case study has it. */
function addColors({ count, columns }: SourceTable): void {
  const { FLUX_G, FLUX_I, FLUX_Z, GI_COLOR, IZ_COLOR } = columns;
  for (let row = 0; row < count; row++) {
    GI_COLOR[row] = colorOf(FLUX_G[row] as number, FLUX_I[row] as number);
    IZ_COLOR[row] = colorOf(FLUX_I[row] as number, FLUX_Z[row] as number);
  }
}

function colorOf(bluer: number, redder: number): number {
  const color = 2.5 * Math.log10(redder / bluer);
  return Number.isFinite(color) ? color : 0;
}

/** Columns that are written as integers. */
const INTEGER_COLUMNS: readonly CatalogColumn[] = ['FRACDEV', 'SOURCE_TYPE'];

/**
 * A catalogue as text, byte for byte as astropy writes it: each number in the fewest digits that read back as the same
 * one, as Python's `repr` has it (`1.0`, `1e-05`), integers in FRACDEV and SOURCE_TYPE.
 */
export function formatDat({ count, columns }: SourceTable): string {
  const cells = catalogColumns.map((name) => ({
    values: columns[name],
    write: INTEGER_COLUMNS.includes(name) ? formatInteger : formatFloat,
  }));
  const lines: string[] = [];
  for (let row = 0; row < count; row++) {
    lines.push(`${cells.map(({ values, write }) => write(values[row] as number)).join(' ')}\n`);
  }
  return lines.join('');
}

const formatInteger = (value: number): string =>
  Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : formatFloat(value);

function formatFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  }
  if (Number.isInteger(value)) return `${Object.is(value, -0) ? '-0' : value}.0`;
  return String(value);
}
