/** The operators a pipeline file can name. */
import type { StageSpec } from '../config/spec.js';
import type { OperatorDefinition } from '../engine/stage.js';
import { aggregate } from '../operators/aggregate.js';
import { batch } from '../operators/batch.js';
import { encode } from '../operators/encode.js';
import { evaluate } from '../operators/evaluate.js';
import { read } from '../operators/read.js';
import { render } from '../operators/render.js';
import { sample } from '../operators/sample.js';
import { tile } from '../operators/tile.js';
import { train } from '../operators/train.js';
import { write } from '../operators/write.js';

/** In the order of a chain: sources first. */
export const operators: readonly OperatorDefinition[] = [
  sample,
  read,
  render,
  tile,
  batch,
  encode,
  train,
  write,
  aggregate,
  evaluate,
].map((operator) => operator as unknown as OperatorDefinition);

export const operatorsByName: ReadonlyMap<string, OperatorDefinition> = new Map(
  operators.map((operator) => [operator.spec.operator, operator]),
);

export const specs: readonly StageSpec[] = operators.map(({ spec }) => spec);

export const specsByName: ReadonlyMap<string, StageSpec> = new Map(
  specs.map((spec) => [spec.operator, spec]),
);
