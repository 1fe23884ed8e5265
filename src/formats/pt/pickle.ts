/**
 * Writes values as torch pickles them: protocol 2, so that every torch since 1.6 reads them, also with
 * `weights_only=True`. (The reader of that name in torch 1.13 takes no Python floats; the later ones do.)
 */
import { type PtTensor, type PtValue, ptDtypes } from './value.js';

const PROTO_2 = Buffer.from([0x80, 2]);
const MARK = Buffer.from('(');
const TUPLE = Buffer.from('t');
const STOP = Buffer.from('.');

/**
 * Pickles a value. Numbers that are whole become Python ints, others floats; every array a list, every Map a dict.
 *
 * @param storageBytes bytes of the storage of a tensor
 * @throws TypeError for what only a foreign file can hold (`PtNamed`, `PtStorage`), and for bytes
 */
export function pickle(value: PtValue, storageBytes: (tensor: PtTensor) => number): Uint8Array {
  const parts: Uint8Array[] = [PROTO_2];
  const put = (...pieces: readonly (Uint8Array | string)[]): void => {
    for (const piece of pieces) parts.push(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
  };
  const putTuple = (counts: readonly number[]): void => put(MARK, ...counts.map(integer), TUPLE);
  const putTensor = (tensor: PtTensor): void => {
    const { bytes, storage } = ptDtypes[tensor.dtype];
    const elements = storageBytes(tensor) / bytes;
    put('ctorch._utils\n_rebuild_tensor_v2\n', MARK);
    put(
      MARK,
      text('storage'),
      `ctorch\n${storage}\n`,
      text(tensor.storage),
      text('cpu'),
      integer(elements),
      TUPLE,
      'Q',
    );
    put(integer(tensor.storageOffset));
    putTuple(tensor.shape);
    putTuple(tensor.stride);
    put(tensor.requiresGrad ? '\x88' : '\x89', 'ccollections\nOrderedDict\n)R', TUPLE, 'R');
  };
  const putValue = (item: PtValue): void => {
    if (item === null) put('N');
    else if (typeof item === 'boolean') put(item ? '\x88' : '\x89');
    else if (typeof item === 'bigint') put(long(item));
    else if (typeof item === 'number') put(number(item));
    else if (typeof item === 'string') put(text(item));
    else if (Array.isArray(item)) {
      put(']', MARK);
      for (const element of item) putValue(element);
      put('e');
    } else if (item instanceof Map) {
      put('}', MARK);
      for (const [key, element] of item) {
        putValue(key);
        putValue(element);
      }
      put('u');
    } else if ('kind' in item && item.kind === 'tensor') putTensor(item);
    else throw new TypeError('only plain values and tensors can be written');
  };
  putValue(value);
  put(STOP);
  return Buffer.concat(parts);
}

const number = (value: number): Uint8Array =>
  Number.isSafeInteger(value) && !Object.is(value, -0) ? integer(value) : float(value);

function integer(value: number): Uint8Array {
  if (value !== (value | 0)) return long(BigInt(value));
  const bytes = Buffer.from('J\0\0\0\0');
  bytes.writeInt32LE(value, 1);
  return bytes;
}

/** An integer in two's complement, in as few bytes as hold it and its sign. */
function long(value: bigint): Uint8Array {
  let length = 1;
  while (BigInt.asIntN(8 * length, value) !== value) length++;
  if (length > 255) throw new TypeError('an integer of more than 255 bytes cannot be written');
  const hex = BigInt.asUintN(8 * length, value)
    .toString(16)
    .padStart(2 * length, '0');
  return Buffer.concat([Buffer.from([0x8a, length]), Buffer.from(hex, 'hex').reverse()]);
}

function float(value: number): Uint8Array {
  const bytes = Buffer.from('G\0\0\0\0\0\0\0\0');
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

function text(value: string): Uint8Array {
  const encoded = Buffer.from(value, 'utf8');
  const head = Buffer.from('X\0\0\0\0');
  head.writeUInt32LE(encoded.length, 1);
  return Buffer.concat([head, encoded]);
}
