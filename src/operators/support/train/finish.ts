/** What is left when the last epoch is over: scores of the best network, the encoder, and pictures. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { exportEncoder } from '../../../encoders/checkpoint/export.js';
import type { JsonValue } from '../../../encoders/checkpoint/state.js';
import { families } from '../../../encoders/families.js';
import { parameterCount } from '../../../encoders/step/layout.js';
import type { Run } from '../../../engine/run.js';
import { writeWhole } from '../../../formats/durable.js';
import type { ScoreOptions, Scores } from '../../../science/scores/scores.js';
import type { Table } from '../nouns.js';
import { scoringVisit } from './augment.js';
import type { Saved } from './checkpoints.js';
import { type Example, writeExamples } from './example-pictures.js';
import type { History } from './history.js';
import type { Lanes } from './lanes.js';
import type { Loaders } from './loaders.js';
import type { TrainOptions, TrainPlan } from './plan.js';
import { writeCurves, writeScores } from './plots.js';
import type { Position } from './position.js';
import type { Verdict } from './scoring.js';
import type { Trainer } from './trainer.js';

/** How often fields are drawn again for the intervals in scores.json. */
const bootstrapDraws = 1000;

/** The scores of a set in scores.json. */
interface SetScores {
  readonly windows: number;
  readonly loss: number;
  /** With all kinds of noise together, and with each. */
  readonly all: Scores;
  readonly by_noise: Readonly<Record<string, Scores>>;
}

export interface FinishOptions {
  readonly run: Run;
  readonly plan: TrainPlan;
  readonly trainer: Trainer;
  readonly lanes: Lanes;
  readonly loaders: Loaders;
  readonly best: Saved;
}

/** Whether all that finishing does has been done, and the files it leaves are there. */
export const isFinished = ({ into, epochs, pictures }: TrainOptions, position: Position): boolean =>
  position.isFinished &&
  position.epoch >= epochs &&
  [
    ...tablesOf(into, 0).map(({ path }) => path),
    ...['curves.png', 'scores.png', ...(pictures > 0 ? ['examples.png'] : [])].map((name) =>
      join(into, name),
    ),
  ].every((path) => existsSync(path));

/** What the stage gives. @param windows trained on */
export const tablesOf = (into: string, windows: number): readonly Table[] => [
  { name: 'encoder', path: join(into, 'encoder', 'encoder.onnx'), rows: windows },
  { name: 'scores', path: join(into, 'scores.json'), rows: windows },
];

/**
 * Scores the best network on the validation and the test set, and writes `encoder/`, `scores.json`, `curves.png`,
 * `scores.png` and `examples.png`.
 *
 * @returns false when the run is asked to stop before
 */
export async function finish({ run, plan, trainer, lanes, loaders, best }: FinishOptions): Promise<boolean> {
  const { into } = plan.options;
  const verdicts = await lanes.borrowing(best.network, async () => {
    const validation = await trainer.judged('validation');
    const test = validation === undefined ? undefined : await trainer.judged('test');
    return validation === undefined || test === undefined ? undefined : { validation, test };
  });
  if (verdicts === undefined) return false;
  const { position } = trainer;
  const scoring = { threshold: plan.options.threshold, seed: plan.options.seed, draws: bootstrapDraws };
  const validation = scoresOfSet(verdicts.validation, position.windows.validation, scoring);
  const test = scoresOfSet(verdicts.test, position.windows.test, scoring);
  const provenance = provenanceOf(run, plan, best.position, position, { validation, test });
  const { sha256 } = exportEncoder(join(into, 'encoder'), {
    family: plan.options.family,
    ...best.network,
    provenance,
    description: families[plan.options.family].description,
  });
  const scores = { encoder_sha256: sha256, ...provenance.best, validation, test };
  writeWhole(join(into, 'scores.json'), `${JSON.stringify(scores, undefined, 2)}\n`);
  await writeCurves(into, columnsOf(position.history));
  await writeScores(into, [
    { label: 'Test', scores: test.all },
    ...(plan.noiseNames.length > 1
      ? Object.entries(test.by_noise).map(([label, of]) => ({ label: `Test, noise ${label}`, scores: of }))
      : []),
  ]);
  await drawExamples(plan, loaders, verdicts.validation);
  return true;
}

/** Draws windows of the validation set with the first kind of noise, those with the most members first. */
async function drawExamples(plan: TrainPlan, loaders: Loaders, verdict: Verdict): Promise<void> {
  const { shape, rules, options } = plan;
  const examples: Example[] = [];
  for (const { window, cells } of verdict.withMostMembers(options.pictures)) {
    const { image } = await loaders.showAgain(window, scoringVisit(rules, window, 0), loaders.newImage());
    const plane = (band: string) => {
      const area = shape.side ** 2;
      return new Float32Array(image, 4 * area * plan.bands.indexOf(band), area).slice();
    };
    const { side } = shape;
    const planes = [plane('i'), plane('r'), plane('g')] as const;
    examples.push({ ...cells, title: window, planes, width: side, height: side });
  }
  if (examples.length > 0)
    await writeExamples(join(options.into, 'examples.png'), examples, { threshold: options.threshold });
}

const scoresOfSet = (verdict: Verdict, windows: readonly string[], options: ScoreOptions): SetScores => ({
  windows: windows.length,
  loss: verdict.loss,
  all: verdict.scores(options),
  by_noise: verdict.scoresByNoise(options),
});

/** Everything that decided the encoder, and how good it is; for its manifest. */
function provenanceOf(
  run: Run,
  plan: TrainPlan,
  best: Position,
  last: Position,
  scores: { readonly validation: SetScores; readonly test: SetScores },
) {
  const { options, architecture, epochSizes, splits } = plan;
  const brief = ({ windows, loss, all, by_noise }: SetScores) => ({
    windows,
    loss,
    ...headline(all),
    by_noise: Object.fromEntries(Object.entries(by_noise).map(([noise, of]) => [noise, headline(of)])),
  });
  return {
    run: run.id,
    pipeline: run.pipeline,
    skypass_version: run.version,
    config_sha256: run.identityHash,
    configuration: (run.ledger.start?.identity ?? {}) as { readonly [key: string]: JsonValue },
    seed: options.seed,
    parameters: parameterCount(architecture),
    splits: Object.fromEntries(Object.entries(splits).map(([set, { from, to }]) => [set, [from, to]])),
    windows: {
      train: last.windows.train.length,
      revisited: epochSizes.later,
      validation: last.windows.validation.length,
      test: last.windows.test.length,
    },
    epochs: last.epoch,
    steps: last.step,
    best: {
      step: best.step,
      epoch: best.best?.epoch ?? last.epoch,
      validation_loss: best.best?.loss ?? null,
    },
    scores: { validation: brief(scores.validation), test: brief(scores.test) },
  };
}

const headline = ({ fields, cells, members, mode, auc, average_precision }: Scores) => ({
  fields,
  cells,
  members,
  accuracy: mode.accuracy.value,
  precision: mode.precision.value,
  recall: mode.recall.value,
  f1: mode.f1.value,
  auc: auc.value,
  average_precision: average_precision.value,
});

function columnsOf({ steps, scores }: History) {
  return {
    steps: {
      step: steps.map(({ step }) => step),
      loss: steps.map(({ loss }) => loss),
      learningRate: steps.map(({ learningRate }) => learningRate),
      samplesPerSecond: steps.map(({ samplesPerSecond }) => samplesPerSecond),
    },
    validations: {
      step: scores.map(({ step }) => step),
      loss: scores.map(({ loss }) => loss),
      accuracy: scores.map(({ accuracy }) => accuracy),
      precision: scores.map(({ precision }) => precision),
      recall: scores.map(({ recall }) => recall),
      f1: scores.map(({ f1 }) => f1),
      auc: scores.map(({ auc }) => auc ?? Number.NaN),
    },
  };
}
