/** Whether a training has lost its way: its loss is no number, or far above what it was. */
import { EngineError } from '../../../engine/errors.js';

/** Steps whose losses are looked back on. */
const memory = 64;
/** Times the running median from which on a loss counts as exploding. */
export const explodingFactor = 100;
/** Loss of who knows nothing. A median below it is taken for it: a hard batch among easy ones explodes nothing. */
const ignorance = Math.LN2;

/** Adds the loss of a step to those before. */
export const remember = (losses: readonly number[], loss: number): readonly number[] =>
  [...losses, loss].slice(-memory);

/** What is wrong with the loss of a step, in words; undefined when nothing is. */
export function divergence(
  losses: readonly number[],
  loss: number,
  gradientNorm: number,
): string | undefined {
  if (!Number.isFinite(loss)) return `the loss is ${loss}`;
  if (!Number.isFinite(gradientNorm)) return `the norm of the gradient is ${gradientNorm}`;
  const median = losses.toSorted((a, b) => a - b)[losses.length >> 1];
  if (median === undefined || loss <= explodingFactor * Math.max(median, ignorance)) return undefined;
  return `the loss is ${loss.toPrecision(3)}, more than ${explodingFactor} times its running median of ${median.toPrecision(3)}`;
}

/** Where a training was when it lost its way. */
export interface Diverged {
  /** Updates that had been made. */
  readonly step: number;
  /** A window it happened on. */
  readonly item?: string;
  /** Where the last good network is; undefined when it happened before the first checkpoint. */
  readonly checkpoint: string | undefined;
}

/** @param what happened and where, in words */
export function diverged(what: string, { step, item, checkpoint }: Diverged): EngineError {
  const remedy =
    step === 0
      ? 'nothing has been learnt that could be wrong: look at the pixels of these images, and leave out what is no image'
      : 'lower the learning rate or clip gradients (train.gradient_clip); no checkpoint had been made';
  return new EngineError('training_diverged', what, {
    ...(item !== undefined && { item }),
    ...(checkpoint === undefined ? { hint: remedy } : { place: { file: checkpoint } }),
  });
}
