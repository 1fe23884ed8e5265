/** Which line is which, where there is most room for it. */
import { textWidth } from '../font.js';
import type { Drawn } from './series.js';
import { box, filled, stroked, text } from './svg.js';

/** Where a chart's series are drawn, on the page. */
export interface Frame {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const size = 13;
const step = 19;
const swatch = 26;
const pad = 8;
const inset = 11;

/** The legend of all series with a label, where it covers least of them, in a corner if it can be. */
export function legendSvg(frame: Frame, drawn: readonly Drawn[], noted: Drawn['covered']): string {
  const entries = drawn.flatMap(({ label, sample }) => (label === undefined ? [] : [{ label, sample }]));
  if (entries.length === 0) return '';
  const width = Math.max(...entries.map(({ label }) => textWidth(label, size))) + swatch + 3 * pad;
  const height = entries.length * step + pad;
  const [x, y] = freest(frame, width, height, [...drawn.flatMap(({ covered }) => covered), ...noted]);
  const lines = entries.flatMap(({ label, sample }, i) => {
    const middle = y + pad / 2 + (i + 0.5) * step;
    return [sample(x + pad, middle, swatch), text(label, x + 2 * pad + swatch, middle + 4.5, size)];
  });
  const plate = box(x, y, width, height);
  return [filled(plate, '#ffffff', 0.88), stroked(plate, '#bbbbbb', 0.8), ...lines].join('');
}

/** Parts of the way from one side to the other, the better liked ones first. */
const parts = [1, 0, 0.5, 0.75, 0.25] as const;

function freest(
  frame: Frame,
  width: number,
  height: number,
  covered: Drawn['covered'],
): readonly [x: number, y: number] {
  const [left, top] = [frame.x + inset, frame.y + inset];
  const [across, down] = [frame.width - 2 * inset - width, frame.height - 2 * inset - height];
  // Long series cover the same places again and again.
  const cells = new Map(
    covered.map((point) => [`${Math.round(point[0] / 4)} ${Math.round(point[1] / 4)}`, point]),
  );
  const once = [...cells.values()];
  const places = parts.flatMap((u) =>
    parts.map((v) => {
      const [x, y] = [left + u * across, top + (1 - v) * down];
      const hidden = once.filter(
        ([u, v]) => u > x - 5 && u < x + width + 5 && v > y - 5 && v < y + height + 5,
      ).length;
      // A corner is worth a few places that are hidden, a side fewer.
      const offSide = [u, v].filter((part) => part !== 0 && part !== 1).length;
      return { x, y, cost: hidden + 2 * offSide };
    }),
  );
  const { x, y } = places.reduce((best, each) => (each.cost < best.cost ? each : best));
  return [x, y];
}
