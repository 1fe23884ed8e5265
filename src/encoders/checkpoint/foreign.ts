/**
 * Checkpoints that torch or PyTorch Lightning wrote: a dict with `state_dict`, or a `state_dict` alone. Read as data;
 * what a file would have Python make of it is described, never made.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { FormatError } from '../../formats/errors.js';
import { openPt, type PtFile } from '../../formats/pt/read.js';
import { denseTensor, elementCount, type PtTensor, type PtValue, ptDtypes } from '../../formats/pt/value.js';
import { invalid } from '../model-check.js';
import { dictOf, isNamed, isTensor, type PtDict, tensorsOf } from './values.js';

export interface Checkpoint extends AsyncDisposable {
  readonly path: string;
  /** Of the whole file. */
  readonly sha256: string;
  /** The tensors of the `state_dict`, by their names in the file. */
  readonly tensors: ReadonlyMap<string, PtTensor>;
  /** What else it says of itself: epoch, step, versions, hyper-parameters, how it was trained here; as plain data. */
  readonly facts: Readonly<Record<string, unknown>>;
  /**
   * The values of some tensors, row by row, by their names in the file.
   *
   * @throws EngineError `encoder_invalid` when their bytes are damaged or hold NaN or infinity
   */
  read(names: readonly string[]): Promise<ReadonlyMap<string, Float32Array>>;
}

/**
 * Opens a checkpoint.
 *
 * @throws EngineError `encoder_invalid` when it cannot be read, is damaged, holds no `state_dict`, or would run
 *   commands when torch loads it
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const file = await asInvalid(path, () => openPt(path, { foreign: 'describe' }));
  try {
    refuseCommands(path, file.value);
    const root = dictOf(file.value);
    const state = dictOf(root?.get('state_dict')) ?? root;
    const tensors = tensorsOf(state);
    if (root === undefined || tensors.size === 0) {
      throw invalid(
        path,
        `the file holds ${describeValue(file.value)}, expected a dict with state_dict, or a state_dict`,
        'save it with torch.save(model.state_dict(), path)',
      );
    }
    return {
      path,
      sha256: await asInvalid(path, () => hashOf(path)),
      tensors,
      facts: state === root ? {} : factsOf(root),
      read: (names) => readFinite(file, new Map(names.map((name) => [name, tensors.get(name) as PtTensor]))),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function asInvalid<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const hint = error instanceof FormatError ? error.hint : undefined;
    throw invalid(path, `the checkpoint cannot be read: ${(error as Error).message}`, hint, error);
  }
}

async function readFinite(
  file: PtFile,
  tensors: ReadonlyMap<string, PtTensor>,
): Promise<ReadonlyMap<string, Float32Array>> {
  await asInvalid(file.path, () => checkShared(file, [...tensors.values()]));
  const read = new Map<string, Float32Array>();
  for (const [name, tensor] of tensors) {
    const found = await asInvalid(file.path, () => file.read(tensor));
    const values = found instanceof Float32Array ? found : Float32Array.from(found, Number);
    if (!values.every(Number.isFinite)) {
      throw invalid(
        file.path,
        `${name} holds NaN or infinity: the training it is of went wrong`,
        'use an earlier checkpoint',
      );
    }
    read.set(name, values);
  }
  return read;
}

/** Checksums are compared when a storage is read whole; those that several tensors share are read once for that. */
async function checkShared(file: PtFile, tensors: readonly PtTensor[]): Promise<void> {
  const checked = new Set<string>();
  for (const { storage, dtype, shape } of tensors) {
    const size = file.entries.find(({ name }) => name.endsWith(`/data/${storage}`))?.size ?? 0;
    if (checked.has(storage) || elementCount(shape) * ptDtypes[dtype].bytes === size) continue;
    checked.add(storage);
    await file.read(denseTensor(storage, 'uint8', [size]));
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Modules and functions that no checkpoint needs, and every harmful pickle does. */
const commands =
  /^(os|posix|nt|subprocess|sys|shutil|socket|runpy|pty|ctypes|importlib|code|codeop|pdb|timeit|webbrowser)(\.|$)|^(builtins|__builtin__)\.(eval|exec|compile|open|__import__|input|breakpoint)$/;

function refuseCommands(path: string, value: PtValue): void {
  const seen = new Set<PtValue>();
  const waiting: PtValue[] = [value];
  for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) {
    if (item === null || typeof item !== 'object' || seen.has(item)) continue;
    seen.add(item);
    if (Array.isArray(item)) for (const inner of item) waiting.push(inner);
    else if (item instanceof Map) for (const pair of item) waiting.push(...pair);
    else if (isNamed(item)) {
      if (commands.test(item.name)) {
        throw invalid(
          path,
          `the file would have ${item.name} called when torch loads it; nothing was called here`,
          'do not open it with torch.load, and ask where it comes from',
        );
      }
      waiting.push(item.args ?? null, item.state ?? null, item.items ?? null, item.entries ?? null);
    }
  }
}

/** Where a Lightning checkpoint says how far the training was, and with what. */
const told = ['epoch', 'global_step', 'pytorch-lightning_version', 'hyper_parameters'] as const;
/** Values kept of them; the rest is cut. */
const MAX_FACTS = 1000;
const MAX_DEPTH = 20;

function factsOf(root: PtDict): Readonly<Record<string, unknown>> {
  const budget = { left: MAX_FACTS };
  const facts = told
    .filter((key) => root.has(key))
    .map((key) => [key, plain(root.get(key) ?? null, budget, 0)] as const);
  const training = dictOf(root.get('skypass'))?.get('provenance');
  return {
    ...Object.fromEntries(facts),
    ...(typeof training === 'string' && { training: fromJson(training) }),
  };
}

/** What a training here said of itself; as text when it cannot be understood. */
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.slice(0, 500);
  }
}

/** A value as JSON: what is too much is cut, what is no plain value is named. */
function plain(value: PtValue, budget: { left: number }, depth: number): unknown {
  budget.left -= 1;
  if (typeof value === 'string') return value.slice(0, 500);
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (value === null || typeof value === 'boolean') return value;
  if (depth === MAX_DEPTH) return describeValue(value);
  const kept: unknown[] = [];
  if (Array.isArray(value)) {
    for (const inner of value) if (budget.left > 0) kept.push(plain(inner, budget, depth + 1));
    return kept;
  }
  if (!(value instanceof Map)) return describeValue(value);
  for (const [key, inner] of value) {
    if (budget.left > 0) kept.push([describeValue(key), plain(inner, budget, depth + 1)]);
  }
  return Object.fromEntries(kept as [string, unknown][]);
}

function describeValue(value: PtValue): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return String(value);
  if (typeof value === 'bigint' || typeof value === 'string') return String(value).slice(0, 100);
  if (value instanceof Map) return `a dict of ${value.size}`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Uint8Array) return 'bytes';
  if (isTensor(value)) return `a tensor of shape (${value.shape.join(', ')})`;
  return isNamed(value) ? `an object of ${value.name}` : 'a storage';
}
