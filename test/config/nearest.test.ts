import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { didYouMean, editDistance, nearest } from '../../src/config/nearest.js';

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['size', 'size', 0],
    ['sise', 'size', 1],
    ['szie', 'size', 1],
    ['siz', 'size', 1],
    ['sizes', 'size', 1],
    ['kitten', 'sitting', 3],
    ['ca', 'abc', 3],
    ['', 'abc', 3],
  ])('of %j and %j is %i', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
  });

  it('is symmetric, zero only for equals, and never above the longer length', () => {
    const word = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b);
        expect(distance).toBe(editDistance(b, a));
        expect(distance === 0).toBe(a === b);
        expect(distance).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});

describe('nearest', () => {
  it('finds a slip of the hand and nothing further away', () => {
    expect(nearest('sise', ['step', 'size', 'edge'])).toBe('size');
    expect(nearest('Size', ['size'])).toBe('size');
    expect(nearest('max_maskd', ['max_masked', 'max_items'])).toBe('max_masked');
    expect(nearest('colour', ['size', 'edge'])).toBeUndefined();
    expect(nearest('q', ['g', 'r'])).toBeUndefined();
    expect(nearest('x'.repeat(1e6), ['x'])).toBeUndefined();
  });
});

describe('didYouMean', () => {
  it('names what there is when nothing is near, and keeps long lists short', () => {
    expect(didYouMean('sise', ['size'])).toBe('did you mean "size"?');
    expect(didYouMean('colour', ['size', 'edge'])).toBe('known: size, edge');
    expect(didYouMean('colour', [])).toBeUndefined();
    const many = Array.from({ length: 20 }, (_, i) => `k${i}`);
    expect(didYouMean('colour', many)).toBe(`known: ${many.slice(0, 12).join(', ')}, …`);
  });
});
