import { describe, expect, it } from 'vitest';
import { noiseMaker } from '../../../src/operators/support/render/task.js';
import { type BandNoise, noiseSeed, sigmaOfDepth } from '../../../src/science/render/noise.js';
import { isSame } from './fixtures.js';

const side = 1001;
const maker = noiseMaker();

function noise(own: BandNoise, parts: readonly number[] = [side]): Float32Array {
  const image = new Float32Array(side * side);
  let y0 = 0;
  for (const rows of parts) {
    maker.fill(own, side, y0, y0 + rows, image.subarray(y0 * side, (y0 + rows) * side));
    y0 += rows;
  }
  return image;
}

const moment = (image: Float32Array, power: number, shift = 0): number => {
  let sum = 0;
  for (let i = shift; i < image.length; i++)
    sum += shift === 0 ? (image[i] as number) ** power : (image[i] as number) * (image[i - shift] as number);
  return sum / (image.length - shift);
};

describe('noise', () => {
  const sigma = 0.06;
  const seed = noiseSeed('0123', 'r');
  const image = noise({ sigma, seed });
  const n = image.length;

  it('has the variance asked for, no mean, and the tails of a normal distribution', () => {
    expect(Math.abs(moment(image, 1) / sigma)).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(moment(image, 2) / sigma ** 2 - 1)).toBeLessThan(3 * Math.sqrt(2 / n));
    expect(Math.abs(moment(image, 3) / sigma ** 3)).toBeLessThan(4 * Math.sqrt(6 / n));
    expect(Math.abs(moment(image, 4) / sigma ** 4 - 3)).toBeLessThan(4 * Math.sqrt(24 / n));
    const beyond = (limit: number) => image.filter((value) => Math.abs(value) > limit * sigma).length;
    // 0.0455, 0.0027 and 6.33e-5 of all.
    for (const [limit, part] of [
      [2, 0.0455003],
      [3, 0.0026998],
      [4, 6.3342e-5],
    ] as const)
      expect(Math.abs(beyond(limit) - part * n), `${limit} sigma`).toBeLessThan(4 * Math.sqrt(part * n));
    expect(image.every((value) => Math.abs(value) < 6.8 * sigma)).toBe(true);
  });

  it('is not correlated from pixel to pixel, row to row, or within the eight that are made together', () => {
    for (const shift of [1, 2, 3, 4, 5, 8, side, side + 1])
      expect(Math.abs(moment(image, 2, shift) / sigma ** 2), `shift ${shift}`).toBeLessThan(4 / Math.sqrt(n));
  });

  it('is the same drawn in any parts', () => {
    expect(isSame([noise({ sigma, seed }, [1, 500, 333, 167])], [image])).toBe(true);
  });

  it('differs, and is not correlated, from band to band and from field to field', () => {
    for (const other of [noiseSeed('0123', 'g'), noiseSeed('0124', 'r')]) {
      const second = noise({ sigma, seed: other });
      let product = 0;
      for (let i = 0; i < n; i++) product += (image[i] as number) * (second[i] as number);
      expect(Math.abs(product / n / sigma ** 2)).toBeLessThan(4 / Math.sqrt(n));
    }
  });

  it('scales with sigma', () => {
    const doubled = noise({ sigma: 2 * sigma, seed });
    expect(doubled.every((value, i) => Math.abs(value - 2 * (image[i] as number)) < 1e-6)).toBe(true);
    expect(noise({ sigma: 0, seed }).every((value) => value === 0)).toBe(true);
  });

  it('of a depth is a tenth of its flux over the pixels of the aperture', () => {
    // 10^(0.4 · 6.2) = 301.995; 43.18 pixels of 0.263″ in the aperture of 1.95″.
    expect(sigmaOfDepth(23.8)).toBeCloseTo(30.1995 / Math.sqrt(43.1764), 3);
  });
});
