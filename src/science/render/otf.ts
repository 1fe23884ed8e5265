/**
 * The optical transfer function O(k): the autocorrelation of the pupil function p = illuminated · exp(2πi W).
 *
 * A shift of one lattice step is dk = 2π / (256 λ/D) = 0.594955 rad/arcsec. Between the lattice points O follows from
 * the PSF being zero outside its 768 × 768 image (pitch λ/D / 3): refined exactly to dk / 2, then interpolated with
 * the quintic kernel of Gruen & Bernstein 2014 (arXiv:1401.2636), as GalSim does.
 */
import { Fft } from './fft.js';
import type { Optics } from './psf.js';
import { isIlluminated, lamOverDiam, pupilReach, wavefront } from './pupil.js';

/** Shifts up to this many lattice steps have an overlap. */
const reach = 2 * pupilReach - 1;
const side = 2 * reach + 1;
/** Side of GalSim's image of the PSF. */
const imageSide = 768;
const fftSide = 512;

/** Wavenumber of one lattice step, rad/arcsec. */
export const latticeStep = (2 * Math.PI) / (256 * lamOverDiam);
/** Of one step of the fine table. */
export const fineStep = latticeStep / 2;
/** No light is transferred beyond, rad/arcsec. */
export const opticalCutoff = (reach + 1) * latticeStep;

/** Complex numbers; on the lattice side × side of them, O of shift (mx, my) at [my + 255][mx + 255], O(0) = 1. */
export interface Otf {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** O on the fine table: complex float32, number (i, j) of kx = i dk/2, ky = j dk/2 at [i + reach][j + reach]. */
export interface FineOtf {
  readonly reach: number;
  readonly side: number;
  readonly values: Float32Array;
}

const fft = new Fft(fftSide);
/** Where the pupil is transformed, kept from field to field. */
let workshop: Otf | undefined;

/** O on the lattice, from two Fourier transforms of the pupil. */
export function latticeOtf(optics: Optics): Otf {
  // Rows of the pupil are transformed along x and become columns: then both transforms along y are contiguous.
  const line = complex(fftSide);
  workshop ??= complex(fftSide * fftSide);
  const turned = workshop;
  turned.re.fill(0);
  turned.im.fill(0);
  let illuminated = 0;
  for (let j = -pupilReach; j <= pupilReach; j++) {
    line.re.fill(0);
    line.im.fill(0);
    for (let i = -pupilReach; i <= pupilReach; i++) {
      if (!isIlluminated(i, j)) continue;
      illuminated++;
      const phase = 2 * Math.PI * wavefront(optics, i, j);
      line.re[i & (fftSide - 1)] = Math.cos(phase);
      line.im[i & (fftSide - 1)] = Math.sin(phase);
    }
    fft.transform(line.re, line.im);
    for (let x = 0, at = j & (fftSide - 1); x < fftSide; x++, at += fftSide) {
      turned.re[at] = line.re[x] as number;
      turned.im[at] = line.im[x] as number;
    }
  }
  for (let x = 0; x < fftSide; x++) {
    const row = x * fftSide;
    fft.transform(turned.re, turned.im, row);
    for (let at = row; at < row + fftSide; at++) {
      turned.re[at] = (turned.re[at] as number) ** 2 + (turned.im[at] as number) ** 2;
      turned.im[at] = 0;
    }
    fft.transform(turned.re, turned.im, row);
  }
  // The inverse of what is real is the conjugate of the forward transform; O(-m) is the conjugate of O(m).
  const norm = 1 / (fftSide * fftSide * illuminated);
  const otf = complex(side * side);
  for (let my = 0; my <= reach; my++) {
    for (let x = 0, at = my; x < fftSide; x++, at += fftSide) {
      line.re[x] = turned.re[at] as number;
      line.im[x] = turned.im[at] as number;
    }
    fft.transform(line.re, line.im);
    for (let mx = -reach; mx <= reach; mx++) {
      const from = mx & (fftSide - 1);
      const to = (my + reach) * side + mx + reach;
      const mirror = side * side - 1 - to;
      otf.re[to] = otf.re[mirror] = (line.re[from] as number) * norm;
      otf.im[mirror] = (line.im[from] as number) * norm;
      otf.im[to] = -otf.im[mirror];
    }
  }
  return otf;
}

const complex = (length: number): Otf => ({ re: new Float64Array(length), im: new Float64Array(length) });

/** The table of optics that do not blur. */
export function flatOtf(fineReach: number): FineOtf {
  const fineSide = 2 * fineReach + 1;
  const values = new Float32Array(2 * fineSide * fineSide);
  for (let at = 0; at < values.length; at += 2) values[at] = 1;
  return { reach: fineReach, side: fineSide, values };
}

/** Refines O to half the lattice step, out to `fineReach` of the fine steps along each axis. */
export function refineOtf(otf: Otf, fineReach: number): FineOtf {
  // First along x, for shifts my ≥ 0 (the others are conjugates), then along y.
  const fineSide = 2 * fineReach + 1;
  const rows = reach + 1;
  const alongX = complex(fineSide * side);
  const line = complex(side);
  const fine = complex(fineSide);
  const refine = new Refiner(fineReach);
  for (let my = 0; my < rows; my++) {
    const from = (my + reach) * side;
    line.re.set(otf.re.subarray(from, from + side));
    line.im.set(otf.im.subarray(from, from + side));
    refine.line(line, fine);
    for (let i = 0; i < fineSide; i++) {
      const mirror = fineSide - 1 - i;
      alongX.re[i * side + reach + my] = alongX.re[mirror * side + reach - my] = fine.re[i] as number;
      alongX.im[i * side + reach + my] = fine.im[i] as number;
      alongX.im[mirror * side + reach - my] = -(fine.im[i] as number);
    }
  }
  const values = new Float32Array(2 * fineSide * fineSide);
  for (let i = 0; i <= fineReach; i++) {
    const from = (i + fineReach) * side;
    line.re.set(alongX.re.subarray(from, from + side));
    line.im.set(alongX.im.subarray(from, from + side));
    refine.line(line, fine);
    for (let j = 0; j < fineSide; j++) {
      const at = 2 * ((i + fineReach) * fineSide + j);
      const mirror = 2 * ((fineReach - i) * fineSide + fineSide - 1 - j);
      values[at] = values[mirror] = fine.re[j] as number;
      values[at + 1] = fine.im[j] as number;
      values[mirror + 1] = -(fine.im[j] as number);
    }
  }
  return { reach: fineReach, side: fineSide, values };
}

/**
 * Values halfway between lattice points, of something whose transform is zero outside the points -384 … 383:
 * Σ O(m) D(t - m), D(t) = exp(iπt / 768) sin(πt) / (768 sin(πt / 768)). The sum is a convolution, done by Fourier
 * transforms; the phases stand before and after it.
 */
class Refiner {
  readonly #fft: Fft;
  /** Transform of the kernel, over the size. */
  readonly #kernel: Otf;
  readonly #work: Otf;
  readonly #phases: Otf;

  constructor(readonly fineReach: number) {
    const length = 2 * reach + fineReach + 2;
    const size = 2 ** Math.ceil(Math.log2(length));
    this.#fft = new Fft(size);
    this.#work = complex(size);
    this.#kernel = complex(size);
    for (let q = 0; q < length; q++) {
      const t = q - reach + halfOf(-fineReach) + 0.5;
      this.#kernel.re[q] = Math.sin(Math.PI * t) / (size * imageSide * Math.sin((Math.PI * t) / imageSide));
    }
    this.#fft.transform(this.#kernel.re, this.#kernel.im);
    this.#phases = complex(side);
    for (let m = -reach; m <= reach; m++) {
      this.#phases.re[m + reach] = Math.cos((Math.PI * m) / imageSide);
      this.#phases.im[m + reach] = -Math.sin((Math.PI * m) / imageSide);
    }
  }

  /** Fills `fine` with the values at -fineReach … fineReach half steps. */
  line(otf: Otf, fine: Otf): void {
    const { re, im } = this.#work;
    multiply(otf, this.#phases, this.#work, side);
    re.fill(0, side);
    im.fill(0, side);
    this.#fft.transform(re, im);
    multiply(this.#work, this.#kernel, this.#work, re.length);
    // With its parts exchanged, the forward transform is the inverse.
    this.#fft.transform(im, re);
    for (let i = -this.fineReach; i <= this.fineReach; i++) {
      const to = i + this.fineReach;
      if (i % 2 === 0) {
        fine.re[to] = otf.re[i / 2 + reach] ?? 0;
        fine.im[to] = otf.im[i / 2 + reach] ?? 0;
        continue;
      }
      const from = 2 * reach + halfOf(i) - halfOf(-this.fineReach);
      const cos = Math.cos((Math.PI * i) / (2 * imageSide));
      const sin = Math.sin((Math.PI * i) / (2 * imageSide));
      fine.re[to] = (re[from] as number) * cos - (im[from] as number) * sin;
      fine.im[to] = (re[from] as number) * sin + (im[from] as number) * cos;
    }
  }
}

/** The lattice point before i half steps. */
const halfOf = (i: number): number => Math.floor((i - 1) / 2);

function multiply(a: Otf, b: Otf, into: Otf, count: number): void {
  for (let i = 0; i < count; i++) {
    const ar = a.re[i] as number;
    const ai = a.im[i] as number;
    const br = b.re[i] as number;
    const bi = b.im[i] as number;
    into.re[i] = ar * br - ai * bi;
    into.im[i] = ar * bi + ai * br;
  }
}

/** Part of the light within ±d points of the image of the PSF, along both axes. */
function boxFlux(otf: Otf, d: number): number {
  const box = Float64Array.from({ length: side }, (_, j) => {
    const m = j - reach;
    return m === 0
      ? 2 * d + 1
      : Math.sin((Math.PI * m * (2 * d + 1)) / imageSide) / Math.sin((Math.PI * m) / imageSide);
  });
  // Rows -my and my give the same.
  let sum = 0;
  for (let j = reach; j < side; j++) {
    let row = 0;
    for (let i = 0; i < side; i++) row += (otf.re[j * side + i] as number) * (box[i] as number);
    sum += (j === reach ? 1 : 2) * row * (box[j] as number);
  }
  return sum / (imageSide * imageSide);
}

/** GalSim's radius of the optics, arcsec: a centred square of image points that holds 99.5 % of the light. */
export function opticalRadius(otf: Otf): number {
  let low = 0;
  let high = imageSide / 2 - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (boxFlux(otf, middle) >= 0.995) high = middle;
    else low = middle + 1;
  }
  return (lamOverDiam / 3) * Math.hypot(low + 0.5, 3);
}

/** The quintic interpolation kernel at distance t, in steps. */
export function quintic(t: number): number {
  const a = Math.abs(t);
  if (a <= 1) return 1 + a * a * a * (-95 / 12 + (23 / 2) * a - (55 / 12) * a * a);
  if (a <= 2) return (a - 1) * (a - 2) * (-23 / 4 + (29 / 2) * a - (83 / 8) * a * a + (55 / 24) * a * a * a);
  if (a <= 3) return (a - 2) * (a - 3) ** 2 * (-9 / 4 + (25 / 12) * a - (11 / 24) * a * a);
  return 0;
}
