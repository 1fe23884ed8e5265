import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBytes, parseBytes, parseDuration } from '../../src/config/units.js';

describe('parseBytes', () => {
  it.each([
    ['0B', 0],
    ['17 B', 17],
    ['1kB', 1000],
    ['256MiB', 268_435_456],
    ['1.5 GiB', 1_610_612_736],
    ['2GB', 2e9],
    ['1TiB', 2 ** 40],
  ])('reads %s', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  it.each(['', '5', '4G', '-1MiB', '1e3MiB', 'MiB', '1..2MiB', '1 MiB free'])('refuses %j', (text) => {
    expect(parseBytes(text)).toBeUndefined();
  });
});

describe('parseDuration', () => {
  it.each([
    ['0', 0],
    ['500ms', 500],
    ['2s', 2000],
    ['1.5 h', 5_400_000],
    ['1h30m', 5_400_000],
    ['2min', 120_000],
    ['1d 1s', 86_401_000],
  ])('reads %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', '2', '-2s', '2 seconds', 's', '1h 30'])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

describe('formatBytes', () => {
  it('picks the unit that keeps the number readable', () => {
    expect([0, 17, 1536, 3 * 2 ** 30, 2 ** 50].map(formatBytes)).toEqual([
      '0 B',
      '17 B',
      '1.5 KiB',
      '3 GiB',
      '1024 TiB',
    ]);
  });

  it('is read back within its own rounding', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 45 }), (bytes) => {
        const back = parseBytes(formatBytes(bytes)) ?? Number.NaN;
        expect(Math.abs(back - bytes)).toBeLessThanOrEqual(0.051 * bytes);
      }),
    );
  });
});
