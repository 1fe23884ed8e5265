/** When what happens in a training: pure functions of the configuration, the step and the epoch. */
import { deriveSeed, Random } from '../../../science/random.js';

export interface LearningRateRule {
  readonly kind: 'constant' | 'cosine' | 'step';
  /** Rate after the warm-up. */
  readonly rate: number;
  /** Steps over which it rises linearly from nothing. */
  readonly warmupSteps: number;
  /** cosine: the rate of the last step, as a part of `rate`. */
  readonly final: number;
  /** step: epochs, counted from 0, from which on it is `gamma` times what it was. */
  readonly milestones: readonly number[];
  readonly gamma: number;
}

/** Place of a step in a training: counted from 0, as are epochs. */
export interface Moment {
  readonly step: number;
  readonly epoch: number;
  /** Steps of the whole training, as planned. */
  readonly steps: number;
}

/** Learning rate of a step. cosine is Loshchilov and Hutter 2017 without restarts, over what follows the warm-up. */
export function learningRateAt(rule: LearningRateRule, { step, epoch, steps }: Moment): number {
  if (step < rule.warmupSteps) return (rule.rate * (step + 1)) / rule.warmupSteps;
  if (rule.kind === 'step')
    return rule.rate * rule.gamma ** rule.milestones.filter((milestone) => epoch >= milestone).length;
  if (rule.kind === 'constant') return rule.rate;
  const left = Math.max(1, steps - 1 - rule.warmupSteps);
  const done = Math.min(1, (step - rule.warmupSteps) / left);
  return rule.rate * (rule.final + (1 - rule.final) * 0.5 * (1 + Math.cos(Math.PI * done)));
}

/** The windows in the order in which an epoch visits them; the same, whatever order they are given in. */
export function visitOrder(ids: readonly string[], seed: number, epoch: number): readonly string[] {
  const order = ids.toSorted();
  const random = new Random(deriveSeed(seed, 'order', epoch));
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j] as string, order[i] as string];
  }
  return order;
}

/** Windows of the first epoch, of later ones, and of one step. */
export interface EpochSizes {
  readonly first: number;
  readonly later: number;
  readonly perStep: number;
}

/** Steps of the first so many epochs. */
export function stepsOf({ first, later, perStep }: EpochSizes, epochs: number): number {
  return epochs === 0 ? 0 : Math.ceil(first / perStep) + (epochs - 1) * Math.ceil(later / perStep);
}

/** Whether something that happens every so many steps happens after this many; never for undefined. */
export const isDue = (every: number | undefined, stepsDone: number): boolean =>
  every !== undefined && stepsDone > 0 && stepsDone % every === 0;
