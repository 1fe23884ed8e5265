/** What has to be beaten: scores of answers that need no encoder, on the same fields and the same draws of them. */
import { Bootstrap, type BootstrapOptions, type Estimate } from './bootstrap.js';
import { cellTable, type FieldCells } from './cells.js';
import type { Confusion } from './confusion.js';
import { bestThreshold, rank, rankScores } from './ranking.js';
import { confusions, type MembershipEstimates, membershipEstimates, total } from './scores.js';

/** Plain data, as it stands in scores.json. */
export interface BaselineScores {
  /** What it answers with. */
  readonly about: string;
  readonly threshold: number;
  readonly confusion: Confusion;
  readonly mode: MembershipEstimates;
  readonly auc: Estimate;
  readonly average_precision: Estimate;
}

/** Says of all cells what most of them are, which most people would not call an answer. */
export function commonerClass(fields: readonly FieldCells[], options: BootstrapOptions): BaselineScores {
  const cells = fields.reduce((sum, { truth }) => sum + truth.length, 0);
  const members = fields.reduce((sum, { truth }) => sum + truth.reduce((some, each) => some + each, 0), 0);
  const answer = 2 * members > cells ? 1 : 0;
  const about = `Always the commoner class: ${answer === 1 ? 'every' : 'no'} cell has a member.`;
  const answers = fields.map((field) => ({
    ...field,
    probability: new Float32Array(field.truth.length).fill(answer),
  }));
  return baseline(about, answers, options, 0.5);
}

/** @param fields with how far each cell stands out, as `prominence` gives it, in place of probabilities */
export const matchedFilter = (fields: readonly FieldCells[], options: BootstrapOptions): BaselineScores =>
  baseline(
    'Matched filter: galaxies of the true catalogue on the red sequence, counted in each cell at redshifts from 0.1 to 0.9. Its background and its threshold are chosen on these very fields, in its favour.',
    fields,
    options,
  );

/** @param threshold left out, the best on these very fields */
function baseline(
  about: string,
  fields: readonly FieldCells[],
  options: BootstrapOptions,
  threshold?: number,
): BaselineScores {
  const cells = cellTable(fields);
  const bootstrap = new Bootstrap(cells.ids.length, options);
  const ranking = rank(cells);
  const chosen = threshold ?? bestThreshold(ranking).threshold;
  const counts = confusions(cells, chosen);
  return {
    about,
    threshold: chosen,
    confusion: total(counts),
    mode: membershipEstimates(counts, bootstrap),
    ...bootstrap.estimates(rankScores(ranking), (times) => rankScores(ranking, times)),
  };
}
