/** The loop of a training: steps, scores, checkpoints, epoch after epoch. */
import { EngineError } from '../../../engine/errors.js';
import type { Inlet, Ports } from '../../../engine/ports.js';
import type { Stage } from '../../../engine/stage.js';
import type { Batch } from '../nouns.js';
import { trainingVisit } from './augment.js';
import { type Checkpoints, windowsOf } from './checkpoints.js';
import { diverged, divergence } from './divergence.js';
import { withScores } from './history.js';
import { Intake } from './intake.js';
import type { Lanes, NetworkVectors } from './lanes.js';
import type { Loaders } from './loaders.js';
import { memberWeight } from './objective.js';
import { numbersOf, type TrainPlan } from './plan.js';
import type { Position } from './position.js';
import { isDue, visitOrder } from './schedule.js';
import { judge, type Verdict } from './scoring.js';
import { itemOf, setNames } from './splits.js';
import { Steps } from './steps.js';
import type { Telemetry } from './telemetry.js';
import { Visits } from './visits.js';

export interface TrainerOptions {
  readonly stage: Stage;
  readonly plan: TrainPlan;
  readonly lanes: Lanes;
  readonly loaders: Loaders;
  readonly checkpoints: Checkpoints;
  readonly telemetry: Telemetry;
  /** Where it goes on; the lanes have the network of that moment. */
  readonly position: Position;
  /** Windows of the position whose files are gone; they come again. */
  readonly missing: readonly string[];
}

export class Trainer {
  readonly #stage: Stage;
  readonly #plan: TrainPlan;
  readonly #lanes: Lanes;
  readonly #loaders: Loaders;
  readonly #checkpoints: Checkpoints;
  readonly #telemetry: Telemetry;
  readonly #steps: Steps;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #missing: Set<string>;
  #position: Position;
  /** Aborts when nobody wants the encoder any more. */
  #signal: AbortSignal;

  constructor(options: TrainerOptions) {
    this.#stage = options.stage;
    this.#plan = options.plan;
    this.#lanes = options.lanes;
    this.#loaders = options.loaders;
    this.#checkpoints = options.checkpoints;
    this.#telemetry = options.telemetry;
    this.#steps = new Steps(options.plan, options.lanes, options.loaders);
    this.#position = options.position;
    this.#signal = options.stage.run.signal;
    this.#missing = new Set(options.missing);
    this.#numbers = numbersOf(options.plan.names);
  }

  get position(): Position {
    return this.#position;
  }

  /**
   * Trains to the end of the last epoch.
   *
   * @returns false when the run was asked to stop before; all that was done is in the last checkpoint then
   * @throws EngineError `training_diverged`, `splits_invalid`, `cache_damaged`, `disk_full`
   */
  async train(ports: Pick<Ports<Batch, never>, 'inlet' | 'signal' | 'abort'>): Promise<boolean> {
    this.#signal = ports.signal;
    if (!(await this.#streamed(ports.inlet, ports.abort))) return false;
    while (this.#position.epoch < this.#plan.options.epochs) {
      if (!(await this.#revisited())) return false;
    }
    return true;
  }

  /** The first epoch, or what is left of it; in later ones windows come only to be kept again. */
  async #streamed(inlet: Inlet<Batch>, abort: (error: unknown) => void): Promise<boolean> {
    const { stopping } = this.#stage.run;
    const isFirstEpoch = this.#position.epoch === 0;
    const intake = this.#newIntake(isFirstEpoch, abort);
    const visits = new Visits();
    const taking = intake.take(inlet, visits);
    taking.catch(() => {});
    const leave = (): void => visits.end();
    stopping.addEventListener('abort', leave, { once: true });
    let isDone = false;
    try {
      if (isFirstEpoch) {
        // What is made anew comes first.
        if (this.#missing.size > 0) await visits.hasBegun();
        if (!(await this.#epoch(visits, intake))) return false;
      }
      await taking;
      const isAnyAgain = intake.stored.again.length > 0;
      await this.#record(intake);
      if (stopping.aborted) return this.#stopped(intake);
      this.#refuseEmptySets();
      if (isAnyAgain) await this.save();
      isDone = isFirstEpoch ? await this.#epochEnded() : await this.#afterStep(undefined);
      return isDone;
    } catch (error) {
      abort(error);
      throw error;
    } finally {
      stopping.removeEventListener('abort', leave);
      // Whatever still comes is let go of.
      if (!isDone) this.#loaders.stop();
      await taking.catch(() => {});
    }
  }

  #newIntake(isFirstEpoch: boolean, abort: (error: unknown) => void): Intake {
    const { rules, bands, size, architecture, options, splits, kept } = this.#plan;
    return new Intake({
      stage: this.#stage,
      loaders: this.#loaders,
      rules,
      bands,
      size,
      cell: architecture.cell,
      origin: options.origin,
      numbers: this.#numbers,
      splits,
      kept,
      known: new Set(windowsOf(this.#position)),
      isFirstEpoch,
      abort,
    });
  }

  /** An epoch over the windows of the cache, or what is left of it. */
  async #revisited(): Promise<boolean> {
    const { kept, rules, options } = this.#plan;
    const { epoch, visited, windows } = this.#position;
    const ids = windows.train.filter((id) => kept.has(itemOf(id)));
    const visits = new Visits();
    const feeding = (async () => {
      for (const id of visitOrder(ids, options.seed, epoch).slice(visited)) {
        const into = await this.#loaders.take();
        if (into === undefined) break;
        const seen = this.#loaders.showAgain(id, trainingVisit(rules, id, epoch), into);
        visits.push({ id, item: this.#numbers.get(itemOf(id)) as number, seen });
      }
      visits.end();
    })();
    let isDone = false;
    try {
      isDone = (await this.#epoch(visits)) && (await this.#epochEnded());
      return isDone;
    } finally {
      if (!isDone) this.#loaders.stop();
      await feeding;
    }
  }

  /** Steps until no window is left. @returns false when the run is asked to stop */
  async #epoch(visits: Visits, intake?: Intake): Promise<boolean> {
    const { run } = this.#stage;
    // What a stop or a kill has kept from being done after the last step.
    if (!(await this.#afterStep(intake))) return this.#stopped(intake);
    for (;;) {
      this.#signal.throwIfAborted();
      const step = await this.#steps.gather(visits, this.#position);
      if (step.windows.length === 0 || (run.stopping.aborted && !this.#steps.isWhole(step))) {
        // Less than a step because of the stop: it is made when the training goes on.
        await this.#lanes.summed();
        return run.stopping.aborted ? this.#stopped(intake) : true;
      }
      const epoch = this.#position.epoch + 1;
      const { position, point } = await this.#steps.make(step, this.#position, this.#checkpoints.made);
      this.#position = position;
      const samples = step.windows.length;
      const { waitSeconds } = step;
      const seconds = samples / point.samplesPerSecond - waitSeconds;
      this.#telemetry.step({ ...point, epoch, samples, seconds, waitSeconds });
      if (!(await this.#afterStep(intake)) || run.stopping.aborted) return this.#stopped(intake);
      if (isDue(this.#plan.options.checkpoint_every, this.#position.step)) {
        if (intake !== undefined) await this.#record(intake);
        await this.save();
      }
    }
  }

  /** Takes scores when that is due and they have not been. @returns false when the run is asked to stop meanwhile */
  async #afterStep(intake: Intake | undefined): Promise<boolean> {
    const { step, scored, epoch, visited, reached } = this.#position;
    const isBetween = visited === 0 && epoch > 0;
    if (scored === step || !(isBetween || isDue(this.#plan.options.validate_every, step))) return true;
    // While the first epoch streams: only once everything to validate with has come, which is before this step's windows.
    if (epoch === 0 && reached < this.#plan.splits.validation.to) return true;
    if (intake !== undefined) await this.#record(intake);
    return this.#validate();
  }

  async #validate(): Promise<boolean> {
    const verdict = await this.judged('validation');
    if (verdict === undefined) return false;
    const { options, epochSizes } = this.#plan;
    const before = this.#position;
    const { loss } = verdict;
    const problem = divergence(before.losses, loss, 0);
    if (problem !== undefined) {
      const what = `after step ${before.step}, on the validation set, ${problem}`;
      throw diverged(what, { step: before.step, checkpoint: this.#checkpoints.made });
    }
    const quick = { threshold: options.threshold, seed: options.seed, draws: 0, samples: 0 };
    const { mode, auc } = verdict.scores(quick);
    const perEpoch = before.epoch === 0 ? epochSizes.first : epochSizes.later;
    const point = {
      step: before.step,
      epoch: before.epoch + before.visited / perEpoch,
      loss,
      accuracy: mode.accuracy.value ?? 0,
      precision: mode.precision.value ?? 0,
      recall: mode.recall.value ?? 0,
      f1: mode.f1.value ?? 0,
      ...(auc.value !== null && { auc: auc.value }),
    };
    const isBest = before.best === undefined || loss < before.best.loss;
    this.#position = {
      ...before,
      scored: before.step,
      history: withScores(before.history, point),
      ...(isBest && { best: { loss, step: before.step, epoch: Math.max(1, Math.ceil(point.epoch)) } }),
    };
    if (isBest) this.#checkpoints.save('best', { network: this.#network(), position: this.#position });
    this.#telemetry.scores(point, verdict.scoresByNoise(quick));
    return true;
  }

  /** What the network says of a set now. */
  judged(set: 'validation' | 'test'): Promise<Verdict | undefined> {
    const { rules, noiseNames, microBatch, shape, options } = this.#plan;
    return judge(this.#position.windows[set], memberWeight(options.positive_weight, this.#position.cells), {
      loaders: this.#loaders,
      lanes: this.#lanes,
      rules,
      noiseNames,
      rows: microBatch,
      cells: shape.cells,
      stopping: this.#stage.run.stopping,
    });
  }

  /** Ends an epoch: scores, then a checkpoint. */
  async #epochEnded(): Promise<boolean> {
    const { epoch, epochMembers } = this.#position;
    if (epochMembers === 0) {
      this.#stage.run.log.warn(
        { stage: this.#stage.name },
        `no cell of epoch ${epoch + 1} holds a member of a cluster: there is nothing to learn from`,
      );
    }
    this.#position = { ...this.#position, epoch: epoch + 1, visited: 0, epochMembers: 0 };
    const isScored = await this.#afterStep(undefined);
    await this.save();
    return isScored && !this.#stage.run.stopping.aborted;
  }

  async #stopped(intake: Intake | undefined): Promise<false> {
    if (intake !== undefined) await this.#record(intake);
    await this.save();
    return false;
  }

  /** All that has been recorded is in the last checkpoint, and in the ledger, when this returns. */
  async save(change: Partial<Position> = {}): Promise<void> {
    const { ledger } = this.#stage.run;
    this.#position = { ...this.#position, ...change };
    await this.#loaders.sync();
    this.#checkpoints.save('last', { network: this.#network(), position: this.#position });
    this.#telemetry.flush();
    const items = windowsOf(this.#position).filter(
      (id) => ledger.stateOf(id)?.outcome !== 'ok' && !this.#missing.has(id),
    );
    if (items.length === 0) return;
    await ledger.append({ type: 'outcome', items, outcome: 'ok' });
    this.#stage.meter.outcome('ok', items.length);
  }

  /** Adds the windows that are kept for scores, and are on disk or will be at the next checkpoint. */
  async #record(intake: Intake): Promise<void> {
    await intake.settled();
    for (const id of intake.stored.again.splice(0)) this.#missing.delete(id);
    const { windows } = this.#position;
    const added = (set: 'validation' | 'test') => [...windows[set], ...intake.stored[set].splice(0)].sort();
    this.#position = {
      ...this.#position,
      windows: { ...windows, validation: added('validation'), test: added('test') },
    };
  }

  /** The network after the last step that was made: the normaliser may have seen batches of the next one. */
  #network(): NetworkVectors {
    const { normaliser } = this.#position;
    const network = this.#lanes.get();
    return normaliser === undefined
      ? network
      : { ...network, quantiles: Float32Array.from(normaliser.quantiles) };
  }

  /** @throws EngineError `splits_invalid` when all windows of a set had to be set aside */
  #refuseEmptySets(): void {
    const empty = setNames.find((set) => this.#position.windows[set].length === 0);
    if (empty === undefined) return;
    throw new EngineError('splits_invalid', `no window of the ${empty} set could be used`, {
      stage: this.#stage.name,
      hint: 'see in the ledger why they were set aside, and use others',
    });
  }
}
