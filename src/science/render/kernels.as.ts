// Drawing kernels: the transform of a source, mode by mode, and its inverse Fourier transform.
//
// Four things are done at once. A "block" is four neighbouring columns of a spectrum (or four rows of an image) in
// the lanes of a vector; the real parts come first, then the imaginary parts: 32 bytes for four complex numbers.

/** Where memory is the caller's. */
export const heapAt = __heap_base;

// Elementary functions of vectors. Relative errors are below 3e-7.

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

/** e^x, for x up to 80; below -80 it is e^-80. */
// @ts-ignore: decorator
@inline
function exp(x: v128): v128 {
  const turns = f32x4.mul(f32x4.max(x, v(-80)), v(1.4426950408889634));
  // Adding 1.5 · 2^23 leaves the nearest whole number in the low bits.
  const shifted = f32x4.add(turns, v(12582912));
  const f = f32x4.sub(turns, f32x4.sub(shifted, v(12582912)));
  let p = v(0.00015469732374325393);
  p = horner(f, p, 0.0013398857791513204);
  p = horner(f, p, 0.009617989905178547);
  p = horner(f, p, 0.055503272693232745);
  p = horner(f, p, 0.24022651100587353);
  p = horner(f, p, 0.6931471880091344);
  p = horner(f, p, 1.0);
  return i32x4.add(p, i32x4.shl(shifted, 23));
}

/** Cube root of positive normal numbers: a guess from a third of the bits, and two steps of Halley's method. */
// @ts-ignore: decorator
@inline
function cbrt(x: v128): v128 {
  const third = f32x4.mul(f32x4.convert_i32x4_s(x), v(0.3333333333333333));
  let y = i32x4.add(i32x4.trunc_sat_f32x4_s(third), i32x4.splat(0x2a5137a0));
  for (let step = 0; step < 2; step++) {
    const cube = f32x4.mul(f32x4.mul(y, y), y);
    const up = f32x4.add(f32x4.add(cube, x), x), down = f32x4.add(f32x4.add(cube, cube), x);
    y = f32x4.mul(y, f32x4.div(up, down));
  }
  return y;
}

/** Four vectors as rows of a matrix become its columns; the results are left in `t0` … `t3`. */
let t0: v128 = i32x4.splat(0);
let t1: v128 = i32x4.splat(0);
let t2: v128 = i32x4.splat(0);
let t3: v128 = i32x4.splat(0);
// @ts-ignore: decorator
@inline
function transpose(a: v128, b: v128, c: v128, d: v128): void {
  const ab = i32x4.shuffle(a, b, 0, 4, 1, 5);
  const AB = i32x4.shuffle(a, b, 2, 6, 3, 7);
  const cd = i32x4.shuffle(c, d, 0, 4, 1, 5);
  const CD = i32x4.shuffle(c, d, 2, 6, 3, 7);
  t0 = i32x4.shuffle(ab, cd, 0, 1, 4, 5);
  t1 = i32x4.shuffle(ab, cd, 2, 3, 6, 7);
  t2 = i32x4.shuffle(AB, CD, 0, 1, 4, 5);
  t3 = i32x4.shuffle(AB, CD, 2, 3, 6, 7);
}

/** Stores the product of two complex numbers. */
// @ts-ignore: decorator
@inline
function storeProduct(to: usize, ar: v128, ai: v128, br: v128, bi: v128): void {
  v128.store(to, f32x4.sub(f32x4.mul(ar, br), f32x4.mul(ai, bi)));
  v128.store(to, f32x4.add(f32x4.mul(ar, bi), f32x4.mul(ai, br)), 16);
}

/** One pass of radix 2 over n blocks. */
function radix2(n: u32, x: usize, y: usize, twiddles: usize): void {
  const half = usize(n >> 1) << 5;
  for (let at = x, end = x + half; at < end; at += 32, y += 64, twiddles += 8) {
    const ar = v128.load(at), ai = v128.load(at, 16);
    const br = v128.load(at + half), bi = v128.load(at + half, 16);
    v128.store(y, f32x4.add(ar, br));
    v128.store(y, f32x4.add(ai, bi), 16);
    const wr = v128.load32_splat(twiddles), wi = v128.load32_splat(twiddles, 4);
    storeProduct(y + 32, f32x4.sub(ar, br), f32x4.sub(ai, bi), wr, wi);
  }
}

/**
 * Butterflies of radix 4 over `step` bytes: of blocks a `quarter` apart to blocks a `step` apart,
 * times a power of w each.
 *
 * @param isOne whether w is 1 (known when this is compiled): then nothing is multiplied
 */
// @ts-ignore: decorator
@inline
function radix4(at: usize, quarter: usize, to: usize, step: usize, isOne: bool, twiddles: usize, w: usize): void {
  const w1r = v128.load32_splat(twiddles + w), w1i = v128.load32_splat(twiddles + w, 4);
  const w2r = v128.load32_splat(twiddles + 2 * w), w2i = v128.load32_splat(twiddles + 2 * w, 4);
  const w3r = v128.load32_splat(twiddles + 3 * w), w3i = v128.load32_splat(twiddles + 3 * w, 4);
  for (const end = at + step; at < end; at += 32, to += 32) {
    const ar = v128.load(at), ai = v128.load(at, 16);
    const b = at + quarter;
    const br = v128.load(b), bi = v128.load(b, 16);
    const c = b + quarter;
    const cr = v128.load(c), ci = v128.load(c, 16);
    const d = c + quarter;
    const dr = v128.load(d), di = v128.load(d, 16);
    const acr = f32x4.add(ar, cr), aci = f32x4.add(ai, ci);
    const bdr = f32x4.add(br, dr), bdi = f32x4.add(bi, di);
    const Acr = f32x4.sub(ar, cr), Aci = f32x4.sub(ai, ci);
    const Bdr = f32x4.sub(br, dr), Bdi = f32x4.sub(bi, di);
    v128.store(to, f32x4.add(acr, bdr));
    v128.store(to, f32x4.add(aci, bdi), 16);
    const r1 = f32x4.sub(Acr, Bdi), i1 = f32x4.add(Aci, Bdr), u1 = to + step;
    const r2 = f32x4.sub(acr, bdr), i2 = f32x4.sub(aci, bdi), u2 = u1 + step;
    const r3 = f32x4.add(Acr, Bdi), i3 = f32x4.sub(Aci, Bdr), u3 = u2 + step;
    if (isOne) {
      v128.store(u1, r1);
      v128.store(u1, i1, 16);
      v128.store(u2, r2);
      v128.store(u2, i2, 16);
      v128.store(u3, r3);
      v128.store(u3, i3, 16);
    } else {
      storeProduct(u1, r1, i1, w1r, w1i);
      storeProduct(u2, r2, i2, w2r, w2i);
      storeProduct(u3, r3, i3, w3r, w3i);
    }
  }
}

/**
 * Inverse Fourier transform, Σ x[k] exp(+2πi k j / n), of four sequences of n = 2^m ≥ 4 at `from`; not normalised.
 * Stockham's form, which needs a second buffer and no bit reversal; radix 4, after one pass of radix 2 when m is odd.
 *
 * @param twiddles exp(2πi j / n), n pairs of float32
 * @returns which of the two buffers holds the result
 */
function fft(n: u32, from: usize, other: usize, twiddles: usize): usize {
  let x = from;
  let y = other;
  let length = n;
  let s: u32 = 1;
  if (ctz(n) & 1) {
    radix2(n, x, y, twiddles);
    x = other;
    y = from;
    length >>= 1;
    s = 2;
  }
  while (length > 1) {
    const m = length >> 2;
    const quarter = usize(n >> 2) << 5;
    const step = usize(s) << 5;
    radix4(x, quarter, y, step, true, twiddles, 0);
    for (let p: u32 = 1; p < m; p++)
      radix4(x + usize(p) * step, quarter, y + usize(4 * p) * step, step, false, twiddles, usize(p * s) << 3);
    const swap = x;
    x = y;
    y = swap;
    length = m;
    s <<= 2;
  }
  return x;
}

const LANES = memory.data<f32>([0, 1, 2, 3], 16);

/** The columns of a block as numbers. */
// @ts-ignore: decorator
@inline
function columns(kx: i32): v128 {
  return f32x4.add(v(f32(kx)), v128.load(LANES));
}

/**
 * Transfer function of atmosphere, optics and pixel at columns kx … kx + 3, rows [low, high], in units of the mode
 * spacing:  exp(-(a kx² + b kx ky + c ky²)^(5/6)) · optics · pixel(kx) · pixel(ky).
 *
 * @param out receives the block of each row, `low` first
 * @param optics fine table of the optical transfer function, complex float32, [x][y], `side` numbers a side
 * @param taps for mode 0: index of the first of six lattice points around it (int32), and their weights (6 float32)
 * @param pixel for mode 0: the pixel's transform along one axis (float32)
 * @param line room for `side` blocks
 */
export function transfer(
  out: usize, kx: i32, low: i32, high: i32, a: f32, b: f32, c: f32,
  optics: usize, side: u32, taps: usize, pixel: usize, line: usize,
): void {
  const first = load<i32>(taps + low * 28);
  const last = load<i32>(taps + high * 28) + 6;
  for (let lane = 0; lane < 4; lane++) {
    const tap = taps + (kx + lane) * 28;
    const from = optics + (usize(load<i32>(tap)) * side << 3);
    const w0 = load<f32>(tap, 4), w1 = load<f32>(tap, 8), w2 = load<f32>(tap, 12);
    const w3 = load<f32>(tap, 16), w4 = load<f32>(tap, 20), w5 = load<f32>(tap, 24);
    const next = usize(side) << 3;
    for (let y = first; y < last; y++) {
      let at = from + (usize(y) << 3);
      let re = w0 * load<f32>(at), im = w0 * load<f32>(at, 4);
      at += next;
      re += w1 * load<f32>(at);
      im += w1 * load<f32>(at, 4);
      at += next;
      re += w2 * load<f32>(at);
      im += w2 * load<f32>(at, 4);
      at += next;
      re += w3 * load<f32>(at);
      im += w3 * load<f32>(at, 4);
      at += next;
      re += w4 * load<f32>(at);
      im += w4 * load<f32>(at, 4);
      at += next;
      re += w5 * load<f32>(at);
      im += w5 * load<f32>(at, 4);
      const to = line + (usize(y - first) << 5) + (lane << 2);
      store<f32>(to, re);
      store<f32>(to, im, 16);
    }
  }
  const x = columns(kx);
  const bx = f32x4.mul(x, v(b));
  const ax = f32x4.mul(f32x4.mul(x, x), v(a));
  const pixelX = v128.load(pixel + (kx << 2));
  for (let ky = low; ky <= high; ky++, out += 32) {
    const tap = taps + ky * 28;
    const from = line + (usize(load<i32>(tap) - first) << 5);
    let re = v(0), im = v(0);
    for (let j: usize = 0; j < 6; j++) {
      const w = v128.load32_splat(tap + (j << 2), 4);
      re = f32x4.add(re, f32x4.mul(w, v128.load(from + (j << 5))));
      im = f32x4.add(im, f32x4.mul(w, v128.load(from + (j << 5), 16)));
    }
    const y = v(f32(ky));
    const q = f32x4.max(f32x4.add(ax, f32x4.mul(y, f32x4.add(bx, f32x4.mul(y, v(c))))), v(1e-30));
    const depth = f32x4.mul(f32x4.sqrt(q), cbrt(q));
    const pixels = f32x4.mul(pixelX, v128.load32_splat(pixel + (ky << 2)));
    const size = f32x4.mul(exp(f32x4.neg(depth)), pixels);
    v128.store(out, f32x4.mul(re, size));
    v128.store(out, f32x4.mul(im, size), 16);
  }
}

/** Of four columns: the row their ellipses are centred on, as a whole number and the rest; and what their exponents lose. */
const ELLIPSE = memory.data(48, 16);

/**
 * Adds the transform of a source, transfer · exp(-(across kx² + along (ky - slope kx)²)) · phases, of columns
 * kx … kx + 3 and rows [low, high] to the spectrum, row ky at ky mod n. In this form of the exponent no large numbers
 * cancel, however thin the source.
 *
 * @param spectrum n blocks
 * @param blocks transfer function of row `low` and those after it
 * @param phaseX real parts of column 0's phase (float32); the imaginary ones lie `apart` bytes on; `phaseY` alike
 */
export function addModes(
  spectrum: usize, n: u32, blocks: usize, kx: i32, low: i32, high: i32,
  across: f64, along: f64, slope: f64, phaseX: usize, phaseY: usize, apart: usize,
): void {
  for (let lane = 0; lane < 4; lane++) {
    const x = f64(kx + lane);
    const centre = slope * x;
    const row = Math.round(centre);
    const at = ELLIPSE + (lane << 2);
    store<f32>(at, f32(row));
    store<f32>(at, f32(centre - row), 16);
    store<f32>(at, f32(-across * x * x), 32);
  }
  const mask = n - 1;
  const rows = v128.load(ELLIPSE), rest = v128.load(ELLIPSE, 16), lost = v128.load(ELLIPSE, 32);
  const scale = v(f32(-along));
  const xr = v128.load(phaseX + (kx << 2)), xi = v128.load(phaseX + apart + (kx << 2));
  for (let ky = low; ky <= high; ky++, blocks += 32) {
    const y = f32x4.sub(f32x4.sub(v(f32(ky)), rows), rest);
    const g = exp(f32x4.add(lost, f32x4.mul(scale, f32x4.mul(y, y))));
    const yr = v128.load32_splat(phaseY + (ky << 2)), yi = v128.load32_splat(phaseY + apart + (ky << 2));
    const pr = f32x4.sub(f32x4.mul(xr, yr), f32x4.mul(xi, yi));
    const pi = f32x4.add(f32x4.mul(xr, yi), f32x4.mul(xi, yr));
    const tr = f32x4.mul(v128.load(blocks), g), ti = f32x4.mul(v128.load(blocks, 16), g);
    const at = spectrum + (usize(u32(ky) & mask) << 5);
    v128.store(at, f32x4.add(v128.load(at), f32x4.sub(f32x4.mul(tr, pr), f32x4.mul(ti, pi))));
    v128.store(at, f32x4.add(v128.load(at, 16), f32x4.add(f32x4.mul(tr, pi), f32x4.mul(ti, pr))), 16);
  }
}

/**
 * Transforms four columns of a spectrum (which are overwritten) and keeps `count` rows from row `first` on (mod n).
 *
 * @param out where the block of the first row goes; that of the next lies `stride` bytes on
 */
export function transformColumns(
  spectrum: usize, other: usize, n: u32, twiddles: usize, first: u32, count: u32, out: usize, stride: usize,
): void {
  const from = fft(n, spectrum, other, twiddles);
  const mask = n - 1;
  for (let i: u32 = 0; i < count; i++, out += stride) {
    const at = from + (usize((first + i) & mask) << 5);
    v128.store(out, v128.load(at));
    v128.store(out, v128.load(at, 16), 16);
  }
}

/** Of blocks of rows r … r + 3: their numbers of columns 4j … 4j + 3, lanes now being rows. */
// @ts-ignore: decorator
@inline
function loadRows(at: usize, stride: usize): void {
  const b = at + stride, c = b + stride, d = c + stride;
  transpose(v128.load(at), v128.load(b), v128.load(c), v128.load(d));
}

/** Two spectra of real rows, A and B, as one, Z = A + iB, at column k and its mirror image. */
// @ts-ignore: decorator
@inline
function merge(z: usize, n: u32, k: u32, ar: v128, ai: v128, br: v128, bi: v128): void {
  const at = z + (usize(k) << 5);
  v128.store(at, f32x4.sub(ar, bi));
  v128.store(at, f32x4.add(ai, br), 16);
  const mirror = z + (usize(n - k) << 5);
  v128.store(mirror, f32x4.add(ar, bi));
  v128.store(mirror, f32x4.sub(br, ai), 16);
}

/**
 * Turns eight rows, transformed along y, into pixels: rows r and r + 4 share a transform, both being real.
 *
 * @param rows blocks of columns 0 … 4 · blocks - 1 (at most n/2 + 3), eight rows `stride` bytes apart
 * @param z room for n + 1 blocks; `other` too
 * @param first the first pixel, a multiple of 4, mod n; `count` pixels, a multiple of 4
 * @param out eight rows of `count` float32
 */
export function transformRows(
  rows: usize, stride: usize, blocks: u32, z: usize, other: usize, n: u32, twiddles: usize,
  first: u32, count: u32, out: usize,
): void {
  const half = n >> 1;
  const used = min(4 * blocks, half);
  memory.fill(z + (usize(used) << 5), 0, usize(n - 2 * used + 1) << 5);
  const low = stride << 2;
  for (let j: u32 = 0; j < blocks; j++) {
    const at = rows + (usize(j) << 5);
    const k = 4 * j;
    loadRows(at, stride);
    const ar0 = t0, ar1 = t1, ar2 = t2, ar3 = t3;
    loadRows(at + 16, stride);
    const ai0 = t0, ai1 = t1, ai2 = t2, ai3 = t3;
    loadRows(at + low, stride);
    const br0 = t0, br1 = t1, br2 = t2, br3 = t3;
    loadRows(at + low + 16, stride);
    const bi0 = t0, bi1 = t1, bi2 = t2, bi3 = t3;
    if (k == 0 || k == half) { // their own mirror images: real
      v128.store(z + (usize(k) << 5), ar0);
      v128.store(z + (usize(k) << 5), br0, 16);
      if (k == half) break;
    } else merge(z, n, k, ar0, ai0, br0, bi0);
    merge(z, n, k + 1, ar1, ai1, br1, bi1);
    merge(z, n, k + 2, ar2, ai2, br2, bi2);
    merge(z, n, k + 3, ar3, ai3, br3, bi3);
  }
  const from = fft(n, z, other, twiddles);
  const row = usize(count) << 2;
  for (let i: u32 = 0; i < count; i += 4, out += 16) {
    const at = from + (usize((first + i) & (n - 1)) << 5);
    loadRows(at, 32);
    v128.store(out, t0);
    v128.store(out + row, t1);
    v128.store(out + 2 * row, t2);
    v128.store(out + 3 * row, t3);
    loadRows(at + 16, 32);
    const below = out + 4 * row;
    v128.store(below, t0);
    v128.store(below + row, t1);
    v128.store(below + 2 * row, t2);
    v128.store(below + 3 * row, t3);
  }
}
