/**
 * Reads finished files of predictions: shards and what they are merged into.
 */
import { FormatError } from '../errors.js';
import {
  type Column,
  formatName,
  type Input,
  isReservedAttribute,
  type PredictionRows,
  rowBytesOf,
  rowShapeOf,
  type ShardLayout,
} from './layout.js';
import { Hdf5File } from './library.js';
import { checkSeal } from './seal.js';

const slabBytes = 4 << 20;

export interface ShardIndex {
  readonly ids: readonly string[];
  readonly layout: ShardLayout;
  readonly inputs: readonly Input[];
}

const damaged = (path: string, message: string) =>
  new FormatError('hdf5_damaged', message, { place: { file: path } });

/** An open file of predictions whose seal was checked before. */
export class ShardReader {
  private constructor(
    readonly path: string,
    readonly layout: ShardLayout,
    readonly rows: number,
    private readonly file: Hdf5File,
  ) {}

  /** Errors: `hdf5_damaged` when the file is unfinished or laid out in another way; the system's errors. */
  static open(path: string): ShardReader {
    const file = Hdf5File.open(path);
    try {
      const layout = readLayout(file);
      return new ShardReader(path, layout, checkedRows(file, layout), file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  readIds(start = 0, stop = this.rows): string[] {
    return this.file.readStrings('id_str', start, stop);
  }

  readInputs(): Input[] {
    const count = this.file.shapeOf('inputs/name')?.[0] ?? 0;
    const checksums = this.file.readStrings('inputs/checksum', 0, count);
    const bytes = this.file.readNumbers('inputs/bytes', 0, count);
    return this.file
      .readStrings('inputs/name', 0, count)
      .map((name, index) => ({ name, checksum: checksums[index] ?? '', bytes: bytes[index] ?? 0 }));
  }

  /** Rows `start` to `stop` without their ids. */
  readNumbers(start: number, stop: number): Omit<PredictionRows, 'ids'> {
    const values = this.file.readNumbers('predictions', start, stop);
    const columns = this.layout.columns.map(({ name }) => [name, this.file.readNumbers(name, start, stop)]);
    return { values: Float32Array.from(values), columns: Object.fromEntries(columns) };
  }

  /** Rows worth reading in one go: about 4 MiB. */
  get slabRows(): number {
    return Math.max(1, Math.floor(slabBytes / rowBytesOf(this.layout)));
  }

  close(): void {
    this.file.close();
  }
}

function readLayout(file: Hdf5File): ShardLayout {
  const root = file.attributesOf('/');
  if (root.format !== formatName) throw damaged(file.path, `the file is not one of ${formatName}`);
  if (root.complete !== 1) throw damaged(file.path, 'the file was never finished');
  const shape = file.shapeOf('predictions');
  const [, , passes, ny, nx] = shape ?? [];
  if (passes === undefined)
    throw damaged(file.path, `predictions are (${shape}), not (item, answer, pass, …)`);
  return {
    answers: file.readStrings('label_cols', 0, file.shapeOf('label_cols')?.[0] ?? 0),
    passes,
    ...(ny === undefined || nx === undefined ? {} : { cells: { ny, nx } }),
    columns: asStrings(root.columns).map((name) => readColumn(file, name)),
    description: String(root.description),
    attributes: Object.fromEntries(
      Object.entries(root).filter(
        (entry): entry is [string, string | number] =>
          !isReservedAttribute(entry[0]) && !Array.isArray(entry[1]),
      ),
    ),
  };
}

const asStrings = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value : typeof value === 'string' ? [value] : [];

function readColumn(file: Hdf5File, name: string): Column {
  const type = file.typeOf(name);
  if (type === undefined || type === 'string')
    throw damaged(file.path, `${name} holds no numbers of a known type`);
  const { unit, description } = file.attributesOf(name);
  return { name, type, unit: String(unit), doc: String(description) };
}

/** The number of rows every dataset agrees on. */
function checkedRows(file: Hdf5File, layout: ShardLayout): number {
  const rows = file.shapeOf('id_str')?.[0] ?? 0;
  const expected: [string, number[]][] = [['predictions', [rows, ...rowShapeOf(layout)]]];
  for (const { name } of layout.columns) expected.push([name, [rows]]);
  for (const [name, shape] of expected) {
    const found = file.shapeOf(name);
    if (String(found) !== String(shape))
      throw damaged(file.path, `${name} is (${found}), expected (${shape})`);
  }
  return rows;
}

/**
 * What a finished file holds, without its numbers.
 *
 * Errors: `hdf5_damaged` when the file is torn, unfinished, changed since, or its datasets disagree; the system's errors.
 */
export function readShardIndex(path: string): ShardIndex {
  checkSeal(path);
  const reader = ShardReader.open(path);
  try {
    return { ids: reader.readIds(), layout: reader.layout, inputs: reader.readInputs() };
  } finally {
    reader.close();
  }
}

/** All rows of a finished file in slabs of about 4 MiB, in the order of the file. Errors: as `readShardIndex`. */
export function* iterateRows(path: string): Generator<PredictionRows> {
  checkSeal(path);
  const reader = ShardReader.open(path);
  try {
    for (let start = 0; start < reader.rows; start += reader.slabRows) {
      const stop = Math.min(start + reader.slabRows, reader.rows);
      yield { ids: reader.readIds(start, stop), ...reader.readNumbers(start, stop) };
    }
  } finally {
    reader.close();
  }
}
