import { describe, expect, it } from 'vitest';
import { scaleOf } from '../../../src/formats/chart/scale.js';
import { wordsWidth } from '../../../src/formats/chart/svg.js';
import { fittingTicks, linearTicks, logTicks, numeral, tickSize } from '../../../src/formats/chart/ticks.js';

const words = ({ major }: ReturnType<typeof linearTicks>): readonly string[] =>
  major.map(({ words, power }) => (power === '' ? words : `${words}^${power}`));

describe('numbers', () => {
  it('have groups of digits from five on, and the sign of mathematics', () => {
    expect([numeral(6000, 0), numeral(20000, 0), numeral(-1234567.25, 2), numeral(-0.004, 2)]).toEqual([
      '6000',
      '20,000',
      '−1,234,567.25',
      '0.00',
    ]);
  });
});

describe('ticks of a linear axis', () => {
  it('are round, with the same decimals', () => {
    expect(words(linearTicks(0.33, 1, 5))).toEqual(['0.4', '0.6', '0.8', '1.0']);
    expect(words(linearTicks(-6, 6, 6))).toEqual(['−6', '−4', '−2', '0', '2', '4', '6']);
    expect(words(linearTicks(0.65, 0.7, 5))).toEqual(['0.65', '0.66', '0.67', '0.68', '0.69', '0.70']);
  });

  it('have no more digits than they need, however many there are before the point', () => {
    expect(words(linearTicks(202_403.36, 202_403.4, 4))).toEqual([
      '202,403.36',
      '202,403.37',
      '202,403.38',
      '202,403.39',
      '202,403.40',
    ]);
  });

  it('leave out a power of ten of what is very small or large', () => {
    const small = linearTicks(0, 1e-3, 5);
    expect([small.exponent, ...words(small)]).toEqual([-3, '0.0', '0.2', '0.4', '0.6', '0.8', '1.0']);
    const large = linearTicks(0, 3e7, 3);
    expect([large.exponent, ...words(large)]).toEqual([7, '0', '1', '2', '3']);
  });

  it('have round parts between them that are no ticks themselves', () => {
    expect(
      linearTicks(0, 1, 5)
        .minor.slice(0, 4)
        .map((value) => Number(value.toFixed(6))),
    ).toEqual([0.05, 0.1, 0.15, 0.25]);
    expect(linearTicks(0, 10, 2).minor).toEqual([1, 2, 3, 4, 6, 7, 8, 9]);
  });
});

describe('ticks of a logarithmic axis', () => {
  it('are powers of ten, all nine parts of which have a small one', () => {
    const ticks = logTicks(1e-6, 1e2, 8);
    expect(words(ticks)).toEqual([
      '10^−6',
      '10^−5',
      '10^−4',
      '10^−3',
      '10^−2',
      '10^−1',
      '10^0',
      '10^1',
      '10^2',
    ]);
    expect(ticks.minor.slice(0, 3)).toEqual([2e-6, 3e-6, 4e-6]);
    expect(ticks.minor).toHaveLength(64);
  });

  it('are every other power where there are many', () => {
    expect(words(logTicks(1e-12, 1e12, 5))).toEqual(['10^−10', '10^−5', '10^0', '10^5', '10^10']);
  });

  it('are two at least', () => {
    expect(words(logTicks(0.0154, 35.9, 2))).toEqual(['0.1', '1', '10']);
  });

  it('are written out where all are near 1', () => {
    expect(words(logTicks(0.02, 3, 8))).toEqual(['0.02', '0.05', '0.1', '0.2', '0.5', '1', '2']);
    expect(words(logTicks(0.5, 2000, 4))).toEqual(['1', '10', '100', '1000']);
  });

  it('are round numbers within less than a decade', () => {
    expect(words(logTicks(3, 5, 5))).toEqual(['3.0', '3.5', '4.0', '4.5', '5.0']);
  });
});

describe('words beside ticks', () => {
  it.each([
    [0, 1e6 - 1, 120],
    [0.0001, 0.0009, 90],
    [-3, 40_000, 150],
    [0.123, 0.124, 300],
  ])('do not touch from %d to %d on %d units', (low, high, length) => {
    const scale = scaleOf({ label: '', limits: [low, high] }, []);
    const { major } = fittingTicks(scale.ticks, length, scale.place, true);
    const extents = major.map(({ value, words }) => {
      const half = wordsWidth(words, tickSize) / 2;
      return [scale.place(value) * length - half, scale.place(value) * length + half] as const;
    });
    expect(extents.length).toBeGreaterThan(1);
    for (const [i, [from]] of extents.entries())
      if (i > 0) expect(from).toBeGreaterThan((extents[i - 1] as readonly [number, number])[1] + 5);
  });
});

describe('an axis', () => {
  it('has room around what is finite, and none at a limit', () => {
    const scale = scaleOf({ label: '', limits: [0, undefined] }, [
      [5, Number.NaN, 10, Number.POSITIVE_INFINITY],
    ]);
    expect([scale.low, scale.high]).toEqual([0, 10.4]);
    expect([scale.place(0), scale.place(5.2), scale.place(10.4)]).toEqual([0, 0.5, 1]);
  });

  it('has no place for what has no logarithm', () => {
    const scale = scaleOf({ label: '', scale: 'log', limits: [0.1, 1000] }, [[0, -5]]);
    expect([scale.place(0), scale.place(-1)]).toEqual([Number.NaN, Number.NaN]);
    expect(scale.place(10)).toBeCloseTo(0.5, 12);
  });

  it.each([
    ['linear', [7]],
    ['linear', [0]],
    ['linear', [-3]],
    ['log', [7]],
    ['linear', []],
    ['log', [-1]],
  ] as const)('of %s scale exists around %j', (scale, values) => {
    const { low, high, ticks, place } = scaleOf({ label: '', scale }, [values]);
    expect(high).toBeGreaterThan(low);
    expect(ticks(5).major.length).toBeGreaterThan(0);
    for (const value of values) if (scale === 'linear' || value > 0) expect(place(value)).toBeCloseTo(0.5, 9);
  });

  it('counts in whole numbers', () => {
    const ticks = scaleOf({ label: 'Step', isCount: true, limits: [0, 3.06] }, []).ticks(6);
    expect(words(ticks)).toEqual(['0', '1', '2', '3']);
    expect(ticks.minor).toEqual([]);
  });
});
