// Normal noise, eight numbers at a time.

/** Where memory is the caller's. */
export const heapAt = __heap_base;

// @ts-ignore: decorator
@inline
function v(value: f32): v128 {
  return f32x4.splat(value);
}

// @ts-ignore: decorator
@inline
function horner(x: v128, sum: v128, next: f32): v128 {
  return f32x4.add(f32x4.mul(sum, x), v(next));
}

/** Natural logarithm of positive normal numbers (polynomial of Cephes' logf). */
// @ts-ignore: decorator
@inline
function log(x: v128): v128 {
  const exponent = i32x4.shr_s(i32x4.sub(x, i32x4.splat(0x3f3504f3)), 23);
  const m = f32x4.sub(i32x4.sub(x, i32x4.shl(exponent, 23)), v(1));
  let p = v(7.0376836292e-2);
  p = horner(m, p, -1.151461031e-1);
  p = horner(m, p, 1.167699874e-1);
  p = horner(m, p, -1.2420140846e-1);
  p = horner(m, p, 1.4249322787e-1);
  p = horner(m, p, -1.6668057665e-1);
  p = horner(m, p, 2.0000714765e-1);
  p = horner(m, p, -2.4999993993e-1);
  p = horner(m, p, 3.3333331174e-1);
  const square = f32x4.mul(m, m);
  const y = f32x4.sub(f32x4.mul(f32x4.mul(p, m), square), f32x4.mul(square, v(0.5)));
  return f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(exponent), v(0.6931471805599453)), f32x4.add(m, y));
}

/** SplitMix64: the finaliser of its counter. */
// @ts-ignore: decorator
@inline
function mix(z: u64): u64 {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

const STATE = memory.data(64, 16);

// @ts-ignore: decorator
@inline
function rotate(x: v128, by: i32): v128 {
  return v128.or(i32x4.shl(x, by), i32x4.shr_u(x, 32 - by));
}

/**
 * Fills `count` float32 (rounded up to a multiple of 8) with independent normal numbers of standard deviation
 * `sigma`: four xoshiro128++ generators (Blackman & Vigna 2021) that SplitMix64 starts, and Box & Muller's method on
 * uniform numbers of 32 bits, which reaches 6.7 sigma.
 */
export function normals(out: usize, count: u32, seedHigh: u32, seedLow: u32, row: u32, sigma: f32): void {
  let counter = mix(((u64(seedHigh) << 32) | u64(seedLow)) + u64(row) * 0x9e3779b97f4a7c15);
  for (let i: usize = 0; i < 64; i += 8) {
    counter += 0x9e3779b97f4a7c15;
    store<u64>(STATE + i, mix(counter));
  }
  let s0 = v128.load(STATE), s1 = v128.load(STATE, 16), s2 = v128.load(STATE, 32), s3 = v128.load(STATE, 48);
  const scale = v(-2 * sigma * sigma);
  for (const end = out + (usize(count) << 2); out < end; out += 32) {
    const first = i32x4.add(rotate(i32x4.add(s0, s3), 7), s0);
    let t = i32x4.shl(s1, 9);
    s2 = v128.xor(s2, s0);
    s3 = v128.xor(s3, s1);
    s1 = v128.xor(s1, s2);
    s0 = v128.xor(s0, s3);
    s2 = v128.xor(s2, t);
    s3 = rotate(s3, 11);
    const second = i32x4.add(rotate(i32x4.add(s0, s3), 7), s0);
    t = i32x4.shl(s1, 9);
    s2 = v128.xor(s2, s0);
    s3 = v128.xor(s3, s1);
    s1 = v128.xor(s1, s2);
    s0 = v128.xor(s0, s3);
    s2 = v128.xor(s2, t);
    s3 = rotate(s3, 11);
    // In (0, 1]: half a step above zero.
    const uniform = f32x4.add(f32x4.mul(f32x4.convert_i32x4_u(first), v(2.3283064365386963e-10)), v(1.1641532e-10));
    const radius = f32x4.sqrt(f32x4.mul(f32x4.min(log(f32x4.min(uniform, v(1))), v(0)), scale));
    // Two bits choose the quarter turn, thirty the angle within it, from -π/4 to π/4.
    const angle = f32x4.mul(f32x4.convert_i32x4_s(i32x4.shl(second, 2)), v(3.6572951981e-10));
    const square = f32x4.mul(angle, angle);
    let p = v(-1.9515295891e-4);
    p = horner(square, p, 8.3321608736e-3);
    p = horner(square, p, -1.6666654611e-1);
    const sin = f32x4.add(angle, f32x4.mul(f32x4.mul(angle, square), p));
    p = v(2.443315711809948e-5);
    p = horner(square, p, -1.388731625493765e-3);
    p = horner(square, p, 4.166664568298827e-2);
    p = horner(square, p, -0.5);
    const cos = horner(square, p, 1);
    const isOdd = i32x4.shr_s(i32x4.shl(second, 1), 31);
    const sign = v128.and(second, i32x4.splat(0x80000000));
    const one = v128.bitselect(sin, cos, isOdd), two = v128.bitselect(cos, sin, isOdd);
    v128.store(out, f32x4.mul(radius, v128.xor(one, sign)));
    v128.store(out, f32x4.mul(radius, v128.xor(two, v128.xor(sign, i32x4.shl(isOdd, 31)))), 16);
  }
}
