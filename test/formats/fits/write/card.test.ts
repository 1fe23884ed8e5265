import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../../../src/formats/errors.js';
import { parseCards } from '../../../../src/formats/fits/header.js';
import {
  CardList,
  type CardValue,
  cardLines,
  formatReal,
  real,
} from '../../../../src/formats/fits/write/card.js';

const read = (keyword: string, value: CardValue, comment?: string) => {
  const lines = cardLines(keyword, value, comment);
  for (const line of lines) expect(line).toMatch(/^[ -~]{80}$/);
  return parseCards(lines);
};
const text = fc.string({ unit: fc.constantFrom("'", '&', '/', ' ', 'a', 'Z', '0'), maxLength: 260 });

describe('a header card', () => {
  it('gives back any string but its trailing blanks, however long', () => {
    fc.assert(
      fc.property(text, fc.string({ unit: 'grapheme-ascii', maxLength: 90 }), (value, comment) => {
        const cards = read('OBJECT', value, comment);
        expect(cards).toHaveLength(1);
        expect(cards[0]?.value).toBe(value.trimEnd());
      }),
      { numRuns: 500 },
    );
  });

  it('gives back any number to the last bit', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(read('X', value)[0]?.value).toBe(value);
        expect(read('CRVAL1', value)[0]?.value).toBe(value);
        expect(read('X', real(value), 'comment')[0]?.value).toBe(value);
        expect(formatReal(value)).toMatch(/^-?\d+\.\d+(?:E-?\d+)?$/);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['SIMPLE', true, 'SIMPLE  =                    T'],
    ['NAXIS', 2, 'NAXIS   =                    2'],
    ['BIG', 2n ** 62n, 'BIG     =  4611686018427387904'],
    ['EQUINOX', 2000, 'EQUINOX =               2000.0'],
    ['CD1_1', -7.305555555555556e-5, 'CD1_1   = -0.00007305555555555556'],
    ['GAIN', real(3), 'GAIN    =                  3.0'],
    ['TINY', 5e-324, 'TINY    =             5.0E-324'],
    ['NOTHING', undefined, 'NOTHING ='],
    ['EXTNAME', 'SCI', "EXTNAME = 'SCI     '"],
    ['OBSERVER', "O'Hara", "OBSERVER= 'O''Hara '"],
    ['EMPTY', '', "EMPTY   = '        '"],
  ] as const)('writes %s = %s in fixed form', (keyword, value, expected) => {
    expect(cardLines(keyword, value)).toEqual([expected.padEnd(80)]);
  });

  it('cuts a comment between words and leaves it out where there is no room', () => {
    const comment = 'right ascension of the reference point in degrees of the tile';
    expect(cardLines('CRVAL1', 1.5, comment)[0]).toBe(
      'CRVAL1  =                  1.5 / right ascension of the reference point in'.padEnd(80),
    );
    expect(cardLines('OBJECT', 'x'.repeat(66), comment)[0]).toBe(`OBJECT  = '${'x'.repeat(66)}'`.padEnd(80));
  });

  it('writes accents and signs of comments in ASCII', () => {
    expect(cardLines('FLUX', 1, 'Galère, 5 µJy/px², ☃')[0]).toContain('/ Galere, 5 uJy/px2, ?');
  });

  it('spreads a long HISTORY over cards without losing a word', () => {
    const words = Array.from({ length: 60 }, (_, i) => `word${i}`).join(' ');
    const cards = read('HISTORY', words);
    expect(cards.length).toBeGreaterThan(4);
    expect(cards.map(({ value }) => value).join(' ')).toBe(words);
    expect(read('COMMENT', 'x'.repeat(100)).map(({ value }) => String(value).length)).toEqual([72, 28]);
  });

  it.each([
    ['lower', 1, 'a keyword of 1 to 8'],
    ['TOOLONGKEY', 1, 'a keyword of 1 to 8'],
    ['A B', 1, 'a keyword of 1 to 8'],
    ['END', 1, 'a keyword of 1 to 8'],
    ['CONTINUE', 'x', 'a keyword of 1 to 8'],
    ['OBJECT', 'Galère', 'holds ASCII text'],
    ['OBJECT', 'two\nlines', 'holds ASCII text'],
    ['X', Number.NaN, 'X is NaN, a header holds finite numbers'],
    ['X', real(Number.POSITIVE_INFINITY), 'finite numbers'],
  ] as const)('refuses %s = %s', (keyword, value, message) => {
    expect(() => cardLines(keyword, value)).toThrow(FormatError);
    expect(() => cardLines(keyword, value)).toThrow(message);
  });
});

describe('a header', () => {
  it('is whole blocks with END at the end', () => {
    const sizes = [0, 35, 36, 71].map((count) => {
      const list = new CardList();
      for (let i = 0; i < count; i++) list.add(`K${i}`, i);
      const bytes = list.toBytes();
      expect(bytes.toString('latin1', 80 * count, 80 * count + 8)).toBe('END     ');
      return bytes.length;
    });
    expect(sizes).toEqual([2880, 2880, 5760, 5760]);
  });

  it('refuses a keyword that stands there already, but for comments', () => {
    const list = new CardList().add('OBJECT', 'a').add('HISTORY', 'x').add('HISTORY', 'x').add('', 'x');
    expect(() => list.add('OBJECT', 'b')).toThrow('OBJECT stands twice');
  });

  it.each(['BITPIX', 'NAXIS2', 'BZERO', 'TFORM12', 'ZIMAGE', 'ZSCALE', 'CHECKSUM', 'DATASUM'])(
    'refuses %s from outside: it follows from the data',
    (keyword) => {
      expect(() => new CardList().addAll([[keyword, 1]])).toThrow("is the writer's");
    },
  );
});
