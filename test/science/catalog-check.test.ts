import { describe, expect, it } from 'vitest';
import { type CatalogColumn, emptySources, type SourceTable } from '../../src/science/catalog.js';
import { CatalogError, checkSources } from '../../src/science/catalog-check.js';

const limits = { width: 100, height: 50, file: 'field.dat' };

/** Sources that are fine but for the values given. */
function sources(
  count: number,
  ...values: readonly [row: number, column: CatalogColumn, value: number][]
): SourceTable {
  const table = emptySources(count);
  table.columns.HLR.fill(0.5);
  for (const [row, column, value] of values) table.columns[column][row] = value;
  return table;
}

function fault(table: SourceTable, file: { file?: string } = { file: 'field.dat' }): CatalogError {
  try {
    checkSources(table, { width: 100, height: 50, ...file });
  } catch (error) {
    if (error instanceof CatalogError) return error;
  }
  throw new Error('nothing was refused');
}

describe('sources that can be', () => {
  it('pass: dark in a band, without a redshift, as far outside as the field is large, strongly sheared', () => {
    const table = sources(
      2,
      [0, 'Z', -1],
      [0, 'X', 200],
      [0, 'Y', -50],
      [1, 'G1', 0.7],
      [1, 'G2', -0.7],
      [1, 'MEM', 1],
    );
    expect(() => checkSources(table, limits)).not.toThrow();
    expect(() => checkSources(emptySources(0), limits)).not.toThrow();
  });
});

describe('sources that cannot be', () => {
  it.each([
    ['FLUX_G', Number.NaN, 'FLUX_G is NaN, expected a flux between 0 and 1e+30'],
    ['FLUX_R', 1e38, 'FLUX_R is 1e+38, expected a flux between 0 and 1e+30'],
    ['FLUX_Z', -1e-9, 'FLUX_Z is -1e-9, expected a flux between 0 and 1e+30'],
    ['FLUX_R', Number.POSITIVE_INFINITY, 'FLUX_R is Infinity'],
    ['G1', 1, 'G1 is 1 beside G2 = 0, expected a shear with |g| < 1'],
    ['G2', -1.2, 'G1 is 0 beside G2 = -1.2'],
    ['G2', Number.NaN, 'G1 is 0 beside G2 = NaN'],
    ['HLR', 0, 'HLR is 0, expected a radius above 0'],
    ['HLR', -99, 'HLR is -99'],
    ['X', 200.5, 'X is 200.5, expected a position between -100 and 200: the field has 100 pixels'],
    ['Y', -51, 'Y is -51, expected a position between -50 and 100'],
    ['X', Number.NaN, 'X is NaN'],
    ['MEM', 0.5, 'MEM is 0.5, expected 0 or 1'],
    ['SOURCE_TYPE', 2, 'SOURCE_TYPE is 2'],
    ['Z', -99, 'Z is -99, expected a redshift, or -1 for none'],
    ['Z', 99, 'Z is 99'],
    ['GI_COLOR', -129, 'GI_COLOR is -129'],
    ['RA', -9999, 'RA is -9999'],
    ['DEC', 99, 'DEC is 99'],
  ] as const)('are refused: %s %d', (column, value, message) => {
    const error = fault(sources(3, [1, column, value]));
    expect(error).toMatchObject({ code: 'catalog_values', place: { file: 'field.dat', line: 2 } });
    expect(error.message).toContain(message);
  });

  it('are told in the order of the lines, the first few and how many in all', () => {
    const every = Array.from({ length: 30 }, (_, row) => [row + 2, 'FLUX_R', -row - 1] as const);
    const { message, place } = fault(
      sources(40, ...every.map((one) => [...one] as [number, 'FLUX_R', number]), [1, 'HLR', 0]),
    );
    expect(place).toEqual({ file: 'field.dat', line: 2, column: 10 });
    expect(message).toMatch(
      /^31 values of a catalogue of 40 sources cannot be used: line 2, column 10: HLR is 0/,
    );
    expect(message).toMatch(/line 3, column 7: FLUX_R is -1.*line 5, column 7: FLUX_R is -3.*; and 27 more$/);
    expect(message).not.toContain('line 6');
  });

  it('are rows when they come from no file', () => {
    const error = fault(sources(3, [1, 'HLR', 0]), {});
    expect(error.message).toContain('1 value of a catalogue of 3 sources cannot be used: row 1: HLR is 0');
    expect(error.place).toEqual({ row: 1 });
  });
});
