import { describe, expect, it } from 'vitest';
import { cellTable, type FieldCells } from '../../../src/science/scores/cells.js';
import { membershipScores } from '../../../src/science/scores/confusion.js';
import { bestThreshold, curveOf, rank, rankScores } from '../../../src/science/scores/ranking.js';
import { fieldOf, honestFields } from './cells.js';

const ranked = (fields: readonly FieldCells[]) => rank(cellTable(fields));

interface Cell {
  readonly said: number;
  readonly is: number;
}

const listed = (fields: readonly FieldCells[]): readonly Cell[] =>
  fields.flatMap(({ probability, truth }) =>
    [...truth].map((is, i) => ({ said: probability[i] as number, is })),
  );

/** Over all pairs of a member and another cell. */
function aucByPairs(cells: readonly Cell[]): number {
  const others = cells.filter(({ is }) => is === 0);
  const wins = cells
    .filter(({ is }) => is === 1)
    .map(({ said }) =>
      others.reduce((sum, other) => sum + (said > other.said ? 1 : said === other.said ? 0.5 : 0), 0),
    );
  return wins.reduce((sum, each) => sum + each, 0) / (wins.length * others.length);
}

/** Counts of "at least this probable" at each of the probabilities there are, from the highest. */
const everyThreshold = (cells: readonly Cell[]) =>
  [...new Set(cells.map(({ said }) => said))]
    .sort((a, b) => b - a)
    .map((threshold) => {
      const taken = cells.filter(({ said }) => said >= threshold);
      const tp = taken.filter(({ is }) => is === 1).length;
      const fn = cells.filter(({ is }) => is === 1).length - tp;
      return { threshold, tp, fp: taken.length - tp, fn, tn: cells.length - taken.length - fn };
    });

function precisionByThresholds(cells: readonly Cell[]): number {
  let [found, sum] = [0, 0];
  const members = cells.filter(({ is }) => is === 1).length;
  for (const { tp, fp } of everyThreshold(cells)) {
    sum += ((tp - found) / members) * (tp / (tp + fp));
    found = tp;
  }
  return sum;
}

describe('scores of a ranking', () => {
  // The examples in the documentation of scikit-learn: roc_auc_score, average_precision_score, precision_recall_curve.
  const example = [fieldOf('a', [0.1, 0.4], [0, 0]), fieldOf('b', [0.35, 0.8], [1, 1])];

  it('are those of scikit-learn', () => {
    const { auc, average_precision } = rankScores(ranked(example));
    expect(auc).toBeCloseTo(0.75, 12);
    expect(average_precision).toBeCloseTo(0.8333333333333333, 12);
  });

  it('have the curves of scikit-learn', () => {
    const curve = curveOf(ranked(example));
    expect(curve.threshold).toEqual([0.8, 0.4, 0.35, 0.1].map(Math.fround));
    expect(curve.precision).toEqual([1, 0.5, 2 / 3, 0.5]);
    expect(curve.recall).toEqual([0.5, 0.5, 1, 1]);
    expect(curve.false_positive_rate).toEqual([0, 0.5, 0.5, 1]);
  });

  it.each([
    ['different probabilities', 2 ** 20],
    ['many equal probabilities', 8],
  ])('are those of counting every pair and every threshold, with %s', (_what, steps) => {
    const fields = honestFields(30, 'ranking', steps);
    const scores = rankScores(ranked(fields));
    expect(scores.auc).toBeCloseTo(aucByPairs(listed(fields)), 12);
    expect(scores.average_precision).toBeCloseTo(precisionByThresholds(listed(fields)), 12);
  });

  it('count a field as often as it is drawn', () => {
    const fields = honestFields(5, 'again', 8);
    const times = Uint8Array.of(0, 3, 1, 0, 2);
    const written = fields.flatMap((field, i) => Array<FieldCells>(times[i] as number).fill(field));
    const scores = rankScores(ranked(fields), times);
    expect(scores.auc).toBeCloseTo(aucByPairs(listed(written)), 12);
    expect(scores.average_precision).toBeCloseTo(precisionByThresholds(listed(written)), 12);
  });

  it('do not exist where all cells are alike', () => {
    expect(rankScores(ranked([fieldOf('a', [0.1, 0.9], [0, 0])]))).toEqual({
      auc: Number.NaN,
      average_precision: Number.NaN,
    });
    expect(rankScores(ranked([fieldOf('a', [0.1, 0.9], [1, 1])]))).toEqual({
      auc: Number.NaN,
      average_precision: 1,
    });
  });

  it('have curves of few points that end where everything is taken', () => {
    const fields = honestFields(500, 'long');
    const curve = curveOf(ranked(fields), 50);
    expect(curve.threshold.length).toBeLessThanOrEqual(102);
    expect(curve.recall.at(-1)).toBe(1);
    expect(curve.false_positive_rate.at(-1)).toBe(1);
    const gaps = curve.recall.map((recall, i) => recall - (curve.recall[i - 1] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(2 / 50);
  });

  it('find the threshold with the highest F1', () => {
    const fields = honestFields(20, 'best', 16);
    const best = bestThreshold(ranked(fields));
    const f1s = everyThreshold(listed(fields)).map((counts) => membershipScores(counts).f1);
    expect(best.f1).toBeCloseTo(Math.max(...f1s), 12);
    const taken = listed(fields).filter(({ said }) => said > best.threshold);
    const tp = taken.filter(({ is }) => is === 1).length;
    const members = listed(fields).filter(({ is }) => is === 1).length;
    expect((2 * tp) / (taken.length + members)).toBeCloseTo(best.f1, 5);
  });
});
