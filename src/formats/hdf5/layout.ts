/**
 * What a file of predictions holds: the layout zoobot's users know, with the sky position of every row beside it.
 *
 *   predictions  float32 (item, answer, pass) or (item, answer, pass, y, x)
 *   id_str       UTF-8 strings of variable length, one per item
 *   label_cols   the same, one per answer
 *   <column>     one dataset per column, one number per item
 *   inputs/      name, checksum, bytes of every file the predictions were made from
 */

/** How numbers are stored. */
export type NumberType = 'f32' | 'f64' | 'i32' | 'i64';

export const bytesPerElement: Readonly<Record<NumberType, number>> = { f32: 4, f64: 8, i32: 4, i64: 8 };

export interface Column {
  readonly name: string;
  readonly type: NumberType;
  /** As astropy.units reads it; empty when there is none. */
  readonly unit: string;
  readonly doc: string;
}

export interface ShardLayout {
  readonly answers: readonly string[];
  readonly passes: number;
  /** Only for encoders whose answers are maps. */
  readonly cells?: { readonly ny: number; readonly nx: number };
  readonly columns: readonly Column[];
  readonly description: string;
  /** Provenance: run id, version, hashes, time of creation. */
  readonly attributes: Readonly<Record<string, string | number>>;
}

export interface Input {
  readonly name: string;
  /** With its kind in front: `sha256:…`. */
  readonly checksum: string;
  readonly bytes: number;
}

export interface PredictionRows {
  readonly ids: readonly string[];
  /** rows × `rowSize` numbers, the last side fastest. */
  readonly values: Float32Array;
  readonly columns: Readonly<Record<string, ArrayLike<number>>>;
}

export const formatName = 'skypass predictions 1';

/** Names the file uses itself. */
const reservedNames = new Set(['predictions', 'id_str', 'label_cols', 'inputs']);
const reservedAttributes = new Set(['format', 'description', 'columns', 'complete']);

/** Sides of one row: (answer, pass) or (answer, pass, y, x). */
export const rowShapeOf = ({ answers, passes, cells }: ShardLayout): number[] =>
  cells === undefined ? [answers.length, passes] : [answers.length, passes, cells.ny, cells.nx];

/** Numbers in one row of `predictions`. */
export const rowSizeOf = (layout: ShardLayout): number =>
  rowShapeOf(layout).reduce((size, side) => size * side, 1);

/** Bytes of one row, ids left out. */
export const rowBytesOf = (layout: ShardLayout): number =>
  layout.columns.reduce((bytes, { type }) => bytes + bytesPerElement[type], 4 * rowSizeOf(layout));

/** The largest power of two of rows that is at most `maxRows` and fits into `maxBytes`; at least one. */
export function chunkRowsWithin(rowBytes: number, maxBytes: number, maxRows: number): number {
  return 2 ** Math.max(0, Math.floor(Math.log2(Math.min(maxRows, maxBytes / rowBytes))));
}

/** Throws `TypeError` for a layout no file can have. */
export function checkLayout(layout: ShardLayout): void {
  if (!rowShapeOf(layout).every((side) => Number.isSafeInteger(side) && side > 0)) {
    throw new TypeError(`a row of ${rowShapeOf(layout).join(' × ')} predictions is not possible`);
  }
  const names = layout.columns.map(({ name }) => name);
  const odd = names.find(
    (name, index) => !/^\w+$/.test(name) || reservedNames.has(name) || names.indexOf(name) < index,
  );
  if (odd !== undefined) throw new TypeError(`a column cannot be called ${JSON.stringify(odd)}`);
  const taken = Object.keys(layout.attributes).find((name) => reservedAttributes.has(name));
  if (taken !== undefined) throw new TypeError(`the attribute ${taken} is set by the file itself`);
}

/** HDF5 ends a string at a NUL and stores UTF-8, which has no lone surrogates. */
const isStorable = (id: string): boolean => id !== '' && !/[\0\p{Surrogate}]/u.test(id);

/** Throws `TypeError` for rows that do not fit the layout. */
export function checkRows(layout: ShardLayout, rows: PredictionRows): void {
  const count = rows.ids.length;
  const expected = count * rowSizeOf(layout);
  if (rows.values.length !== expected) {
    throw new TypeError(`${count} rows need ${expected} predictions, but ${rows.values.length} were given`);
  }
  for (const { name, type } of layout.columns) {
    const column = rows.columns[name];
    if (column?.length !== count) {
      throw new TypeError(`${count} rows were given, but ${column?.length ?? 0} values of ${name}`);
    }
    if ((type === 'i32' || type === 'i64') && !Array.prototype.every.call(column, Number.isSafeInteger)) {
      throw new TypeError(`${name} holds integers, but other numbers were given`);
    }
  }
  const odd = rows.ids.find((id) => !isStorable(id));
  if (odd !== undefined) throw new TypeError(`${JSON.stringify(odd)} cannot be the id of an item`);
}

/** What must be equal in files that are to be merged. */
export const shapeKey = ({ answers, passes, cells, columns }: ShardLayout): string =>
  JSON.stringify({
    answers,
    passes,
    cells,
    columns: columns.map(({ name, type, unit }) => [name, type, unit]),
  });

export const isReservedAttribute = (name: string): boolean => reservedAttributes.has(name);
