/** One chart: frame, ticks, labels, and within the frame its series. */
import type { Chart } from '../chart.js';
import { fitText } from '../font.js';
import { type Frame, legendSvg } from './legend.js';
import { palette } from './palette.js';
import { type Scale, scaleOf } from './scale.js';
import { type Drawn, drawSeries, valuesOf } from './series.js';
import { black, box, line, n, stroked, text, wordsWidth } from './svg.js';
import { fittingTicks, type Ticks, tickSize } from './ticks.js';

export interface Panel {
  readonly chart: Chart;
  readonly frame: Frame;
  readonly x: Scale;
  readonly y: Scale;
  readonly yTicks: Ticks;
  /** Where the label of the y axis stands. */
  readonly labelX: number;
  /** Unique on the page. */
  readonly name: string;
}

const titleSize = 16;
const labelSize = 14.5;
const noteSize = 12;
const majorTick = 6;
const minorTick = 3.5;
const above = { titled: 36, plain: 18 };
const below = 54;
const right = 20;

/** Places for charts of one size, row by row; frames of a column begin and end at the same x. */
export function layOut(
  charts: readonly Chart[],
  columns: number,
  cell: { readonly left: number; readonly top: number; readonly width: number; readonly height: number },
): readonly Panel[] {
  const measured = charts.map((chart, i) => {
    const values = chart.series.map(valuesOf);
    const top = chart.title === undefined ? above.plain : above.titled;
    const height = cell.height - top - below;
    const x = scaleOf(
      chart.x,
      values.flatMap((each) => each.x),
    );
    const y = scaleOf(
      chart.y,
      values.flatMap((each) => each.y),
    );
    const yTicks = fittingTicks(y.ticks, height, y.place, false);
    const widest = Math.max(
      0,
      ...yTicks.major.map(({ words, power }) => wordsWidth(words, tickSize, { power })),
    );
    return { chart, x, y, yTicks, top, height, left: 46 + widest, name: `panel${i}` };
  });
  return measured.map(({ top, height, ...panel }, i) => {
    const column = measured.filter((_, other) => other % columns === i % columns);
    const left = Math.max(...column.map((each) => each.left));
    return {
      ...panel,
      frame: {
        x: cell.left + (i % columns) * cell.width + left,
        y: cell.top + Math.floor(i / columns) * cell.height + top,
        width: cell.width - left - right,
        height,
      },
      labelX: cell.left + (i % columns) * cell.width + 18,
    };
  });
}

export function panelSvg({ chart, frame, x, y, yTicks, labelX, name }: Panel): string {
  const xTicks = fittingTicks(x.ticks, frame.width, x.place, true);
  const at = {
    x: (value: number) => frame.x + x.place(value) * frame.width,
    y: (value: number) => frame.y + (1 - y.place(value)) * frame.height,
  };
  let next = 0;
  const drawn = chart.series.map((series) =>
    drawSeries(series, series.colour ?? (palette[next++ % palette.length] as string), frame, at),
  );
  const { title = '', notes = [] } = chart;
  const words = notes.map(({ x, y, words, anchor = 'start', colour = '#555555' }) =>
    text(words, at.x(x), at.y(y), noteSize, { fill: colour, anchor, halo: '#ffffff' }),
  );
  const noted: Drawn['covered'] = notes.flatMap(({ x, y }) =>
    [-20, 0, 20].map((off) => [at.x(x) + off, at.y(y) - noteSize / 2] as const),
  );
  const named = chart.series.findIndex(({ label }) => label !== undefined);
  const firstNamed = named < 0 ? drawn.length : named;
  const corner = exponentWords(yTicks);
  const room = frame.width - 2 * (corner === '' ? 0 : 48);
  const middle = frame.x + frame.width / 2;
  return [
    `<clipPath id="${name}"><path d="${box(frame.x, frame.y, frame.width, frame.height)}"/></clipPath>`,
    ...marksSvg(name, drawn.slice(0, firstNamed)),
    ...words,
    ...marksSvg(name, drawn.slice(firstNamed)),
    stroked(box(frame.x, frame.y, frame.width, frame.height), black, 1.2),
    ticksSvg(frame, xTicks, yTicks, at),
    title === ''
      ? ''
      : text(fitText(title, room, titleSize, 600), middle, frame.y - 12, titleSize, {
          weight: 600,
          anchor: 'middle',
        }),
    text(fitText(chart.x.label, frame.width, labelSize), middle, frame.y + frame.height + 45, labelSize, {
      anchor: 'middle',
    }),
    standing(fitText(chart.y.label, frame.height + 24, labelSize), labelX, frame.y + frame.height / 2),
    legendSvg(frame, drawn, noted),
  ].join('');
}

const marksSvg = (clip: string, drawn: readonly Drawn[]): readonly string[] => [
  `<g clip-path="url(#${clip})">${drawn.map(({ clipped }) => clipped).join('')}</g>`,
  ...drawn.map(({ free }) => free),
];

const exponentWords = ({ exponent }: Ticks): string =>
  exponent === 0 ? '' : String(exponent).replace('-', '−');

/** Words that are read from below. */
const standing = (words: string, x: number, y: number): string =>
  `<g transform="translate(${n(x)} ${n(y)}) rotate(-90)">${text(words, 0, 0, labelSize, { anchor: 'middle' })}</g>`;

/** Ticks on all four sides, pointing inwards, and their words. */
function ticksSvg(
  { x, y, width, height }: Frame,
  xTicks: Ticks,
  yTicks: Ticks,
  at: { x(value: number): number; y(value: number): number },
): string {
  const bottom = y + height;
  const across = (length: number) => (value: number) =>
    `${line(at.x(value), bottom, at.x(value), bottom - length)}${line(at.x(value), y, at.x(value), y + length)}`;
  const upwards = (length: number) => (value: number) =>
    `${line(x, at.y(value), x + length, at.y(value))}${line(x + width, at.y(value), x + width - length, at.y(value))}`;
  const [xPower, yPower] = [exponentWords(xTicks), exponentWords(yTicks)];
  return [
    stroked(
      [
        ...xTicks.major.map(({ value }) => across(majorTick)(value)),
        ...yTicks.major.map(({ value }) => upwards(majorTick)(value)),
      ].join(''),
      black,
      1.2,
    ),
    stroked(
      [...xTicks.minor.map(across(minorTick)), ...yTicks.minor.map(upwards(minorTick))].join(''),
      black,
      0.9,
    ),
    ...xTicks.major.map(({ value, words, power }) =>
      text(words, at.x(value), bottom + 19, tickSize, { power, anchor: 'middle' }),
    ),
    ...yTicks.major.map(({ value, words, power }) =>
      text(words, x - 8, at.y(value) + 4.5, tickSize, { power, anchor: 'end' }),
    ),
    yPower === '' ? '' : text('×10', x, y - 8, tickSize, { power: yPower }),
    xPower === '' ? '' : text('×10', x + width, bottom + 36, tickSize, { power: xPower, anchor: 'end' }),
  ].join('');
}
