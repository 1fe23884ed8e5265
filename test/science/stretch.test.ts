import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  grey,
  luptonRgb,
  mapColours,
  percentile,
  sampleOf,
  skyOf,
  viridis,
  zscale,
} from '../../src/science/stretch.js';

interface Golden {
  readonly bands: readonly (number | null)[][];
  readonly lupton: readonly {
    readonly minimum: [number, number, number];
    readonly stretch: number;
    readonly q: number;
    readonly rgb: readonly number[];
  }[];
  readonly zscale: readonly { readonly values: (number | null)[]; readonly limits: [number, number] }[];
  readonly percentiles: readonly [number, number][];
}

const golden = JSON.parse(
  readFileSync(new URL('../fixtures/pictures/stretch.json', import.meta.url), 'utf8'),
) as Golden;
const numbers = (values: readonly (number | null)[]) => values.map((value) => value ?? Number.NaN);
const [red, green, blue] = golden.bands.map(numbers) as [number[], number[], number[]];

describe('luptonRgb', () => {
  it.each(golden.lupton)('agrees with astropy: minimum $minimum, stretch $stretch, Q $q', (of) => {
    const rgb = luptonRgb([red, green, blue], of);
    const differences = of.rgb.map((level, i) => Math.abs(level - (rgb[i] as number)));
    expect(rgb).toHaveLength(of.rgb.length);
    expect(Math.max(...of.rgb)).toBeGreaterThan(200);
    expect(Math.max(...differences)).toBeLessThanOrEqual(1);
  });

  it('gives pixels that are not a number in any one band no colour', () => {
    const rgb = luptonRgb(
      [
        [Number.NaN, 10],
        [10, 10],
        [10, 10],
      ],
      { minimum: [0, 0, 0], stretch: 5, q: 8 },
    );
    expect([...rgb.subarray(0, 3)]).toEqual([0, 0, 0]);
    expect(rgb[3]).toBeGreaterThan(0);
  });
});

describe('zscale', () => {
  it.each(golden.zscale.map((of) => ({ ...of, count: of.values.length })))(
    'finds the limits of astropy for $count values',
    ({ values, limits }) => {
      const [low, high] = zscale(numbers(values));
      expect(Math.abs(low - limits[0])).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(limits[0])));
      expect(Math.abs(high - limits[1])).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(limits[1])));
    },
  );

  it('has limits for an image without a single number', () => {
    expect(zscale([Number.NaN, Number.NaN])).toEqual([0, 1]);
  });
});

describe('percentile', () => {
  it.each(golden.percentiles)('%d is that of numpy', (percent, value) => {
    expect(percentile(blue, percent)).toBeCloseTo(value, 9);
  });

  it('of nothing is not a number', () => {
    expect(percentile([], 50)).toBeNaN();
  });
});

it('takes samples evenly and leaves out what is not finite', () => {
  expect([...sampleOf([Number.NaN, 0, 1, 2, Number.POSITIVE_INFINITY, 3, 4, 5], 3)]).toEqual([0, 2, 4]);
});

it('finds sky and noise beneath a few bright sources', () => {
  const values = Float64Array.from({ length: 1001 }, (_, i) => (i % 50 === 0 ? 1e5 : 10 + ((i % 3) - 1)));
  expect(skyOf(values)).toEqual({ level: 10, noise: 1.4826 });
});

describe('colour maps', () => {
  it('begin and end where viridis and grey do', () => {
    expect(viridis(0)).toEqual([0x44, 0x01, 0x54]);
    expect(viridis(1)).toEqual([0xfd, 0xe7, 0x25]);
    expect(grey(0.5)).toEqual([128, 128, 128]);
  });

  it('grow lighter from end to end', () => {
    const lightness = Array.from({ length: 100 }, (_, i) => {
      const [r, g, b] = viridis(i / 99);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    });
    expect(lightness.every((value, i) => i === 0 || value > (lightness[i - 1] as number))).toBe(true);
  });

  it('hold values beyond the limits at the ends, and show what is missing', () => {
    const rgb = mapColours([-5, 0, 10, 99, Number.NaN], [0, 10], grey, [1, 2, 3]);
    expect([...rgb]).toEqual([0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 1, 2, 3]);
  });
});
