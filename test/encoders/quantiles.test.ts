import { describe, expect, it } from 'vitest';
import { QuantileFit, sampledPixels } from '../../src/encoders/quantiles.js';
import { expectClose, formula, golden } from './step/golden.js';

const levels = [0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.99999];
const batch = (update: number): Float32Array => {
  const image = formula(2 * 4 * 30 * 23, 30 + update).map((value) => value * 10 ** update);
  return sampledPixels(image, { height: 30, width: 23 });
};

describe('the fit of the normaliser', () => {
  it('is the running mean that torch gives', () => {
    const fit = new QuantileFit(levels);
    for (const update of [1, 2, 3]) {
      fit.update(batch(update));
      expect(fit.updates).toBe(update);
      expectClose(fit.quantiles, golden(`quantiles/${update}`), 2e-7);
    }
  });

  it('goes on from its state as if it had not stopped', () => {
    const whole = new QuantileFit(levels);
    for (const update of [1, 2, 3]) whole.update(batch(update));
    const first = new QuantileFit(levels);
    first.update(batch(1));
    const second = new QuantileFit(levels, JSON.parse(JSON.stringify(first.state)));
    for (const update of [2, 3]) second.update(batch(update));
    expect(second.state).toEqual(whole.state);
  });

  it('leaves the pixels it is given as they are', () => {
    const values = Float32Array.of(3, 1, 2);
    new QuantileFit(levels).update(values);
    expect([...values]).toEqual([3, 1, 2]);
  });

  it.each([
    [[], 'quantiles of no values were asked for'],
    [[1, Number.NaN, 2], 'some of the values are NaN'],
  ])('refuses %j', (values, message) => {
    expect(() => new QuantileFit(levels).update(Float32Array.from(values))).toThrow(message);
  });
});

describe('sampled pixels', () => {
  it('are every fourth of both axes of every plane', () => {
    const image = Float32Array.from({ length: 2 * 5 * 6 }, (_, i) => i);
    expect([...sampledPixels(image, { height: 5, width: 6 })]).toEqual([0, 4, 24, 28, 30, 34, 54, 58]);
  });
});
