/** What is drawn over a picture of the sky, and around it on a dark page. */
import { line, n, stroked, type TextStyle, text as textInBlack } from '../../formats/chart/svg.js';

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

/** A line of text, bright unless the style says otherwise. */
export const text = (words: string, x: number, y: number, size: number, style: TextStyle = {}): string =>
  textInBlack(words, x, y, size, { fill: ink.text, ...style });

export const plus = (x: number, y: number, r: number): string =>
  `M${n(x - r)} ${n(y)}h${n(2 * r)}M${n(x)} ${n(y - r)}v${n(2 * r)}`;

/** The dark edge of lines of this width, beneath them, so that they are seen on any sky. */
export const edge = (d: string, width: number, opacity: number): string =>
  stroked(d, '#000000', 2.4 * width, { opacity: 0.55 * opacity });

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
