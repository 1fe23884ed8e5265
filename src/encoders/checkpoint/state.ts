/**
 * Everything a training needs to go on, in one file that `torch.load` reads too, also with `weights_only=True`: torch
 * finds weights under `state_dict` and Adam's moments under `optimizer`, by the names of the network's parameters.
 */
import { canonicalJson } from '../../config/canonical.js';
import { EngineError } from '../../engine/errors.js';
import { FormatError } from '../../formats/errors.js';
import { openPt } from '../../formats/pt/read.js';
import { denseTensor, type PtTensor, type PtValue, ptDict } from '../../formats/pt/value.js';
import { PtWriter } from '../../formats/pt/write.js';
import { cellSize, type FamilyName, families, familyBands, familyNames } from '../families.js';
import { type ParameterSlot, slotsOf } from '../step/layout.js';
import { compareTensors, type Fault, listing, sharedStorage } from './compare.js';
import { dictOf, isCount, tensorsOf } from './values.js';

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** Vectors over all parameters are in the order of `slotsOf`. */
export interface TrainingState {
  readonly family: FamilyName;
  /** Of the normaliser, in image units. */
  readonly quantiles: Float32Array;
  readonly parameters: Float32Array;
  /** Adam's running means of the gradient and of its square. */
  readonly moment1: Float32Array;
  readonly moment2: Float32Array;
  /** Updates done. */
  readonly step: number;
  /** What the training itself wants back: place in the epoch, random state, history. Finite numbers only. */
  readonly position: JsonValue;
  /** Data, seeds, configuration and code version. Finite numbers only. */
  readonly provenance: JsonValue;
}

/** Raised when the layout of the file changes. */
const LAYOUT = 1;

/**
 * Writes a state; a file that is there is replaced in one step, and the new one is on disk when this returns. Equal
 * states make equal bytes.
 *
 * @throws RangeError when a vector has another length than the family says, or a number in the JSON is not finite; the
 *   system's errors (`ENOSPC`)
 */
export function writeCheckpoint(path: string, state: TrainingState): void {
  const { architecture } = families[state.family];
  const { normaliser } = architecture;
  const slots = slotsOf(architecture);
  const size = slots.reduce((sum, { length }) => sum + length, 0);
  expectLength('quantiles', state.quantiles, normaliser.levels.length);
  for (const name of ['parameters', 'moment1', 'moment2'] as const) expectLength(name, state[name], size);
  const [position, provenance] = [jsonText(state.position), jsonText(state.provenance)];

  const writer = PtWriter.create(path);
  try {
    const store = (values: Float32Array): string => writer.addStorage([bytesOf(values)]).key;
    const whole = (values: Float32Array) => denseTensor(store(values), 'float32', [values.length]);
    const named = (values: Float32Array): ReadonlyMap<PtValue, PtValue> => {
      const storage = store(values);
      return new Map(slots.map((slot) => [slot.name, viewOf(storage, slot)]));
    };
    const quantiles = whole(state.quantiles);
    const levels = whole(Float32Array.from(normaliser.levels));
    writer.finish(
      ptDict({
        global_step: state.step,
        state_dict: new Map<PtValue, PtValue>([
          [levelsName(normaliser.name), levels],
          [normaliser.name, quantiles],
          ...named(state.parameters),
        ]),
        optimizer: ptDict({
          exp_avg: named(state.moment1),
          exp_avg_sq: named(state.moment2),
          step: state.step,
        }),
        hyper_parameters: ptDict({
          family: state.family,
          survey_bands: [...familyBands],
          tile_slen: cellSize,
          pool: normaliser.pool,
        }),
        skypass: ptDict({ layout: LAYOUT, family: state.family, position, provenance }),
      }),
    );
  } catch (error) {
    writer.discard();
    // The system's errors of writing do not say which file.
    throw Object.assign(error as Error, { path });
  }
}

/**
 * Reads what `writeCheckpoint` wrote. Nothing in the file is run; every tensor's name, shape and checksum is checked.
 *
 * @throws EngineError `checkpoint_mismatch` when the file is damaged, holds no state of a training, or one of another
 *   architecture (every missing, extra and mis-shaped tensor is named); the system's errors (`ENOENT`)
 */
export async function readCheckpoint(path: string): Promise<TrainingState> {
  try {
    return await readState(path);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw mismatch(path, `the checkpoint cannot be read: ${error.message}`, error.hint, error);
  }
}

async function readState(path: string): Promise<TrainingState> {
  await using file = await openPt(path, { foreign: 'describe' });
  const root = dictOf(file.value);
  const own = dictOf(root?.get('skypass'));
  const state = dictOf(root?.get('state_dict'));
  const optimizer = dictOf(root?.get('optimizer'));
  const step = optimizer?.get('step');
  const family = familyNames.find((name) => name === own?.get('family'));
  if (state === undefined || family === undefined || own?.get('layout') !== LAYOUT || !isCount(step)) {
    throw mismatch(
      path,
      'the file is no checkpoint of a training here',
      'give last.ckpt or best.ckpt of one',
    );
  }
  const { architecture } = families[family];
  const { normaliser } = architecture;
  const slots = slotsOf(architecture);
  const weights = slots.map(({ name, shape }) => ({ name, shape }));
  const shape = [normaliser.levels.length];
  const wanted = [{ name: levelsName(normaliser.name), shape }, { name: normaliser.name, shape }, ...weights];
  const tensors = tensorsOf(state);
  const moments = ['exp_avg', 'exp_avg_sq'].map((name) => tensorsOf(dictOf(optimizer?.get(name))));
  const faults: readonly Fault[] = [
    ...compareTensors(wanted, tensors).faults,
    ...moments.flatMap((of) => compareTensors(weights, of).faults),
  ];
  if (faults.length > 0) {
    const count = `${faults.length} of its tensors do not fit`;
    throw mismatch(path, `the checkpoint is of another version of ${family}: ${count}\n${listing(faults)}`);
  }
  const flat = async (of: ReadonlyMap<string, PtTensor>): Promise<Float32Array> => {
    const storage = sharedStorage(slots.map(({ name }) => of.get(name) as PtTensor));
    if (storage === undefined) throw mismatch(path, 'its tensors are not laid out as they were written');
    const length = slots.reduce((sum, slot) => sum + slot.length, 0);
    return (await file.read(denseTensor(storage, 'float32', [length]))) as Float32Array;
  };
  return {
    family,
    quantiles: (await file.read(tensors.get(normaliser.name) as PtTensor)) as Float32Array,
    parameters: await flat(tensors),
    moment1: await flat(moments[0] as ReadonlyMap<string, PtTensor>),
    moment2: await flat(moments[1] as ReadonlyMap<string, PtTensor>),
    step,
    position: parsed(path, own.get('position')),
    provenance: parsed(path, own.get('provenance')),
  };
}

/** The quantiles' levels stand beside them, as in AsinhQuantileNormalizer. */
const levelsName = (quantiles: string): string => quantiles.replace(/[^.]*$/, 'q');

const viewOf = (storage: string, { shape, offset }: ParameterSlot): PtTensor => ({
  ...denseTensor(storage, 'float32', shape),
  storageOffset: offset,
});

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

function expectLength(name: string, { length }: Float32Array, expected: number): void {
  if (length !== expected) throw new RangeError(`${name} has ${length} values, expected ${expected}`);
}

function jsonText(value: JsonValue): string {
  if (!hasFiniteNumbers(value)) throw new RangeError('a number in the state of a training is not finite');
  return canonicalJson(value);
}

const hasFiniteNumbers = (value: JsonValue): boolean =>
  typeof value === 'number'
    ? Number.isFinite(value)
    : value === null || typeof value !== 'object' || Object.values(value).every(hasFiniteNumbers);

function parsed(path: string, text: PtValue | undefined): JsonValue {
  try {
    return JSON.parse(String(text)) as JsonValue;
  } catch (cause) {
    throw mismatch(path, `what it says of the training is not JSON: ${(cause as Error).message}`);
  }
}

const mismatch = (file: string, message: string, hint?: string, cause?: unknown): EngineError =>
  new EngineError('checkpoint_mismatch', message, {
    place: { file },
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
