/** What is in a file of `torch.save` that may hold anything: dicts, tensors, and names of things that are never made. */
import type { PtNamed, PtTensor, PtValue } from '../../formats/pt/value.js';

export type PtDict = ReadonlyMap<PtValue, PtValue>;

/** A value as a dict; undefined when it is none. */
export const dictOf = (value: PtValue | undefined): PtDict | undefined =>
  value instanceof Map ? value : undefined;

export const isCount = (value: PtValue | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

const isKind = <K extends 'tensor' | 'named'>(
  value: PtValue,
  kind: K,
): value is K extends 'tensor' ? PtTensor : PtNamed =>
  value !== null && typeof value === 'object' && 'kind' in value && value.kind === kind;

export const isTensor = (value: PtValue): value is PtTensor => isKind(value, 'tensor');
export const isNamed = (value: PtValue): value is PtNamed => isKind(value, 'named');

/** The tensors of a dict by their names; what is no tensor is left out. */
export function tensorsOf(dict: PtDict | undefined): ReadonlyMap<string, PtTensor> {
  const tensors = new Map<string, PtTensor>();
  for (const [name, value] of dict ?? [])
    if (typeof name === 'string' && isTensor(value)) tensors.set(name, value);
  return tensors;
}
