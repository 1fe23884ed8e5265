/** Holds predictions against the truth. */
import { field, stageSpec } from '../config/spec.js';
import { EngineError } from '../engine/errors.js';
import { makeFolder } from '../engine/folder.js';
import type { Run } from '../engine/run.js';
import { operator, type StageNeeds } from '../engine/stage.js';
import { encodedWindows } from './support/evaluate/encoded-windows.js';
import { JournalKeeper } from './support/evaluate/journal-keeper.js';
import type { PredictionFacts } from './support/facts.js';
import type { Prediction, Table } from './support/nouns.js';
import { asWriteError } from './support/write/open-shards.js';

export const evaluateSpec = stageSpec(
  'evaluate',
  { takes: 'Prediction', gives: 'Table' },
  'Scores predictions of simulated fields against what is in them, with intervals and beside two baselines.',
  {
    into: field.path({ doc: 'Folder of scores.json, scores.png and cells.parquet.', example: 'runs/scores' }),
    threshold: field.fraction({
      default: 0.5,
      doc: 'A cell with a higher probability is said to have a member.',
    }),
    samples: field.int({
      default: 100,
      min: 0,
      max: 10_000,
      doc: 'How often memberships are drawn from the probabilities; 0 leaves those scores out.',
    }),
    bootstrap: field.group(
      {
        draws: field.int({
          default: 1000,
          min: 0,
          max: 100_000,
          doc: 'How often the fields are drawn again, with replacement; 0 leaves intervals out.',
        }),
        level: field.fraction({ default: 0.95, doc: 'Part of the draws that lie inside an interval.' }),
      },
      { doc: 'Intervals of the scores: percentiles over whole fields drawn again.' },
    ),
    seed: field.int({ default: 0, doc: 'Of the memberships and the fields that are drawn.' }),
    baselines: field.bool({
      default: true,
      doc: 'Score two answers that need no encoder on the same fields: always the commoner class, and red galaxies of the true catalogue counted in each cell.',
    }),
    origin: field.number({
      default: 1,
      unit: 'px',
      doc: 'X and Y of the centre of the first pixel of an image, as in render.origin.',
    }),
  },
  { common: { credit_items: 16, credit_bytes: '16MiB' } },
);

/** What the thread that scores holds in the end: it has all cells of all images at once. */
const scoringBytes = ({ announced, perImage, cells }: PredictionFacts): number =>
  (64 << 20) + 600 * announced.length * perImage * (cells === undefined ? 0 : cells.ny * cells.nx);

/**
 * @emits      cells.parquet, scores.png and scores.json after the last prediction; nothing when there was none, or when
 *             the run is asked to stop
 * @waits      while the disk has not confirmed the predictions before; all that arrive meanwhile are kept together
 * @completes  when all files are whole and have their names
 * @fails      `truth_missing` (that window only); before anything starts: `truth_missing` `encoder_mismatch`; `disk_full`
 *             `write_failed` (the run; what was kept is in cells.journal, and the next start goes on after it)
 * @order      scores and rows do not depend on the order of predictions
 * @memory     64 MiB and 600 bytes a cell: 94 MiB for 500 fields of a hundred cells
 */
export const evaluate = operator<typeof evaluateSpec, Prediction, Table>({
  spec: evaluateSpec,
  // All scores are made at the end, of all cells: what is asked of them may change between two starts.
  operational: ['into', 'threshold', 'samples', 'bootstrap', 'seed'],

  inspect: async (_options, incoming): Promise<StageNeeds> => {
    const facts = incoming as PredictionFacts;
    refuseUnfit(facts);
    return { facts, itemBytes: 4096, workingBytes: scoringBytes(facts), slots: 1 };
  },

  open: async (stage, options) => {
    const { run } = stage;
    const facts = stage.incoming as PredictionFacts;
    await makeFolder(options.into);
    const keeper = await JournalKeeper.open(run, options.into);

    return async ({ inlet, outlet, signal }) => {
      using _memory = await stage.workspace(stage.needs.workingBytes, signal);
      for (;;) {
        if ((await inlet.atLeast(1)) === 0) break;
        const held = inlet.takeNow(inlet.size);
        const worked = stage.meter.running();
        try {
          const rows = held.map(({ value }) => encodedWindows(value, facts, options));
          const windows = rows.flatMap((of) => of.windows);
          for (const { id, error } of rows.flatMap((of) => of.problems)) await stage.setAside([id], error);
          await keeper.keep(windows);
          stage.meter.outcome('ok', windows.length);
        } catch (thrown) {
          throw asWriteError(thrown);
        } finally {
          worked();
          for (const { lease } of held) lease.release();
        }
      }
      if (run.stopping.aborted) return;
      const worked = stage.meter.running();
      try {
        const tables = await keeper.score(options, provenanceOf(run, facts));
        if (tables.length === 0) run.log.warn({ stage: stage.name }, 'there is no window to score');
        for (const table of tables) (await outlet.reserve(4096)).emit(table, []);
      } finally {
        worked();
      }
    };
  },
});

/** @throws EngineError `truth_missing`, `encoder_mismatch` */
function refuseUnfit({ hasTruth, cells, answers, encoder }: PredictionFacts): void {
  if (!hasTruth)
    throw new EngineError('truth_missing', 'evaluate needs to know what is in the images, and nobody does');
  const says = `${encoder.name} gives ${encoder.kind} of ${answers.join(', ')}`;
  if (cells === undefined || answers.length !== 1 || !probabilities.includes(encoder.kind)) {
    throw new EngineError(
      'encoder_mismatch',
      `evaluate takes one probability for each cell, but ${says}${cells === undefined ? ' for whole images' : ''}`,
      { hint: 'use an encoder of memberships, such as encoders/cluster-small' },
    );
  }
}

const probabilities: readonly string[] = ['bernoulli-logits', 'probabilities'];

const provenanceOf = (run: Run, { encoder }: PredictionFacts) => ({
  run: run.id,
  pipeline: run.pipeline,
  skypass_version: run.version,
  config_sha256: run.identityHash,
  encoder: encoder.name,
  encoder_sha256: encoder.sha256,
  encoder_trained: encoder.isTrained,
});
