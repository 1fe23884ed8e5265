import { FormatError } from '../errors.js';

/**
 * PLIO_1, the run-length coding of masks: a list of big-endian 16-bit words, each 4 bits of operation and 12 bits
 * of data, after IRAF's `pl_l2pi`. Pixels that the list does not reach are 0.
 */
const Operation = {
  zeros: 0,
  setValue: 1,
  raise: 2,
  lower: 3,
  values: 4,
  zerosThenValue: 5,
  raiseOne: 6,
  lowerOne: 7,
} as const;

/** Writes all `count` pixels of a tile, zeros included, to `into[at …]`. @throws FormatError `fits_compressed` on a damaged list */
export function plioToInt(
  bytes: Uint8Array,
  start: number,
  length: number,
  count: number,
  into: Int32Array,
  at: number,
): void {
  into.fill(0, at, at + count);
  eachRun(bytes, start, length, count, (from, to, value) => {
    into.fill(value, at + from, at + to);
  });
}

/**
 * Sets `bit` in the bytes `into[at …]` of all pixels of a tile that are not 0, and leaves the rest alone. It costs
 * by runs, not by pixels: most of a mask is empty. @throws FormatError `fits_compressed` on a damaged list
 */
export function plioOrMask(
  bytes: Uint8Array,
  start: number,
  length: number,
  count: number,
  into: Uint8Array,
  at: number,
  bit: number,
): void {
  eachRun(bytes, start, length, count, (from, to, value) => {
    if (value === 0) return;
    for (let i = at + from; i < at + to; i++) into[i] = (into[i] as number) | bit;
  });
}

/** Calls `run` for every stretch of pixels `[from, to)` that has a value, in order and within `count`. */
function eachRun(
  bytes: Uint8Array,
  start: number,
  length: number,
  count: number,
  run: (from: number, to: number, value: number) => void,
): void {
  const words = length >> 1;
  const word = (i: number) => ((bytes[start + 2 * i] as number) << 8) | (bytes[start + 2 * i + 1] as number);
  if (words < 4)
    throw new FormatError(
      'fits_compressed',
      `a PLIO list begins with at least 4 words, this one has ${words}`,
    );

  // the third word tells the old header (a length, then data) from the new one (its own length, then two words of length)
  const isOld = word(2) > 0 && word(2) < 0x8000;
  if (!isOld && words < 5)
    throw new FormatError('fits_compressed', `a PLIO list begins with 7 words, this one has ${words}`);
  const first = isOld ? 3 : word(1);
  const end = isOld ? word(2) : (word(4) << 15) + word(3);
  if (end > words)
    throw new FormatError('fits_compressed', `the PLIO list says ${end} words and has ${words}`);

  let pixel = 0;
  let value = 1;
  for (let i = first; i < end && pixel < count; i++) {
    const operation = word(i) >> 12;
    const data = word(i) & 0xfff;
    const to = Math.min(pixel + data, count);
    switch (operation) {
      case Operation.zeros:
        pixel += data;
        break;
      case Operation.values:
        run(pixel, to, value);
        pixel += data;
        break;
      case Operation.zerosThenValue:
        pixel += data;
        if (data > 0 && pixel <= count) run(pixel - 1, pixel, value);
        break;
      case Operation.setValue:
        if (++i >= end)
          throw new FormatError(
            'fits_compressed',
            `the PLIO list ends inside a value, at pixel ${pixel} of ${count}`,
          );
        value = (word(i) << 12) + data;
        break;
      case Operation.raise:
        value += data;
        break;
      case Operation.lower:
        value -= data;
        break;
      case Operation.raiseOne:
      case Operation.lowerOne:
        value += operation === Operation.raiseOne ? data : -data;
        run(pixel, pixel + 1, value);
        pixel++;
        break;
      default:
        throw new FormatError(
          'fits_compressed',
          `PLIO has no operation ${operation} (pixel ${pixel} of ${count})`,
        );
    }
  }
}
