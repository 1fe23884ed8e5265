/**
 * Parquet tables, one row group in memory at a time, whole or absent: a table grows as `<path>.part` and gets its name
 * when all of it is on disk.
 *
 * Units and descriptions stand in the key-value metadata under `columns`, as JSON: `[{name, type, unit, description}]`.
 * (The metadata of single fields that pyarrow shows is a part of Arrow, which the writer does not speak.)
 */
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { ByteWriter, ParquetWriter, type SchemaElement } from 'hyparquet-writer';
import { NewFile, writeFully } from './durable.js';
import { FormatError } from './errors.js';

export type Cell = string | number | boolean | null;

export interface TableColumn {
  readonly name: string;
  readonly type: 'string' | 'f64' | 'f32' | 'i32' | 'i64' | 'bool';
  /** As astropy.units reads it; empty when there is none. */
  readonly unit: string;
  readonly doc: string;
}

/** The values of every column for some consecutive rows; a missing value is null, or NaN where numbers stand. */
export type RowGroup = Readonly<Record<string, ArrayLike<Cell>>>;

export interface Table {
  readonly columns: readonly TableColumn[];
  readonly rows: Iterable<RowGroup> | AsyncIterable<RowGroup>;
  /** Provenance: run id, version, hashes. Stored as text beside `columns`. */
  readonly attributes: Readonly<Record<string, string | number>>;
}

type Stored = string | number | bigint | boolean;

interface Storage {
  readonly element: Omit<SchemaElement, 'name'>;
  /** The value as it is stored, or undefined when the column cannot hold it. */
  readonly store: (value: Exclude<Cell, null>) => Stored | undefined;
}

const isInt32 = (value: unknown): value is number => typeof value === 'number' && (value | 0) === value;
const isInteger = (value: unknown): value is number => Number.isSafeInteger(value);
const asNumber = (value: unknown) => (typeof value === 'number' ? value : undefined);

const storages: Readonly<Record<TableColumn['type'], Storage>> = {
  string: {
    element: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
    store: (value) => (typeof value === 'string' ? value : undefined),
  },
  f64: { element: { type: 'DOUBLE' }, store: asNumber },
  f32: { element: { type: 'FLOAT' }, store: asNumber },
  i32: { element: { type: 'INT32' }, store: (value) => (isInt32(value) ? value : undefined) },
  i64: { element: { type: 'INT64' }, store: (value) => (isInteger(value) ? BigInt(value) : undefined) },
  bool: { element: { type: 'BOOLEAN' }, store: (value) => (typeof value === 'boolean' ? value : undefined) },
};

/** The values of one column of a row group as the writer takes them; `TypeError` for a value that does not belong. */
function storedValues({ name, type }: TableColumn, values: ArrayLike<Cell> | undefined, rows: number) {
  if (values?.length !== rows) {
    throw new TypeError(`${name} has ${values?.length ?? 0} values in a group of ${rows} rows`);
  }
  const { store } = storages[type];
  return Array.from(values, (value, row) => {
    if (value === null || Number.isNaN(value)) return null;
    const stored = store(value);
    if (stored !== undefined) return stored;
    throw new TypeError(`${JSON.stringify(value)} in row ${row} of ${name} is no ${type}`);
  });
}

/** Collects what the writer makes of one row group, then puts it behind what the file has. */
class FileBytes extends ByteWriter {
  #position = 0;

  constructor(private readonly fd: number) {
    super(1 << 16);
  }

  flush(): void {
    const bytes = this.getBytes();
    writeFully(this.fd, bytes, this.#position);
    this.#position += bytes.length;
    this.index = 0;
  }

  override finish(): void {
    this.flush();
  }
}

/**
 * Writes a table; each element of `rows` becomes a row group, so its size is the memory that is needed. A table that is
 * already at `path` stays until the new one is whole.
 *
 * Errors: the system's (`ENOSPC`); `TypeError` for values a column cannot hold; whatever `rows` throws. The part is
 * deleted then.
 */
export async function writeTable(
  path: string,
  { columns, rows, attributes }: Table,
): Promise<{ rows: number }> {
  using file = new NewFile(path);
  const writer = new ParquetWriter({
    writer: new FileBytes(file.fd),
    schema: schemaOf(columns),
    kvMetadata: metadataOf(columns, attributes),
  });
  let count = 0;
  for await (const group of rows) {
    const groupRows = group[columns[0]?.name ?? '']?.length ?? 0;
    const columnData = columns.map((column) => ({
      name: column.name,
      data: storedValues(column, group[column.name], groupRows),
    }));
    await writer.write({ columnData, rowGroupSize: Math.max(1, groupRows) });
    count += groupRows;
  }
  await writer.finish();
  file.commit();
  return { rows: count };
}

const schemaOf = (columns: readonly TableColumn[]): SchemaElement[] => [
  { name: 'root', num_children: columns.length },
  ...columns.map(
    ({ name, type }): SchemaElement => ({ name, repetition_type: 'OPTIONAL', ...storages[type].element }),
  ),
];

function metadataOf(columns: readonly TableColumn[], attributes: Table['attributes']) {
  const described = columns.map(({ name, type, unit, doc }) => ({ name, type, unit, description: doc }));
  return [
    { key: 'columns', value: JSON.stringify(described) },
    ...Object.entries(attributes).map(([key, value]) => ({ key, value: String(value) })),
  ];
}

/**
 * Reads a whole table that `writeTable` wrote. Integers of 64 bits come as numbers, missing values as null.
 *
 * Errors: `hdf5_damaged` when the file is no such table; the system's errors.
 */
export async function readTable(path: string): Promise<{
  columns: TableColumn[];
  attributes: Record<string, string>;
  rows: Record<string, Cell>[];
}> {
  const file = await asyncBufferFromFile(path);
  try {
    const metadata = await parquetMetadataAsync(file);
    const pairs = (metadata.key_value_metadata ?? []).map(({ key, value }) => [key, value ?? ''] as const);
    const { columns = '', ...attributes } = Object.fromEntries(pairs);
    const described: (Omit<TableColumn, 'doc'> & { description: string })[] = JSON.parse(columns);
    const rows = await parquetReadObjects({ file, metadata });
    return {
      columns: described.map(({ description, ...column }) => ({ ...column, doc: description })),
      attributes,
      rows: rows.map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [
            name,
            typeof value === 'bigint' ? Number(value) : (value ?? null),
          ]),
        ),
      ),
    };
  } catch (cause) {
    throw new FormatError(
      'hdf5_damaged',
      `the file is no table that can be read: ${(cause as Error).message}`,
      {
        place: { file: path },
        cause,
      },
    );
  }
}
