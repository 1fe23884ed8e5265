/** Reads catalogues of real sources (FITS tables), from which `sample` draws instead of from its priors. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { openFits } from '../../../formats/fits/file.js';
import { closeRegion, openRegion } from '../../../formats/fits/source.js';
import { type Column, TableReader } from '../../../formats/fits/table.js';
import { catalogBands } from '../../../science/catalog.js';
import { PriorError } from '../../../science/priors/errors.js';
import type { BandColumns, UserBackground, UserClusters } from '../../../science/priors/user-catalogues.js';
import type { InputFile } from '../nouns.js';
import type { BackgroundCatalogueOptions, ClusterCatalogueOptions } from './user-catalogue-options.js';

/** A table, and the columns wanted of it by what they are for; `none` is not wanted. */
interface TableRequest<K extends string> {
  readonly path: string;
  readonly hdu: number;
  readonly columns: Readonly<Record<K, string>>;
}

/** What is wanted of each file. */
export interface UserTables {
  readonly background?: TableRequest<'g' | 'r' | 'i' | 'z' | 'flux_radius' | 'class_star'>;
  readonly members?: TableRequest<'g' | 'r' | 'i' | 'z' | 'cluster_id' | 'radius' | 'redshift' | 'object_id'>;
  readonly photoZ?: TableRequest<'object_id' | 'redshift'>;
}

export function userTables(
  background: BackgroundCatalogueOptions | undefined,
  clusters: ClusterCatalogueOptions | undefined,
): UserTables {
  const photoZ = clusters?.photo_z;
  return {
    ...(background !== undefined && { background: requestOf(background, ['flux_radius', 'class_star']) }),
    ...(clusters !== undefined && {
      members: requestOf(
        // Without photo_z there is nothing to join.
        photoZ === undefined ? { ...clusters, object_id: 'none' } : clusters,
        ['cluster_id', 'radius', 'redshift', 'object_id'],
      ),
    }),
    ...(photoZ !== undefined && {
      photoZ: {
        path: photoZ.path,
        hdu: photoZ.hdu,
        columns: { object_id: photoZ.object_id, redshift: photoZ.redshift },
      },
    }),
  };
}

function requestOf<K extends string>(
  options: Readonly<Record<K | 'g' | 'r' | 'i' | 'z' | 'path', string>> & { readonly hdu: number },
  others: readonly K[],
): TableRequest<K | 'g' | 'r' | 'i' | 'z'> {
  const { path, hdu } = options;
  const keys = [...catalogBands, ...others] as const;
  const columns = Object.fromEntries(keys.map((key): [string, string] => [key, options[key]]));
  return { path, hdu, columns: columns as Record<K | 'g' | 'r' | 'i' | 'z', string> };
}

/**
 * Looks at the headers, and takes the checksum of the whole file, which is part of what a sample is known by.
 *
 * @returns rows of the table, and the file as the provenance has it
 * @throws PriorError `prior_columns` when columns are missing; FormatError `fits_*`; system errors
 */
export async function inspectTable(
  request: TableRequest<string>,
): Promise<{ readonly rows: number; readonly input: InputFile }> {
  const { rows, bytes } = withTable(request, (reader, size) => ({ rows: reader.rows, bytes: size }));
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(request.path)) hash.update(chunk as Buffer);
  return { rows, input: { name: request.path, bytes, checksum: `sha256:${hash.digest('hex')}` } };
}

/** The background catalogue, in memory that all threads share. @throws as `inspectTable` */
export function readBackground(request: NonNullable<UserTables['background']>): UserBackground {
  const columns = readColumns(request);
  const rows = columns.i?.length ?? 0;
  return {
    file: request.path,
    rows,
    magnitudes: bandsOf(columns, (values) => shared(rows, (row) => values[row] as number)),
    fluxRadius: columns.flux_radius && sharedCopy(columns.flux_radius),
    classStar: columns.class_star && sharedCopy(columns.class_star),
  };
}

/**
 * The members of clusters, sorted by cluster, in memory that all threads share. The redshift of a cluster is the
 * median of those of its members. Members without a radius or a cluster are left out.
 *
 * @throws as `inspectTable`
 */
export function readClusters(
  request: NonNullable<UserTables['members']>,
  photoZ: UserTables['photoZ'],
): UserClusters {
  const columns = readColumns(request);
  const radii = wanted(columns, 'radius');
  const clusterIds = keysOf(wanted(columns, 'cluster_id'));
  const rows = [...clusterIds.keys()].filter(
    (row) => Number(radii[row]) >= 0 && isId(clusterIds[row] as Key),
  );
  const numbers = new Map<Key, number>();
  for (const row of rows) {
    const id = clusterIds[row] as Key;
    if (!numbers.has(id)) numbers.set(id, numbers.size);
  }
  const numberOf = (row: number): number => numbers.get(clusterIds[row] as Key) as number;
  // Sorting keeps the order of rows within a cluster.
  rows.sort((a, b) => numberOf(a) - numberOf(b));
  const first = new Uint32Array(new SharedArrayBuffer(4 * (numbers.size + 1)));
  for (const row of rows) first[numberOf(row) + 1] = (first[numberOf(row) + 1] as number) + 1;
  for (let k = 1; k < first.length; k++) first[k] = (first[k] as number) + (first[k - 1] as number);

  const redshiftOf = redshifts(columns, photoZ);
  const redshift = new Float64Array(new SharedArrayBuffer(8 * numbers.size));
  for (let k = 0; k < numbers.size; k++)
    redshift[k] = median(
      rows
        .slice(first[k], first[k + 1])
        .map(redshiftOf)
        .filter((z) => z > 0 && z < 90),
    );
  const inOrder = (values: Values): Float32Array =>
    shared(rows.length, (place) => Number(values[rows[place] as number]));
  return {
    file: request.path,
    first,
    redshift,
    radius: inOrder(radii),
    magnitudes: bandsOf(columns, inOrder),
  };
}

/** The redshift of each row of members: a column of theirs, or that of the object of the same id. */
function redshifts(
  columns: Partial<Record<string, Values>>,
  photoZ: UserTables['photoZ'],
): (row: number) => number {
  if (photoZ === undefined) {
    const own = wanted(columns, 'redshift');
    return (row) => Number(own[row]);
  }
  const objects = keysOf(wanted(columns, 'object_id'));
  const isMember = new Set(objects);
  const known = new Map<Key, number>();
  const table = readColumns(photoZ);
  const values = wanted(table, 'redshift');
  for (const [row, id] of keysOf(wanted(table, 'object_id')).entries())
    if (isId(id) && isMember.has(id)) known.set(id, Number(values[row]));
  return (row) => known.get(objects[row] as Key) ?? Number.NaN;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

type Values = ArrayLike<number | bigint | string>;
type Key = number | string;

/** Ids as keys of a map: the same number is the same key, whatever type its column has. */
const keysOf = (values: Values): Key[] =>
  Array.from(values, (value) =>
    typeof value === 'bigint' ? (Number.isSafeInteger(Number(value)) ? Number(value) : String(value)) : value,
  );

/** What is missing names nothing, so that two of them are not the same. */
const isId = (key: Key): boolean => key !== '' && !Number.isNaN(key);

const wanted = (columns: Partial<Record<string, Values>>, key: string): Values => columns[key] as Values;

function shared(count: number, value: (index: number) => number): Float32Array {
  const values = new Float32Array(new SharedArrayBuffer(4 * count));
  for (let i = 0; i < count; i++) values[i] = value(i);
  return values;
}

const sharedCopy = (values: Values): Float32Array => shared(values.length, (row) => Number(values[row]));

const bandsOf = (
  columns: Partial<Record<string, Values>>,
  copy: (values: Values) => Float32Array,
): BandColumns =>
  Object.fromEntries(catalogBands.map((band) => [band, copy(wanted(columns, band))])) as BandColumns;

/** `MAG[1]` as the name of the column and the element of its cells. */
function parseColumn(text: string): { readonly name: string; readonly element: number | undefined } {
  const match = /^([^[]+)(?:\[(\d+)\])?$/.exec(text);
  return { name: match?.[1] ?? text, element: match?.[2] === undefined ? undefined : Number(match[2]) };
}

const wantedColumns = <K extends string>({ columns }: TableRequest<K>): [key: K, text: string][] =>
  (Object.entries(columns) as [K, string][]).filter(([, text]) => text !== 'none');

/** Opens a table that has all the columns wanted. */
function withTable<R>(request: TableRequest<string>, use: (reader: TableReader, bytes: number) => R): R {
  const region = openRegion(request.path);
  try {
    const reader = new TableReader(openFits(region), request.hdu);
    checkColumns(request, reader);
    return use(reader, region.size);
  } finally {
    closeRegion(region);
  }
}

function checkColumns(request: TableRequest<string>, reader: TableReader): void {
  const problems = wantedColumns(request).flatMap(([key, text]) => {
    const { name, element } = parseColumn(text);
    const column = reader.columns.find((each) => each.name.toUpperCase() === name.toUpperCase());
    if (column === undefined) return [`${text} (for ${key}) is missing`];
    const { shape } = column;
    if (shape === undefined) return [`${text} (for ${key}) has cells of changing length`];
    const items = shape.reduce((product, side) => product * side, 1);
    if (element !== undefined ? element < items : items === 1) return [];
    return [
      element === undefined
        ? `${text} (for ${key}) has ${items} values in a cell: say which, such as ${name}[0]`
        : `${text} (for ${key}) does not exist: a cell has ${items} ${items === 1 ? 'value' : 'values'}, counted from 0`,
    ];
  });
  if (problems.length === 0) return;
  const there = reader.columns
    .map(({ name, shape }) =>
      shape === undefined || shape.length === 0 ? name : `${name}[${shape.join('×')}]`,
    )
    .join(', ');
  throw new PriorError('prior_columns', `${problems.join('; ')}; there are: ${there}`, {
    file: request.path,
    hdu: request.hdu,
  });
}

/** The wanted columns, one value for each row. */
function readColumns<K extends string>(request: TableRequest<K>): Partial<Record<K, Values>> {
  return withTable(request, (reader) => {
    const asked = wantedColumns(request).map(([key, text]) => ({ key, ...parseColumn(text) }));
    const names = [...new Set(asked.map(({ name }) => name.toUpperCase()))];
    const columns = reader.readColumns(names);
    return Object.fromEntries(
      asked.map(({ key, name, element }) => {
        const column = columns[names.indexOf(name.toUpperCase())] as Column;
        const values = elementOf(column, reader.rows, element ?? 0);
        return [key, idKeys.has(key) ? values : numbersOf(values, `${name} (for ${key})`, request)];
      }),
    ) as Partial<Record<K, Values>>;
  });
}

/** What columns are for that may hold text. */
const idKeys: ReadonlySet<string> = new Set(['cluster_id', 'object_id']);

function numbersOf(values: Values, what: string, { path, hdu }: TableRequest<string>): Float64Array {
  const text = Array.prototype.find.call(values, (value) => typeof value === 'string');
  if (text === undefined) return Float64Array.from(values as ArrayLike<number | bigint>, Number);
  const message = `${what} holds text, such as ${JSON.stringify(text.slice(0, 40))}; expected numbers`;
  throw new PriorError('prior_columns', message, { file: path, hdu });
}

/** One element of every cell. What is no number, such as a missing one, is NaN. */
function elementOf({ values, shape }: Column, rows: number, element: number): Values {
  const items = (shape ?? []).reduce((product, side) => product * side, 1);
  const cells = values as ArrayLike<number | bigint | string | boolean | null>;
  if (items === 1 && ArrayBuffer.isView(values)) return cells as Values;
  return Array.from({ length: rows }, (_, row) => {
    const value = cells[row * items + element];
    return typeof value === 'boolean' || value == null ? Number.NaN : value;
  });
}
