/** Steps of a training: windows are sent through the lanes as they come, then the network is changed by all of them. */
import { diverged, divergence, remember } from './divergence.js';
import { type StepPoint, withStep } from './history.js';
import type { Group, Lanes } from './lanes.js';
import type { Loaders } from './loaders.js';
import { addCells, type CellCounts, memberWeight, noCells, weightsOf } from './objective.js';
import { learningRateRule } from './options.js';
import type { TrainPlan } from './plan.js';
import type { Position } from './position.js';
import { learningRateAt } from './schedule.js';
import type { Visited, Visits } from './visits.js';

/** A step that is being made. */
export interface Step {
  readonly windows: readonly Visited[];
  /** Of its windows, in their order, a group for each pass of a lane. */
  readonly losses: readonly Promise<number>[];
  /** What the position will be when it is made. */
  readonly normaliser: Position['normaliser'];
  readonly cells: CellCounts;
  /** Since its first window was asked for: in all, and with nothing for the lanes to do. */
  readonly seconds: number;
  readonly waitSeconds: number;
}

export interface Made {
  readonly position: Position;
  readonly point: StepPoint;
}

export class Steps {
  readonly #plan: TrainPlan;
  readonly #lanes: Lanes;
  readonly #loaders: Loaders;

  constructor(plan: TrainPlan, lanes: Lanes, loaders: Loaders) {
    this.#plan = plan;
    this.#lanes = lanes;
    this.#loaders = loaders;
  }

  /** Whether a step has all the windows it may have: fewer are left at the end of an epoch, or of the run. */
  isWhole({ windows }: Pick<Step, 'windows'>): boolean {
    return windows.length === this.#plan.epochSizes.perStep;
  }

  /** Takes the windows of the next step, and has their gradients made; nothing is changed by them yet. */
  async gather(visits: Visits, position: Position): Promise<Step> {
    const { rows, microBatch, options } = this.#plan;
    const began = performance.now();
    const windows: Visited[] = [];
    const losses: Promise<number>[] = [];
    let { normaliser, cells } = position;
    let waitSeconds = 0;
    this.#lanes.clearGradient();
    while (!this.isWhole({ windows })) {
      const isFitting = (normaliser?.updates ?? 0) < options.normaliser_updates;
      const leftOfBatch = rows - (windows.length % rows);
      const wanted = isFitting ? leftOfBatch : Math.min(microBatch, leftOfBatch);
      const taken: Visited[] = [];
      while (taken.length < wanted) {
        const asked = performance.now();
        const visited = await visits.next();
        waitSeconds += this.#lanes.idleSecondsSince(asked);
        if (visited === undefined) break;
        taken.push(visited);
      }
      if (taken.length === 0) break;
      if (isFitting) {
        // The batches before are normalised by the quantiles as they were.
        await Promise.all(losses);
        const images = taken.map(({ image }) => image);
        normaliser = await this.#lanes.fit(images, normaliser);
      }
      for (let i = 0; i < taken.length; i += microBatch) {
        const group = taken.slice(i, i + microBatch);
        if (position.epoch === 0)
          cells = group.reduce((counts, { membership }) => addCells(counts, membership), cells);
        losses.push(this.#begin(group, memberWeight(options.positive_weight, cells)));
      }
      windows.push(...taken);
    }
    const seconds = (performance.now() - began) / 1000;
    return { windows, losses, normaliser, cells, seconds, waitSeconds };
  }

  /** Has the gradient of a group made; its images are given back when nobody needs them any more. */
  #begin(group: readonly Visited[], weight: number): Promise<number> {
    const loss = this.#lanes.addGradient(groupOf(group, weight));
    loss.then(
      () => {
        for (const { image } of group) this.#loaders.give(image);
      },
      // Heard of when the step is made.
      () => {},
    );
    return loss;
  }

  /**
   * Changes the network by a step.
   *
   * @param checkpoint where the last good network is, if anywhere
   * @throws EngineError `training_diverged`; the network is as it was, then
   */
  async make(step: Step, before: Position, checkpoint: string | undefined): Promise<Made> {
    const { options, steps } = this.#plan;
    const began = performance.now();
    const sums = await Promise.all(step.losses);
    await this.#lanes.summed();
    const counts = step.windows.reduce((all, { membership }) => addCells(all, membership), noCells);
    const loss = sums.reduce((sum, each) => sum + each, 0) / counts.cells;
    const refuse = (gradientNorm: number): void => {
      const problem = divergence(before.losses, loss, gradientNorm);
      if (problem === undefined) return;
      const what = `in step ${before.step + 1}, on ${named(step)}, ${problem}`;
      throw diverged(what, { step: before.step, item: (step.windows[0] as Visited).id, checkpoint });
    };
    refuse(0);
    const moment = { step: before.step, epoch: before.epoch, steps };
    const learningRate = learningRateAt(learningRateRule(options.schedule, options.optimizer), moment);
    const scale = 1 / counts.cells;
    const gradientNorm = await this.#lanes.update({ scale, learningRate, step: before.step + 1 });
    refuse(gradientNorm);
    const seconds = step.seconds + (performance.now() - began) / 1000;
    const samplesPerSecond = step.windows.length / seconds;
    const point = { step: before.step + 1, loss, learningRate, gradientNorm, samplesPerSecond };
    const position = {
      ...before,
      step: point.step,
      visited: before.visited + step.windows.length,
      reached: Math.max(before.reached, ...step.windows.map(({ item }) => item)),
      normaliser: step.normaliser,
      cells: step.cells,
      epochMembers: before.epochMembers + counts.members,
      losses: remember(before.losses, loss),
      windows: before.epoch === 0 ? withTrained(before.windows, step) : before.windows,
      history: withStep(before.history, point),
      isFinished: false,
    };
    return { position, point };
  }
}

/** Windows as a lane takes them. */
function groupOf(windows: readonly Visited[], weight: number): Group {
  const cells = windows.reduce((sum, { membership }) => sum + membership.length, 0);
  const [target, weights] = [new Float32Array(cells), new Float32Array(cells)];
  let at = 0;
  for (const { membership } of windows) {
    target.set(membership, at);
    weights.set(weightsOf(membership, weight), at);
    at += membership.length;
  }
  return { images: windows.map(({ image }) => image), target, weight: weights };
}

const withTrained = (windows: Position['windows'], step: Step): Position['windows'] => ({
  ...windows,
  train: [...windows.train, ...step.windows.map(({ id }) => id)],
});

/** The windows of a step, in words. */
function named({ windows }: Step): string {
  const ids = windows.map(({ id }) => id);
  const some = ids.slice(0, 8).join(', ');
  return ids.length > 8 ? `${some} and ${ids.length - 8} more` : some;
}
