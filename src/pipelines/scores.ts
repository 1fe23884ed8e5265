/** What a training or a scoring has left in a folder, a line for each answer. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { amount } from '../engine/progress.js';
import { type ScoresDocument, scoreLines } from '../operators/support/evaluate/document.js';
import type { Scores } from '../science/scores/scores.js';
import { estimateText, membershipText } from '../science/scores/text.js';

/** A file or folder that was left, and what is said of it. */
export interface Left {
  readonly what: 'encoder' | 'scores';
  readonly path: string;
  /** Behind the path; may be empty. */
  readonly about: string;
  readonly lines: readonly string[];
}

interface SetScores {
  readonly windows: number;
  readonly by_noise: Readonly<Record<string, Scores>>;
}

/** Of scores.json, as `train` writes it, what is told here. */
interface TrainingScores {
  readonly encoder_sha256: string;
  readonly step: number;
  readonly epoch: number;
  readonly validation: SetScores;
  readonly test: SetScores;
}

/** Of the manifest that `train` writes. */
interface TrainedManifest {
  readonly sha256: string;
  readonly provenance?: { readonly run: string; readonly steps: number; readonly epochs: number };
}

/**
 * What the stage `train` or `evaluate` of a run left; nothing when the folder holds what another run did.
 *
 * @param run id of the run
 */
export async function leftIn(folder: string, run: string): Promise<readonly Left[]> {
  const path = join(folder, 'scores.json');
  const scores = await readJson<ScoresDocument | TrainingScores>(path);
  if (scores === undefined) return [];
  if ('scores' in scores) {
    if (scores.run !== run) return [];
    const about = 'and beside it scores.png and cells.parquet, a row a cell';
    return [{ what: 'scores', path, about, lines: scoreLines(scores) }];
  }
  const encoder = join(folder, 'encoder');
  const manifest = await readJson<TrainedManifest>(join(encoder, 'manifest.json'));
  if (manifest?.provenance?.run !== run || manifest.sha256 !== scores.encoder_sha256) return [];
  const { steps, epochs } = manifest.provenance;
  const best = `as it was after step ${amount(scores.step)} of ${amount(steps)}, in epoch ${scores.epoch} of ${epochs}`;
  const lines = [...setLines('validation', scores.validation), ...setLines('test', scores.test)];
  const pictures = ['scores.png', 'curves.png', 'examples.png'].filter((name) =>
    existsSync(join(folder, name)),
  );
  const about =
    pictures.length === 0 ? '' : `and beside it ${pictures.join(', ').replace(/, ([^,]*)$/, ' and $1')}`;
  return [
    { what: 'encoder', path: encoder, about: best, lines: [] },
    { what: 'scores', path, about, lines },
  ];
}

const setLines = (set: string, { windows, by_noise }: SetScores): readonly string[] =>
  Object.entries(by_noise).map(
    ([noise, { mode, auc }]) =>
      `${set}, ${amount(windows)} windows, noise ${noise}: ${membershipText(mode)}, AUC ${estimateText(auc)}`,
  );

/** What is not there, or no JSON, is not told: a summary does not fail for what lies beside it. */
async function readJson<T extends object>(path: string): Promise<T | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
