// Encoding kernels of tile-compressed images: the noise of a row, its dithered integers, and their Rice stream.
//
// They do what cfitsio does, to the last bit: sums and differences are rounded to float32 where its C code rounds
// them, quotients to float64. As when decoding, a stream lies backwards in memory (byte i of it at `top - i`), so
// that one unaligned little-endian store puts down 57 or more bits in order; `reverse` turns it round at the end.

const RANDOM_COUNT: u32 = 10000;
/** Pixels of a Rice block. */
const BLOCK: u32 = 32;

/** Where the caller puts the dither sequence; loads reach up to four numbers beyond it. */
export const randomsAt = memory.data(4 * (10000 + 4), 16);

/** Where memory is the caller's. */
export const heapAt = __heap_base;

const SCRATCH = memory.data(32, 16);

/** For each set of four lanes, the shuffle that moves them to the front. */
const PACKING = memory.data(16 * 16, 16);
for (let set: u32 = 0; set < 16; set++) {
  let to: u32 = 0;
  for (let lane: u32 = 0; lane < 4; lane++) {
    if (!((set >> lane) & 1)) continue;
    store<u32>(PACKING + (set << 4) + (to << 2), 0x03020100 + lane * 0x04040404);
    to++;
  }
}

/** Appends the lanes of a set at `to` and says where the next go. Overwrites up to 16 bytes from `to` on. */
// @ts-ignore: decorator
@inline
function pack(lanes: v128, set: i32, to: usize): usize {
  v128.store(to, i8x16.swizzle(lanes, v128.load(PACKING + (set << 4))));
  return to + (popcnt(set) << 2);
}

/** The lanes of the last, partly filled four that are still ours. */
// @ts-ignore: decorator
@inline
function ours(left: u32): i32 {
  return left >= 4 ? 15 : (1 << left) - 1;
}

/** V8 computes a splat anew wherever it is used, inside loops too; what was loaded stays in its register. */
// @ts-ignore: decorator
@inline
function constant(vector: v128): v128 {
  v128.store(SCRATCH, vector);
  return v128.load(SCRATCH);
}

/** The upper two of four lanes. */
// @ts-ignore: decorator
@inline
function upper(four: v128): v128 {
  return i32x4.shuffle(four, four, 2, 3, 2, 3);
}

/** Copies the numbers among `count` float32 to `to`, the first one three times more after them. @returns how many */
export function numbers(from: usize, count: u32, to: usize): u32 {
  const start = to;
  for (let i: u32 = 0; i < count; i += 4) {
    const values = v128.load(from + (i << 2));
    to = pack(values, i32x4.bitmask(f32x4.eq(values, values)) & ours(count - i), to);
  }
  v128.store(to, v128.load32_splat(start));
  return u32((to - start) >> 2);
}

/** The least of the `count` (at least one) that `numbers` has copied. */
export function least(from: usize, count: u32): f32 {
  let best = v128.load(from);
  for (const end = from + (count << 2); from < end; from += 16) best = f32x4.min(best, v128.load(from));
  best = f32x4.min(best, upper(best));
  return min(f32x4.extract_lane(best, 0), f32x4.extract_lane(best, 1));
}

/** The greatest of them. */
export function greatest(from: usize, count: u32): f32 {
  let best = v128.load(from);
  for (const end = from + (count << 2); from < end; from += 16) best = f32x4.max(best, v128.load(from));
  best = f32x4.max(best, upper(best));
  return max(f32x4.extract_lane(best, 0), f32x4.extract_lane(best, 1));
}

/**
 * Absolute differences of second, third and fifth order between every other pixel, around `count` pixels from the
 * fifth on. Runs of equal pixels are left out: they say nothing about noise.
 *
 * @returns how many differences of third and of fifth order there are; those of second order may be fewer and are
 * filled up with zeros
 */
export function differences(pixels: usize, count: u32, second: usize, third: usize, fifth: usize): u32 {
  const two = constant(f32x4.splat(2));
  const four = constant(f32x4.splat(4));
  const six = constant(f32x4.splat(6));
  let to2 = second;
  let to3 = third;
  let to5 = fifth;
  for (let i: u32 = 0; i < count; i += 4, pixels += 16) {
    const p1 = v128.load(pixels);
    const p3 = v128.load(pixels, 8);
    const p4 = v128.load(pixels, 12);
    const p5 = v128.load(pixels, 16);
    const p6 = v128.load(pixels, 20);
    const p7 = v128.load(pixels, 24);
    const p9 = v128.load(pixels, 32);
    const isShortRun = v128.and(f32x4.eq(p5, p6), f32x4.eq(p6, p7));
    const isRun = v128.and(isShortRun, v128.and(f32x4.eq(p3, p4), f32x4.eq(p4, p5)));
    const set = ours(count - i);
    const kept = ~i32x4.bitmask(isRun) & set;
    to2 = pack(f32x4.abs(f32x4.sub(p5, p7)), ~i32x4.bitmask(isShortRun) & set, to2);
    to3 = pack(f32x4.abs(f32x4.sub(f32x4.sub(f32x4.mul(two, p5), p3), p7)), kept, to3);
    const inner = f32x4.sub(f32x4.sub(f32x4.mul(six, p5), f32x4.mul(four, p3)), f32x4.mul(four, p7));
    to5 = pack(f32x4.abs(f32x4.add(f32x4.add(inner, p1), p9)), kept, to5);
  }
  const bytes = to3 - third;
  memory.fill(to2, 0, second + bytes - to2);
  return u32(bytes >> 2);
}

const SAMPLES: u32 = 64;
const samplesAt = memory.data(4 * 64, 16);
/** So far to each side of the expected rank lies the bracket: 2.5 standard deviations at the median. */
const REACH: i32 = 10;

/** Sorts a few integers in place. */
function sortFew(at: usize, count: u32): void {
  for (let i: usize = 4; i < usize(count << 2); i += 4) {
    const value = load<i32>(at + i);
    let j = i;
    for (; j > 0 && load<i32>(at + j - 4) > value; j -= 4) store<i32>(at + j, load<i32>(at + j - 4));
    store<i32>(at + j, value);
  }
}

/** How many integers lay below the bracket that `between` was last asked for. */
let below: u32 = 0;

/** Copies those of `count` integers that lie from `low` to `high`, both included. @returns how many */
function between(from: usize, count: u32, low: i32, high: i32, to: usize): u32 {
  const start = to;
  const lows = constant(i32x4.splat(low));
  const highs = constant(i32x4.splat(high));
  let less = i32x4.splat(0);
  const end = from + ((count & ~3) << 2);
  for (; from < end; from += 16) {
    const values = v128.load(from);
    const isLess = i32x4.lt_s(values, lows);
    less = i32x4.sub(less, isLess);
    to = pack(values, i32x4.bitmask(v128.andnot(i32x4.le_s(values, highs), isLess)), to);
  }
  const values = v128.load(from);
  const set = ours(count & 3);
  const isLess = i32x4.lt_s(values, lows);
  to = pack(values, i32x4.bitmask(v128.andnot(i32x4.le_s(values, highs), isLess)) & set, to);
  less = i32x4.add(less, upper(less));
  below = i32x4.extract_lane(less, 0) + i32x4.extract_lane(less, 1) + popcnt(i32x4.bitmask(isLess) & set);
  return u32((to - start) >> 2);
}

/**
 * The number of rank `rank` (from 0) among `count` float32 that are not negative: their order is that of their bits.
 * A sorted sample tells between which two it most likely lies; what lies there is sampled again, until few are
 * left. Overwrites `values` and `spare`.
 */
export function select(values: usize, count: u32, rank: u32, spare: usize): f32 {
  while (count > SAMPLES) {
    for (let i: u32 = 0; i < SAMPLES; i++) {
      store<i32>(samplesAt + (i << 2), load<i32>(values + (u32((u64(i) * count) / SAMPLES) << 2)));
    }
    sortFew(samplesAt, SAMPLES);
    const middle = i32((u64(rank) * SAMPLES) / count);
    const low = load<i32>(samplesAt + (max(middle - REACH, 0) << 2));
    const high = load<i32>(samplesAt + (min(middle + REACH, SAMPLES - 1) << 2));
    let left = between(values, count, low, high, spare);
    if (rank < below) { // the sample misled
      left = between(values, count, 0, low - 1, spare);
    } else if (rank >= below + left) {
      left = between(values, count, high + 1, i32.MAX_VALUE, spare);
    } else if (left == count) { // few different numbers: `low` and `high` are the ends
      if (low == high) return reinterpret<f32>(low);
      left = between(values, count, low + 1, i32.MAX_VALUE, spare);
      if (rank < below) return reinterpret<f32>(low);
    }
    rank -= below;
    count = left;
    const other = values;
    values = spare;
    spare = other;
  }
  sortFew(values, count);
  return load<f32>(values + (rank << 2));
}

const BLANK: i32 = -2147483647;
const EXACT_ZERO: i32 = -2147483646;

/** The number of the dither sequence that a tile, or the next lap of it, begins with. */
// @ts-ignore: decorator
@inline
function firstRandom(seedIndex: u32): u32 {
  return u32(load<f32>(randomsAt + (seedIndex << 2)) * 500);
}

/** `(value - zero) / scale + random - 0.5` of two pixels, rounded half away from 0. Each step rounds. */
// @ts-ignore: decorator
@inline
function toIntegers(values: v128, randoms: v128, scales: v128, zeros: v128, half: v128, sign: v128): v128 {
  const units = f64x2.div(f64x2.sub(f64x2.promote_low_f32x4(values), zeros), scales);
  const dithered = f64x2.sub(f64x2.add(units, f64x2.promote_low_f32x4(randoms)), half);
  return i32x4.trunc_sat_f64x2_s_zero(f64x2.add(dithered, v128.or(v128.and(dithered, sign), half)));
}

/** Quantises `count` pixels with SUBTRACTIVE_DITHER_2. Overwrites up to three integers after the last. */
export function quantize(from: usize, count: u32, seedIndex: u32, scale: f64, zero: f64, to: usize): void {
  const scales = constant(f64x2.splat(scale));
  const zeros = constant(f64x2.splat(zero));
  const half = constant(f64x2.splat(0.5));
  const sign = constant(f64x2.splat(-0.0));
  const none = constant(f32x4.splat(0));
  const blanks = constant(i32x4.splat(BLANK));
  const exactZeros = constant(i32x4.splat(EXACT_ZERO));
  let k = firstRandom(seedIndex);
  for (let i: u32 = 0; i < count; i += 4) {
    const values = v128.load(from + (i << 2));
    let random = v128.load(randomsAt + (k << 2));
    k += 4;
    if (k >= RANDOM_COUNT) { // the lap ends within these four: the next one's numbers follow
      const beyond = k - RANDOM_COUNT;
      seedIndex = seedIndex + 1 == RANDOM_COUNT ? 0 : seedIndex + 1;
      k = firstRandom(seedIndex);
      v128.store(SCRATCH, random);
      v128.store(SCRATCH + 16 - (beyond << 2), v128.load(randomsAt + (k << 2)));
      random = v128.load(SCRATCH);
      k += beyond;
    }
    const low = toIntegers(values, random, scales, zeros, half, sign);
    const high = toIntegers(upper(values), upper(random), scales, zeros, half, sign);
    let integers = i32x4.shuffle(low, high, 0, 1, 4, 5);
    integers = v128.bitselect(exactZeros, integers, f32x4.eq(values, none));
    integers = v128.bitselect(blanks, integers, f32x4.ne(values, values));
    v128.store(to + (i << 2), integers);
  }
}

/** Where a block's folded differences lie while they are coded. */
const foldedAt = memory.data(4 * 32, 16);

/**
 * Folds the differences of a block (0, -1, 1, -2 … become 0, 1, 2, 3 …), 32 of them whatever the block's size.
 *
 * @param shift bits by which a difference exceeds the pixels it is taken modulo: 0, or 16 for pixels of 2 bytes
 * @returns their sum
 */
// @ts-ignore: decorator
@inline
function fold(pixels: usize, shift: i32): u64 {
  let sum = i64x2.splat(0);
  for (let i: usize = 0; i < 128; i += 16) {
    let step = i32x4.sub(v128.load(pixels + i), v128.load(pixels + i - 4));
    step = i32x4.shr_s(i32x4.shl(step, shift), shift);
    const folded = v128.xor(i32x4.shl(step, 1), i32x4.shr_s(step, 31));
    v128.store(foldedAt + i, folded);
    sum = i64x2.add(sum, i64x2.add(i64x2.extend_low_i32x4_u(folded), i64x2.extend_high_i32x4_u(folded)));
  }
  return i64x2.extract_lane(sum, 0) + i64x2.extract_lane(sum, 1);
}

/** The stream being written: its unfinished bits stand at the top of `word`, whose first byte belongs at `at + 7`. */
let word: u64 = 0;
let held: u64 = 0;
let at: usize = 0;

/** Appends up to 56 bits; those above are 0. */
// @ts-ignore: decorator
@inline
function put(bits: u64, length: u64): void {
  held += length;
  word |= bits << (64 - held);
  store<u64>(at, word);
  at -= usize(held >> 3);
  word <<= held & 56;
  held &= 7;
}

/** Appends one difference of any length. */
function putLong(folded: u32, fs: u64): void {
  let zeros = u64(folded) >> fs;
  for (; zeros > 31; zeros -= 31) put(0, 31);
  put((u64(1) << fs) | (folded & ((u64(1) << fs) - 1)), zeros + 1 + fs);
}

/**
 * Packs `count` integers, in blocks of 32. There must be an integer of room before them and 32 after them.
 *
 * @param bytePix 4, or 2 for integers of 16 bits
 * @param headerBits bits of the number before each block
 * @param verbatim low bits from which on a block is stored as it is
 * @param top where the first byte of the stream goes; the others lie below, and up to 8 more bytes are overwritten
 * @returns bytes of the stream
 */
export function rice(pixels: usize, count: u32, bytePix: u32, headerBits: u32, verbatim: u32, top: usize): u32 {
  const pixelBits = bytePix << 3;
  const shift = i32(32 - pixelBits);
  const first = load<i32>(pixels);
  store<i32>(pixels - 4, first);
  const last = i32x4.splat(load<i32>(pixels + ((count - 1) << 2)));
  for (let i: usize = 0; i < 128; i += 16) v128.store(pixels + (count << 2) + i, last); // no differences after the end
  word = 0;
  held = 0;
  at = top - 7;
  put(u64(u32(first) << shift >> shift), pixelBits);
  for (let i: u32 = 0; i < count; i += BLOCK, pixels += BLOCK << 2) {
    const size = min(BLOCK, count - i);
    const sum = fold(pixels, shift);
    if (sum == 0) {
      put(0, headerBits);
      continue;
    }
    const offset = u64(size / 2 + 1);
    const mean: u32 = sum > offset ? u32((sum - offset) / size) : 0;
    const fs: u32 = 32 - clz(mean >> 1);
    if (fs >= verbatim) {
      put(verbatim + 1, headerBits);
      for (let j: u32 = 0; j < size; j++) put(load<u32>(foldedAt + (j << 2)), pixelBits);
      continue;
    }
    put(fs + 1, headerBits);
    putBlock(size, fs);
  }
  return u32(top - 7 - at) + u32(held > 0);
}

/** Appends the folded differences of a block, four at a time where they are short. */
function putBlock(size: u32, fs: u32): void {
  const bits = u64(fs);
  const least = bits + 1; // bits of a code without zeros
  const one = u64(1) << bits;
  const low = u32(one) - 1;
  const end = foldedAt + (size << 2);
  let from = foldedAt;
  let openWord = word; // locals stay in registers
  let openBits = held;
  let to = at;
  for (; from + 16 <= end; from += 16) {
    const v0 = load<u32>(from);
    const v1 = load<u32>(from, 4);
    const v2 = load<u32>(from, 8);
    const v3 = load<u32>(from, 12);
    const l1 = u64(v1 >> fs) + least;
    const l2 = u64(v2 >> fs) + least;
    const l3 = u64(v3 >> fs) + least;
    const length = u64(v0 >> fs) + least + l1 + l2 + l3;
    if (length > 56) {
      word = openWord;
      held = openBits;
      at = to;
      putLong(v0, bits);
      putLong(v1, bits);
      putLong(v2, bits);
      putLong(v3, bits);
      openWord = word;
      openBits = held;
      to = at;
      continue;
    }
    const left = ((one | u64(v0 & low)) << l1) | (one | u64(v1 & low));
    const right = ((one | u64(v2 & low)) << l3) | (one | u64(v3 & low));
    openBits += length;
    openWord |= ((left << (l2 + l3)) | right) << (64 - openBits);
    store<u64>(to, openWord);
    to -= usize(openBits >> 3);
    openWord <<= openBits & 56;
    openBits &= 7;
  }
  word = openWord;
  held = openBits;
  at = to;
  for (; from < end; from += 4) putLong(load<u32>(from), bits);
}

/** Copies the `length` bytes that lie backwards below `top` to `to`, in order. Writes in steps of 16. */
export function reverse(top: usize, length: u32, to: usize): void {
  const from = top - 15;
  for (let i: u32 = 0; i < length; i += 16) {
    const bytes = v128.load(from - i);
    v128.store(to + i, i8x16.shuffle(bytes, bytes, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  }
}
