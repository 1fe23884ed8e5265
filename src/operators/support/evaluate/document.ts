/** What scores.json holds, and how it reads in a few lines. */
import { type BaselineScores, commonerClass, matchedFilter } from '../../../science/scores/baselines.js';
import type { FieldCells } from '../../../science/scores/cells.js';
import { meanCounts, prominence, RedSequenceFilter } from '../../../science/scores/matched-filter.js';
import { type Scores, scoresOf } from '../../../science/scores/scores.js';
import { estimateText, membershipText } from '../../../science/scores/text.js';
import type { WindowCells } from './window-cells.js';

/** Where the scores come from. */
export interface Provenance {
  readonly run: string;
  readonly pipeline: string;
  readonly skypass_version: string;
  readonly config_sha256: string;
  readonly encoder: string;
  readonly encoder_sha256: string;
  readonly encoder_trained: boolean;
}

export interface ScoringOptions {
  readonly threshold: number;
  readonly seed: number;
  readonly samples: number;
  readonly bootstrap: { readonly draws: number; readonly level: number };
  readonly baselines: boolean;
}

export interface ScoresDocument extends Provenance {
  readonly seed: number;
  readonly windows: number;
  /** Side of a cell, pixels. */
  readonly cell_px: number;
  readonly scores: Scores;
  /** Null when they were not asked for. The matched filter is null where the sources of the images are not known. */
  readonly baselines: {
    readonly commoner_class: BaselineScores;
    readonly matched_filter: BaselineScores | null;
  } | null;
}

/** @param windows at least one, in order of their ids */
export function scoresDocument(
  windows: readonly WindowCells[],
  { threshold, seed, samples, bootstrap, baselines }: ScoringOptions,
  provenance: Provenance,
): ScoresDocument {
  const fields = windows.map(fieldOf);
  const drawn = { seed, ...bootstrap };
  return {
    ...provenance,
    seed,
    windows: windows.length,
    cell_px: (windows[0] as WindowCells).cellPx,
    scores: scoresOf(fields, { threshold, samples, ...drawn }),
    baselines: baselines
      ? { commoner_class: commonerClass(fields, drawn), matched_filter: filtered(windows, drawn) }
      : null,
  };
}

const fieldOf = ({ parent, ny, nx, probability, truth }: WindowCells): FieldCells => ({
  id: parent,
  ny,
  nx,
  probability,
  truth,
});

function filtered(
  windows: readonly WindowCells[],
  drawn: Parameters<typeof matchedFilter>[1],
): BaselineScores | null {
  const { depth } = new RedSequenceFilter();
  if (windows.some(({ counts, truth }) => counts.length !== depth * truth.length)) return null;
  const background = meanCounts(
    windows.map(({ counts }) => counts),
    depth,
  );
  return matchedFilter(
    windows.map((window) => ({ ...fieldOf(window), probability: prominence(window.counts, background) })),
    drawn,
  );
}

/** The scores as people ask for them, a line for each answer. */
export function scoreLines({
  scores,
  baselines,
  encoder,
  encoder_trained,
}: ScoresDocument): readonly string[] {
  const { fields, cells, members, auc, average_precision, brier, sampled } = scores;
  const share = ((100 * members) / cells).toFixed(1);
  const count = (of: number): string => of.toLocaleString('en-US');
  return [
    `${encoder}${encoder_trained ? '' : ' (untrained)'} on ${count(fields)} fields, ${count(cells)} cells, ${share} % of them with members: ${membershipText(scores.mode)}, AUC ${estimateText(auc)}, average precision ${estimateText(average_precision)}, Brier score ${estimateText(brier)}`,
    ...(sampled === null ? [] : [`memberships drawn from the probabilities: ${membershipText(sampled)}`]),
    ...(baselines === null
      ? []
      : [`always the commoner class: ${membershipText(baselines.commoner_class.mode)}`]),
    ...(baselines?.matched_filter == null
      ? []
      : [`matched filter on the true catalogue: ${membershipText(baselines.matched_filter.mode)}`]),
  ];
}
