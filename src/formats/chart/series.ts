/** The marks of a series within a frame. */
import type { Series } from '../chart.js';
import type { Frame } from './legend.js';
import { box, circle, filled, line, n, stroked } from './svg.js';

type Numbers = ArrayLike<number>;
type Point = readonly [x: number, y: number];

/** From values to the page. */
export interface Places {
  x(value: number): number;
  y(value: number): number;
}

export interface Drawn {
  /** What ends at the frame. */
  readonly clipped: string;
  /** Marks of points within the frame, which may reach over it. */
  readonly free: string;
  /** Places on the page that a legend had better leave free. */
  readonly covered: readonly Point[];
  readonly label: string | undefined;
  /** The same marks, small, in the middle of a place this wide. */
  readonly sample: (x: number, y: number, width: number) => string;
}

/** All values of a series along both axes. */
export function valuesOf(series: Series): { readonly x: readonly Numbers[]; readonly y: readonly Numbers[] } {
  switch (series.kind) {
    case 'line':
    case 'steps':
      return { x: [series.x], y: [series.y] };
    case 'points':
      return { x: [series.x], y: [series.y, series.low ?? [], series.high ?? []] };
    case 'band':
      return { x: [series.x], y: [series.low, series.high] };
    case 'bars':
      return { x: [series.edges], y: [series.heights] };
  }
}

/** Draws a series in a colour. Throws a RangeError when its parts differ in length. */
export function drawSeries(series: Series, colour: string, frame: Frame, at: Places): Drawn {
  switch (series.kind) {
    case 'line':
    case 'steps':
      return drawLine(series, colour, frame, at);
    case 'points':
      return drawPoints(series, colour, frame, at);
    case 'band':
      return drawBand(series, colour, frame, at);
    case 'bars':
      return drawBars(series, colour, frame, at);
  }
}

function drawLine(
  series: Extract<Series, { kind: 'line' | 'steps' }>,
  colour: string,
  frame: Frame,
  at: Places,
): Drawn {
  const { width = 2, opacity = 1, dash } = series;
  const runs = runsOf(placed(series.x, series.y, at)).map((run) =>
    thinned(series.kind === 'steps' ? stairs(run) : run, frame),
  );
  const style = {
    opacity,
    cap: dash === undefined ? 'round' : 'butt',
    ...(dash === undefined ? {} : { dash }),
  } as const;
  return {
    clipped: stroked(runs.map(pathOf).join(''), colour, width, style),
    free: '',
    // A line without a name is there to be drawn over.
    covered: series.label === undefined ? [] : runs.flatMap(along),
    label: series.label,
    sample: (x, y, wide) => stroked(line(x, y, x + wide, y), colour, width, style),
  };
}

const shapes = {
  circle,
  square: (x: number, y: number, r: number) => box(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r),
  diamond: (x: number, y: number, r: number) =>
    `M${n(x)} ${n(y - 1.25 * r)}l${n(1.25 * r)} ${n(1.25 * r)}l${n(-1.25 * r)} ${n(1.25 * r)}l${n(-1.25 * r)} ${n(-1.25 * r)}z`,
} as const;

function drawPoints(
  series: Extract<Series, { kind: 'points' }>,
  colour: string,
  frame: Frame,
  at: Places,
): Drawn {
  const { marker = 'circle', width = 1.4, opacity = 1, low, high } = series;
  const shape = shapes[marker];
  const points = placed(series.x, series.y, at);
  const ends = [low, high].map((values) => (values === undefined ? points : placed(series.x, values, at)));
  const bars = points.flatMap(([x], i): string[] => {
    const [from, to] = ends.map((each) => (each[i] as Point)[1]) as [number, number];
    if (!Number.isFinite(x) || !Number.isFinite(from) || !Number.isFinite(to) || from === to) return [];
    return [`${line(x, from, x, to)}${line(x - 3, from, x + 3, from)}${line(x - 3, to, x + 3, to)}`];
  });
  const inside = points.filter((point) => isWithin(point, frame));
  const mark = (places: readonly Point[]): string => {
    const outlines = places.map(([x, y]) => shape(x, y, 4)).join('');
    return `${stroked(outlines, '#ffffff', 2)}${filled(outlines, colour, opacity)}`;
  };
  return {
    clipped: stroked(bars.join(''), colour, width, { opacity }),
    free: mark(inside),
    covered: inside.flatMap(([x, y], i) => {
      const [from, to] = ends.map((each) => (each[i] as Point)[1]) as [number, number];
      return [
        [x, y],
        [x, from],
        [x, to],
      ] as const;
    }),
    label: series.label,
    sample: (x, y, wide) => mark([[x + wide / 2, y]]),
  };
}

function drawBand(
  series: Extract<Series, { kind: 'band' }>,
  colour: string,
  frame: Frame,
  at: Places,
): Drawn {
  const { opacity = 0.2 } = series;
  const lower = placed(series.x, series.low, at);
  const upper = placed(series.x, series.high, at);
  // A gap in one edge is a gap in the other.
  const isGap = (i: number): boolean =>
    ![...(lower[i] as Point), ...(upper[i] as Point)].every(Number.isFinite);
  const cut = (points: readonly Point[]): readonly (readonly Point[])[] =>
    runsOf(points.map((point, i) => (isGap(i) ? [Number.NaN, Number.NaN] : point)));
  const [below, over] = [cut(lower), cut(upper)];
  const outlines = below.map((run, i) => {
    const [bottom, top] = [thinned(run, frame), thinned(over[i] as readonly Point[], frame)];
    return `${pathOf([...top, ...bottom.toReversed()])}z`;
  });
  return {
    clipped: filled(outlines.join(''), colour, opacity),
    free: '',
    covered: [...below, ...over].flatMap((run) => along(thinned(run, frame))),
    label: series.label,
    sample: (x, y, wide) => filled(box(x, y - 5, wide, 10), colour, opacity),
  };
}

function drawBars(
  series: Extract<Series, { kind: 'bars' }>,
  colour: string,
  frame: Frame,
  at: Places,
): Drawn {
  const { edges, heights, opacity = 0.3, width = 1.4 } = series;
  if (edges.length !== heights.length + 1)
    throw new RangeError(`${heights.length} bars have ${edges.length} edges, not ${heights.length + 1}`);
  const base = frame.y + frame.height;
  const boxes = Array.from({ length: heights.length }, (_, i) => {
    const [from, to] = [at.x(edges[i] as number), at.x(edges[i + 1] as number)];
    const top = at.y(heights[i] as number);
    return { from, to, top: Number.isFinite(top) ? Math.min(base, top) : base };
  });
  const outlines = boxes.map(({ from, to, top }) =>
    top < base ? box(from, top, to - from, base - top) : '',
  );
  return {
    clipped: `${filled(outlines.join(''), colour, opacity)}${stroked(outlines.join(''), colour, width)}`,
    free: '',
    covered: boxes.flatMap(({ from, to, top }) =>
      [0, 0.5, 1].flatMap((part) =>
        along([
          [from, top + part * (base - top)],
          [to, top + part * (base - top)],
        ]),
      ),
    ),
    label: series.label,
    sample: (x, y, wide) =>
      `${filled(box(x, y - 5, wide, 10), colour, opacity)}${stroked(box(x, y - 5, wide, 10), colour, width)}`,
  };
}

function placed(x: Numbers, y: Numbers, at: Places): readonly Point[] {
  if (x.length !== y.length) throw new RangeError(`a series has ${x.length} x for ${y.length} y`);
  return Array.from({ length: x.length }, (_, i) => [at.x(x[i] as number), at.y(y[i] as number)] as const);
}

const isWithin = ([x, y]: Point, frame: Frame): boolean =>
  x >= frame.x - 0.5 &&
  x <= frame.x + frame.width + 0.5 &&
  y >= frame.y - 0.5 &&
  y <= frame.y + frame.height + 0.5;

/** The pieces between gaps. */
function runsOf(points: readonly Point[]): readonly (readonly Point[])[] {
  const runs: Point[][] = [[]];
  for (const point of points) {
    if (Number.isFinite(point[0]) && Number.isFinite(point[1])) runs.at(-1)?.push(point);
    else if (runs.at(-1)?.length !== 0) runs.push([]);
  }
  return runs.filter((run) => run.length > 0);
}

const stairs = (run: readonly Point[]): readonly Point[] =>
  run.flatMap(([x, y], i) => {
    const next = run[i + 1];
    return next === undefined ? [[x, y] as const] : [[x, y] as const, [next[0], y] as const];
  });

/** Of the points in one half unit of x, the first, lowest, highest and last: what can be seen of them. */
function thinned(run: readonly Point[], { width }: Frame): readonly Point[] {
  if (run.length <= 4 * width) return run;
  const kept: Point[] = [];
  for (let from = 0; from < run.length; ) {
    const cell = Math.floor(2 * (run[from] as Point)[0]);
    let to = from + 1;
    let [lowest, highest] = [from, from];
    for (; to < run.length && Math.floor(2 * (run[to] as Point)[0]) === cell; to++) {
      if ((run[to] as Point)[1] < (run[lowest] as Point)[1]) lowest = to;
      if ((run[to] as Point)[1] > (run[highest] as Point)[1]) highest = to;
    }
    const chosen = [...new Set([from, lowest, highest, to - 1])].sort((a, b) => a - b);
    for (const i of chosen) kept.push(run[i] as Point);
    from = to;
  }
  return kept;
}

const pathOf = (run: readonly Point[]): string =>
  run.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${n(x)} ${n(y)}`).join('');

/** Places along a run, about 6 units apart. */
function along(run: readonly Point[]): readonly Point[] {
  const places: Point[] = [];
  for (const [i, [x, y]] of run.entries()) {
    const [x0, y0] = run[i - 1] ?? [x, y];
    const parts = Math.min(200, Math.max(1, Math.ceil(Math.hypot(x - x0, y - y0) / 6)));
    for (let part = 1; part <= parts; part++)
      places.push([x0 + ((x - x0) * part) / parts, y0 + ((y - y0) * part) / parts]);
  }
  return places;
}
