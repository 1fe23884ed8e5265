import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDat, parseDat, readDat } from '../../src/formats/dat.js';
import { catalogColumns, emptySources, type SourceTable } from '../../src/science/catalog.js';

const fixture = (name: string): string => join(import.meta.dirname, '../fixtures/dat', name);
const parsed = (text: string): SourceTable => parseDat(Buffer.from(text), 'field.dat');
const failure = (text: string): unknown => {
  try {
    return parsed(text);
  } catch (error) {
    return error;
  }
};
/** A line of as many numbers. */
const line = (columns: number, first = '1.5'): string =>
  [first, ...Array.from({ length: columns - 1 }, (_, index) => `${index}`)].join(' ');

describe('catalogues written by astropy', () => {
  it('are read and written again byte for byte', async () => {
    for (const name of ['field.dat', 'repr.dat']) {
      expect(formatDat(await readDat(fixture(name)))).toBe(readFileSync(fixture(name), 'utf8'));
    }
  });

  it('have their columns in the order of the case study', async () => {
    const { count, columns } = await readDat(fixture('field.dat'));
    expect(count).toBe(48);
    expect([
      columns.RA[0],
      columns.X[0],
      columns.FLUX_G[1],
      columns.SOURCE_TYPE[1],
      columns.IZ_COLOR[0],
    ]).toEqual([50.643689640606375, 107.34211939328755, 90.81818211198762, 1, 0.42450233724117936]);
  });
});

describe('any catalogue', () => {
  it('is read back with the very numbers it was written from', () => {
    const columns = fc.tuple(
      ...catalogColumns.map(() => fc.array(fc.double(), { minLength: 5, maxLength: 5 })),
    );
    fc.assert(
      fc.property(columns, (values) => {
        const table = emptySources(5);
        for (const [index, name] of catalogColumns.entries())
          table.columns[name].set(values[index] as number[]);
        const back = parsed(formatDat(table));
        for (const name of catalogColumns) expect([...back.columns[name]]).toEqual([...table.columns[name]]);
      }),
    );
  });

  it('may be empty, or end without a newline, or have other blanks', () => {
    expect(parsed('').count).toBe(0);
    expect(parsed(`${line(17)}\n${line(17)}`).count).toBe(2);
    expect(parsed(`  ${line(17).replaceAll(' ', '\t  ')} \r\n`).columns.DEC[0]).toBe(0);
  });

  it('may end with blank lines, or have nothing else', () => {
    expect(parsed(`${line(17)}\n${line(17)}\n\n`).count).toBe(2);
    expect(parsed(`${line(17)}\r\n  \r\n\t\r\n`).count).toBe(1);
    expect(parsed('\n').count).toBe(0);
    expect(parsed(' \r\n\r\n').count).toBe(0);
  });

  it('has NaN where its writer had no number', () => {
    const words = ['nan', 'NaN', '--', '""'];
    const { columns } = parsed(words.map((word) => `${line(17, word)}\n`).join(''));
    expect([...columns.RA]).toEqual(words.map(() => Number.NaN));
  });
});

describe('catalogues of 15 columns', () => {
  it('get their colours from the fluxes, 0 where one is missing', () => {
    const withFluxes = (g: number | string, i: number, z: number) =>
      `1 2 3 4 0 ${g} 7 ${i} ${z} 1 0 0 0 0.5 1\n`;
    const { columns } = parsed(
      withFluxes(10, 1000, 100) + withFluxes(0, 1000, 0) + withFluxes('nan', 1000, 1000),
    );
    expect([...columns.GI_COLOR]).toEqual([5, 0, 0]);
    expect([...columns.IZ_COLOR]).toEqual([-2.5, 0, 0]);
  });
});

describe('a file that is no catalogue', () => {
  it('says how many columns were found, in which line, and which are expected', () => {
    expect(failure(`${line(12)}\n`)).toMatchObject({
      code: 'catalog_columns',
      message: expect.stringMatching(
        /^line 1 has 12 columns; expected 17 \(RA DEC X .* IZ_COLOR\), or the first 15$/,
      ),
      place: { file: 'field.dat', line: 1 },
    });
    expect(failure(`${line(17)}\n${line(17)}\n${line(16)}\n`)).toMatchObject({
      code: 'catalog_columns',
      message: expect.stringContaining('line 3 has 16 columns, the lines before it have 17'),
    });
    expect(failure(`${line(17)}\n${line(15)}\n`)).toMatchObject({
      code: 'catalog_columns',
      place: { line: 2 },
    });
    expect(failure(`${line(17)}\n\n${line(17)}\n`)).toMatchObject({
      code: 'catalog_columns',
      place: { line: 2 },
    });
  });

  it.each(['abc', '0x10', '1.5.2', '1e', 'Infinity', '1e999', 'é'])('names what is no number: %s', (word) => {
    expect(failure(`${line(17)}\n1 ${line(16, word)}\n`)).toMatchObject({
      code: 'catalog_values',
      message: expect.stringMatching(/^line 2, column 2 holds ".*", expected a number$/),
      place: { file: 'field.dat', line: 2, column: 2 },
    });
  });

  it('says what to do about a header', () => {
    expect(failure(`${catalogColumns.join(' ')}\n${line(17)}\n`)).toMatchObject({
      code: 'catalog_values',
      hint: 'take the header out: these catalogues have none, and no comments',
    });
    expect(failure(line(17).replaceAll(' ', ','))).toMatchObject({ hint: 'part the numbers by spaces' });
  });

  it('is one of zeros, as a crash can leave them', () => {
    expect(failure('\0'.repeat(100))).toMatchObject({ code: 'catalog_values' });
  });

  it('takes no memory for lines that hold nothing', () => {
    // As a table they would take half a gigabyte.
    expect(failure(`${'\n'.repeat(4 * 2 ** 20)}1`)).toMatchObject({ code: 'catalog_columns' });
  });
});
