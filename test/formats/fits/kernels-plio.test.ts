import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../../src/formats/errors.js';
import { plioOrMask, plioToInt } from '../../../src/formats/fits/plio.js';
import { decodePlio } from './kernels-reference.js';

const toBytes = (words: readonly number[]) =>
  Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
const withHeader = (words: readonly number[]) => {
  const length = 7 + words.length;
  return [0, 7, 0x10000 - 100, length % 2 ** 15, length >> 15, 0, 0, ...words];
};
const wordOf = fc.tuple(fc.nat(7), fc.oneof(fc.nat(20), fc.nat(4095))).map(([op, data]) => op * 4096 + data);
const listOf = fc.oneof(
  fc.array(wordOf, { maxLength: 40 }).map(withHeader),
  fc.array(wordOf, { maxLength: 40 }).map((words) => [0, 0, 3 + words.length, ...words]), // the old header
  fc.array(fc.nat(65535), { minLength: 5, maxLength: 40 }),
);

describe('PLIO', () => {
  it('makes of any list of words what the reference makes of it, and touches nothing outside', () => {
    fc.assert(
      fc.property(listOf, fc.integer({ min: 1, max: 1500 }), (words, count) => {
        const bytes = Uint8Array.from([9, ...toBytes(words), 9]);
        const pixels = new Int32Array(count + 2).fill(-1);
        const mask = new Uint8Array(count + 2).fill(1);
        const expected = decodePlio(words, count);
        const decode = () => {
          plioToInt(bytes, 1, bytes.length - 2, count, pixels, 1);
          plioOrMask(bytes, 1, bytes.length - 2, count, mask, 1, 4);
        };
        if (expected === undefined || words.length < 4) expect(decode).toThrow(FormatError);
        else {
          decode();
          expect(pixels.slice(1, -1)).toEqual(expected);
          expect(mask.slice(1, -1)).toEqual(Uint8Array.from(expected, (value) => (value === 0 ? 1 : 5)));
        }
        expect([pixels[0], pixels[count + 1], mask[0], mask[count + 1]]).toEqual([-1, -1, 1, 1]);
      }),
      { numRuns: 300 },
    );
  });

  it('leaves 0 what the list does not reach', () => {
    const pixels = new Int32Array(6).fill(-1);
    const bytes = toBytes(withHeader([0x1003, 0x0002, 0x4002, 0x5002])); // value 2 * 4096 + 3; two of it; 0 and one more
    plioToInt(bytes, 0, bytes.length, 6, pixels, 0);
    expect([...pixels]).toEqual([8195, 8195, 0, 8195, 0, 0]);
  });

  it('says how many words a shortened list lacks', () => {
    const bytes = toBytes(withHeader([0x4002, 0x4002]));
    const decode = (length: number) => plioToInt(bytes, 0, length, 4, new Int32Array(4), 0);
    expect(() => decode(16)).toThrow('the PLIO list says 9 words and has 8');
    expect(() => decode(4)).toThrow('begins with at least 4 words');
  });
});
