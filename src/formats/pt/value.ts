/**
 * What a file of `torch.save` holds, as plain data that survives structured clone: tensors are descriptions of bytes in
 * the file, dicts are Maps (in order, and safe for any key), lists, tuples and sets are arrays.
 */

/** The element types that are read and written, their sizes in bytes, and what torch calls their storage. */
export const ptDtypes = {
  float64: { bytes: 8, storage: 'DoubleStorage' },
  float32: { bytes: 4, storage: 'FloatStorage' },
  float16: { bytes: 2, storage: 'HalfStorage' },
  bfloat16: { bytes: 2, storage: 'BFloat16Storage' },
  int64: { bytes: 8, storage: 'LongStorage' },
  int32: { bytes: 4, storage: 'IntStorage' },
  int16: { bytes: 2, storage: 'ShortStorage' },
  int8: { bytes: 1, storage: 'CharStorage' },
  uint8: { bytes: 1, storage: 'ByteStorage' },
  bool: { bytes: 1, storage: 'BoolStorage' },
} as const;
export type PtDtype = keyof typeof ptDtypes;

export const isPtDtype = (name: string): name is PtDtype => Object.hasOwn(ptDtypes, name);

/** A view of a storage; strides and the offset count elements. */
export interface PtTensor {
  readonly kind: 'tensor';
  readonly dtype: PtDtype;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  readonly storageOffset: number;
  /** Key of its storage: the entry `data/KEY` of the archive. */
  readonly storage: string;
  readonly requiresGrad: boolean;
}

/** A storage that was saved as such, or belongs to a tensor being rebuilt. */
export interface PtStorage {
  readonly kind: 'storage';
  /** Absent for a storage of bytes whose tensors say what they hold. */
  readonly dtype: PtDtype | undefined;
  readonly key: string;
  readonly bytes: number;
}

/**
 * Something Python knows by name. A type or a dtype that was saved as a value has only the name; with
 * `foreign: 'describe'` also what would have been made by calling it, described and never called.
 */
export interface PtNamed {
  readonly kind: 'named';
  /** `module.name` */
  readonly name: string;
  /** What it would have been called with; undefined when it is the thing itself. */
  readonly args: readonly PtValue[] | undefined;
  readonly state: PtValue | undefined;
  /** What would have been put into it, of a list or a dict of its own kind. */
  readonly items: readonly PtValue[] | undefined;
  readonly entries: ReadonlyMap<PtValue, PtValue> | undefined;
}

/** Integers beyond 2^53 are bigints; every other number is a number, whatever it was in Python. */
export type PtValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PtTensor
  | PtStorage
  | PtNamed
  | readonly PtValue[]
  | ReadonlyMap<PtValue, PtValue>;

/** A dict with the keys of a record, in their order. */
export const ptDict = (record: Readonly<Record<string, PtValue>>): ReadonlyMap<PtValue, PtValue> =>
  new Map(Object.entries(record));

/** A tensor that fills its storage row by row. */
export function denseTensor(storage: string, dtype: PtDtype, shape: readonly number[]): PtTensor {
  return {
    kind: 'tensor',
    dtype,
    shape,
    stride: rowMajor(shape),
    storageOffset: 0,
    storage,
    requiresGrad: false,
  };
}

/** Elements of a tensor. */
export const elementCount = (shape: readonly number[]): number =>
  shape.reduce((product, side) => product * side, 1);

function rowMajor(shape: readonly number[]): number[] {
  const stride = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    stride[axis] = step;
    step *= Math.max(1, shape[axis] as number);
  }
  return stride;
}

/** Whether the elements lie one after the other in row-major order; the stride of a side of one does not matter. */
export function isContiguous({ shape, stride }: PtTensor): boolean {
  if (shape.includes(0)) return true;
  const wanted = rowMajor(shape);
  return shape.every((side, axis) => side === 1 || stride[axis] === wanted[axis]);
}

/** The elements of its storage that a tensor reaches: from `first` up to, without, `end`. */
export function reachOf({ shape, stride, storageOffset }: PtTensor): { first: number; end: number } {
  if (shape.includes(0)) return { first: storageOffset, end: storageOffset };
  const last = shape.reduce((sum, side, axis) => sum + (side - 1) * (stride[axis] as number), storageOffset);
  return { first: storageOffset, end: last + 1 };
}

/** Torch itself stops at 64. */
const MAX_SIDES = 64;
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

/** What is wrong with a tensor in a storage of `storageBytes`, or undefined. Trusts none of the tensor's numbers. */
export function tensorFault(tensor: PtTensor, storageBytes: number): string | undefined {
  const { shape, stride, storageOffset, dtype } = tensor;
  if (shape.length > MAX_SIDES || shape.length !== stride.length) {
    return `a tensor has ${shape.length} sides and ${stride.length} strides`;
  }
  // What is no number is not shown: it can be anything.
  if (![...shape, ...stride, storageOffset].every(isCount)) {
    return 'a tensor has a shape, strides or an offset that are not whole numbers from 0';
  }
  const held = Math.floor(storageBytes / ptDtypes[dtype].bytes);
  if (!(reachOf(tensor).end <= held) || !Number.isSafeInteger(elementCount(shape))) {
    return (
      `a tensor of shape [${shape}], strides [${stride}] and offset ${storageOffset} reaches outside ` +
      `its storage of ${held} elements`
    );
  }
  return undefined;
}
