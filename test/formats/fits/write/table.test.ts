import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTable } from '../../../../src/formats/fits/table.js';
import type { TableColumn } from '../../../../src/formats/fits/write/hdu.js';
import { written } from './written.js';

const table = (columns: readonly TableColumn[]) => [{ kind: 'table', name: 'CATALOG', columns }] as const;
const ascii = fc.string({ unit: fc.constantFrom('a', 'Z', '0', '-', ' ', "'"), maxLength: 12 });

describe('a table', () => {
  it('gives every kind of column back', () => {
    const row = fc.record({
      d: fc.double(),
      e: fc.float(),
      j: fc.integer(),
      k: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      l: fc.boolean(),
      a: ascii.map((text) => text.trimEnd()),
    });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 30 }), (rows) => {
        const columns: readonly TableColumn[] = [
          { name: 'd', form: 'D', data: Float64Array.from(rows, ({ d }) => d) },
          { name: 'e', form: 'E', data: Float32Array.from(rows, ({ e }) => e) },
          { name: 'j', form: 'J', data: Int32Array.from(rows, ({ j }) => j) },
          { name: 'k', form: 'K', data: BigInt64Array.from(rows.map(({ k }) => k)) },
          { name: 'l', form: 'L', data: rows.map(({ l }) => l) },
          { name: 'a', form: 'A', data: rows.map(({ a }) => a) },
        ];
        written(table(columns), (file) => {
          const back = readTable(file, 1);
          expect(back.rows).toBe(rows.length);
          const values = back.columns.map((column) => Array.from(column.values as ArrayLike<unknown>));
          expect(values.slice(0, 4)).toEqual(columns.slice(0, 4).map(({ data }) => [...data]));
          expect(values[4]?.map(Boolean)).toEqual(rows.map(({ l }) => l));
          expect(values[5]).toEqual(rows.map(({ a }) => a));
        });
      }),
      { numRuns: 60 },
    );
  });

  it('says the unit and the meaning of its columns, and its name', () => {
    const columns: readonly TableColumn[] = [
      { name: 'ra', unit: 'deg', doc: 'right ascension, ICRS', form: 'D', data: Float64Array.of(1) },
      { name: 'pair', form: 'E', repeat: 2, data: Float32Array.of(1, 2) },
    ];
    written(table(columns), (file) => {
      expect(file.hdus.map(({ name }) => name)).toEqual(['', 'CATALOG']);
      const [ra, pair] = readTable(file, 1).columns;
      expect(ra).toMatchObject({ name: 'ra', unit: 'deg', comment: 'right ascension, ICRS', shape: [] });
      expect(pair).toMatchObject({ name: 'pair', unit: '', comment: '', shape: [2] });
    });
  });

  it('may be empty, or larger than what is written at once', () => {
    written(table([{ name: 'x', form: 'D', data: new Float64Array(0) }]), (file) => {
      expect(readTable(file, 1).rows).toBe(0);
    });
    const data = Float64Array.from({ length: 300_001 }, (_, i) => i / 3);
    written(
      table([
        { name: 'x', form: 'D', data },
        { name: 'y', form: 'D', data },
      ]),
      (file) => {
        expect(readTable(file, 1).columns[1]?.values).toEqual(data);
      },
    );
  });

  const x: TableColumn = { name: 'x', form: 'D', data: new Float64Array(3) };
  it.each([
    [
      'columns of different lengths',
      [x, { name: 'y', form: 'J', data: new Int32Array(2) }],
      'y has 2 rows, x has 3',
    ],
    ['two columns of one name', [x, { ...x, name: 'X' }], 'a column "X" twice'],
    ['a column without name', [{ ...x, name: ' ' }], 'without name'],
    ['no columns', [], 'has 0 columns'],
    ['broken cells', [{ ...x, repeat: 2 }], 'no whole cells of 2'],
    ['text beyond ASCII', [{ name: 'a', form: 'A', data: ['ok', 'Galère'] }], 'holds ASCII text'],
    ['a row too long', [{ name: 'a', form: 'A', data: ['x'.repeat(2 ** 21)] }], 'at most 1048576 fit'],
  ] as [string, readonly TableColumn[], string][])('refuses %s', (_, columns, message) => {
    expect(() => written(table(columns), () => {})).toThrow(message);
  });
});
