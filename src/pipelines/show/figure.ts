/** The page around a picture: title, scale bar, compass, colour bars, marks and their legend. */
import { box, filled, line, stroked } from '../../formats/chart/svg.js';
import { fitText, textWidth } from '../../formats/font.js';
import type { PngPage } from '../../formats/png.js';
import { formatAngle, roundAngle, ticks } from '../../science/angles.js';
import type { Page } from '../../science/orientation.js';
import type { Rgb } from '../../science/stretch.js';
import { barTicks, type ColourBar, short } from './colour.js';
import { arrow, edge, ink, plate, text } from './drawing.js';

/** Marks of one kind: lines over the picture, with their word in the legend. */
export interface MarkGroup {
  readonly label: string;
  readonly colour: string;
  /** Path data in dots of the picture. */
  readonly outlines: string;
  readonly fill?: number;
  readonly opacity?: number;
  readonly width?: number;
  readonly dash?: string;
  /** The same mark, small, at this place: for the legend. */
  readonly sample: (x: number, y: number, r: number) => string;
}

export interface MarkLabel {
  readonly words: string;
  readonly u: number;
  readonly v: number;
}

export interface Figure {
  readonly title: string;
  readonly subtitle: readonly string[];
  readonly notes: readonly string[];
  readonly page: Page;
  /** Dots of the picture in the order of the page. */
  readonly rgb: Rgb;
  /** Over the picture, with opacity, dot for dot as `page`. */
  readonly overlay: Uint8Array | undefined;
  readonly bars: readonly ColourBar[];
  readonly marks: readonly MarkGroup[];
  readonly labels: readonly MarkLabel[];
  /** Directions on the page, when the sky is known. */
  readonly compass: Readonly<Record<'north' | 'east', readonly [number, number]>> | undefined;
  /** Arcseconds of a dot along the rows; undefined when nobody knows. */
  readonly arcsecPerDot: number | undefined;
}

/** Widths around a picture, for a unit of 1. */
const margin = 30;
const barWidth = 92;

/** Width of a picture whose unit is 1. */
const unitWidth = 1140;

/** The size of everything drawn around a picture of this width: 1 for about 1200 dots. */
export const unitOf = (width: number): number => Math.min(4, Math.max(0.5, width / unitWidth));

/** What is left for the picture on a page of this width. */
export function pictureWidth(pageWidth: number, bars: number): number {
  const around = 2 * margin + bars * barWidth;
  const unit = unitOf((pageWidth * unitWidth) / (unitWidth + around));
  return Math.max(64, Math.round(pageWidth - unit * around));
}

/** Puts the page together. */
export function compose(figure: Figure, palette: boolean): PngPage {
  const { page, bars } = figure;
  const unit = unitOf(page.width);
  const left = Math.round(margin * unit);
  const width = Math.max(
    Math.round(360 * unit),
    page.width + 2 * left + Math.round(bars.length * barWidth * unit),
  );
  const top = Math.round(102 * unit);
  const header = heading(figure, left, width - 2 * left, unit);
  const footer = caption(figure, left, top + page.height, width - 2 * left, unit);
  const drawn = [
    header,
    `<svg x="${left}" y="${top}" width="${page.width}" height="${page.height}">${overPicture(figure, unit)}</svg>`,
    ...bars.map((bar, i) =>
      barOf(bar, left + page.width + (i * barWidth + 20) * unit, top, page.height, unit, i),
    ),
    footer.svg,
  ];
  const height = Math.ceil(footer.bottom);
  const layer = (dots: Uint8Array, channels: 3 | 4) => ({
    dots,
    channels,
    width: page.width,
    height: page.height,
    left,
    top,
  });
  return {
    width,
    height,
    background: ink.page,
    palette,
    layers: [layer(figure.rgb, 3), ...(figure.overlay === undefined ? [] : [layer(figure.overlay, 4)])],
    svg: `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${drawn.join('')}</svg>`,
  };
}

function heading({ title, subtitle }: Figure, left: number, width: number, unit: number): string {
  // On a narrow page the first and the last stay longest: bands and position.
  const parts = [...subtitle];
  const joined = (): string => parts.join('   ·   ');
  while (parts.length > 2 && textWidth(joined(), 18 * unit) > width) parts.splice(1, 1);
  const words = fitText(joined(), width, 18 * unit);
  return [
    text(fitText(title, width, 34 * unit, 600), left, 48 * unit, 34 * unit, { weight: 600 }),
    text(words, left, 80 * unit, 18 * unit, { fill: ink.muted }),
  ].join('');
}

/** Legend and notes beneath the picture. */
function caption(
  { marks, notes }: Figure,
  left: number,
  top: number,
  width: number,
  unit: number,
): { readonly svg: string; readonly bottom: number } {
  const size = 17 * unit;
  const parts: string[] = [];
  let y = top + 34 * unit;
  if (marks.length > 0) {
    let x = left;
    for (const { label, colour, sample, fill, opacity, dash } of marks) {
      const step = 34 * unit + textWidth(label, size) + 20 * unit;
      if (x > left && x + step > left + width) {
        x = left;
        y += 26 * unit;
      }
      const mark = sample(x + 9 * unit, y - 6 * unit, 8 * unit);
      if (fill !== undefined) parts.push(filled(mark, colour, fill));
      parts.push(
        stroked(mark, colour, 2 * unit, {
          opacity: Math.max(0.45, opacity ?? 1),
          ...(dash === undefined ? {} : { dash }),
        }),
      );
      parts.push(text(label, x + 26 * unit, y, size));
      x += step;
    }
    y += 30 * unit;
  }
  for (const words of wrapped(notes, width, 15 * unit)) {
    parts.push(text(words, left, y, 15 * unit, { fill: ink.muted }));
    y += 21 * unit;
  }
  return { svg: parts.join(''), bottom: y + 4 * unit };
}

function wrapped(notes: readonly string[], width: number, size: number): readonly string[] {
  const lines: string[] = [];
  for (const note of notes) {
    const longer = lines.length === 0 ? note : `${lines.at(-1)}  ·  ${note}`;
    if (lines.length > 0 && textWidth(longer, size) <= width) lines[lines.length - 1] = longer;
    else lines.push(fitText(note, width, size));
  }
  return lines;
}

function overPicture({ page, marks, labels, compass, arcsecPerDot }: Figure, unit: number): string {
  const drawn = marks.flatMap(({ outlines, colour, fill, opacity = 1, width = 1.7, dash }) => [
    ...(fill === undefined ? [] : [filled(outlines, colour, fill)]),
    opacity > 0.6 ? edge(outlines, width * unit, opacity) : '',
    stroked(outlines, colour, width * unit, {
      opacity,
      ...(dash === undefined ? {} : { dash }),
    }),
  ]);
  return [
    ...drawn,
    ...labels.map((label) => labelOf(label, page, unit)),
    arcsecPerDot === undefined ? '' : scaleBar(page, arcsecPerDot, unit),
    compass === undefined ? '' : compassRose(page, compass, unit),
  ].join('');
}

function labelOf({ words, u, v }: MarkLabel, page: Page, unit: number): string {
  const size = 17 * unit;
  const width = textWidth(words, size, 600);
  const x = Math.min(Math.max(u - width / 2, 8 * unit), page.width - width - 8 * unit);
  const y = Math.min(Math.max(v, size + 4 * unit), page.height - 8 * unit);
  return `${plate(x - 6 * unit, y - size, width + 12 * unit, size * 1.4, 4 * unit)}${text(words, x, y, size, { weight: 600, fill: ink.cluster })}`;
}

function scaleBar(page: Page, arcsecPerDot: number, unit: number): string {
  const arcsec = roundAngle(arcsecPerDot * page.width * 0.22);
  const length = arcsec / arcsecPerDot;
  const words = formatAngle(arcsec);
  const size = 18 * unit;
  const pad = 12 * unit;
  const width = Math.max(length, textWidth(words, size, 600)) + 2 * pad;
  const height = 46 * unit;
  const [x, y] = [14 * unit, page.height - 14 * unit - height];
  const [from, base] = [x + (width - length) / 2, y + height - 13 * unit];
  const tick = 4.5 * unit;
  const bar = `${line(from, base, from + length, base)}${line(from, base - tick, from, base + tick)}${line(from + length, base - tick, from + length, base + tick)}`;
  return [
    plate(x, y, width, height, 6 * unit),
    stroked(bar, ink.text, 2 * unit),
    text(words, x + width / 2, y + 23 * unit, size, { weight: 600, anchor: 'middle' }),
  ].join('');
}

function compassRose(page: Page, { north, east }: NonNullable<Figure['compass']>, unit: number): string {
  const side = 92 * unit;
  const [x, y] = [page.width - side - 14 * unit, page.height - side - 14 * unit];
  const length = 36 * unit;
  // The cross of both arrows stands so that their middle is the middle of the plate.
  const [cx, cy] = [
    x + side / 2 - ((north[0] + east[0]) * length) / 2,
    y + side / 2 - ((north[1] + east[1]) * length) / 2 + 2 * unit,
  ];
  const tip = (of: readonly [number, number], letter: string) =>
    text(letter, cx + of[0] * (length + 13 * unit), cy + of[1] * (length + 13 * unit) + 6 * unit, 17 * unit, {
      weight: 600,
      anchor: 'middle',
    });
  const both = [north, east].map(([dx, dy]) => arrow(cx, cy, dx * length, dy * length, 2 * unit)).join('');
  return `${plate(x, y, side, side, 6 * unit)}${stroked(both, ink.text, 2 * unit)}${tip(north, 'N')}${tip(east, 'E')}`;
}

/** A colour bar as high as the picture. */
function barOf(bar: ColourBar, x: number, top: number, height: number, unit: number, index: number): string {
  const width = 18 * unit;
  const foot = 30 * unit;
  const tall = height - foot;
  const stops = Array.from({ length: 33 }, (_, i) => {
    const [r, g, b] = bar.colours(i / 32);
    return `<stop offset="${i / 32}" stop-color="rgb(${r},${g},${b})"/>`;
  });
  const isLinear = Math.abs(bar.place((bar.limits[0] + bar.limits[1]) / 2) - 0.5) < 1e-6;
  const least = (34 * unit) / tall;
  const values = isLinear ? ticks(...bar.limits, Math.min(6, 0.5 / least)) : barTicks(bar, least);
  const size = 16 * unit;
  const marks = values.map((value) => {
    const y = top + tall * (1 - bar.place(value));
    return `${stroked(line(x + width, y, x + width + 5 * unit, y), ink.muted, 1.3 * unit)}${text(short(value, 6), x + width + 9 * unit, y + 5.5 * unit, size)}`;
  });
  const label = fitText(bar.label, barWidth * unit, 15 * unit);
  return [
    `<defs><linearGradient id="bar${index}" x1="0" y1="1" x2="0" y2="0">${stops.join('')}</linearGradient></defs>`,
    `<path d="${box(x, top, width, tall)}" fill="url(#bar${index})" stroke="${ink.muted}" stroke-opacity="0.6" stroke-width="${unit}"/>`,
    ...marks,
    text(label, x - 8 * unit, top + height - 6 * unit, 15 * unit, { fill: ink.muted }),
  ].join('');
}
