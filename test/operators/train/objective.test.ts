import { describe, expect, it } from 'vitest';
import { divergence, remember } from '../../../src/operators/support/train/divergence.js';
import { type History, withStep } from '../../../src/operators/support/train/history.js';
import {
  addCells,
  lossSum,
  memberWeight,
  noCells,
  weightsOf,
} from '../../../src/operators/support/train/objective.js';

describe('weights of cells with members', () => {
  it('balance them against the others seen so far', () => {
    const counts = addCells(addCells(noCells, Uint8Array.of(0, 0, 1, 0)), Uint8Array.of(0, 0, 0, 0));
    expect(memberWeight('balanced', counts)).toBe(7);
    expect(weightsOf(Uint8Array.of(1, 0), 7)).toEqual(Float32Array.of(7, 1));
  });

  it('are 1 while there are none, and never without bound', () => {
    expect(memberWeight('balanced', { cells: 100, members: 0 })).toBe(1);
    expect(memberWeight('balanced', { cells: 1e6, members: 1 })).toBe(1000);
    expect(memberWeight(3, { cells: 1e6, members: 1 })).toBe(3);
  });
});

describe('the loss of logits', () => {
  it('is the weighted cross-entropy', () => {
    const p = 1 / (1 + Math.exp(-2));
    expect(lossSum([2, 2], Uint8Array.of(1, 0), 3)).toBeCloseTo(-3 * Math.log(p) - Math.log(1 - p), 12);
  });

  it('does not overflow', () => {
    expect(lossSum([1000, -1000], Uint8Array.of(0, 1), 1)).toBe(2000);
    expect(lossSum([1000, -1000], Uint8Array.of(1, 0), 1)).toBe(0);
  });
});

describe('divergence', () => {
  it('is a loss or a gradient that is no number', () => {
    expect(divergence([], Number.NaN, 1)).toBe('the loss is NaN');
    expect(divergence([], 1, Number.POSITIVE_INFINITY)).toBe('the norm of the gradient is Infinity');
  });

  it('is a loss a hundred times its running median', () => {
    const steady = [1, 3, 2];
    expect(divergence(steady, 199, 1)).toBeUndefined();
    expect(divergence(steady, 201, 1)).toBe(
      'the loss is 201, more than 100 times its running median of 2.00',
    );
  });

  it('is no hard batch among easy ones, and nothing in the first step', () => {
    expect(divergence([1e-6, 1e-6, 1e-6], 60, 1)).toBeUndefined();
    expect(divergence([1e-6, 1e-6, 1e-6], 80, 1)).toMatch(/100 times/);
    expect(divergence([], 1e6, 1)).toBeUndefined();
  });

  it('looks back on a bounded number of steps', () => {
    const losses = Array.from({ length: 500 }, (_, i) => i).reduce<readonly number[]>(remember, []);
    expect(losses).toHaveLength(64);
    expect(losses.at(-1)).toBe(499);
  });
});

it('keeps curves small: points become means of as many steps each, from the first step to the last', () => {
  let history: History = { steps: [], scores: [] };
  for (let step = 1; step <= 21_000; step++)
    history = withStep(history, { step, loss: step, learningRate: 1, gradientNorm: 1, samplesPerSecond: 1 });
  const { steps } = history;
  expect(steps).toHaveLength(Math.ceil(21_000 / 16));
  for (const [i, point] of steps.slice(0, -1).entries()) {
    expect(point).toMatchObject({ step: 16 * (i + 1), steps: 16, learningRate: 1 });
    expect(point.loss).toBeCloseTo(16 * i + 8.5, 6);
  }
  expect(steps.at(-1)).toMatchObject({ step: 21_000, steps: 8, loss: 20_996.5 });
});
