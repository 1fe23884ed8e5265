/** Small drawings over a picture, as SVG. Text becomes outlines. */
import { textPath, textWidth, type Weight } from '../../formats/font.js';

/** Colours that the colour-blind tell apart (Okabe & Ito 2008), on a dark page. */
export const ink = {
  page: '#0e1217',
  text: '#eef0f2',
  muted: '#a3adb8',
  member: '#f5a623',
  galaxy: '#56b4e9',
  star: '#ffffff',
  cluster: '#f0e442',
  window: '#ffffff',
  cell: '#ffffff',
} as const;

/** A line of text; `anchor` says which part of it stands at x. */
export function text(
  words: string,
  x: number,
  y: number,
  size: number,
  options: {
    readonly weight?: Weight;
    readonly fill?: string;
    readonly anchor?: 'start' | 'middle' | 'end';
  } = {},
): string {
  const { weight = 400, fill = ink.text, anchor = 'start' } = options;
  const width = anchor === 'start' ? 0 : textWidth(words, size, weight) * (anchor === 'middle' ? 0.5 : 1);
  return `<path fill="${fill}" d="${textPath(words, x - width, y, size, weight)}"/>`;
}

const n = (value: number): string => String(Math.round(value * 100) / 100);

export const circle = (x: number, y: number, r: number): string =>
  `M${n(x - r)} ${n(y)}a${n(r)} ${n(r)} 0 1 0 ${n(2 * r)} 0a${n(r)} ${n(r)} 0 1 0 ${n(-2 * r)} 0`;

export const plus = (x: number, y: number, r: number): string =>
  `M${n(x - r)} ${n(y)}h${n(2 * r)}M${n(x)} ${n(y - r)}v${n(2 * r)}`;

export const line = (x0: number, y0: number, x1: number, y1: number): string =>
  `M${n(x0)} ${n(y0)}L${n(x1)} ${n(y1)}`;

export const box = (x: number, y: number, width: number, height: number): string =>
  `M${n(x)} ${n(y)}h${n(width)}v${n(height)}h${n(-width)}z`;

/** Lines with a dark edge, so that they are seen on any sky. */
export function stroked(
  d: string,
  colour: string,
  width: number,
  options: { readonly opacity?: number; readonly dash?: string; readonly edge?: boolean } = {},
): string {
  if (d === '') return '';
  const { opacity = 1, dash, edge = true } = options;
  const dashes = dash === undefined ? '' : ` stroke-dasharray="${dash}"`;
  const under = edge
    ? `<path d="${d}" fill="none" stroke="#000000" stroke-opacity="${n(0.55 * opacity)}" stroke-width="${n(2.4 * width)}"/>`
    : '';
  return `${under}<path d="${d}" fill="none" stroke="${colour}" stroke-opacity="${n(opacity)}" stroke-width="${n(width)}"${dashes}/>`;
}

export const filled = (d: string, colour: string, opacity: number): string =>
  d === '' ? '' : `<path d="${d}" fill="${colour}" fill-opacity="${n(opacity)}"/>`;

/** An arrow from (x, y) with a head. */
export function arrow(x: number, y: number, dx: number, dy: number, width: number): string {
  const length = Math.hypot(dx, dy);
  const [ux, uy] = [dx / length, dy / length];
  const [tx, ty] = [x + dx, y + dy];
  const head = 4.2 * width;
  const side = (sign: number) =>
    line(tx, ty, tx - head * ux + sign * 0.55 * head * uy, ty - head * uy - sign * 0.55 * head * ux);
  return `${line(x, y, tx, ty)}${side(1)}${side(-1)}`;
}

/** A dark plate beneath something that must be readable. */
export const plate = (x: number, y: number, width: number, height: number, radius: number): string =>
  `<rect x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}" rx="${n(radius)}" fill="${ink.page}" fill-opacity="0.6"/>`;
