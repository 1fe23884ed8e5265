/** Text as outlines, so that it looks the same on a machine that has no fonts. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import opentype, { type Font, type Step } from 'opentype.js';

/** Source Sans 3 in its regular and semi-bold cut. */
export type Weight = 400 | 600;

const require = createRequire(import.meta.url);
const fonts = new Map<Weight, Font>();

function fontOf(weight: Weight): Font {
  const known = fonts.get(weight);
  if (known !== undefined) return known;
  const bytes = readFileSync(
    require.resolve(`@fontsource/source-sans-3/files/source-sans-3-latin-${weight}-normal.woff`),
  );
  const font = opentype.parse(Uint8Array.from(bytes).buffer);
  fonts.set(weight, font);
  return font;
}

/** Letters the font does not have, as it has them. */
const replacements: Readonly<Record<string, string>> = { '→': '>', λ: 'lambda', '\t': ' ', '\n': ' ' };
const spelled = (text: string): string =>
  text.replace(/[→λ\t\n]/g, (letter) => replacements[letter] ?? letter);

/** Width of a line of text at this size (of the em), in the unit of the size. */
export function textWidth(text: string, size: number, weight: Weight = 400): number {
  const font = fontOf(weight);
  let units = 0;
  for (const letter of spelled(text)) units += font.charToGlyph(letter).advanceWidth;
  return (units * size) / font.unitsPerEm;
}

/** Path data (SVG `d`) of a line of text that begins at x on the base line y. */
export function textPath(text: string, x: number, y: number, size: number, weight: Weight = 400): string {
  const font = fontOf(weight);
  const parts: string[] = [];
  let at = x;
  // Letter by letter: the library's own layout does not know a substitution that this font has.
  for (const letter of spelled(text)) {
    const glyph = font.charToGlyph(letter);
    for (const step of glyph.getPath(at, y, size).commands) parts.push(written(step));
    at += (glyph.advanceWidth * size) / font.unitsPerEm;
  }
  return parts.join('');
}

/** The library's own writing turns coordinates near 0 into NaN. */
const written = ({ type, x1, y1, x2, y2, x, y }: Step): string =>
  `${type}${[x1, y1, x2, y2, x, y].flatMap((each) => (each === undefined ? [] : [each.toFixed(2)])).join(' ')}`;

/** Text cut to a width, with an ellipsis in its middle, where names differ least. */
export function fitText(text: string, width: number, size: number, weight: Weight = 400): string {
  if (textWidth(text, size, weight) <= width) return text;
  for (let kept = text.length - 1; kept > 1; kept--) {
    const head = Math.ceil(kept * 0.6);
    const shorter = `${text.slice(0, head)}…${text.slice(text.length - (kept - head))}`;
    if (textWidth(shorter, size, weight) <= width) return shorter;
  }
  return '…';
}
