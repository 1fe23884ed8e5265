import { describe, expect, it } from 'vitest';
import {
  isDue,
  type LearningRateRule,
  learningRateAt,
  stepsOf,
  visitOrder,
} from '../../../src/operators/support/train/schedule.js';

const constant: LearningRateRule = {
  kind: 'constant',
  rate: 0.1,
  warmupSteps: 0,
  final: 0,
  milestones: [],
  gamma: 0.1,
};
const ratesOf = (rule: LearningRateRule, steps: number, epochOf = (_step: number) => 0) =>
  Array.from({ length: steps }, (_, step) => learningRateAt(rule, { step, epoch: epochOf(step), steps }));

describe('the learning rate', () => {
  it('rises linearly while it warms up', () => {
    expect(ratesOf({ ...constant, warmupSteps: 4 }, 6)).toEqual(
      [0.025, 0.05, 0.1 * 0.75, 0.1, 0.1, 0.1].map((r) => expect.closeTo(r, 12)),
    );
  });

  it('falls along half a cosine to its end', () => {
    const rates = ratesOf({ ...constant, kind: 'cosine', final: 0.1 }, 5);
    expect(rates).toEqual([0.1, 0.08682, 0.055, 0.02318, 0.01].map((rate) => expect.closeTo(rate, 5)));
  });

  it('falls at milestones', () => {
    const rule: LearningRateRule = { ...constant, kind: 'step', milestones: [1, 3] };
    expect(ratesOf(rule, 5, (step) => step)).toEqual(
      [0.1, 0.01, 0.01, 0.001, 0.001].map((rate) => expect.closeTo(rate, 12)),
    );
  });
});

describe('the order of visits', () => {
  const ids = Array.from({ length: 50 }, (_, i) => `w${i}`);

  it('visits every window once, in another order each epoch', () => {
    const orders = [1, 2].map((epoch) => visitOrder(ids, 7, epoch));
    for (const order of orders) expect(order.toSorted()).toEqual(ids.toSorted());
    expect(orders[0]).not.toEqual(orders[1]);
  });

  it('does not depend on the order in which windows came', () => {
    expect(visitOrder(ids.toReversed(), 7, 1)).toEqual(visitOrder(ids, 7, 1));
  });
});

it('counts the steps of epochs, each with what is left over at its end', () => {
  const sizes = { first: 10, later: 7, perStep: 4 };
  expect([0, 1, 2, 3].map((epochs) => stepsOf(sizes, epochs))).toEqual([0, 3, 5, 7]);
});

it('is due after every so many steps, not before the first', () => {
  expect([0, 1, 2, 3, 4].map((step) => isDue(2, step))).toEqual([false, false, true, false, true]);
  expect(isDue(undefined, 4)).toBe(false);
});
