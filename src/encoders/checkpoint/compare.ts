/** Tensors that are wanted against tensors that are there: names and shapes, one by one. */
import { isContiguous, type PtTensor } from '../../formats/pt/value.js';

/** A tensor that is wanted. */
export interface WantedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Other shapes of the same numbers in the same order. */
  readonly alsoShaped?: readonly (readonly number[])[];
}

/** What a comparison found wrong with one tensor. Shapes are texts, such as `(64, 56, 5, 5)`. */
export interface Fault {
  readonly kind: 'missing' | 'extra' | 'mis-shaped';
  readonly name: string;
  readonly expected?: string;
  readonly found?: string;
}

export interface Comparison {
  readonly faults: readonly Fault[];
  /** Wanted tensors that are there, in a shape that fits. */
  readonly fitting: number;
  readonly wanted: number;
}

const FLOATS: readonly string[] = ['float16', 'bfloat16', 'float32', 'float64'];

/** `(64, 56, 5, 5)`; the elements' type only when it is not the usual one. */
const shapeText = (shape: readonly number[], dtype = 'float32'): string =>
  `(${shape.join(', ')})${dtype === 'float32' ? '' : ` ${dtype}`}`;

/** Compares every name and shape; the order of the faults is that of the wanted tensors, then of the found ones. */
export function compareTensors(
  wanted: readonly WantedTensor[],
  found: ReadonlyMap<string, PtTensor>,
): Comparison {
  const names = new Set(wanted.map(({ name }) => name));
  const faults = wanted.flatMap(({ name, shape, alsoShaped = [] }): readonly Fault[] => {
    const tensor = found.get(name);
    const expected = [shape, ...alsoShaped].map((one) => shapeText(one)).join(' or ');
    if (tensor === undefined) return [{ kind: 'missing', name, expected }];
    const isFitting =
      FLOATS.includes(tensor.dtype) &&
      [shape, ...alsoShaped].some((one) => one.join() === tensor.shape.join());
    return isFitting
      ? []
      : [{ kind: 'mis-shaped', name, expected, found: shapeText(tensor.shape, tensor.dtype) }];
  });
  const fitting = wanted.length - faults.length;
  for (const [name, { shape, dtype }] of found)
    if (!names.has(name)) faults.push({ kind: 'extra', name, found: shapeText(shape, dtype) });
  return { faults, fitting, wanted: wanted.length };
}

/** A name from any file, fit for a message. */
const printable = (name: string): string => name.slice(0, 200).replace(/\p{C}/gu, '\u{fffd}');

/** The faults as aligned lines, every one of them. */
export function listing(faults: readonly Fault[]): string {
  const names = faults.map(({ name }) => printable(name));
  const width = names.reduce((longest, { length }) => Math.max(longest, length), 0);
  return faults
    .map(({ kind, expected, found }, i) => {
      const said = [
        expected === undefined ? undefined : `expected ${expected}`,
        found === undefined ? undefined : `found ${found}`,
      ];
      const shapes = said.filter((part) => part !== undefined).join(', ');
      return `  ${kind.padEnd(10)}  ${(names[i] as string).padEnd(width)}  ${shapes}`;
    })
    .join('\n');
}

/** Where the tensors lie when they are one storage, each behind the one before; undefined when they do not. */
export function sharedStorage(tensors: readonly PtTensor[]): string | undefined {
  const [first] = tensors;
  let offset = 0;
  for (const tensor of tensors) {
    if (tensor.storage !== first?.storage || tensor.dtype !== 'float32') return undefined;
    if (tensor.storageOffset !== offset || !isContiguous(tensor)) return undefined;
    offset += tensor.shape.reduce((product, side) => product * side, 1);
  }
  return first?.storage;
}
