// Decoding kernels of tile-compressed images: Rice, then differences, dither and scale in one SIMD pass.
//
// A Rice stream is read most significant bit first while memory is little-endian. So the stream is laid down
// backwards: byte i of it lies at `top - i`, and one unaligned 64-bit load gives 57 or more of its bits in order.

/** Zero bytes that follow a stream: what a window that starts within it can see, and more. */
const PADDING: u32 = 64;

/** The end of the stream as a position; no stream is that long. */
const ENDED: u64 = 0;

/** Lays the `length` bytes at `from` down backwards below `top`, zeros after them. Writes in steps of 16. */
export function reverse(from: usize, length: u32, top: usize): void {
  let to = top - 15;
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

/** The word's low `fs` bits come after a 1 that follows `zeros` zeros: both as one number. */
// @ts-ignore: decorator
@inline
function code(word: u64, zeros: u64, fs: u64): u32 {
  return u32(word >> (63 - fs - zeros)) + u32((zeros - 1) << fs);
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
      for (; i + 4 <= end; i += 4) {
        let word = window(top, position);
        const z0 = clz(word);
        const d0 = code(word, z0, fs);
        word <<= z0 + fs + 1;
        const z1 = clz(word);
        const d1 = code(word, z1, fs);
        word <<= z1 + fs + 1;
        const z2 = clz(word);
        const d2 = code(word, z2, fs);
        word <<= z2 + fs + 1;
        const z3 = clz(word);
        const d3 = code(word, z3, fs);
        const used = z0 + z1 + z2 + z3 + 4 * (fs + 1);
        if (used > 57 || position + u32(used) > bits) break;
        position += u32(used);
        store<u32>(out + (i << 2), d0);
        store<u32>(out + (i << 2), d1, 4);
        store<u32>(out + (i << 2), d2, 8);
        store<u32>(out + (i << 2), d3, 12);
      }
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

/**
 * Turns folded differences into pixels, in place: each is the one before plus its difference, modulo 2^32.
 *
 * @param first the pixel before the first difference (which Rice writers set to 0)
 */
export function integrate(pixels: usize, count: u32, first: i32): void {
  const one = i32x4.splat(1);
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

/** Two float64 pixels of two integers; each step rounds, so their order matters. */
// @ts-ignore: decorator
@inline
function restore(integers: v128, randoms: v128, isDithered: bool, scale: v128, zero: v128): v128 {
  let value = f64x2.convert_low_i32x4_s(integers);
  if (isDithered) value = f64x2.add(f64x2.sub(value, f64x2.promote_low_f32x4(randoms)), f64x2.splat(0.5));
  return f64x2.add(f64x2.mul(value, scale), zero);
}

// @ts-ignore: decorator
@inline
function upper(four: v128): v128 {
  return i32x4.shuffle(four, four, 2, 3, 2, 3);
}

const NAN_BITS: i32 = 0x7fc00000;
const EXACT_ZERO: i32 = -2147483646;
const RANDOM_COUNT: u32 = 10000;

/** The number of the dither sequence that a tile, or the next lap of it, begins with. */
// @ts-ignore: decorator
@inline
function firstRandom(randoms: usize, seedIndex: u32): u32 {
  return u32(load<f32>(randoms + (seedIndex << 2)) * 500);
}

/**
 * Turns `count` quantised integers into float32, in place.
 *
 * @param randoms the dither sequence, and room to read three numbers more
 * @param isDithered the compiler makes one loop for each
 * @param keepsZero whether the integer -2147483646 is exactly 0
 * @returns how many pixels are NaN
 */
// @ts-ignore: decorator
@inline
function toFloat32(
  pixels: usize, count: u32, randoms: usize, isDithered: bool, seedIndex: u32, scale: f64, zero: f64,
  hasBlank: bool, blank: i32, keepsZero: bool,
): u32 {
  const blanks = i32x4.splat(blank);
  const blanksCount = i32x4.splat(-i32(hasBlank));
  const zeros = i32x4.splat(EXACT_ZERO);
  const zerosCount = i32x4.splat(-i32(keepsZero));
  const scales = f64x2.splat(scale);
  const zeroes = f64x2.splat(zero);
  let nanCount: u32 = 0;
  let i: u32 = 0;
  let k = firstRandom(randoms, seedIndex);
  while (i < count) {
    const end = min(count, i + RANDOM_COUNT - k);
    const random = randoms + (k << 2) - (i << 2);
    while (i < end) {
      const at = pixels + (i << 2);
      const integers = v128.load(at);
      const four = v128.load(random + (i << 2));
      const low = restore(integers, four, isDithered, scales, zeroes);
      const high = restore(upper(integers), upper(four), isDithered, scales, zeroes);
      let values = i32x4.shuffle(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
      let isBlank = v128.and(i32x4.eq(integers, blanks), blanksCount);
      const isZero = v128.and(i32x4.eq(integers, zeros), zerosCount);
      const isLast = end - i < 4;
      if (v128.any_true(v128.or(isBlank, isZero)) || isLast) {
        values = v128.bitselect(i32x4.splat(NAN_BITS), v128.andnot(values, isZero), isBlank);
        if (isLast) { // the lanes from `end` on are not ours yet
          const isOurs = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(end - i));
          values = v128.bitselect(values, integers, isOurs);
          isBlank = v128.and(isBlank, isOurs);
        }
        nanCount += popcnt(i32x4.bitmask(isBlank));
      }
      v128.store(at, values);
      i += 4;
    }
    i = end;
    seedIndex = seedIndex + 1 == RANDOM_COUNT ? 0 : seedIndex + 1;
    k = firstRandom(randoms, seedIndex);
  }
  return nanCount;
}

/** SUBTRACTIVE_DITHER_1 and 2. */
export function dequantizeDithered(
  pixels: usize, count: u32, randoms: usize, seedIndex: u32, scale: f64, zero: f64,
  hasBlank: bool, blank: i32, keepsZero: bool,
): u32 {
  return toFloat32(pixels, count, randoms, true, seedIndex, scale, zero, hasBlank, blank, keepsZero);
}

/** NO_DITHER. */
export function dequantize(
  pixels: usize, count: u32, randoms: usize, scale: f64, zero: f64, hasBlank: bool, blank: i32,
): u32 {
  return toFloat32(pixels, count, randoms, false, 0, scale, zero, hasBlank, blank, false);
}
