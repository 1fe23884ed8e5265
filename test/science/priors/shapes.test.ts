import { expect, it } from 'vitest';
import { drawShapes, shapeDefaults } from '../../../src/science/priors/shapes.js';
import { stream } from './fields.js';
import { least, mean, median, most, part } from './statistics.js';

const count = 400_000;
const [g1, g2] = [new Float64Array(count), new Float64Array(count)];
drawShapes(shapeDefaults, stream('shapes'), g1, g2);
const sizes = Array.from(g1, (value, i) => Math.hypot(value, g2[i] as number));

it('shapes have the tails of BLISS', () => {
  expect(part(sizes, (g) => g > 0.5)).toBeCloseTo(0.04, 2);
  expect(Math.abs(part(sizes, (g) => g > 0.9) - 0.0014)).toBeLessThan(4 * Math.sqrt(0.0014 / count));
  expect(most(sizes)).toBeLessThan(1);
});

it('shapes are never too thin to be drawn', () => {
  const prior = { ...shapeDefaults, thinnest: 0.3 };
  const [thin1, thin2] = [new Float64Array(20_000), new Float64Array(20_000)];
  drawShapes(prior, stream('thin'), thin1, thin2);
  const lengths = Array.from(thin1, (value, i) => Math.hypot(value, thin2[i] as number));
  expect(most(lengths)).toBeLessThan(0.3);
  expect(most(lengths)).toBeGreaterThan(0.29);
});

it('shapes are cut on the positive side alone', () => {
  expect(most(g1)).toBeLessThan(0.8);
  expect(most(g2)).toBeLessThan(0.8);
  expect(least(g1)).toBeLessThan(-0.9);
});

it('shapes have the median of a generalised normal distribution of their scale', () => {
  // The median of Gamma(1/0.6) is 1.3478; what is rejected moves it by less than the tolerance.
  const expected = 1.3478 ** (1 / 0.6);
  expect(Math.abs(median(g1.map(Math.abs)) / (0.035 * expected) - 1)).toBeLessThan(0.03);
  expect(Math.abs(median(g2.map(Math.abs)) / (0.032 * expected) - 1)).toBeLessThan(0.03);
  expect(Math.abs(mean(g1.map(Math.sign)))).toBeLessThan(0.01);
});

it('shapes that cannot be are refused instead of sought for ever', () => {
  const prior = { ...shapeDefaults, scale_g1: 1e9 };
  expect(() => drawShapes(prior, stream('x'), new Float64Array(1), new Float64Array(1))).toThrow(
    expect.objectContaining({
      code: 'prior_empty',
      message: expect.stringContaining('scale_g1 = 1000000000'),
    }),
  );
});
