import { describe, expect, it } from 'vitest';
import { decodeRows, encodeRows } from '../../../src/formats/hdf5/rows-codec.js';
import { expected, maps, range, rowsOf, votes } from './rows.js';

const plain = (bytes: Uint8Array) => {
  const { ids, values, columns } = decodeRows(bytes);
  const entries = Object.entries(columns).map(([name, column]) => [name, Array.from(column)]);
  return { ids, values: [...values], columns: Object.fromEntries(entries) };
};

describe('encodeRows and decodeRows', () => {
  it.each([
    ['no row', votes, 0],
    ['one row', votes, 1],
    ['many rows', maps, 33],
  ] as const)('give back %s', (_, layout, count) => {
    expect(plain(encodeRows(rowsOf(layout, range(0, count))))).toEqual(expected(layout, range(0, count)));
  });

  it('decode bytes that begin anywhere in their buffer', () => {
    const bytes = encodeRows(rowsOf(votes, [1, 2]));
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(plain(shifted.subarray(3))).toEqual(expected(votes, [1, 2]));
  });

  it('refuse bytes of another length', () => {
    const bytes = encodeRows(rowsOf(votes, [1, 2]));
    expect(() => decodeRows(bytes.subarray(0, -4))).toThrow(
      expect.objectContaining({ code: 'hdf5_damaged' }),
    );
  });
});
