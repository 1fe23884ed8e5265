import { describe, expect, it } from 'vitest';
import { DensityTable } from '../../src/science/density-table.js';
import { deriveSeed, Random } from '../../src/science/random.js';
import { ksDistance } from './priors/statistics.js';

const random = () => new Random(deriveSeed('test', 'density table'));
const draws = (count: number, draw: () => number) => Array.from({ length: count }, draw);

describe('numbers of a tabulated density', () => {
  it('follow straight lines exactly', () => {
    const stream = random();
    const table = new DensityTable((x) => x, 0, 2, 5);
    const values = draws(2e4, () => table.draw(stream));
    expect(ksDistance(values, (x) => (x / 2) ** 2)).toBeLessThan(1.63 / Math.sqrt(2e4));
  });

  it('stay below a limit, with the same shape', () => {
    const stream = random();
    const table = new DensityTable((x) => Math.exp(-x), 0, 10);
    const values = draws(2e4, () => table.draw(stream, 1.5));
    expect(Math.max(...values)).toBeLessThanOrEqual(1.5);
    const cumulative = (x: number) => (1 - Math.exp(-x)) / (1 - Math.exp(-1.5));
    expect(ksDistance(values, cumulative)).toBeLessThan(1.63 / Math.sqrt(2e4));
  });

  it('never fall where there is no density', () => {
    const stream = random();
    const table = new DensityTable((x) => (x < 1 || x > 3 ? 0 : 1), 0, 4, 401);
    const values = draws(1e4, () => table.draw(stream));
    expect(Math.min(...values)).toBeGreaterThan(0.99);
    expect(Math.max(...values)).toBeLessThan(3.01);
  });

  it.each([
    ['nothing', (): number => 0, 0, 1],
    ['no number', (): number => Number.NaN, 0, 1],
    ['an empty range', (): number => 1, 1, 1],
  ] as const)('need more than %s', (_name, density, low, high) => {
    expect(() => new DensityTable(density, low, high)).toThrow('cannot be drawn from');
  });
});
