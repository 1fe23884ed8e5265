/** Small charts for papers and slides, several on a page, as PNG. */
import { layOut, panelSvg } from './chart/panel.js';
import { text } from './chart/svg.js';
import { fitText } from './font.js';
import { writePng } from './png.js';

type Numbers = ArrayLike<number>;

export interface Axis {
  /** Quantity, with its unit in brackets. */
  readonly label: string;
  readonly scale?: 'linear' | 'log';
  /** Ends of the axis, in values; what is left out follows from what is drawn, with a little room. */
  readonly limits?: readonly [low?: number | undefined, high?: number | undefined];
  /** Has no ticks between whole numbers. */
  readonly isCount?: boolean;
}

export interface Style {
  /** Its words in the legend; nothing stands there without. */
  readonly label?: string;
  /** `#rrggbb`; without, the next of `palette`. */
  readonly colour?: string;
  /** Lengths of dashes and gaps, `6 3`. */
  readonly dash?: string;
  /** Of lines, in units of the page. */
  readonly width?: number;
  /** 0 to 1. */
  readonly opacity?: number;
}

/** What is not finite is a gap. Where x grows, a long series is drawn as quickly as a short one. */
export type Series = Style &
  (
    | { readonly kind: 'line'; readonly x: Numbers; readonly y: Numbers }
    /** Each y from its x to the next one. */
    | { readonly kind: 'steps'; readonly x: Numbers; readonly y: Numbers }
    | {
        readonly kind: 'points';
        readonly x: Numbers;
        readonly y: Numbers;
        /** Lower and upper ends of error bars. */
        readonly low?: Numbers;
        readonly high?: Numbers;
        readonly marker?: 'circle' | 'square' | 'diamond';
      }
    | { readonly kind: 'band'; readonly x: Numbers; readonly low: Numbers; readonly high: Numbers }
    /** A histogram: one more edge than heights. */
    | { readonly kind: 'bars'; readonly edges: Numbers; readonly heights: Numbers }
  );

/** Words at a place, in values of the axes; beneath the first series that has a label, and those after it. */
export interface Note {
  readonly x: number;
  readonly y: number;
  readonly words: string;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly colour?: string;
}

export interface Chart {
  readonly title?: string;
  readonly x: Axis;
  readonly y: Axis;
  /** What comes later lies over what came before. */
  readonly series: readonly Series[];
  readonly notes?: readonly Note[];
}

export interface PageOptions {
  /** Charts beside each other; 2 when left out. */
  readonly columns?: number;
  /** Of one chart with its labels, in units of the page. */
  readonly width?: number;
  readonly height?: number;
  /** Dots of a unit: 1 for screens, 2 for print. */
  readonly scale?: number;
  readonly title?: string;
  /** In small print beneath the charts. */
  readonly caption?: string;
}

const outer = 14;

/**
 * Draws charts row by row on a white page and writes it as PNG. Composing takes about a tenth of a second; what takes
 * longer, turning the drawing into dots, happens on threads of its own.
 *
 * @returns bytes of the file
 * @throws RangeError for a series whose parts differ in length; the system's errors
 */
export async function writeCharts(
  path: string,
  charts: readonly Chart[],
  options: PageOptions = {},
): Promise<number> {
  const { columns = 2, width = 480, height = 360, scale = 1, title, caption } = options;
  const across = Math.max(1, Math.min(columns, charts.length));
  const rows = Math.ceil(charts.length / across);
  const head = title === undefined ? outer : outer + 32;
  const foot = caption === undefined ? outer : outer + 18;
  const pageWidth = 2 * outer + across * width;
  const pageHeight = head + rows * height + foot;
  const panels = layOut(charts, across, { left: outer, top: head, width, height });
  const drawn = [
    title === undefined
      ? ''
      : text(fitText(title, pageWidth - 4 * outer, 19, 600), pageWidth / 2, outer + 20, 19, {
          weight: 600,
          anchor: 'middle',
        }),
    ...panels.map(panelSvg),
    caption === undefined
      ? ''
      : text(fitText(caption, pageWidth - 4 * outer, 12), 2 * outer, pageHeight - outer, 12, {
          fill: '#555555',
        }),
  ];
  const [dotsAcross, dotsDown] = [Math.round(pageWidth * scale), Math.round(pageHeight * scale)];
  return await writePng(path, {
    width: dotsAcross,
    height: dotsDown,
    background: '#ffffff',
    layers: [],
    svg: `<svg xmlns="http://www.w3.org/2000/svg" width="${dotsAcross}" height="${dotsDown}" viewBox="0 0 ${pageWidth} ${pageHeight}">${drawn.join('')}</svg>`,
    palette: false,
  });
}
