/** Parts of an SVG drawing. Text is drawn as outlines. */
import { textPath, textWidth, type Weight } from '../font.js';

/** A coordinate in hundredths. */
export const n = (value: number): string => String(Math.round(value * 100) / 100);

export type Anchor = 'start' | 'middle' | 'end';

export interface TextStyle {
  readonly weight?: Weight;
  readonly fill?: string;
  /** Which part of the line of text stands at x. */
  readonly anchor?: Anchor;
  /** A raised exponent behind the words. */
  readonly power?: string;
  /** Colour of an edge, for words over lines or pictures. */
  readonly halo?: string;
}

/** Ink of words and frames on a white page. */
export const black = '#1a1a1a';

const powerSize = 0.72;

/** Width of words with their exponent. */
export function wordsWidth(
  words: string,
  size: number,
  { weight = 400, power = '' }: TextStyle = {},
): number {
  return textWidth(words, size, weight) + textWidth(power, size * powerSize, weight);
}

/** A line of text on the base line y. */
export function text(words: string, x: number, y: number, size: number, style: TextStyle = {}): string {
  const { weight = 400, fill = black, anchor = 'start', power = '', halo } = style;
  const width = anchor === 'start' ? 0 : wordsWidth(words, size, style) * (anchor === 'middle' ? 0.5 : 1);
  const from = x - width;
  const raised =
    power === ''
      ? ''
      : textPath(power, from + textWidth(words, size, weight), y - 0.38 * size, size * powerSize, weight);
  const edge =
    halo === undefined
      ? ''
      : ` stroke="${halo}" stroke-width="3" stroke-linejoin="round" paint-order="stroke"`;
  return `<path fill="${fill}"${edge} d="${textPath(words, from, y, size, weight)}${raised}"/>`;
}

export interface StrokeStyle {
  readonly dash?: string;
  readonly opacity?: number;
  readonly cap?: 'butt' | 'round';
}

export function stroked(d: string, colour: string, width: number, style: StrokeStyle = {}): string {
  if (d === '') return '';
  const { dash, opacity = 1, cap = 'butt' } = style;
  const dashes = dash === undefined ? '' : ` stroke-dasharray="${dash}"`;
  return `<path d="${d}" fill="none" stroke="${colour}" stroke-width="${n(width)}" stroke-opacity="${n(opacity)}" stroke-linejoin="round" stroke-linecap="${cap}"${dashes}/>`;
}

export const filled = (d: string, colour: string, opacity = 1): string =>
  d === '' ? '' : `<path d="${d}" fill="${colour}" fill-opacity="${n(opacity)}"/>`;

export const line = (x0: number, y0: number, x1: number, y1: number): string =>
  `M${n(x0)} ${n(y0)}L${n(x1)} ${n(y1)}`;

export const box = (x: number, y: number, width: number, height: number): string =>
  `M${n(x)} ${n(y)}h${n(width)}v${n(height)}h${n(-width)}z`;

export const circle = (x: number, y: number, r: number): string =>
  `M${n(x - r)} ${n(y)}a${n(r)} ${n(r)} 0 1 0 ${n(2 * r)} 0a${n(r)} ${n(r)} 0 1 0 ${n(-2 * r)} 0`;
