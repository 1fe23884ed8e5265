/** Slow and obvious twins of the decoders, one bit and one pixel at a time, and a Rice encoder. */

export type Bytes = 1 | 2 | 4;
const headerBits = { 1: 3, 2: 4, 4: 5 };
const verbatim = { 1: 6, 2: 14, 4: 25 };

/** A small seeded generator of uint32 (mulberry32), so that a failing case can be repeated. */
export function randomSource(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** `fs` of a block as cfitsio chooses it from the mean difference, or -1 for none and `verbatim` for too many. */
function chooseFs(folded: readonly number[], bytePix: Bytes): number {
  const sum = folded.reduce((total, value) => total + value, 0);
  if (sum === 0) return -1;
  const mean = Math.max(0, Math.floor((sum - folded.length / 2 - 1) / folded.length));
  let fs = 0;
  for (let rest = Math.floor(mean / 2); rest > 0; rest = Math.floor(rest / 2)) fs++;
  return Math.min(fs, verbatim[bytePix]);
}

export function encodeRice(pixels: ArrayLike<number>, blockSize: number, bytePix: Bytes): Uint8Array {
  const bits: number[] = [];
  const put = (value: number, width: number) => {
    for (let bit = width - 1; bit >= 0; bit--) bits.push(Math.floor(value / 2 ** bit) % 2);
  };
  const range = 2 ** (8 * bytePix);
  const wrap = (value: number) => ((value % range) + range) % range;
  put(wrap(pixels[0] as number), 8 * bytePix);
  let last = pixels[0] as number;
  for (let i = 0; i < pixels.length; i += blockSize) {
    const folded: number[] = [];
    for (let j = i; j < Math.min(i + blockSize, pixels.length); j++) {
      let difference = wrap((pixels[j] as number) - last);
      if (difference >= range / 2) difference -= range;
      folded.push(difference < 0 ? -2 * difference - 1 : 2 * difference);
      last = pixels[j] as number;
    }
    const fs = chooseFs(folded, bytePix);
    put(fs + 1, headerBits[bytePix]);
    if (fs === verbatim[bytePix]) for (const value of folded) put(value, 8 * bytePix);
    else if (fs >= 0)
      for (const value of folded) {
        for (let zeros = Math.floor(value / 2 ** fs); zeros > 0; zeros--) bits.push(0);
        bits.push(1);
        put(value, fs);
      }
  }
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, i) => {
    bytes[i >> 3] = (bytes[i >> 3] as number) | (bit << (7 - (i & 7)));
  });
  return bytes;
}

/** The pixels, or the pixel at which the stream stops making sense. */
export function decodeRice(
  bytes: Uint8Array,
  count: number,
  blockSize: number,
  bytePix: Bytes,
): Int32Array | number {
  const pixels = new Int32Array(count);
  let position = 0;
  const ended = new Error('ended');
  const bit = () => {
    if (position >= 8 * bytes.length) throw ended;
    const value = ((bytes[position >> 3] as number) >> (7 - (position & 7))) & 1;
    position++;
    return value;
  };
  const take = (width: number) => {
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 2 + bit();
    return value;
  };
  let last = take(8 * bytePix) | 0;
  let i = 0;
  try {
    while (i < count) {
      const fs = take(headerBits[bytePix]) - 1;
      if (fs > verbatim[bytePix]) return i;
      for (const end = Math.min(count, i + blockSize); i < end; i++) {
        let folded = 0;
        if (fs === verbatim[bytePix]) folded = take(8 * bytePix);
        else if (fs >= 0) {
          let zeros = 0;
          while (bit() === 0) zeros++;
          folded = (zeros * 2 ** fs + take(fs)) % 2 ** 32;
        }
        last = (last + (folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2)) | 0;
        pixels[i] = bytePix === 1 ? last & 0xff : bytePix === 2 ? (last << 16) >> 16 : last;
      }
    }
  } catch (error) {
    if (error === ended) return i;
    throw error;
  }
  return pixels;
}

export interface Quantum {
  readonly scale: number;
  readonly zero: number;
  readonly dither: 0 | 1 | 2;
  readonly blank: number | undefined;
  readonly seedIndex: number;
}

/** float64 pixels; float32 ones are these, rounded once. */
export function dequantize(integers: ArrayLike<number>, quantum: Quantum): Float64Array {
  const randoms: number[] = [];
  for (let i = 0, seed = 1; i < 10000; i++) {
    seed = (seed * 16807) % 2147483647;
    randoms.push(Math.fround(seed / 2147483647));
  }
  let lap = quantum.seedIndex;
  let k = Math.floor((randoms[lap] as number) * 500);
  return Float64Array.from(integers, (integer) => {
    const random = randoms[k] as number;
    if (++k === 10000) {
      lap = (lap + 1) % 10000;
      k = Math.floor((randoms[lap] as number) * 500);
    }
    if (integer === quantum.blank) return Number.NaN;
    if (quantum.dither === 2 && integer === -2147483646) return 0;
    if (quantum.dither === 0) return integer * quantum.scale + quantum.zero;
    return (integer - random + 0.5) * quantum.scale + quantum.zero;
  });
}

/** The pixels of a PLIO word list, or undefined where it is not one. */
export function decodePlio(words: readonly number[], count: number): Int32Array | undefined {
  const pixels = new Int32Array(count);
  const isOld = (words[2] as number) > 0 && (words[2] as number) < 0x8000;
  const end = isOld ? (words[2] as number) : (words[4] as number) * 2 ** 15 + (words[3] as number);
  if (end > words.length) return undefined;
  let value = 1;
  let x = 0;
  const write = (v: number) => {
    if (x < count) pixels[x] = v;
    x++;
  };
  for (let i = isOld ? 3 : (words[1] as number); i < end && x < count; i++) {
    const data = (words[i] as number) % 4096;
    const operation = Math.floor((words[i] as number) / 4096);
    if (operation === 0) for (let j = 0; j < data; j++) write(0);
    else if (operation === 1) {
      if (i + 1 >= end) return undefined;
      value = (words[++i] as number) * 4096 + data;
    } else if (operation === 2) value += data;
    else if (operation === 3) value -= data;
    else if (operation === 4) for (let j = 0; j < data; j++) write(value);
    else if (operation === 5) for (let j = 0; j < data; j++) write(j === data - 1 ? value : 0);
    else if (operation === 6 || operation === 7) {
      value += operation === 6 ? data : -data;
      write(value);
    } else return undefined;
  }
  return pixels;
}
