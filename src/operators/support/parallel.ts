/** The option of how much is done at once: a number, or as much as there are cores for. */
import { availableParallelism } from 'node:os';
import { field } from '../../config/field.js';

/** @param what what is counted, such as `Threads` */
export const parallelField = (what: string, doc: string) =>
  field.oneOf(
    [field.choice(['auto'], { doc: 'As many as cores.' }), field.int({ min: 1, max: 256, doc: `${what}.` })],
    { default: 'auto', doc },
  );

export const parallelism = (option: number | 'auto'): number =>
  option === 'auto' ? availableParallelism() : option;
