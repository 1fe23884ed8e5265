/** Proves that a model is what its manifest says, before a session is opened. */
import { EngineError } from '../engine/errors.js';
import type { Manifest } from './manifest.js';
import { type ModelSummary, readModel, type ValueInfo } from './onnx.js';

/**
 * What the bytes of a `.onnx` file take, give and hold.
 *
 * @throws EngineError `encoder_invalid` when they are not a model
 */
export function summarise(model: Uint8Array, file: string): ModelSummary {
  try {
    return readModel(model);
  } catch (cause) {
    throw new EngineError('encoder_invalid', `not an ONNX model: ${(cause as Error).message}`, {
      place: { file },
      cause,
    });
  }
}

/**
 * Compares a model's own inputs and outputs with its manifest.
 *
 * @throws EngineError `encoder_invalid`; the message says what both say
 */
export function checkModel(
  model: ModelSummary,
  { input, output, bands, stochastic }: Manifest,
  file: string,
): void {
  const taken = only(model.inputs, input.name, 'input', file);
  const given = model.outputs.find(({ name }) => name === output.name);
  if (given === undefined) {
    throw invalid(
      file,
      `the manifest names output ${output.name}; the model gives ${model.outputs.map(describe).join(', ')}`,
    );
  }
  for (const value of [taken, given]) {
    if (value.type !== 'float32')
      throw invalid(file, `${describe(value)} should be float32`, 'export the model in 32-bit floats');
  }
  const side = 'exact' in input.window ? input.window.exact : 'any';
  expectShape(taken, ['any', bands.length, side, side], file);
  if (output.map) expectShape(given, ['any', output.labels.length, 'any', 'any'], file);
  else if (given.shape !== undefined && given.shape.length === 2)
    expectShape(given, ['any', output.labels.length], file);
  const random = [...model.ops].filter((op) => /^(Random|Multinomial|Bernoulli)/.test(op));
  if (random.length > 0 && !stochastic) {
    throw invalid(
      file,
      `the model draws random numbers (${random.join(', ')}); its manifest says it does not`,
      'set stochastic: true',
    );
  }
  const elsewhere = model.initializers.find(
    ({ bytes, shape }) => bytes.length === 0 && shape.length > 0 && !shape.includes(0),
  );
  if (elsewhere !== undefined) {
    throw invalid(
      file,
      `weight ${elsewhere.name} is not stored in the file as bytes`,
      'save the model as one file, without external data',
    );
  }
}

function only(values: readonly ValueInfo[], name: string, what: string, file: string): ValueInfo {
  const [first, ...others] = values;
  if (first?.name === name && others.length === 0) return first;
  throw invalid(
    file,
    `the manifest names one ${what}, ${name}; the model takes ${values.map(describe).join(', ') || 'nothing'}`,
  );
}

function expectShape(value: ValueInfo, expected: readonly (number | 'any')[], file: string): void {
  const { shape } = value;
  if (shape === undefined) return;
  const fits =
    shape.length === expected.length &&
    expected.every(
      (length, axis) => length === 'any' || typeof shape[axis] !== 'number' || shape[axis] === length,
    );
  if (!fits) throw invalid(file, `${describe(value)} does not fit the manifest's [${expected.join(', ')}]`);
}

/** `image float32 [n, 4, h, w]`. */
export const describe = ({ name, type, shape }: ValueInfo): string =>
  `${name} ${type} [${shape?.join(', ') ?? '…'}]`;

/** An `encoder_invalid` error about a file. */
export const invalid = (file: string, message: string, hint?: string, cause?: unknown): EngineError =>
  new EngineError('encoder_invalid', message, {
    place: { file },
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
