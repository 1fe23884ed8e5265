/** From pixel values to what a screen shows: limits, stretches and colour maps. */

/** Red, green and blue of one pixel after the other, 0 to 255. */
export type Rgb = Uint8Array;

export interface LuptonOptions {
  /** What becomes black, in each of the three bands. */
  readonly minimum: readonly [number, number, number];
  /** Intensity above black up to which the picture is nearly linear. */
  readonly stretch: number;
  /** Softening: 0 is linear, larger values show fainter and brighter things together. */
  readonly q: number;
}

const WHITE = 255;
/** Fraction of the stretch at which the slope of the curve is taken. */
const SLOPE_AT = 0.1;

/**
 * Colour picture of three bands after Lupton et al. 2004 (PASP 116, 133), as
 * `astropy.visualization.make_lupton_rgb` makes it: the mean of the bands is stretched by
 * asinh(Q (I - minimum) / stretch), and all bands by the same factor, so that an object's colour does not depend on
 * its brightness. Pixels that are not finite in every band become black.
 *
 * @param bands red, green and blue, of one length
 */
export function luptonRgb(
  bands: readonly [ArrayLike<number>, ArrayLike<number>, ArrayLike<number>],
  { minimum, stretch, q }: LuptonOptions,
): Rgb {
  const softening = Math.abs(q) < 2 ** -23 ? 0.1 : Math.min(q, 1e10);
  const slope = (SLOPE_AT * WHITE) / Math.asinh(SLOPE_AT * softening);
  const [red, green, blue] = bands;
  const rgb = new Uint8Array(3 * red.length);
  for (let i = 0; i < red.length; i++) {
    const r = (red[i] as number) - minimum[0];
    const g = (green[i] as number) - minimum[1];
    const b = (blue[i] as number) - minimum[2];
    const intensity = (r + g + b) / 3;
    if (!(intensity > 0 && intensity < Number.POSITIVE_INFINITY)) continue;
    const factor = (Math.asinh((intensity * softening) / stretch) * slope) / intensity;
    // A pixel too bright in one band is made darker in all, and keeps its colour.
    const brightest = Math.max(r, g, b) * factor;
    const scale = brightest > WHITE ? (factor * WHITE) / brightest : factor;
    rgb[3 * i] = Math.max(0, r * scale);
    rgb[3 * i + 1] = Math.max(0, g * scale);
    rgb[3 * i + 2] = Math.max(0, b * scale);
  }
  return rgb;
}

/** What is shown as black and as white. */
export type Limits = readonly [low: number, high: number];

const samplesOfZscale = 1000;
const contrast = 0.25;
const leastKept = 0.5;
const leastPixels = 5;
const rejection = 2.5;
const mostRounds = 5;

/**
 * Limits of a linear grey scale after IRAF's zscale, as `astropy.visualization.ZScaleInterval` finds them: a line is
 * fitted to 1000 sorted samples, and its slope about the median decides. Values that are not finite are left out;
 * none at all give [0, 1].
 */
export function zscale(values: ArrayLike<number>): Limits {
  const samples = sampleOf(values, samplesOfZscale).sort();
  const count = samples.length;
  if (count === 0) return [0, 1];
  const low = samples[0] as number;
  const high = samples[count - 1] as number;
  const least = Math.max(leastPixels, Math.floor(count * leastKept));
  const grow = Math.max(1, Math.floor(count * 0.01));
  let isBad = new Uint8Array(count);
  let good = count;
  let slope = 0;
  for (let round = 0, before = count + 1; round < mostRounds && good < before && good >= least; round++) {
    const line = fitLine(samples, isBad);
    slope = line.slope;
    const flat = samples.map((value, i) => value - (line.intercept + slope * i));
    const threshold = rejection * deviationOf(flat, isBad);
    for (let i = 0; i < count; i++) if (Math.abs(flat[i] as number) > threshold) isBad[i] = 1;
    isBad = grown(isBad, grow);
    before = good;
    good = isBad.reduce((kept, bad) => kept - bad, count);
  }
  if (good < least) return [low, high];
  const centre = Math.floor((count - 1) / 2);
  const steep = slope / contrast;
  const median = medianOfSorted(samples);
  return [Math.max(low, median - (centre - 1) * steep), Math.min(high, median + (count - centre) * steep)];
}

/** At most `count` of the finite values, evenly spaced. */
export function sampleOf(values: ArrayLike<number>, count: number): Float64Array {
  let finite = 0;
  for (let i = 0; i < values.length; i++) if (Number.isFinite(values[i])) finite++;
  const stride = Math.max(1, Math.floor(finite / count));
  const samples = new Float64Array(Math.min(count, Math.ceil(finite / stride)));
  for (let i = 0, at = 0, next = 0; i < values.length && next < samples.length; i++) {
    const value = values[i] as number;
    if (Number.isFinite(value) && at++ % stride === 0) samples[next++] = value;
  }
  return samples;
}

function fitLine(values: Float64Array, isBad: Uint8Array): { slope: number; intercept: number } {
  let [count, x, y] = [0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    if (isBad[i] === 1) continue;
    count++;
    x += i;
    y += values[i] as number;
  }
  const [meanX, meanY] = [x / count, y / count];
  let [xx, xy] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    if (isBad[i] === 1) continue;
    xx += (i - meanX) ** 2;
    xy += (i - meanX) * ((values[i] as number) - meanY);
  }
  const slope = xx === 0 ? 0 : xy / xx;
  return { slope, intercept: meanY - slope * meanX };
}

/** Standard deviation of the values that are not bad. */
function deviationOf(values: Float64Array, isBad: Uint8Array): number {
  const good = values.filter((_, i) => isBad[i] === 0);
  const mean = good.reduce((sum, value) => sum + value, 0) / good.length;
  return Math.sqrt(good.reduce((sum, value) => sum + (value - mean) ** 2, 0) / good.length);
}

/** Marks the neighbours of what is marked: a convolution with `width` ones, centred as numpy centres it. */
function grown(marks: Uint8Array, width: number): Uint8Array<ArrayBuffer> {
  const before = Math.floor(width / 2);
  const wider = new Uint8Array(marks.length);
  for (let i = 0; i < marks.length; i++) {
    if (marks[i] === 1) wider.fill(1, Math.max(0, i + before - width + 1), i + before + 1);
  }
  return wider;
}

function medianOfSorted(sorted: Float64Array): number {
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] as number;
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] as number)) / 2 : upper;
}

/**
 * Percentile of the finite values with linear interpolation, as `numpy.percentile`; NaN when there are none.
 *
 * @param percent 0 to 100
 */
export function percentile(values: ArrayLike<number>, percent: number): number {
  const sorted = sampleOf(values, Math.max(1, values.length)).sort();
  if (sorted.length === 0) return Number.NaN;
  const place = (percent / 100) * (sorted.length - 1);
  const below = sorted[Math.floor(place)] as number;
  const above = sorted[Math.ceil(place)] as number;
  return below + (place - Math.floor(place)) * (above - below);
}

/** Level and noise of what is mostly sky: the median, and 1.4826 times the median absolute deviation from it. */
export function skyOf(values: ArrayLike<number>): { readonly level: number; readonly noise: number } {
  const level = percentile(values, 50);
  const deviations = Float64Array.from(values, (value) => Math.abs(value - level));
  return { level, noise: 1.4826 * percentile(deviations, 50) };
}

/** A colour for every number from 0 to 1. */
export type ColourMap = (fraction: number) => readonly [red: number, green: number, blue: number];

export const grey: ColourMap = (fraction) => {
  const level = Math.round(WHITE * clamp(fraction));
  return [level, level, level];
};

/** Every 15th colour of matplotlib's viridis (van der Walt & Smith 2015, public domain). */
const viridisStops = [
  0x440154, 0x481769, 0x472a7a, 0x433d84, 0x3d4e8a, 0x355e8d, 0x2e6d8e, 0x297b8e, 0x23898e, 0x1f978b,
  0x21a585, 0x2eb37c, 0x46c06f, 0x65cb5e, 0x89d548, 0xb0dd2f, 0xd8e219, 0xfde725,
].map((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255] as const);

/** Even steps look even, also to the colour-blind and in grey. Within 5 levels of matplotlib's table. */
export const viridis: ColourMap = (fraction) => {
  const place = clamp(fraction) * (viridisStops.length - 1);
  const from = Math.min(Math.floor(place), viridisStops.length - 2);
  const [a, b] = [viridisStops[from], viridisStops[from + 1]] as [readonly number[], readonly number[]];
  const mix = (k: number) =>
    Math.round((a[k] as number) + (place - from) * ((b[k] as number) - (a[k] as number)));
  return [mix(0), mix(1), mix(2)];
};

const clamp = (fraction: number): number => (fraction > 0 ? Math.min(1, fraction) : 0);

/** Values between the limits in the colours of a map; what is not a number becomes `blank`. */
export function mapColours(
  values: ArrayLike<number>,
  [low, high]: Limits,
  colours: ColourMap,
  blank: readonly [number, number, number] = [0, 0, 0],
): Rgb {
  const table = Array.from({ length: 256 }, (_, i) => colours(i / 255));
  const rgb = new Uint8Array(3 * values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    const level = Math.round(255 * clamp((value - low) / (high - low)));
    rgb.set(Number.isNaN(value) ? blank : (table[level] as readonly number[]), 3 * i);
  }
  return rgb;
}
