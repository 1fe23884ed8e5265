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
