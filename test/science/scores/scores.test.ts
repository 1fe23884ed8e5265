import { describe, expect, it } from 'vitest';
import { Bootstrap } from '../../../src/science/scores/bootstrap.js';
import { calibrationOf } from '../../../src/science/scores/calibration.js';
import { cellTable } from '../../../src/science/scores/cells.js';
import { confusionAt, membershipScores } from '../../../src/science/scores/confusion.js';
import { ScoreKeeper } from '../../../src/science/scores/keeper.js';
import { scoresOf } from '../../../src/science/scores/scores.js';
import { fieldOf, honestFields } from './cells.js';

const options = { threshold: 0.5, seed: 1, draws: 200, samples: 20 };
const noDraws = new Bootstrap(0, { draws: 0, level: 0.95, seed: 0 });

describe('scores at a threshold', () => {
  it('are those of the counts of all batches together', () => {
    const counts = confusionAt(0.5, [0.9, 0.6, 0.5, 0.2, 0.7], [1, 0, 1, 0, 1]);
    // A probability of exactly the threshold is not above it.
    expect(counts).toEqual({ tp: 2, fp: 1, fn: 1, tn: 1 });
    const { accuracy, precision, recall, f1 } = membershipScores(counts);
    expect(accuracy).toBeCloseTo(3 / 5, 5);
    expect(precision).toBeCloseTo(2 / 3, 5);
    expect(recall).toBeCloseTo(2 / 3, 5);
    expect(f1).toBeCloseTo(2 / 3, 5);
  });

  it('have 1e-6 in every denominator', () => {
    const { precision, recall, f1 } = membershipScores({ tp: 1, fp: 0, fn: 0, tn: 0 });
    expect(precision).toBeCloseTo(1 / (1 + 1e-6), 15);
    expect(f1).toBeCloseTo((2 * precision * recall) / (precision + recall + 1e-6), 15);
  });

  it('are 0 where nothing is found and nothing is there', () => {
    expect(membershipScores({ tp: 0, fp: 0, fn: 0, tn: 7 })).toMatchObject({
      precision: 0,
      recall: 0,
      f1: 0,
    });
  });
});

describe('calibration', () => {
  it('has the Brier score of scikit-learn’s example', () => {
    const cells = cellTable([fieldOf('a', [0.1, 0.9, 0.8, 0.3], [0, 1, 1, 0])]);
    expect(calibrationOf(cells, noDraws).brier.value).toBeCloseTo(0.0375, 7);
  });

  it('puts each probability into its bin, 1 into the last', () => {
    const cells = cellTable([fieldOf('a', [0, 0.05, 0.1, 0.95, 1], [0, 1, 0, 1, 1])]);
    const { reliability, calibration_error } = calibrationOf(cells, noDraws);
    expect(reliability.map((bin) => bin.cells)).toEqual([2, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
    expect(reliability[0]).toMatchObject({ from: 0, to: 0.1, observed: { value: 0.5 } });
    expect(reliability[0]?.predicted).toBeCloseTo(0.025, 7);
    expect(reliability[2]).toMatchObject({ predicted: null, observed: { value: null } });
    expect(calibration_error.value).toBeCloseTo((0.95 + 0.1 + 0.05) / 5, 6);
  });

  it('finds honest probabilities honest, and others not', () => {
    const honest = honestFields(400, 'honest');
    const proud = honest.map((field) => ({
      ...field,
      probability: field.probability.map((p) => Math.sqrt(p)),
    }));
    const { reliability, calibration_error } = scoresOf(honest, options);
    for (const { predicted, observed } of reliability) {
      expect(predicted as number).toBeGreaterThan((observed.low as number) - 0.03);
      expect(predicted as number).toBeLessThan((observed.high as number) + 0.03);
    }
    expect(calibration_error.value as number).toBeLessThan(0.02);
    expect(scoresOf(proud, options).calibration_error.value as number).toBeGreaterThan(0.1);
  });
});

describe('drawing fields again', () => {
  it('gives the interval that independent fields must have', () => {
    const parts = Array.from({ length: 400 }, (_, i) => Math.sin(12.9898 * i) ** 2);
    const mean = (times?: Uint8Array) =>
      parts.reduce((sum, part, i) => sum + part * (times?.[i] ?? 1), 0) / parts.length;
    const bootstrap = new Bootstrap(parts.length, { draws: 2000, level: 0.95, seed: 3 });
    const { m } = bootstrap.estimates({ m: mean() }, (times) => ({ m: mean(times) }));
    const variance = parts.reduce((sum, part) => sum + (part - mean()) ** 2, 0) / parts.length;
    const error = Math.sqrt(variance / parts.length);
    expect(m.value).toBe(mean());
    expect(((m.high as number) - (m.low as number)) / (2 * 1.96 * error)).toBeCloseTo(1, 1);
  });

  it('draws as many fields as there are', () => {
    const bootstrap = new Bootstrap(7, { draws: 50, level: 0.9, seed: 1 });
    const { total } = bootstrap.estimates({ total: 7 }, (times) => ({
      total: times.reduce((sum, each) => sum + each, 0),
    }));
    expect(total).toEqual({ value: 7, low: 7, high: 7 });
  });

  it('takes cells of one field together: copies of it make nothing surer', () => {
    const fields = honestFields(40, 'width');
    const width = (of: typeof fields): number => {
      const { f1 } = scoresOf(of, options).mode;
      return (f1.high as number) - (f1.low as number);
    };
    const twice = fields.flatMap((field) => [field, field]);
    expect(width(twice)).toBeCloseTo(width(fields), 5);
  });
});

describe('all scores of an encoder', () => {
  const fields = honestFields(60, 'all');

  it('do not depend on the order in which fields come', () => {
    expect(scoresOf(fields.toReversed(), options)).toEqual(scoresOf(fields, options));
  });

  it('are the same for the same seed, and have other intervals for another', () => {
    const [one, other] = [scoresOf(fields, options), scoresOf(fields, { ...options, seed: 2 })];
    expect(scoresOf(fields, options)).toEqual(one);
    expect(other.mode.f1.value).toBe(one.mode.f1.value);
    expect(other.mode.f1.low).not.toBe(one.mode.f1.low);
    expect(other.sampled?.f1.value).not.toBe(one.sampled?.f1.value);
  });

  it('lie in their intervals', () => {
    const { mode, sampled, auc, average_precision, brier } = scoresOf(fields, options);
    for (const { value, low, high } of [mode.f1, mode.recall, sampled?.f1, auc, average_precision, brier].map(
      (each) => each as { value: number; low: number; high: number },
    )) {
      expect(low).toBeLessThan(value);
      expect(high).toBeGreaterThan(value);
    }
  });

  it('of drawn memberships are those that are expected of the probabilities', () => {
    const many = honestFields(500, 'drawn');
    const cells = cellTable(many);
    const sum = (of: (p: number, is: number) => number) =>
      cells.probability.reduce((total, p, i) => total + of(p, cells.truth[i] as number), 0);
    const { sampled } = scoresOf(many, options);
    expect(sampled?.precision.value).toBeCloseTo(sum((p, is) => p * is) / sum((p) => p), 2);
    expect(sampled?.recall.value).toBeCloseTo(sum((p, is) => p * is) / sum((_p, is) => is), 2);
  });

  it('can be had without intervals and without draws', () => {
    const { mode, sampled, confusion } = scoresOf(fields, { threshold: 0.5, seed: 1, draws: 0, samples: 0 });
    expect(sampled).toBeNull();
    expect(mode.f1).toEqual({ value: membershipScores(confusion).f1, low: null, high: null });
  });

  it('exist where there is not one member, as far as they can', () => {
    const { auc, mode, members, best } = scoresOf([fieldOf('a', [0.1, 0.2], [0, 0])], options);
    expect({ auc: auc.value, f1: mode.f1.value, members, best: best.f1 }).toEqual({
      auc: null,
      f1: 0,
      members: 0,
      best: 0,
    });
  });

  it('survive JSON', () => {
    const scores = scoresOf(fields, options);
    expect(JSON.parse(JSON.stringify(scores))).toEqual(scores);
  });
});

describe('a keeper of scores', () => {
  const fields = honestFields(10, 'keeper');

  it('gives what all cells at once give, though its buffers are used again', () => {
    const keeper = new ScoreKeeper();
    const [probability, truth] = [new Float32Array(20), new Uint8Array(20)];
    for (const field of fields) {
      probability.set(field.probability);
      truth.set(field.truth);
      keeper.add({ ...field, probability, truth });
    }
    expect(keeper.scores(options)).toEqual(scoresOf(fields, options));
    expect(keeper.confusion(0.5)).toEqual(scoresOf(fields, options).confusion);
    expect(keeper.cells).toBe(200);
    keeper.clear();
    expect(keeper.cells).toBe(0);
  });

  it('refuses probabilities that do not belong to the cells', () => {
    const keeper = new ScoreKeeper();
    keeper.add({ ...fieldOf('odd', [0.1, 0.2], [0, 1]), truth: Uint8Array.of(0) });
    expect(() => keeper.scores(options)).toThrow(/odd has 2 probabilities for 1 cells/);
  });
});
