/** All weights of a network as one flat vector: what a training step takes, gives the gradient of, and updates. */
import { type Architecture, parametersOf } from '../layers.js';
import type { WeightSource } from '../network.js';

/** Where a weight lies in the flat vector, in row-major order. */
export interface ParameterSlot {
  /** As in a torch `state_dict`. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

/** The weights of an architecture's layers, in their order, without gaps. The normaliser's quantiles are not among them. */
export function slotsOf(architecture: Architecture): readonly ParameterSlot[] {
  let offset = 0;
  return parametersOf(architecture.layers).map(({ name, shape }) => {
    const length = shape.reduce((product, side) => product * side, 1);
    const slot = { name, shape, offset, length };
    offset += length;
    return slot;
  });
}

/** Length of the flat vector. */
export const parameterCount = (architecture: Architecture): number =>
  slotsOf(architecture).reduce((sum, { length }) => sum + length, 0);

/** The flat vector of the weights that a source gives. */
export function initialParameters(architecture: Architecture, weights: WeightSource): Float32Array {
  const parameters = new Float32Array(parameterCount(architecture));
  let offset = 0;
  for (const { name, shape, initial } of parametersOf(architecture.layers)) {
    const values = weights(name, shape, initial);
    parameters.set(values, offset);
    offset += values.length;
  }
  return parameters;
}
