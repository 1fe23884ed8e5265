/** Scores that need no threshold, because they look at all of them. */
import type { CellTable } from './cells.js';
import { membershipScores } from './confusion.js';

/** Precision, recall and false positive rate of "as probable as this, or more"; thresholds fall. Recall starts above 0. */
export interface ScoreCurve {
  readonly threshold: readonly number[];
  readonly precision: readonly number[];
  /** Of the members, the part that is found; also the true positive rate of a ROC curve. */
  readonly recall: readonly number[];
  /** Of the others, the part that is taken for members. */
  readonly false_positive_rate: readonly number[];
}

/** Cells from the most to the least probable. */
export interface Ranking {
  readonly value: Float32Array;
  readonly truth: Uint8Array;
  /** Number of the field of each. */
  readonly field: Uint32Array;
  readonly fields: number;
  /** 1 where the next cell is less probable: cells as probable as each other have no order among them. */
  readonly isLast: Uint8Array;
  readonly members: number;
}

/** Sorts all cells, once for all scores. */
export function rank({ ids, starts, probability, truth }: CellTable): Ranking {
  const fieldOf = new Uint32Array(truth.length);
  for (let field = 0; field < ids.length; field++)
    fieldOf.fill(field, starts[field] as number, starts[field + 1] as number);
  const order = Uint32Array.from(truth.keys()).sort(
    (a, b) => (probability[b] as number) - (probability[a] as number) || a - b,
  );
  const ranked = Uint8Array.from(order, (cell) => truth[cell] as number);
  const value = Float32Array.from(order, (cell) => probability[cell] as number);
  return {
    value,
    truth: ranked,
    field: Uint32Array.from(order, (cell) => fieldOf[cell] as number),
    fields: ids.length,
    isLast: Uint8Array.from(value, (each, i) => (each === value[i + 1] ? 0 : 1)),
    members: ranked.reduce((sum, isMember) => sum + isMember, 0),
  };
}

export type RankScores = Readonly<Record<'auc' | 'average_precision', number>>;

/**
 * Area under the ROC curve, as the probability that a member is ranked before another cell (Fawcett 2006, Pattern
 * Recognition Letters 27, 861; ties count one half), and average precision, Σ (Rₙ - Rₙ₋₁) Pₙ over the distinct
 * probabilities. NaN where there are no members, the AUC also where there is nothing else.
 *
 * @param times how often each field counts; once each when left out
 */
export function rankScores({ truth, field, fields, isLast }: Ranking, times?: Uint8Array): RankScores {
  const weights = times ?? new Uint8Array(fields).fill(1);
  let [members, others, newMembers, newOthers] = [0, 0, 0, 0];
  let [area, precisions] = [0, 0];
  for (let i = 0; i < truth.length; i++) {
    const weight = weights[field[i] as number] as number;
    if (truth[i] === 1) newMembers += weight;
    else newOthers += weight;
    if (isLast[i] === 0) continue;
    area += newOthers * (members + newMembers / 2);
    members += newMembers;
    others += newOthers;
    if (newMembers > 0) precisions += (newMembers * members) / (members + others);
    newMembers = 0;
    newOthers = 0;
  }
  return { auc: area / (members * others), average_precision: precisions / members };
}

/** The points of the curves where the threshold passes from one probability to the next. */
function* points({ truth, isLast }: Ranking): Generator<{ last: number; tp: number; fp: number }> {
  let tp = 0;
  for (let i = 0; i < truth.length; i++) {
    tp += truth[i] as number;
    if (isLast[i] === 1) yield { last: i, tp, fp: i + 1 - tp };
  }
}

/**
 * The precision-recall and the ROC curve in one.
 *
 * @param steps how many steps of either axis are told apart: the curve has at most twice as many points
 */
export function curveOf(ranking: Ranking, steps = 250): ScoreCurve {
  const { members, truth, value } = ranking;
  const others = truth.length - members;
  const curve = {
    threshold: [] as number[],
    precision: [] as number[],
    recall: [] as number[],
    false_positive_rate: [] as number[],
  };
  const stepOf = (count: number, of: number): number => Math.floor((steps * count) / Math.max(1, of));
  let [tpStep, fpStep] = [-1, -1];
  for (const { last, tp, fp } of points(ranking)) {
    const [tpNow, fpNow] = [stepOf(tp, members), stepOf(fp, others)];
    if (tpNow === tpStep && fpNow === fpStep && last < truth.length - 1) continue;
    [tpStep, fpStep] = [tpNow, fpNow];
    curve.threshold.push(value[last] as number);
    curve.precision.push(tp / (tp + fp));
    curve.recall.push(members > 0 ? tp / members : 0);
    curve.false_positive_rate.push(others > 0 ? fp / others : 0);
  }
  return curve;
}

/** The threshold with the highest F1 on these very fields, halfway between two probabilities; of equals the highest. */
export function bestThreshold(ranking: Ranking): { readonly threshold: number; readonly f1: number } {
  const { members, truth, value } = ranking;
  let best = { threshold: (value[0] ?? 0) + 1, f1: 0 };
  for (const { last, tp, fp } of points(ranking)) {
    const { f1 } = membershipScores({
      tp,
      fp,
      fn: members - tp,
      tn: truth.length - members - fp,
    });
    if (f1 <= best.f1) continue;
    const here = value[last] as number;
    best = { threshold: (here + (value[last + 1] ?? here - 1)) / 2, f1 };
  }
  return best;
}
