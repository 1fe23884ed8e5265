/** Trains an encoder on windows whose content is known. */
import { stageSpec } from '../config/spec.js';
import { seededWeights } from '../encoders/network.js';
import { initialParameters } from '../encoders/step/layout.js';
import { EngineError } from '../engine/errors.js';
import { operator, type StageNeeds } from '../engine/stage.js';
import type { BatchFacts } from './support/facts.js';
import type { Batch, Table } from './support/nouns.js';
import { Checkpoints, settleLedger } from './support/train/checkpoints.js';
import { finish, isFinished, tablesOf } from './support/train/finish.js';
import { Lanes, type NetworkVectors } from './support/train/lanes.js';
import { Loaders } from './support/train/loaders.js';
import { readyPlaces, requireMemory, trainingBytes } from './support/train/needs.js';
import { trainFields, updateRule } from './support/train/options.js';
import { identityOf, planTraining, type TrainPlan } from './support/train/plan.js';
import { start } from './support/train/position.js';
import { Telemetry } from './support/train/telemetry.js';
import { Trainer } from './support/train/trainer.js';
import { WindowCache } from './support/train/window-cache.js';

export const trainSpec = stageSpec(
  'train',
  { takes: 'Batch', gives: 'Table' },
  'Trains an encoder: the first epoch on windows as they come, later ones on those it has kept.',
  trainFields,
);

/**
 * @emits      the encoder and its scores, after the last epoch; nothing when the run is asked to stop
 * @waits      while as many windows are ready as a batch and the lanes need
 * @completes  after the last epoch, when encoder, scores and plots are written; asked to stop, after the step it is at
 * @fails      `training_diverged` `cache_damaged` `disk_full` `splits_invalid` (the run; the last checkpoint is kept);
 *             `bands_differ` `truth_missing` `encoder_not_finite` (that window only); before anything starts:
 *             `splits_invalid` `truth_missing` `no_input` `encoder_mismatch` `memory_too_small` `device_unavailable`
 *             `checkpoint_mismatch` `output_exists`
 * @order      windows are trained on in the order in which they come, then in orders drawn by seed and epoch
 * @memory     a batch of averaged windows and one for each lane; for each lane what the network needs to go forth and back
 */
export const train = operator<typeof trainSpec, Batch, Table>({
  spec: trainSpec,
  // Of `cache` and `epochs`, what decides the numbers is said in the identity.
  operational: ['into', 'epochs', 'cache', 'checkpoint_every', 'pictures', 'device', 'lanes', 'loaders'],

  inspect: async (options, incoming, run): Promise<StageNeeds> => {
    const plan = planTraining(options, incoming as BatchFacts);
    requireMemory(plan, run.memory.total, plan.architecture.cell);
    return {
      facts: { kind: 'Table' },
      itemBytes: 4096,
      workingBytes: trainingBytes(plan),
      slots: 1,
      identity: identityOf(plan),
    };
  },

  open: async (stage, options) => {
    const { run, needs } = stage;
    const { into } = options;
    const plan = planTraining(options, stage.incoming as BatchFacts);
    const memory = await stage.workspace(needs.workingBytes, run.signal);
    run.onClose(async () => memory.release());
    const cache = await WindowCache.open({ dir: plan.cacheDir, run: run.id, into, shape: plan.shape });
    const checkpoints = await Checkpoints.open(into, options.family, run);
    const saved = (await checkpoints.load('last')) ?? { network: firstNetwork(plan), position: start };
    refuseFewerEpochs(saved.position.epoch, options.epochs);
    // That the best checkpoint is gone is said at the start, rather than after the last epoch.
    if (saved.position.best !== undefined && !isFinished(options, saved.position))
      await checkpoints.loadBest();
    const missing = await settleLedger(run, saved.position, plan.kept, cache);
    const lanes = await Lanes.open({
      family: options.family,
      rows: plan.microBatch,
      side: plan.shape.side,
      rule: updateRule(options.optimizer, options.gradient_clip),
      device: options.device,
      lanes: plan.lanes,
      signal: run.signal,
    });
    run.onClose(() => lanes.close());
    lanes.set(saved.network);
    const loaders = new Loaders({
      threads: plan.loaders,
      places: readyPlaces(plan),
      shape: plan.shape,
      pool: plan.architecture.normaliser.pool,
      cache,
      signal: run.signal,
    });
    run.onClose(() => loaders.close());
    const telemetry = new Telemetry({
      meters: run.meters,
      into,
      steps: plan.steps,
      epochs: options.epochs,
      position: saved.position,
    });
    run.onClose(async () => telemetry.close());
    run.log.info({ stage: stage.name }, `${lanes.count} lanes on ${lanes.device}`);

    return async (ports) => {
      const trainer = new Trainer({
        stage,
        plan,
        lanes,
        loaders,
        checkpoints,
        telemetry,
        position: saved.position,
        missing,
      });
      const working = stage.meter.running();
      try {
        if (!(await trainer.train(ports))) return;
        if (!isFinished(options, trainer.position)) {
          const best = await checkpoints.loadBest();
          if (!(await finish({ run, plan, trainer, lanes, loaders, best }))) return;
          await trainer.save({ isFinished: true });
        }
      } finally {
        working();
      }
      for (const table of tablesOf(into, trainer.position.windows.train.length))
        (await ports.outlet.reserve(4096)).emit(table, []);
    };
  },
});

/** The network before the first step. */
function firstNetwork({ architecture, options }: TrainPlan): NetworkVectors {
  const parameters = initialParameters(architecture, seededWeights(options.seed));
  return {
    quantiles: Float32Array.from(architecture.normaliser.initial),
    parameters,
    moment1: new Float32Array(parameters.length),
    moment2: new Float32Array(parameters.length),
  };
}

/** A training may be given more epochs than it had, and goes on; it may not be given fewer. */
function refuseFewerEpochs(done: number, epochs: number): void {
  if (done <= epochs) return;
  throw new EngineError(
    'run_mismatch',
    `this run has trained for ${done} epochs, more than the ${epochs} asked for`,
    {
      hint: `use train.epochs=${done} or more, or another folder`,
    },
  );
}
