/** The number types of FITS, by their letter in TFORM: big-endian, B without sign, I J K with, E and D floating. */
export type Element = 'B' | 'I' | 'J' | 'K' | 'E' | 'D';

export const elementBytes: Readonly<Record<Element, number>> = { B: 1, I: 2, J: 4, K: 8, E: 4, D: 8 };

const elementByBitpix: Readonly<Record<number, Element>> = {
  8: 'B',
  16: 'I',
  32: 'J',
  64: 'K',
  [-32]: 'E',
  [-64]: 'D',
};

export function elementOfBitpix(bitpix: number): Element {
  const element = elementByBitpix[bitpix];
  if (element === undefined) throw new RangeError(`no element has BITPIX ${bitpix}`);
  return element;
}

/** How stored numbers become physical ones: `stored · slope + zero`; integers that equal `blank` become NaN. */
export interface Scaling {
  readonly slope: number;
  readonly zero: number;
  readonly blank: number | bigint | undefined;
}

export function isIdentity(scaling: Scaling): boolean {
  return scaling.slope === 1 && scaling.zero === 0 && scaling.blank === undefined;
}

export type FloatArray = Float32Array | Float64Array;

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Decodes `count` stored integers of at most 32 bits into `into[0…]`. */
export function readIntegers(
  view: DataView,
  start: number,
  count: number,
  element: 'B' | 'I' | 'J',
  into: Int32Array,
): void {
  if (element === 'B') for (let i = 0; i < count; i++) into[i] = view.getUint8(start + i);
  else if (element === 'I') for (let i = 0; i < count; i++) into[i] = view.getInt16(start + 2 * i);
  else for (let i = 0; i < count; i++) into[i] = view.getInt32(start + 4 * i);
}

/** Scales `ints[0…count]` into `into[at…]`. @returns how many became NaN */
export function scaleIntegers(
  ints: Int32Array,
  count: number,
  scaling: Scaling,
  into: FloatArray,
  at: number,
): number {
  const { slope, zero } = scaling;
  const blank = scaling.blank === undefined ? Number.NaN : Number(scaling.blank);
  let nans = 0;
  for (let i = 0; i < count; i++) {
    const stored = ints[i] as number;
    if (stored === blank) {
      into[at + i] = Number.NaN;
      nans++;
    } else {
      into[at + i] = stored * slope + zero;
    }
  }
  return nans;
}

/** Decodes and scales 64-bit integers. Beyond 2^53 a result is the nearest double. @returns how many became NaN */
export function readLongs(
  view: DataView,
  start: number,
  count: number,
  scaling: Scaling,
  into: FloatArray,
  at: number,
): number {
  const blank = scaling.blank === undefined ? undefined : BigInt(scaling.blank);
  // Unsigned numbers are stored less 2^63: a double would lose the low bits before they are added again.
  const shift = scaling.slope === 1 && Number.isInteger(scaling.zero) ? BigInt(scaling.zero) : undefined;
  let nans = 0;
  for (let i = 0; i < count; i++) {
    const stored = view.getBigInt64(start + 8 * i);
    if (stored === blank) {
      into[at + i] = Number.NaN;
      nans++;
    } else {
      into[at + i] =
        shift === undefined ? Number(stored) * scaling.slope + scaling.zero : Number(stored + shift);
    }
  }
  return nans;
}

/** Decodes floating-point numbers as they are stored. NaN gets one bit pattern. @returns how many are NaN */
export function readFloats(
  view: DataView,
  start: number,
  count: number,
  element: 'E' | 'D',
  into: FloatArray,
  at: number,
): number {
  const isSingle = element === 'E';
  let nans = 0;
  for (let i = 0; i < count; i++) {
    const value = isSingle ? view.getFloat32(start + 4 * i) : view.getFloat64(start + 8 * i);
    if (Number.isNaN(value)) {
      into[at + i] = Number.NaN;
      nans++;
    } else {
      into[at + i] = value;
    }
  }
  return nans;
}

/** Scales values that are floating already, in place. NaN stays NaN. */
export function scaleFloats(values: FloatArray, at: number, count: number, scaling: Scaling): void {
  if (scaling.slope === 1 && scaling.zero === 0) return;
  for (let i = at; i < at + count; i++) values[i] = (values[i] as number) * scaling.slope + scaling.zero;
}
