import { describe, expect, it } from 'vitest';
import { draw } from '../../src/science/distribution.js';
import { deriveSeed, Random } from '../../src/science/random.js';

const stream = (name: string) => new Random(deriveSeed('test', name));

describe('a distribution', () => {
  it('of one number takes nothing from the stream', () => {
    const random = stream('fixed');
    expect(draw(0.9, random)).toBe(0.9);
    expect(random.uint32()).toBe(stream('fixed').uint32());
  });

  it('of a range stays within it', () => {
    const random = stream('uniform');
    const values = Array.from({ length: 1e5 }, () => draw({ uniform: [0.5, 1] }, random));
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0.5);
    expect(Math.max(...values)).toBeLessThan(1);
    expect(values.reduce((a, b) => a + b) / 1e5).toBeCloseTo(0.75, 2);
  });

  it('of mean and sigma has them', () => {
    const random = stream('normal');
    const values = Array.from({ length: 1e5 }, () => draw({ normal: [3, 0.2] }, random));
    const mean = values.reduce((a, b) => a + b) / 1e5;
    expect(mean).toBeCloseTo(3, 2);
    expect(Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 1e5)).toBeCloseTo(0.2, 2);
  });

  it('of bins fills each by its probability, evenly inside', () => {
    const random = stream('bins');
    const histogram = { bins: [0, 1, 3, 4, 5], probabilities: [2, 5, 0, 3] };
    const values = Array.from({ length: 1e5 }, () => draw(histogram, random));
    const part = (low: number, high: number) => values.filter((x) => x >= low && x < high).length / 1e5;
    expect(part(0, 1)).toBeCloseTo(0.2, 2);
    expect(part(1, 2)).toBeCloseTo(0.25, 2);
    expect(part(2, 3)).toBeCloseTo(0.25, 2);
    expect(part(3, 4)).toBe(0);
    expect(part(4, 5)).toBeCloseTo(0.3, 2);
  });

  it('of bins that do not fit says so', () => {
    const random = stream('bad');
    expect(() => draw({ bins: [0], probabilities: [1] }, random)).toThrow('one edge more');
    expect(() => draw({ bins: [0, 1], probabilities: [0] }, random)).toThrow('not all 0');
  });
});
