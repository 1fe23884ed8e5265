/** scores.png: the curves of the encoder, and of the matched filter beside them. */
import type { BaselineScores } from '../../../science/scores/baselines.js';
import type { Scores } from '../../../science/scores/scores.js';
import { writeScores } from '../train/plots.js';
import type { ScoresDocument } from './document.js';

/** @throws the system's errors */
export async function drawScores(
  into: string,
  { encoder, encoder_trained, scores, baselines }: ScoresDocument,
): Promise<void> {
  const filter = baselines?.matched_filter ?? undefined;
  await writeScores(
    into,
    [
      { label: encoder, scores },
      ...(filter === undefined
        ? []
        : [{ label: 'Matched filter', scores: rankedOnly(filter), isProbability: false }]),
    ],
    { title: `${encoder}${encoder_trained ? '' : ' (untrained)'}` },
  );
}

/** Answers that are no probabilities have no calibration. */
const rankedOnly = (baseline: BaselineScores): Scores => ({
  ...baseline,
  sampled: null,
  brier: unknown,
  calibration_error: unknown,
  reliability: [],
});

const unknown = { value: null, low: null, high: null };
