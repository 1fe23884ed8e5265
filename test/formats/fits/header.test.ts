import { describe, expect, it } from 'vitest';
import { Header, parseCards } from '../../../src/formats/fits/header.js';
import { fixtureJson, fixturePath, withFits } from './fixtures.js';

interface EdgeCases {
  readonly file: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly COMMENT: readonly string[];
  readonly HISTORY: readonly string[];
}

const header = (...lines: string[]) => new Header(parseCards(lines), { file: 'made.fits', hdu: 0 });

describe('a header', () => {
  const edges = fixtureJson<EdgeCases>('expected/edge_cases.json');

  it('gives every kind of value its type', () => {
    withFits(fixturePath(edges.file), (fits) => {
      const found = fits.hdus[0]?.header;
      for (const [keyword, expected] of Object.entries(edges.values)) {
        const value = found?.get(keyword);
        expect([keyword, typeof value === 'bigint' ? String(value) : (value ?? null)]).toEqual([
          keyword,
          expected,
        ]);
      }
      expect(found?.texts('COMMENT')).toEqual(edges.COMMENT);
      expect(found?.texts('HISTORY')).toEqual(edges.HISTORY);
      expect(found?.texts('')).toEqual(['blank keyword card']);
    });
  });

  it('tells a keyword without value from one that is absent, and keeps comments', () => {
    withFits(fixturePath(edges.file), (fits) => {
      const found = fits.hdus[0]?.header;
      expect([found?.has('UNDEF'), found?.get('UNDEF')]).toEqual([true, undefined]);
      expect([found?.has('NOWHERE'), found?.get('NOWHERE')]).toEqual([false, undefined]);
      expect(found?.comment('SLASH')).toBe('a string with a slash');
      expect(found?.comment('LONG')).toBe('comment at the end');
    });
  });

  it('keeps what follows no rule as text, and says so when a number was needed', () => {
    const odd = header('FOO     = N/A', 'NAXIS   = two', 'NAXIS1  = 1.5');
    expect(odd.get('FOO')).toBe('N');
    expect(() => odd.axes('NAXIS')).toThrow('NAXIS is "two", expected an integer');
    expect(() => odd.integer('NAXIS1')).toThrow('NAXIS1 is "1.5", expected an integer');
    expect(() => odd.integer('NAXIS2')).toThrow(
      expect.objectContaining({ code: 'fits_header', place: { file: 'made.fits', hdu: 0 } }),
    );
  });

  it('leaves an ampersand alone when nothing continues it', () => {
    expect(header("A       = 'one &'", "B       = 'two'").get('A')).toBe('one &');
  });
});
