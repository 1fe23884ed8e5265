/** From values to colours: which stretch, and how it is said. */
import { roundNumber } from '../../science/angles.js';
import {
  type ColourMap,
  grey,
  type Limits,
  luptonRgb,
  mapColours,
  percentile,
  type Rgb,
  sampleOf,
  skyOf,
  zscale,
} from '../../science/stretch.js';

/** What a person may fix; everything else follows from the pixels. */
export interface StretchChoice {
  readonly minimum: number | undefined;
  readonly stretch: number | undefined;
  readonly q: number | undefined;
  /** Factors of red, green and blue. */
  readonly weights: readonly number[] | undefined;
}

/** A scale beside the picture. */
export interface ColourBar {
  readonly label: string;
  readonly colours: ColourMap;
  readonly limits: Limits;
  /** Where on the bar a value lies, 0 to 1. */
  readonly place: (value: number) => number;
}

export interface Coloured {
  readonly rgb: Rgb;
  /** How the colours were made, in words. */
  readonly note: string;
  readonly bar: ColourBar | undefined;
}

const defaultQ = 8;
/** Enough to know the sky by. */
const samples = 200_000;
/** The stretch in units of the noise: noise stays dark, and a source ten times fainter than white still has colour. */
const noisesPerStretch = 14;

/** A colour picture of three bands after Lupton et al. 2004. */
export function colourOf(bands: readonly Float32Array[], choice: StretchChoice): Coloured {
  const skies = bands.map((band) => skyOf(sampleOf(band, samples)));
  const weights = choice.weights ?? balance(bands, skies);
  const weighted = bands.map((band, k) => band.map((value) => value * (weights[k] as number))) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const mean = meanOf(weighted);
  const { noise } = skyOf(sampleOf(mean, samples));
  const black = skies.map(({ level }, k) => level * (weights[k] as number) - noise);
  const minimum = (
    choice.minimum === undefined ? black : [choice.minimum, choice.minimum, choice.minimum]
  ) as [number, number, number];
  const stretch = choice.stretch ?? stretchFor(mean, noise);
  const q = choice.q ?? defaultQ;
  const [r, g, b] = weights.map((each) => short(each, 2));
  return {
    rgb: luptonRgb(weighted, { minimum, stretch, q }),
    note: `Lupton asinh, stretch ${short(stretch)}, Q ${short(q)}, black at ${[...new Set(minimum.map((each) => short(each)))].join(', ')}${weights.every((each) => each === 1) ? '' : `, bands weighted ${r} : ${g} : ${b}`}`,
    bar: undefined,
  };
}

/** A grey picture of one band: linear between the limits of zscale, or asinh when a stretch is asked for. */
export function greyOf(values: Float32Array, choice: StretchChoice, label: string): Coloured {
  if (choice.stretch === undefined && choice.q === undefined) {
    const [low, high] = zscale(values);
    const limits: Limits = [choice.minimum ?? low, Math.max(high, (choice.minimum ?? low) + 1e-30)];
    return {
      rgb: mapColours(values, limits, grey, blank),
      note: `linear, zscale ${short(limits[0], 5)} to ${short(limits[1], 5)}`,
      bar: { label, colours: grey, limits, place: (value) => (value - limits[0]) / (limits[1] - limits[0]) },
    };
  }
  const { level, noise } = skyOf(sampleOf(values, samples));
  const minimum = choice.minimum ?? level - noise;
  const stretch = choice.stretch ?? stretchFor(values, noise);
  const q = choice.q ?? defaultQ;
  const options = { minimum: [minimum, minimum, minimum] as const, stretch, q };
  const levelOf = (value: number): number => {
    const one = [value];
    return (luptonRgb([one, one, one], options)[0] as number) / 255;
  };
  const top = percentile(sampleOf(values, samples), 100);
  return {
    rgb: luptonRgb([values, values, values], options),
    note: `asinh, stretch ${short(stretch)}, Q ${short(q)}, black at ${short(minimum)}`,
    bar: { label, colours: grey, limits: [minimum, Math.max(top, minimum + stretch)], place: levelOf },
  };
}

/** What has no value in a grey picture: a blue that is no grey. */
const blank = [38, 50, 74] as const;

/** Without noise (a simulated field without any) the brightest sources decide. */
const stretchFor = (values: Float32Array, noise: number): number => {
  const sample = sampleOf(values, samples);
  const bright = percentile(sample, 99.8) - percentile(sample, 50);
  const stretch = Math.max(noisesPerStretch * noise, bright / 60);
  return stretch > 0 ? stretch : 1;
};

/**
 * Weights that bring all light together half of the way to white (on a logarithmic scale), so that what is redder than
 * most looks red, and noise of the bluest band does not; their mean is 1.
 */
function balance(
  bands: readonly Float32Array[],
  skies: readonly { level: number; noise: number }[],
): number[] {
  const light = bands.map((band, k) => {
    const { level, noise } = skies[k] as { level: number; noise: number };
    const sample = sampleOf(band, samples);
    const bright = percentile(sample, 99.8);
    // The brightest are left out: one saturated star would decide for all.
    return sample.reduce(
      (sum, value) => (value > level + 4 * noise ? sum + Math.min(value, bright) - level : sum),
      0,
    );
  });
  if (light.some((sum) => !(sum > 0))) return light.map(() => 1);
  const inverse = light.map((sum) => 1 / Math.sqrt(sum));
  const mean = inverse.reduce((sum, each) => sum + each, 0) / inverse.length;
  return inverse.map((each) => each / mean);
}

function meanOf(bands: readonly Float32Array[]): Float32Array {
  const mean = new Float32Array((bands[0] as Float32Array).length);
  for (const band of bands)
    for (let i = 0; i < mean.length; i++) mean[i] = (mean[i] as number) + (band[i] as number) / bands.length;
  return mean;
}

/** A number in a few digits, without an exponent where people write none. */
export const short = (value: number, digits = 3): string => {
  const rounded = Number(value.toPrecision(digits));
  return (Object.is(rounded, -0) ? 0 : rounded).toString().replace('-', '−');
};

/** Round values for a bar that is not linear: 0, and 1, 2, 5 of each decade, as far as they lie apart on it. */
export function barTicks({ limits, place }: ColourBar, least: number): readonly number[] {
  const span = Math.max(Math.abs(limits[0]), Math.abs(limits[1]));
  const decades: number[] = [];
  for (let value = roundNumber(span), i = 0; i < 24; i++, value = roundNumber(value * 0.999))
    decades.push(value, -value);
  const kept: number[] = [];
  for (const value of [0, ...decades]) {
    if (value < limits[0] || value > limits[1]) continue;
    const at = place(value);
    if (at >= 0 && at <= 1 && kept.every((other) => Math.abs(place(other) - at) >= least)) kept.push(value);
  }
  return kept.sort((a, b) => a - b);
}
