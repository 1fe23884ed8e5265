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

/**
 * @param what happened and where, in words
 * @param item a window it happened on
 * @param checkpoint where the last good network is; undefined when it happened before the first checkpoint
 */
export function diverged(
  what: string,
  item: string | undefined,
  checkpoint: string | undefined,
): EngineError {
  return new EngineError('training_diverged', what, {
    ...(item !== undefined && { item }),
    ...(checkpoint === undefined
      ? {
          hint: 'lower the learning rate or clip gradients (train.gradient_clip); no checkpoint had been made',
        }
      : { place: { file: checkpoint } }),
  });
}
