/** What a catalogue must hold before anything is drawn from it. */
import { type CatalogColumn, catalogColumns, type SourceTable } from './catalog.js';

/** Values that no source has. `place` says where the first is; rows of a file are its lines, from 1. */
export class CatalogError extends Error {
  override readonly name = 'CatalogError';
  readonly code: CatalogErrorCode = 'catalog_values';
  readonly place: {
    readonly file?: string;
    readonly row?: number;
    readonly line?: number;
    readonly column?: number;
  };

  constructor(
    message: string,
    place: CatalogError['place'],
    readonly hint?: string,
  ) {
    super(message);
    this.place = place;
  }
}

export type CatalogErrorCode = 'catalog_values';

export interface SourceLimits {
  /** Size of the field, pixels. */
  readonly width: number;
  readonly height: number;
  /** The file the sources were read from, whose line n + 1 is source n; absent when they were sampled. */
  readonly file?: string;
}

/** How many are told in full. */
const TOLD = 4;
/** Magnitudes and redshifts that stand for "none" (99, -99, -999, -9999) are this far from zero at least. */
const SENTINEL = 90;
/** Pixels are float32, and many sources may lie on one: magnitude -45. */
const LARGEST_FLUX = 1e30;

/** What is expected of a value where one is refused, or undefined where it is fine. */
type Rule = (value: number, row: number) => string | undefined;

const within =
  (low: number, high: number, expected: string): Rule =>
  (value) =>
    value >= low && value <= high ? undefined : expected;

function rules({ columns }: SourceTable, { width, height }: SourceLimits): Record<CatalogColumn, Rule> {
  const flux = within(0, LARGEST_FLUX, `a flux between 0 and ${LARGEST_FLUX}`);
  const color = within(-SENTINEL, SENTINEL, `a colour between -${SENTINEL} and ${SENTINEL}`);
  const { G1, G2 } = columns;
  const shear: Rule = (_, row) =>
    Math.hypot(G1[row] as number, G2[row] as number) < 1 ? undefined : 'a shear with |g| < 1';
  const beside = (size: number) =>
    within(-size, 2 * size, `a position between ${-size} and ${2 * size}: the field has ${size} pixels`);
  return {
    RA: within(-180, 360, 'degrees between -180 and 360'),
    DEC: within(-90, 90, 'degrees between -90 and 90'),
    X: beside(width),
    Y: beside(height),
    MEM: (value) => (value === 0 || value === 1 ? undefined : '0 or 1'),
    FLUX_G: flux,
    FLUX_R: flux,
    FLUX_I: flux,
    FLUX_Z: flux,
    HLR: (value) => (value > 0 && value < Number.POSITIVE_INFINITY ? undefined : 'a radius above 0'),
    FRACDEV: within(0, 1, 'a fraction between 0 and 1'),
    G1: shear,
    // A shear is told once, at G1, except where G2 alone is no number.
    G2: (value) => (Number.isFinite(value) ? undefined : 'a finite number'),
    Z: (value) =>
      value === -1 || (value >= 0 && value < SENTINEL) ? undefined : 'a redshift, or -1 for none',
    SOURCE_TYPE: (value) => (value === 0 || value === 1 ? undefined : '0 (star) or 1 (galaxy)'),
    GI_COLOR: color,
    IZ_COLOR: color,
  };
}

/**
 * Refuses sources that cannot be: numbers that are not finite, negative fluxes, |g| >= 1, radii that are not positive,
 * positions farther outside the field than the field is large, and values that stand for "unknown" elsewhere (99, -99).
 *
 * @throws CatalogError `catalog_values`, naming the first few and how many there are
 */
export function checkSources(table: SourceTable, limits: SourceLimits): void {
  const ruleOf = rules(table, limits);
  const told: { row: number; column: CatalogColumn; found: number; expected: string }[] = [];
  let count = 0;
  let outside = 0;
  for (const column of catalogColumns) {
    const values = table.columns[column];
    const rule = ruleOf[column];
    for (let row = 0; row < table.count; row++) {
      const found = values[row] as number;
      const expected = rule(found, row);
      if (expected === undefined) continue;
      count++;
      if (column === 'X' || column === 'Y') outside++;
      told.push({ row, column, found, expected });
      if (told.length > TOLD) told.sort(byPlace).pop();
    }
  }
  const first = told.sort(byPlace)[0];
  if (first === undefined) return;
  const inFile = limits.file !== undefined;
  const placeOf = ({ row, column }: { row: number; column: CatalogColumn }) =>
    inFile ? `line ${row + 1}, column ${columnNumber(column)}` : `row ${row}`;
  const examples = told.map(
    (one) => `${placeOf(one)}: ${one.column} is ${described(one, table)}, expected ${one.expected}`,
  );
  const more = count > told.length ? `; and ${count - told.length} more` : '';
  throw new CatalogError(
    `${count} ${count === 1 ? 'value' : 'values'} of a catalogue of ${table.count} sources cannot be used: ` +
      `${examples.join('; ')}${more}`,
    inFile
      ? { file: limits.file as string, line: first.row + 1, column: columnNumber(first.column) }
      : { row: first.row },
    outside > table.count / 2
      ? 'most sources are outside the field: say how large it is (read.size; image_size in render)'
      : undefined,
  );
}

/** Number of a column in the file, from 1. */
const columnNumber = (column: CatalogColumn): number => catalogColumns.indexOf(column) + 1;

const byPlace = (
  a: { row: number; column: CatalogColumn },
  b: { row: number; column: CatalogColumn },
): number => a.row - b.row || columnNumber(a.column) - columnNumber(b.column);

function described(
  one: { row: number; column: CatalogColumn; found: number },
  { columns }: SourceTable,
): string {
  return one.column === 'G1' ? `${one.found} beside G2 = ${columns.G2[one.row]}` : String(one.found);
}
