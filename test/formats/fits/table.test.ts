import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Column, readTable, TableReader } from '../../../src/formats/fits/table.js';
import { fixtureJson, fixturePath, withFits } from './fixtures.js';

interface Golden {
  readonly file: string;
  readonly hdu: number;
  readonly rows: number;
  readonly columns: readonly {
    readonly name: string;
    readonly unit?: string | null;
    readonly values: unknown[];
  }[];
}

/** The first descriptor of column VA: behind the 51 bytes of the fixed columns. */
const cellOf = (bytes: Buffer) => 2880 * Math.ceil((bytes.indexOf('END     ', 2880) + 1) / 2880) + 51;

function setCard(bytes: Buffer, keyword: string, value: string): void {
  bytes.write(`${keyword.padEnd(8)}= ${value.padStart(20)}`, bytes.indexOf(keyword.padEnd(8), 2880));
}

/** The cells of a column as JSON writes them: nested lists, null for NaN, decimal strings for 64-bit integers. */
function cellsOf({ values, shape }: Column, rows: number): unknown[] {
  const plain = (value: unknown): unknown => {
    if (typeof value === 'bigint') return String(value);
    if (typeof value === 'object' && value !== null) return Array.from(value as ArrayLike<unknown>, plain);
    return Number.isNaN(value) ? null : value;
  };
  const nest = (flat: unknown[], lengths: readonly number[]): unknown => {
    const [length, ...inner] = lengths;
    if (length === undefined) return flat[0];
    const step = flat.length / length;
    return Array.from({ length }, (_, index) => nest(flat.slice(index * step, (index + 1) * step), inner));
  };
  return shape === undefined
    ? (plain(values) as unknown[])
    : (nest(plain(values) as unknown[], [rows, ...shape]) as unknown[]);
}

describe('tables, value by value', () => {
  const goldens = ['columns', 'scaled_null', 'ascii'].map((name) =>
    fixtureJson<Golden>(`expected/${name}.json`),
  );
  const columns = goldens.flatMap((golden) =>
    golden.columns.map((column) => ({ ...golden, name: column.name, column })),
  );

  it.each(columns)('$file: column $name', ({ file, hdu, rows, name, column }) => {
    withFits(fixturePath(file), (fits) => {
      const table = readTable(fits, hdu);
      const found = table.columns.find((candidate) => candidate.name === name) as Column;
      expect(table.rows).toBe(rows);
      expect(cellsOf(found, rows)).toEqual(column.values);
      expect(found.unit).toBe(column.unit ?? '');
      expect(new TableReader(fits, hdu).readColumn(name.toLowerCase())).toEqual(found);
    });
  });

  it('are kept in the type that holds them exactly', () => {
    withFits(fixturePath('tables/columns.fits'), (fits) => {
      const types = readTable(fits, 1).columns.map(({ name, values }) => [name, values.constructor.name]);
      expect(Object.fromEntries(types)).toMatchObject({
        NAME: 'Array',
        B: 'Uint8Array',
        I: 'Int16Array',
        U16: 'Uint16Array',
        J: 'Int32Array',
        U32: 'Uint32Array',
        K: 'BigInt64Array',
        RA: 'Float64Array',
        MAG: 'Float32Array',
        CPLX: 'Float32Array',
      });
    });
  });
});

describe('a table', () => {
  it('keeps nulls, unsigned and complex numbers, and strings of any length', () => {
    withFits(fixturePath('extra/nulls.fits'), (fits) => {
      const columns = readTable(fits, 1).columns.map(({ name, shape, values }) => [name, { shape, values }]);
      expect(Object.fromEntries(columns)).toEqual({
        ID: { shape: [], values: [2n ** 60n + 1n, null, 5n] },
        I: { shape: [], values: Float64Array.of(1, Number.NaN, 3) },
        S8: { shape: [], values: Int8Array.of(-128, 0, 127) },
        U64: { shape: [], values: BigUint64Array.of(0n, 2n ** 63n, 2n ** 64n - 1n) },
        M: { shape: [2, 2], values: Float64Array.of(1, 2, 3, -4, 1, 2, 3, -4, 1, 2, 3, -4) },
        VA: { shape: [], values: ['a', '', 'long one'] },
      });
    });
  });

  it.each([
    ['a cell beyond the heap', 'fits_header', (bytes: Buffer) => bytes.writeInt32BE(4000, cellOf(bytes) + 4)],
    ['a cell of negative length', 'fits_header', (bytes: Buffer) => bytes.writeInt32BE(-1, cellOf(bytes))],
    ['a column of unknown type', 'fits_header', (bytes: Buffer) => bytes.write("'2Z", bytes.indexOf("'2M"))],
    [
      'columns wider than the row',
      'fits_header',
      (bytes: Buffer) => bytes.write("'9M", bytes.indexOf("'2M")),
    ],
    ['rows of no bytes', 'fits_header', (bytes: Buffer) => setCard(bytes, 'NAXIS1', '0')],
    ['more rows than bytes', 'fits_truncated', (bytes: Buffer) => setCard(bytes, 'NAXIS2', '9000000000000')],
  ] as const)('with %s is refused', (_what, code, damage) => {
    const folder = mkdtempSync(join(tmpdir(), 'fits-'));
    const path = join(folder, 'damaged.fits');
    const bytes = readFileSync(fixturePath('extra/nulls.fits'));
    damage(bytes);
    writeFileSync(path, bytes);
    expect(() => withFits(path, (fits) => readTable(fits, 1))).toThrow(
      expect.objectContaining({ code, place: expect.objectContaining({ file: path, hdu: 1 }) }),
    );
    rmSync(folder, { recursive: true });
  });

  it('says which columns it has when another one is wanted', () => {
    withFits(fixturePath('tables/ascii.fits'), (fits) => {
      expect(() => new TableReader(fits, 1).readColumn('DEC')).toThrow(
        'there is no column DEC, there are: ID, X, S',
      );
      expect(() => readTable(fits, 0)).toThrow(expect.objectContaining({ code: 'fits_no_such_hdu' }));
    });
  });

  it('of a compressed image shows its descriptors only as an image', () => {
    withFits(fixturePath('images/rice_i16.fits.fz'), (fits) => {
      expect(() => readTable(fits, 1)).toThrow('HDU 1 holds no table (it is: compressed-image)');
    });
  });
});
