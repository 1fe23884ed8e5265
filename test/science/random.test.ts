import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deriveSeed, Random } from '../../src/science/random.js';

const stream = (name: string) => new Random(deriveSeed('test', name));

/** Mean and variance of `count` numbers. */
function moments(count: number, next: () => number): { mean: number; variance: number } {
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < count; i++) {
    const value = next();
    sum += value;
    squares += value * value;
  }
  const mean = sum / count;
  return { mean, variance: squares / count - mean * mean };
}

/** Chi-squared per degree of freedom of counts against what is expected of them. */
function reducedChi2(observed: readonly number[], expected: readonly number[]): number {
  const sum = observed.reduce((total, count, i) => {
    const mean = expected[i] as number;
    return total + (count - mean) ** 2 / mean;
  }, 0);
  return sum / (observed.length - 1);
}

describe('seeds', () => {
  it('are the same for ever', () => {
    expect(deriveSeed()).toBe('e3b0c44298fc1c149afbf4c8996fb924');
    expect(deriveSeed('a', 'bc')).toBe('5310a58788781ab25d5ad7c3f8503582');
    expect(deriveSeed(0, 'galsim_des_000', 'é'.repeat(200))).toBe('c62a2fba025af45420c23495b1079ad8');
  });

  it('differ when the parts are divided otherwise', () => {
    expect(deriveSeed('ab', 'c')).not.toBe(deriveSeed('a', 'bc'));
    expect(deriveSeed('1:a')).not.toBe(deriveSeed('a'));
  });

  it('of a stream are 32 hexadecimal digits', () => {
    for (const seed of ['', 'x'.repeat(32), '0'.repeat(32), deriveSeed('a').toUpperCase()]) {
      expect(() => new Random(seed)).toThrow('expected 32 hexadecimal digits');
    }
  });
});

describe('random numbers', () => {
  it('are those of the published generator', () => {
    const random = new Random('00000001000000020000000300000004');
    const numbers = Array.from({ length: 6 }, () => random.uint32());
    expect(numbers).toEqual([11520, 0, 5927040, 70819200, 2031721883, 1637235492]);
  });

  it('of two streams have nothing to do with each other', () => {
    const a = stream('left');
    const b = stream('right');
    let product = 0;
    for (let i = 0; i < 1e5; i++) product += a.normal() * b.normal();
    expect(Math.abs(product / 1e5)).toBeLessThan(4 / Math.sqrt(1e5));
  });

  it('fill [0, 1) evenly', () => {
    const random = stream('uniform');
    const counts = new Array<number>(100).fill(0);
    for (let i = 0; i < 1e6; i++) {
      const bin = Math.floor(random.uniform() * 100);
      counts[bin] = (counts[bin] as number) + 1;
    }
    // 99 degrees of freedom: sigma 0.14.
    expect(Math.abs(reducedChi2(counts, new Array(100).fill(1e4)) - 1)).toBeLessThan(0.5);
  });

  it('are integers without a preference', () => {
    const random = stream('integer');
    const third = 3 * 2 ** 30;
    const { mean } = moments(2e5, () => random.integer(third));
    // Taking the remainder alone would give 0.4167 of the range.
    expect(mean / third).toBeCloseTo(0.5, 2);
    expect(random.integer(1)).toBe(0);
    expect(() => random.choose([])).toThrow('nothing to choose');
  });

  it('choose every element', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (elements) => {
        expect(elements).toContain(stream('choose').choose(elements));
      }),
    );
  });

  it('happen with the probability they are given', () => {
    const random = stream('chance');
    const { mean } = moments(1e5, () => Number(random.chance(0.03)));
    expect(Math.abs(mean - 0.03)).toBeLessThan(4 * Math.sqrt((0.03 * 0.97) / 1e5));
    expect(random.chance(0)).toBe(false);
    expect(random.chance(1)).toBe(true);
  });

  it('follow the normal distribution, tail and all', () => {
    const random = stream('normal');
    const count = 2e6;
    // Probabilities between these numbers of sigmas.
    const limits = [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.442619855899, 4];
    const beyond = [1, 0.6170750775, 0.3173105079, 0.1336144025, 0.0455002639, 0.0124193307];
    beyond.push(0.0026997961, 0.0005761, 0.0000633425);
    const counts = new Array<number>(limits.length).fill(0);
    const { mean, variance } = moments(count, () => {
      const x = random.normal();
      const bin = limits.findLastIndex((limit) => Math.abs(x) >= limit);
      counts[bin] = (counts[bin] as number) + 1;
      return x;
    });
    expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(count));
    expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / count));
    const expected = beyond.map((probability, i) => count * (probability - (beyond[i + 1] ?? 0)));
    expect(reducedChi2(counts, expected)).toBeLessThan(2.5);
  });

  it.each([0.3, 1, 1 / 0.6, 40])('follow a gamma distribution of shape %f', (shape) => {
    const random = stream(`gamma ${shape}`);
    const count = 4e5;
    const { mean, variance } = moments(count, () => random.gamma(shape));
    expect(Math.abs(mean - shape)).toBeLessThan(4 * Math.sqrt(shape / count));
    const kurtosis = 3 + 6 / shape;
    expect(Math.abs(variance / shape - 1)).toBeLessThan(4 * Math.sqrt((kurtosis - 1) / count));
  });

  it.each([0, 0.4, 9.9, 10.1, 35, 439, 67_000])('follow a Poisson distribution of mean %f', (mean) => {
    const random = stream(`poisson ${mean}`);
    const count = 2e5;
    const found = moments(count, () => random.poisson(mean));
    expect(Math.abs(found.mean - mean)).toBeLessThanOrEqual(4 * Math.sqrt(mean / count));
    expect(Math.abs(found.variance - mean)).toBeLessThanOrEqual(
      4 * mean * Math.sqrt((2 + 1 / (mean + 1)) / count) + 0.01,
    );
  });

  it('count a Poisson distribution as its formula says', () => {
    const random = stream('poisson counts');
    const mean = 12;
    const counts = new Array<number>(27).fill(0);
    for (let i = 0; i < 1e6; i++) {
      const bin = Math.min(26, random.poisson(mean));
      counts[bin] = (counts[bin] as number) + 1;
    }
    let term = Math.exp(-mean);
    const expected = counts.map((_, k) => {
      const probability = term;
      term *= mean / (k + 1);
      return 1e6 * probability;
    });
    expected[26] = 1e6 - expected.slice(0, 26).reduce((a, b) => a + b);
    expect(Math.abs(reducedChi2(counts, expected) - 1)).toBeLessThan(1);
  });

  it('say what they cannot do', () => {
    const random = stream('refuse');
    expect(() => random.poisson(-1)).toThrow('0 to 2^31');
    expect(() => random.poisson(Number.NaN)).toThrow('0 to 2^31');
    expect(() => random.gamma(0)).toThrow('more than 0');
  });
});
