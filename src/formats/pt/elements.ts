/** The elements of tensors as typed arrays. Bytes are little-endian, as those of every machine Node runs on today but one. */
import { elementCount, type PtDtype, type PtTensor, ptDtypes, reachOf } from './value.js';

export type PtArray =
  | Float64Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

/** What holds the elements of each type: halves come as float32, booleans as 0 and 1. */
const decoders: Readonly<Record<PtDtype, (bytes: ArrayBuffer) => PtArray>> = {
  float64: (bytes) => new Float64Array(bytes),
  float32: (bytes) => new Float32Array(bytes),
  float16: (bytes) => Float32Array.from(new Uint16Array(bytes), fromHalf),
  bfloat16: (bytes) => fromBfloat(new Uint16Array(bytes)),
  int64: (bytes) => new BigInt64Array(bytes),
  int32: (bytes) => new Int32Array(bytes),
  int16: (bytes) => new Int16Array(bytes),
  int8: (bytes) => new Int8Array(bytes),
  uint8: (bytes) => new Uint8Array(bytes),
  bool: (bytes) => new Uint8Array(bytes),
};

/** Elements as they lie in a file. `bytes` is used, not copied, where it can be. */
export const decodeElements = (dtype: PtDtype, bytes: ArrayBuffer): PtArray => decoders[dtype](bytes);

/**
 * The elements of a tensor in row-major order.
 *
 * @param reached the bytes of its storage from the first element it reaches to the last
 */
export function gatherElements(tensor: PtTensor, reached: Uint8Array): ArrayBuffer {
  const { shape, stride, dtype, storageOffset } = tensor;
  const { bytes } = ptDtypes[dtype];
  const count = elementCount(shape);
  const gathered = new Uint8Array(count * bytes);
  const index = new Array<number>(shape.length).fill(0);
  let from = (storageOffset - reachOf(tensor).first) * bytes;
  for (let element = 0; element < count; element++) {
    for (let byte = 0; byte < bytes; byte++)
      gathered[element * bytes + byte] = reached[from + byte] as number;
    // On to the next element, as an odometer: the last side turns fastest.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const step = (stride[axis] as number) * bytes;
      index[axis] = (index[axis] as number) + 1;
      from += step;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      from -= step * (shape[axis] as number);
      index[axis] = 0;
    }
  }
  return gathered.buffer;
}

/** IEEE 754 binary16. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** bfloat16 is the upper half of a float32. */
function fromBfloat(halves: Uint16Array): Float32Array<ArrayBuffer> {
  return new Float32Array(Uint32Array.from(halves, (bits) => bits << 16).buffer);
}
