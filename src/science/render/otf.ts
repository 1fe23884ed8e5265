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

/** O on the lattice, from two Fourier transforms of the pupil. */
export function latticeOtf(optics: Optics): Otf {
  // Rows of the pupil are transformed along x and become columns: then both transforms along y are contiguous.
  const line = complex(fftSide);
  const turned = complex(fftSide * fftSide);
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
    refine.line(line, fine, -fineReach);
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
    refine.line(line, fine, -fineReach);
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

/** Values halfway between lattice points, of something whose transform is zero outside 768 points. */
class Refiner {
  readonly #kernel: Float64Array;
  readonly #offset: number;
  readonly #re = new Float64Array(side);
  readonly #im = new Float64Array(side);

  constructor(fineReach: number) {
    this.#offset = (fineReach >> 1) + reach + 2;
    this.#kernel = Float64Array.from({ length: 2 * this.#offset }, (_, c) => {
      const t = c - this.#offset + 0.5;
      return Math.sin(Math.PI * t) / (imageSide * Math.sin((Math.PI * t) / imageSide));
    });
  }

  /** Fills `fine` with the values at `first`, `first` + 1, … half steps. Points -384 … 383 give the phase of half a point. */
  line(otf: Otf, fine: Otf, first: number): void {
    for (let m = -reach; m <= reach; m++) {
      const cos = Math.cos((Math.PI * m) / imageSide);
      const sin = -Math.sin((Math.PI * m) / imageSide);
      const re = otf.re[m + reach] as number;
      const im = otf.im[m + reach] as number;
      this.#re[m + reach] = re * cos - im * sin;
      this.#im[m + reach] = re * sin + im * cos;
    }
    for (let n = 0; n < fine.re.length; n++) {
      const i = first + n;
      if (i % 2 === 0) {
        const m = i / 2;
        const isInside = Math.abs(m) <= reach;
        fine.re[n] = isInside ? (otf.re[m + reach] as number) : 0;
        fine.im[n] = isInside ? (otf.im[m + reach] as number) : 0;
        continue;
      }
      const kernelAt = (i - 1) / 2 + reach + this.#offset;
      let re = 0;
      let im = 0;
      for (let j = 0; j < side; j++) {
        const weight = this.#kernel[kernelAt - j] as number;
        re += weight * (this.#re[j] as number);
        im += weight * (this.#im[j] as number);
      }
      const cos = Math.cos((Math.PI * i) / (2 * imageSide));
      const sin = Math.sin((Math.PI * i) / (2 * imageSide));
      fine.re[n] = re * cos - im * sin;
      fine.im[n] = re * sin + im * cos;
    }
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
  let sum = 0;
  for (let j = 0; j < side; j++) {
    let row = 0;
    for (let i = 0; i < side; i++) row += (otf.re[j * side + i] as number) * (box[i] as number);
    sum += row * (box[j] as number);
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
