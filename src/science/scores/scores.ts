/** Everything that is said of an encoder's probabilities, beside the truth. */
import { deriveSeed, Random } from '../random.js';
import { Bootstrap, type Estimate } from './bootstrap.js';
import { type Calibration, calibrationOf } from './calibration.js';
import { type CellTable, cellTable, type FieldCells, fieldRanges } from './cells.js';
import {
  addConfusion,
  type Confusion,
  confusionAt,
  type MembershipScoreName,
  membershipScores,
} from './confusion.js';
import { bestThreshold, curveOf, rank, rankScores, type ScoreCurve } from './ranking.js';

export type MembershipEstimates = Readonly<Record<MembershipScoreName, Estimate>>;

export interface ScoreOptions {
  /**
   * A cell with a higher probability is said to be a member: the mode of a Bernoulli variable at 0.5. `best` takes the
   * threshold with the highest F1 on these very fields, in their own favour.
   */
  readonly threshold: number | 'best';
  /** Of everything drawn at random. */
  readonly seed: number | string;
  /** How often fields are drawn again for intervals; 0 gives none. */
  readonly draws: number;
  /** Of the intervals; 0.95 when left out. */
  readonly level?: number;
  /** How often memberships are drawn from the probabilities; 100 when left out, 0 leaves out `sampled`. */
  readonly samples?: number;
}

/** Plain data, as it stands in scores.json. */
export interface Scores extends Calibration {
  readonly fields: number;
  readonly cells: number;
  /** Cells that are members. */
  readonly members: number;
  readonly threshold: number;
  readonly bootstrap: { readonly draws: number; readonly level: number };
  /** At the threshold. */
  readonly confusion: Confusion;
  /** Scores at the threshold. */
  readonly mode: MembershipEstimates;
  /** Means of the scores of memberships that are drawn from the probabilities; intervals have that noise in them, too. */
  readonly sampled: (MembershipEstimates & { readonly samples: number }) | null;
  readonly auc: Estimate;
  readonly average_precision: Estimate;
  /** The threshold with the highest F1 on these very fields, and that F1: in their own favour. */
  readonly best: { readonly threshold: number; readonly f1: number };
  readonly curve: ScoreCurve;
}

/** @param fields in any order; parts of one field in an order that is always the same */
export function scoresOf(fields: readonly FieldCells[], options: ScoreOptions): Scores {
  const { seed, draws, level = 0.95, samples = 100 } = options;
  const cells = cellTable(fields);
  const bootstrap = new Bootstrap(cells.ids.length, { draws, level, seed });
  const ranking = rank(cells);
  const best = bestThreshold(ranking);
  const threshold = options.threshold === 'best' ? best.threshold : options.threshold;
  const counts = confusions(cells, threshold);
  const ranked = bootstrap.estimates(rankScores(ranking), (times) => rankScores(ranking, times));
  return {
    fields: cells.ids.length,
    cells: cells.truth.length,
    members: ranking.members,
    threshold,
    bootstrap: { draws, level },
    confusion: total(counts),
    mode: membershipEstimates(counts, bootstrap),
    sampled: samples > 0 ? sampledScores(cells, bootstrap, seed, samples) : null,
    ...ranked,
    ...calibrationOf(cells, bootstrap),
    best,
    curve: curveOf(ranking),
  };
}

/** Counts of each field at a threshold. */
const confusions = (cells: CellTable, threshold: number): readonly Confusion[] =>
  [...fieldRanges(cells)].map(([from, to]) =>
    confusionAt(threshold, cells.probability.subarray(from, to), cells.truth.subarray(from, to)),
  );

const none: Confusion = { tp: 0, fp: 0, fn: 0, tn: 0 };
const total = (counts: readonly Confusion[]): Confusion => counts.reduce(addConfusion, none);

/** Scores at one threshold, from the counts of each field. */
function membershipEstimates(counts: readonly Confusion[], bootstrap: Bootstrap): MembershipEstimates {
  return bootstrap.estimates(membershipScores(total(counts)), (times) =>
    membershipScores(drawnAgain(counts, times)),
  );
}

function drawnAgain(counts: readonly Confusion[], times: Uint8Array): Confusion {
  let [tp, fp, fn, tn] = [0, 0, 0, 0];
  for (let field = 0; field < counts.length; field++) {
    const weight = times[field] as number;
    const of = counts[field] as Confusion;
    tp += weight * of.tp;
    fp += weight * of.fp;
    fn += weight * of.fn;
    tn += weight * of.tn;
  }
  return { tp, fp, fn, tn };
}

/** Each field has a stream of random numbers of its own: its memberships do not depend on the fields beside it. */
function sampledScores(
  cells: CellTable,
  bootstrap: Bootstrap,
  seed: ScoreOptions['seed'],
  samples: number,
): NonNullable<Scores['sampled']> {
  const perSample: Confusion[][] = Array.from({ length: samples }, () => []);
  for (const [field, [from, to]] of [...fieldRanges(cells)].entries()) {
    const random = new Random(deriveSeed(seed, 'memberships', cells.ids[field] as string));
    const truth = cells.truth.subarray(from, to);
    const probability = cells.probability.subarray(from, to);
    for (const counts of perSample)
      counts.push(
        confusionAt(
          0.5,
          probability.map((p) => (random.chance(p) ? 1 : 0)),
          truth,
        ),
      );
  }
  const scores = perSample.map((counts) => membershipScores(total(counts)));
  const mean = (name: MembershipScoreName): number =>
    scores.reduce((sum, each) => sum + each[name], 0) / samples;
  const means = {
    accuracy: mean('accuracy'),
    precision: mean('precision'),
    recall: mean('recall'),
    f1: mean('f1'),
  };
  const estimates = bootstrap.estimates(means, (times, draw) =>
    membershipScores(drawnAgain(perSample[draw % samples] as Confusion[], times)),
  );
  return { samples, ...estimates };
}
