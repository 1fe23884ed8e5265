/** Right and wrong answers to a question with two answers, and what is said of them. */

/** Cells by what was said of them and what they are; `tp`: said to be members, and are. */
export interface Confusion {
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
  readonly tn: number;
}

export const membershipScoreNames = ['accuracy', 'precision', 'recall', 'f1'] as const;
export type MembershipScoreName = (typeof membershipScoreNames)[number];
export type MembershipScores = Readonly<Record<MembershipScoreName, number>>;

/** In denominators, so that 0 of 0 is 0. */
const epsilon = 1e-6;

/** Counts cells at a threshold: what has a higher value is said to be a member. */
export function confusionAt(
  threshold: number,
  probability: ArrayLike<number>,
  truth: ArrayLike<number>,
): Confusion {
  let [tp, fp, fn, tn] = [0, 0, 0, 0];
  for (let i = 0; i < truth.length; i++) {
    const isSaid = (probability[i] as number) > threshold;
    if ((truth[i] as number) > 0) isSaid ? tp++ : fn++;
    else isSaid ? fp++ : tn++;
  }
  return { tp, fp, fn, tn };
}

export const addConfusion = (a: Confusion, b: Confusion): Confusion => ({
  tp: a.tp + b.tp,
  fp: a.fp + b.fp,
  fn: a.fn + b.fn,
  tn: a.tn + b.tn,
});

/**
 * The scores of the galaxy-clustering case study of BLISS (ClusterMembershipAccuracy): of counts that are summed over all
 * batches, not means of the scores of batches. Where it divides 0 by 0, as without any positive, the score is 0 here.
 */
export function membershipScores({ tp, fp, fn, tn }: Confusion): MembershipScores {
  const precision = tp / (tp + fp + epsilon);
  const recall = tp / (tp + fn + epsilon);
  return {
    accuracy: (tp + tn) / (tp + fp + fn + tn + epsilon),
    precision,
    recall,
    f1: (2 * precision * recall) / (precision + recall + epsilon),
  };
}
