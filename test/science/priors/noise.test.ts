import { expect, it } from 'vitest';
import { addNoise, magnitudeError, noiseDefaults } from '../../../src/science/priors/noise.js';
import { emptyPopulation } from '../../../src/science/priors/population.js';
import { stream } from './fields.js';
import { mean, spread } from './statistics.js';

it('magnitudes have an error of a tenth at the depth of ten sigmas, and a floor when bright', () => {
  expect(magnitudeError(23.5, 23.5, 0.01)).toBeCloseTo(0.109, 3);
  expect(magnitudeError(15, 23.5, 0.01)).toBeCloseTo(0.01, 4);
  expect(magnitudeError(26, 23.5, 0.01)).toBeCloseTo(1.086, 2);
});

it('magnitudes are scattered by their error, band by band', () => {
  const population = emptyPopulation(40_000);
  for (const values of Object.values(population.magnitudes)) values.fill(23);
  addNoise({ ...noiseDefaults, enabled: true }, population, stream('noise'));
  for (const [band, depth] of [
    ['g', 24.5],
    ['r', 24.3],
    ['i', 23.5],
    ['z', 22.9],
  ] as const) {
    const sigma = magnitudeError(23, depth, 0.01);
    expect(Math.abs(mean(population.magnitudes[band]) - 23)).toBeLessThan((4 * sigma) / 200);
    expect(Math.abs(spread(population.magnitudes[band]) / sigma - 1)).toBeLessThan(0.02);
  }
});

it('magnitudes are left as they are unless noise is asked for', () => {
  const population = emptyPopulation(10);
  addNoise(noiseDefaults, population, stream('noise'));
  expect(new Set(population.magnitudes.g)).toEqual(new Set([0]));
});
