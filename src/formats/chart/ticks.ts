/** Where an axis has its ticks, and what stands beside them. */
import { ticks } from '../../science/angles.js';
import { type TextStyle, wordsWidth } from './svg.js';

export interface Tick {
  readonly value: number;
  readonly words: string;
  /** Exponent, raised behind the words; empty for none. */
  readonly power: string;
}

export interface Ticks {
  readonly major: readonly Tick[];
  readonly minor: readonly number[];
  /** Power of ten that all words leave out; 0 for none. */
  readonly exponent: number;
}

/** A number with the sign of mathematics and groups of three digits. */
export function numeral(value: number, decimals: number): string {
  const [whole, fraction] = Math.abs(value).toFixed(decimals).split('.') as [string, string | undefined];
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, ',') : whole;
  const sign = value < 0 && /[1-9]/.test(whole + (fraction ?? '')) ? '−' : '';
  return `${sign}${grouped}${fraction === undefined ? '' : `.${fraction}`}`;
}

/** Decimals of a number that is round within 12 digits. */
const decimalsOf = (value: number): number =>
  /\.(\d+)$/.exec(String(Number(value.toPrecision(12))))?.[1]?.length ?? 0;

/** Round numbers, the same distance apart. */
export function linearTicks(low: number, high: number, most: number): Ticks {
  const values = atLeastTwo(low, high, most);
  const largest = values.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
  const step = values.length > 1 ? (values[1] as number) - (values[0] as number) : largest;
  const exponent = largest >= 1e6 || (largest > 0 && largest < 1e-2) ? Math.floor(Math.log10(largest)) : 0;
  const scaled = values.map((value) => value / 10 ** exponent);
  const decimals = Math.max(0, ...scaled.map(decimalsOf));
  return {
    major: values.map((value, i) => ({ value, words: numeral(scaled[i] as number, decimals), power: '' })),
    minor: between(values[0] ?? low, step, low, high),
    exponent,
  };
}

/** An axis with one tick has no scale: rather two that are crowded. */
function atLeastTwo(low: number, high: number, most: number): readonly number[] {
  for (let count = Math.max(1, most); ; count++) {
    const values = ticks(low, high, count);
    if (values.length > 1 || !(high > low) || count > most + 8) return values;
  }
}

/** Four or five parts of a step, whichever is round; none where they would be the ticks themselves. */
function between(first: number, step: number, low: number, high: number): readonly number[] {
  if (!(step > 0)) return [];
  const digit = Math.round(step / 10 ** Math.floor(Math.log10(step) + 1e-9));
  const parts = digit === 2 ? 4 : 5;
  const small = step / parts;
  const from = Math.ceil((low - first) / small - 1e-6);
  const to = Math.floor((high - first) / small + 1e-6);
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i)
    .filter((i) => i % parts !== 0)
    .map((i) => first + i * small);
}

/** Powers of ten; where there are few, 2 and 5 times them as well; within less than a decade, round numbers. */
export function logTicks(low: number, high: number, most: number): Ticks {
  const decades = Math.log10(high / low);
  if (decades < 0.7) return linearTicks(low, high, most);
  const from = Math.floor(Math.log10(low) - 1e-9);
  const to = Math.ceil(Math.log10(high) + 1e-9);
  const isInside = (value: number): boolean => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9);
  const powers = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const wanted = Math.max(1, Math.ceil(decades / most));
  const withWords = (every: number): number =>
    powers.filter((power) => power % every === 0 && isInside(10 ** power)).length;
  // Rather two that are crowded than one.
  let every = wanted;
  while (every > 1 && withWords(every) < 2) every--;
  // Within less than two decades there may be but one power of ten.
  const digits = decades * 3 <= most || decades < 2 ? [1, 2, 5] : [1];
  const isPlain = low >= 0.999e-3 && high <= 1.001e4;
  const major = powers
    .filter((power) => power % every === 0)
    .flatMap((power) => digits.map((digit) => ({ power, digit, value: Number(`${digit}e${power}`) })))
    .filter(({ value }) => isInside(value))
    .map(({ power, digit, value }) => ({
      value,
      words: isPlain ? numeral(value, Math.max(0, -power)) : `${digit === 1 ? '' : `${digit}×`}10`,
      power: isPlain ? '' : String(power).replace('-', '−'),
    }));
  const labelled = new Set(major.map(({ value }) => value));
  const minor = powers
    .flatMap((power) =>
      (every > 1 ? [1] : [1, 2, 3, 4, 5, 6, 7, 8, 9]).map((digit) => Number(`${digit}e${power}`)),
    )
    .filter((value) => isInside(value) && !labelled.has(value));
  return { major, minor, exponent: 0 };
}

/** Size of the words at ticks. */
export const tickSize = 13;

/** Ticks of an axis that is `length` long, as many as have room beside each other. */
export function fittingTicks(
  make: (most: number) => Ticks,
  length: number,
  place: (value: number) => number,
  isAcross: boolean,
): Ticks {
  const gap = isAcross ? 14 : 12;
  for (let most = Math.max(1, Math.floor(length / (isAcross ? 66 : 44))); ; most--) {
    const made = make(most);
    const extents = made.major.map((tick) => {
      const at = place(tick.value) * length;
      const half =
        (isAcross ? wordsWidth(tick.words, tickSize, { power: tick.power } satisfies TextStyle) : tickSize) /
        2;
      return [at - half, at + half] as const;
    });
    const isFree = extents.every(
      ([from], i) => i === 0 || from - (extents[i - 1] as readonly [number, number])[1] >= gap,
    );
    if (isFree || most <= 1) return made;
  }
}
