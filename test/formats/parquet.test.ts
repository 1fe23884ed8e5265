import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Cell,
  type RowGroup,
  readTable,
  type TableColumn,
  writeTable,
} from '../../src/formats/parquet.js';

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'parquet-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

const columns: TableColumn[] = [
  { name: 'id_str', type: 'string', unit: '', doc: 'name of the tile' },
  { name: 'ra', type: 'f64', unit: 'deg', doc: 'right ascension of the centre' },
  { name: 'highest', type: 'f32', unit: '', doc: 'highest probability' },
  { name: 'windows', type: 'i32', unit: '', doc: 'windows of the tile' },
  { name: 'bytes', type: 'i64', unit: 'byte', doc: 'length of its files' },
  { name: 'complete', type: 'bool', unit: '', doc: 'whether all windows were processed' },
];
const attributes = { run_id: 'r-1', seed: 7 };

const rows: Record<string, Cell>[] = [
  { id_str: 'DES0001-0001', ra: 0.1, highest: 0.5, windows: 16, bytes: 2 ** 53 - 1, complete: true },
  { id_str: 'DES0002é', ra: null, highest: null, windows: null, bytes: null, complete: null },
  { id_str: null, ra: -0.1, highest: -0.25, windows: -5, bytes: -(2 ** 40), complete: false },
];

const groupOf = (some: typeof rows): RowGroup =>
  Object.fromEntries(columns.map(({ name }) => [name, some.map((row) => row[name] ?? null)]));

const realWrite = fs.writeSync;
afterEach(() => {
  fs.writeSync = realWrite;
  syncBuiltinESMExports();
});

describe('writeTable', () => {
  it('gives back every type, missing values, units, descriptions and attributes', async () => {
    const path = at('types.parquet');
    expect(await writeTable(path, { columns, rows: [groupOf(rows)], attributes })).toEqual({ rows: 3 });
    expect(await readTable(path)).toEqual({ columns, attributes: { run_id: 'r-1', seed: '7' }, rows });
  });

  it('makes each element of a stream a row group', async () => {
    const path = at('groups.parquet');
    async function* stream() {
      for (let n = 0; n < 5; n++) yield groupOf(rows.slice(0, n % 4));
    }
    expect(await writeTable(path, { columns, rows: stream(), attributes })).toEqual({ rows: 6 });
    expect((await readTable(path)).rows).toEqual([1, 2, 3].flatMap((n) => rows.slice(0, n)));
    const { row_groups } = await parquetMetadataAsync(await asyncBufferFromFile(path));
    expect(row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([1, 2, 3]);
  });

  it('stores NaN as missing and keeps infinity, from typed arrays too', async () => {
    const path = at('nan.parquet');
    const ra = columns.slice(1, 2);
    await writeTable(path, {
      columns: ra,
      rows: [{ ra: Float64Array.of(1, Number.NaN, -Infinity) }],
      attributes,
    });
    expect((await readTable(path)).rows).toEqual([{ ra: 1 }, { ra: null }, { ra: -Infinity }]);
  });

  it('can be a table without rows', async () => {
    const path = at('none.parquet');
    expect(await writeTable(path, { columns, rows: [], attributes })).toEqual({ rows: 0 });
    expect(await readTable(path)).toMatchObject({ columns, rows: [] });
  });

  it.each([
    ['windows', 1.5],
    ['windows', 2 ** 31],
    ['bytes', 2 ** 53],
    ['ra', '12'],
    ['id_str', 12],
    ['complete', 1],
  ])('refuses %s = %s and leaves nothing behind', async (name, value) => {
    const path = at('refused.parquet');
    const wrong = groupOf([{ ...rows[0], [name]: value }]);
    await expect(writeTable(path, { columns, rows: [groupOf(rows), wrong], attributes })).rejects.toThrow(
      `${JSON.stringify(value)} in row 0 of ${name}`,
    );
    expect(fs.readdirSync(folder).filter((file) => file.startsWith('refused'))).toEqual([]);
  });

  it('refuses columns of different length', async () => {
    const group = { ...groupOf(rows), ra: [1] };
    await expect(writeTable(at('short.parquet'), { columns, rows: [group], attributes })).rejects.toThrow(
      'ra has 1 values in a group of 3 rows',
    );
  });

  it('keeps the table of before when the source fails or the disk is full', async () => {
    const path = at('kept.parquet');
    await writeTable(path, { columns, rows: [groupOf(rows)], attributes });
    function* failing() {
      yield groupOf(rows);
      throw new Error('the source broke');
    }
    await expect(writeTable(path, { columns, rows: failing(), attributes })).rejects.toThrow(
      'the source broke',
    );
    let calls = 0;
    fs.writeSync = ((...args: Parameters<typeof realWrite>) => {
      if (calls++ > 0) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
      return realWrite(...args);
    }) as typeof fs.writeSync;
    syncBuiltinESMExports();
    await expect(writeTable(path, { columns, rows: [groupOf(rows)], attributes })).rejects.toMatchObject({
      code: 'ENOSPC',
    });
    expect((await readTable(path)).rows).toEqual(rows);
    expect(fs.readdirSync(folder)).not.toContain('kept.parquet.part');
  });
});

describe('readTable', () => {
  it('says of a torn table that it cannot be read', async () => {
    const path = at('torn.parquet');
    await writeTable(path, { columns, rows: [groupOf(rows)], attributes });
    fs.truncateSync(path, fs.statSync(path).size - 10);
    await expect(readTable(path)).rejects.toMatchObject({ code: 'hdf5_damaged', place: { file: path } });
  });
});
