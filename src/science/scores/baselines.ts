/** What has to be beaten: answers that need no encoder, to the same question about the same fields. */
import type { Calibration } from './calibration.js';
import type { FieldCells } from './cells.js';
import { type ScoreOptions, type Scores, scoresOf } from './scores.js';

type BaselineOptions = Pick<ScoreOptions, 'seed' | 'draws' | 'level'>;

/** Of a baseline, what does not take its answers for probabilities. Plain data, as it stands in scores.json. */
export interface BaselineScores extends Omit<Scores, keyof Calibration | 'sampled'> {
  /** What it answers with. */
  readonly about: string;
}

/** Says of all cells what most of them are. */
export function commonerClass(fields: readonly FieldCells[], options: BaselineOptions): BaselineScores {
  const cells = fields.reduce((sum, { truth }) => sum + truth.length, 0);
  const members = fields.reduce((sum, { truth }) => sum + truth.reduce((some, each) => some + each, 0), 0);
  const answer = 2 * members > cells ? 1 : 0;
  const answers = fields.map((field) => ({
    ...field,
    probability: new Float32Array(field.truth.length).fill(answer),
  }));
  const about = `Always the commoner class: ${answer === 1 ? 'every' : 'no'} cell has a member.`;
  return baselineScores(about, scoresOf(answers, { ...options, threshold: 0.5, samples: 0 }));
}

/** @param fields with how far each cell stands out, as `prominence` gives it, in place of probabilities */
export function matchedFilter(fields: readonly FieldCells[], options: BaselineOptions): BaselineScores {
  const about =
    'Matched filter: galaxies of the true catalogue on the red sequence, counted in each cell at redshifts from 0.1 to 0.9. ' +
    'Its background and its threshold are chosen on these very fields, in its favour.';
  return baselineScores(about, scoresOf(fields, { ...options, threshold: 'best', samples: 0 }));
}

function baselineScores(about: string, scores: Scores): BaselineScores {
  const { sampled: _sampled, brier: _brier, calibration_error: _error, reliability: _bins, ...rest } = scores;
  return { about, ...rest };
}
