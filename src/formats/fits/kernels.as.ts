// Decoding kernels of tile-compressed images: Rice bit by bit, then differences, dither and scale with SIMD.
//
// A Rice stream is read most significant bit first while memory is little-endian. So the stream is laid down
// backwards: byte i of it lies at `top - i`, and one unaligned 64-bit load gives 57 or more of its bits in order.

const RANDOM_COUNT: u32 = 10000;

/** Where the caller puts the dither sequence; loads reach up to four numbers beyond it. */
export const randomsAt = memory.data(4 * (10000 + 4), 16);

/** Where memory is the caller's. */
export const heapAt = __heap_base;

/** Zero bytes that follow a stream: what a window that starts within it can see, and more. */
const PADDING: u32 = 64;

/** The end of the stream as a position; no stream is that long. */
const ENDED: u64 = 0;

/** Lays the `length` bytes at `from` down backwards below `top`, zeros after them. Writes in steps of 16. */
export function reverse(from: usize, length: u32, top: usize): void {
  const to = top - 15;
  for (let i: u32 = 0; i < length; i += 16) {
    const bytes = v128.load(from + i);
    v128.store(to - i, i8x16.shuffle(bytes, bytes, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  }
  memory.fill(top + 1 - length - PADDING, 0, PADDING);
}

/** At least 57 bits of the stream from bit `position` on, at the top of a word. */
// @ts-ignore: decorator
@inline
function window(top: usize, position: u32): u64 {
  return load<u64>(top - 7 - (position >> 3)) << (position & 7);
}

/** A difference: `zeros` zeros at the top of the word count units of 2^fs; a 1 and the `fs` low bits follow. */
// @ts-ignore: decorator
@inline
function code(word: u64, zeros: u64, fs: u64, unit: u32): u32 {
  return u32(word >> (63 - fs - zeros)) + (u32(zeros) - 1) * unit;
}

/** One difference of any length, with care: its bits low, the position after it high, or `ENDED`. */
function careful(top: usize, position: u32, bits: u32, fs: u64): u64 {
  let zeros: u64 = 0;
  let word = window(top, position);
  while (word >> 7 == 0) {
    zeros += 57;
    position += 57;
    if (position >= bits) return ENDED;
    word = window(top, position);
  }
  const more = clz(word);
  position += u32(more) + 1;
  word = window(top, position);
  position += u32(fs);
  if (position > bits) return ENDED;
  return (u64(position) << 32) | ((((zeros + more) << fs) | ((word >> 1) >> (63 - fs))) & 0xffffffff);
}

/**
 * Unpacks the differences of `count` pixels, still folded (0, -1, 1, -2 … as 0, 1, 2, 3 …), to `out`.
 *
 * @returns `count`, or the pixel at which the stream ended, or -1 - the pixel at which a block header is impossible
 */
export function rice(
  top: usize, length: u32, count: u32, blockSize: u32, bytePix: u32, headerBits: u32, verbatim: u32, out: usize,
): i32 {
  const bits = length << 3;
  const pixelBits = bytePix << 3;
  const after = top - length; // from here down lie the zeros after the stream
  let position = pixelBits;
  let i: u32 = 0;
  while (i < count) {
    const header = u32(window(top, position) >> (64 - headerBits));
    position += headerBits;
    if (position > bits) return i;
    const end = i + min(blockSize, count - i);
    if (header == 0) {
      memory.fill(out + (i << 2), 0, (end - i) << 2);
      i = end;
    } else if (header > verbatim) {
      if (header > verbatim + 1) return ~i;
      for (; i < end; i++) {
        if (position + pixelBits > bits) return i;
        store<u32>(out + (i << 2), u32(window(top, position) >> (64 - pixelBits)));
        position += pixelBits;
      }
    } else {
      const fs = u64(header - 1);
      const step = fs + 1;
      const unit = u32(1) << u32(fs);
      // Four differences at a time out of a word that is topped up to 56 bits before. Topping up depends on the
      // bits used and not on a load at a new address, which keeps the chain from pixel to pixel short.
      let at = top - 7 - (position >> 3);
      let word = load<u64>(at) << (position & 7);
      let valid: u64 = 56 - (position & 7);
      at -= 7;
      while (i + 4 <= end && at > after) {
        word |= load<u64>(at) >> valid;
        at -= usize((63 - valid) >> 3);
        valid |= 56;
        let rest = word;
        const z0 = clz(rest);
        const d0 = code(rest, z0, fs, unit);
        rest <<= z0 + step;
        const z1 = clz(rest);
        const d1 = code(rest, z1, fs, unit);
        rest <<= z1 + step;
        const z2 = clz(rest);
        const d2 = code(rest, z2, fs, unit);
        rest <<= z2 + step;
        const z3 = clz(rest);
        const d3 = code(rest, z3, fs, unit);
        rest <<= z3 + step;
        const used = z0 + z1 + z2 + z3 + 4 * step;
        if (used > valid) break; // a long difference: `careful` goes on with the first of the four
        word = rest;
        valid -= used;
        store<u32>(out + (i << 2), d0);
        store<u32>(out + (i << 2), d1, 4);
        store<u32>(out + (i << 2), d2, 8);
        store<u32>(out + (i << 2), d3, 12);
        i += 4;
      }
      position = u32(((top - 7 - at) << 3) - usize(valid));
      for (; i < end; i++) {
        const pixel = careful(top, position, bits, fs);
        if (pixel == ENDED) return i;
        store<u32>(out + (i << 2), u32(pixel));
        position = u32(pixel >> 32);
      }
    }
  }
  return count;
}

const SCRATCH = memory.data(32, 16);

/** V8 computes a splat anew wherever it is used, inside loops too; what was loaded stays in its register. */
// @ts-ignore: decorator
@inline
function constant(vector: v128): v128 {
  v128.store(SCRATCH, vector);
  return v128.load(SCRATCH);
}

/**
 * Turns folded differences into pixels, in place: each is the one before plus its difference, modulo 2^32.
 *
 * @param first the pixel before the first difference (which Rice writers set to 0)
 */
export function integrate(pixels: usize, count: u32, first: i32): void {
  const one = constant(i32x4.splat(1));
  const none = i32x4.splat(0);
  let last = i32x4.splat(first);
  for (const end = pixels + (count << 2); pixels < end; pixels += 16) {
    const folded = v128.load(pixels);
    let sum = v128.xor(i32x4.shr_u(folded, 1), i32x4.sub(none, v128.and(folded, one)));
    sum = i32x4.add(sum, i32x4.shuffle(none, sum, 3, 4, 5, 6)); // consecutive lanes: one instruction
    sum = i32x4.add(sum, i32x4.shuffle(none, sum, 2, 3, 4, 5));
    sum = i32x4.add(sum, last);
    v128.store(pixels, sum);
    last = i32x4.shuffle(sum, sum, 3, 3, 3, 3);
  }
}

const NAN_BITS: i32 = 0x7fc00000;
const EXACT_ZERO: i32 = -2147483646;

/** The number of the dither sequence that a tile, or the next lap of it, begins with. */
// @ts-ignore: decorator
@inline
function firstRandom(seedIndex: u32): u32 {
  return u32(load<f32>(randomsAt + (seedIndex << 2)) * 500);
}

/** The upper two of four lanes. */
// @ts-ignore: decorator
@inline
function upper(four: v128): v128 {
  return i32x4.shuffle(four, four, 2, 3, 2, 3);
}

/** `((integer - random) + 0.5) * scale + zero` for two pixels. Each step rounds, so their order matters. */
// @ts-ignore: decorator
@inline
function restore(integers: v128, randoms: v128, isDithered: bool, half: v128, scale: v128, zero: v128): v128 {
  let value = f64x2.convert_low_i32x4_s(integers);
  if (isDithered) value = f64x2.add(f64x2.sub(value, f64x2.promote_low_f32x4(randoms)), half);
  return f64x2.add(f64x2.mul(value, scale), zero);
}

/** Both functions below; the compiler makes one loop for each. */
// @ts-ignore: decorator
@inline
function toFloat32(
  pixels: usize, count: u32, isDithered: bool, seedIndex: u32, scale: f64, zero: f64,
  hasBlank: bool, blank: i32, keepsZero: bool,
): u32 {
  const blankIntegers = constant(i32x4.splat(blank));
  const blanksCount = constant(i32x4.splat(-i32(hasBlank)));
  const zeroIntegers = constant(i32x4.splat(EXACT_ZERO));
  const zerosCount = constant(i32x4.splat(-i32(keepsZero)));
  const scales = constant(f64x2.splat(scale));
  const zeros = constant(f64x2.splat(zero));
  const half = constant(f64x2.splat(0.5));
  let nanCount: u32 = 0;
  let k = isDithered ? firstRandom(seedIndex) : 0;
  for (let i: u32 = 0; i < count; i += 4) {
    const integers = v128.load(pixels + (i << 2));
    let random = isDithered ? v128.load(randomsAt + (k << 2)) : integers;
    k += 4;
    if (isDithered && k >= RANDOM_COUNT) { // the lap ends within these four: the next one's numbers follow
      const beyond = k - RANDOM_COUNT;
      seedIndex = seedIndex + 1 == RANDOM_COUNT ? 0 : seedIndex + 1;
      k = firstRandom(seedIndex);
      v128.store(SCRATCH, random);
      v128.store(SCRATCH + 16 - (beyond << 2), v128.load(randomsAt + (k << 2)));
      random = v128.load(SCRATCH);
      k += beyond;
    }
    const low = restore(integers, random, isDithered, half, scales, zeros);
    const high = restore(upper(integers), upper(random), isDithered, half, scales, zeros);
    let values = i32x4.shuffle(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
    const isBlank = v128.and(i32x4.eq(integers, blankIntegers), blanksCount);
    const isZero = v128.and(i32x4.eq(integers, zeroIntegers), zerosCount);
    if (v128.any_true(v128.or(isBlank, isZero))) {
      values = v128.bitselect(i32x4.splat(NAN_BITS), v128.andnot(values, isZero), isBlank);
      const ours = (1 << min(4, count - i)) - 1; // the last four may reach beyond the tile
      nanCount += popcnt(i32x4.bitmask(isBlank) & ours);
    }
    v128.store(pixels + (i << 2), values);
  }
  return nanCount;
}

/**
 * Turns `count` quantised integers into float32, in place (SUBTRACTIVE_DITHER_1 and 2). Overwrites up to three
 * numbers after the last.
 *
 * @param keepsZero whether the integer -2147483646 is exactly 0
 * @returns how many pixels are NaN
 */
export function dequantizeDithered(
  pixels: usize, count: u32, seedIndex: u32, scale: f64, zero: f64,
  hasBlank: bool, blank: i32, keepsZero: bool,
): u32 {
  return toFloat32(pixels, count, true, seedIndex, scale, zero, hasBlank, blank, keepsZero);
}

/** The same for NO_DITHER. */
export function dequantize(pixels: usize, count: u32, scale: f64, zero: f64, hasBlank: bool, blank: i32): u32 {
  return toFloat32(pixels, count, false, 0, scale, zero, hasBlank, blank, false);
}
