import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { palette } from '../../../src/formats/chart/palette.js';
import { layOut, type Panel, panelSvg } from '../../../src/formats/chart/panel.js';
import { type Chart, type Series, writeCharts } from '../../../src/formats/chart.js';

const cell = { left: 14, top: 14, width: 480, height: 360 };
const unit = { label: '', limits: [0, 1] } as const;

/** Where on the page the values of a chart alone on it lie. */
function placesOf(chart: Chart): (x: number, y: number) => readonly [number, number] {
  const [panel] = layOut([chart], 1, cell) as [Panel];
  const { frame } = panel;
  return (x, y) => [
    frame.x + panel.x.place(x) * frame.width,
    frame.y + (1 - panel.y.place(y)) * frame.height,
  ];
}

let folder: string;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'chart-'));
  path = join(folder, 'chart.png');
});
afterAll(() => rmSync(folder, { recursive: true }));

type Dots = (x: number, y: number) => string;

/** Colours of a chart's values after drawing it alone on a page. */
async function drawn(series: readonly Series[], more: Partial<Chart> = {}, scale = 1): Promise<Dots> {
  const chart: Chart = { x: unit, y: unit, series, ...more };
  await writeCharts(path, [chart], { scale });
  const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
  const place = placesOf(chart);
  return (x, y) => {
    const [u, v] = place(x, y).map((each) => Math.floor(each * scale)) as [number, number];
    const at = (v * info.width + u) * info.channels;
    return `#${data.subarray(at, at + 3).toString('hex')}`;
  };
}

describe('a chart', () => {
  it('shows lines, gaps and bars where their values are', async () => {
    const dots = await drawn([
      { kind: 'bars', edges: [0.6, 0.8, 1], heights: [0.3, 0], opacity: 1, colour: '#ff0000' },
      { kind: 'line', x: [0, 0.2, Number.NaN, 0.4, 0.6], y: [0.5, 0.5, 0.5, 0.5, 0.5], width: 6 },
      { kind: 'steps', x: [0, 0.25, 0.5], y: [0.8, 0.9, 0.9], width: 6, colour: '#00aa00' },
    ]);
    expect([dots(0.1, 0.5), dots(0.3, 0.5), dots(0.5, 0.5)]).toEqual([palette[0], '#ffffff', palette[0]]);
    expect([dots(0.7, 0.1), dots(0.9, 0.1), dots(0.7, 0.4)]).toEqual(['#ff0000', '#ffffff', '#ffffff']);
    expect([dots(0.2, 0.8), dots(0.4, 0.9), dots(0.4, 0.8)]).toEqual(['#00aa00', '#00aa00', '#ffffff']);
  });

  it('shows bands, points and their error bars', async () => {
    const dots = await drawn([
      { kind: 'band', x: [0, 0.5], low: [0.1, 0.1], high: [0.3, 0.3], opacity: 1, colour: '#0000ff' },
      {
        kind: 'points',
        x: [0.7],
        y: [0.5],
        low: [0.2],
        high: [0.6],
        width: 4,
        marker: 'square',
        colour: '#aa0000',
      },
    ]);
    expect([dots(0.2, 0.2), dots(0.2, 0.35), dots(0.6, 0.2)]).toEqual(['#0000ff', '#ffffff', '#ffffff']);
    expect([dots(0.7, 0.5), dots(0.7, 0.25), dots(0.7, 0.7)]).toEqual(['#aa0000', '#aa0000', '#ffffff']);
  });

  it('ends what is drawn at its frame', async () => {
    const dots = await drawn([
      { kind: 'line', x: [-1, 2], y: [0.5, 0.5], width: 8 },
      { kind: 'points', x: [1.04], y: [0.2] },
    ]);
    expect([dots(0.5, 0.5), dots(1.03, 0.5), dots(1.04, 0.2)]).toEqual([palette[0], '#ffffff', '#ffffff']);
  });

  it('leaves out of a logarithmic axis what is not positive', async () => {
    const dots = await drawn([{ kind: 'line', x: [0, 0.3, 0.4, 0.7, 1], y: [10, 10, 0, 10, 10], width: 6 }], {
      y: { label: '', scale: 'log', limits: [1, 100] },
    });
    expect([dots(0.2, 10), dots(0.4, 10), dots(0.9, 10)]).toEqual([palette[0], '#ffffff', palette[0]]);
  });

  it('keeps the extremes of a long series that it draws with few points', async () => {
    const x = Float64Array.from({ length: 200_000 }, (_, i) => i / 200_000);
    const y = x.map((value, i) => (i === 100_000 ? 0.9 : 0.2 + 0 * value));
    const series: Series = { kind: 'line', x, y, width: 3 };
    const dots = await drawn([series]);
    expect([dots(0.1, 0.2), dots(0.5, 0.6), dots(0.52, 0.6)]).toEqual([palette[0], palette[0], '#ffffff']);
    expect(
      panelSvg(layOut([{ x: unit, y: unit, series: [series] }], 1, cell)[0] as Panel).length,
    ).toBeLessThan(80_000);
  });

  it('has as many dots a unit as asked for', async () => {
    const dots = await drawn([{ kind: 'line', x: [0, 1], y: [0.5, 0.5] }], {}, 2);
    expect(dots(0.5, 0.5)).toBe(palette[0]);
    const { width, height } = await sharp(path).metadata();
    expect([width, height]).toEqual([2 * (480 + 28), 2 * (360 + 28)]);
  });

  it('puts its legend where nothing is hidden by it', async () => {
    // All corners but the lower left one are taken.
    const dots = await drawn([
      { kind: 'line', x: [0, 1, 1], y: [1, 1, 0], width: 5, label: 'A' },
      { kind: 'line', x: [0.7, 0.7, 0.95, 0.95], y: [0.05, 0.95, 0.95, 0.05], width: 5, label: 'B' },
      { kind: 'line', x: [0.05, 0.3, 0.3, 0.05], y: [0.95, 0.95, 0.7, 0.7], width: 5, label: 'C' },
    ]);
    expect([dots(0.7, 0.1), dots(0.95, 0.9), dots(0.1, 0.95)]).toEqual([palette[1], palette[1], palette[2]]);
    // The sample of the last entry.
    const [u, v] = placesOf({ x: unit, y: unit, series: [] })(0, 0);
    const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
    const at = (Math.floor(v - 11 - 4 - 9.5) * info.width + Math.floor(u + 11 + 8 + 13)) * info.channels;
    expect(`#${data.subarray(at, at + 3).toString('hex')}`).toBe(palette[2]);
  });

  it('is refused when the parts of a series differ in length', async () => {
    await expect(drawn([{ kind: 'line', x: [1, 2], y: [1] }])).rejects.toThrow('a series has 2 x for 1 y');
    await expect(drawn([{ kind: 'bars', edges: [1, 2], heights: [1, 2] }])).rejects.toThrow(
      '2 bars have 2 edges, not 3',
    );
  });
});

describe('a page', () => {
  it('is a grid of charts whose frames begin together in each column', async () => {
    const chart = (y: number): Chart => ({ x: unit, y: { label: 'y', limits: [0, y] }, series: [] });
    const panels = layOut([chart(1), chart(2), chart(1e5), chart(4), chart(5)], 2, cell);
    const lefts = panels.map(({ frame }) => frame.x);
    expect(lefts[0]).toBe(lefts[2]);
    expect(lefts[1]).toBe(lefts[3]);
    expect(panels.map(({ frame }) => frame.y)).toEqual([0, 0, 360, 360, 720].map((y) => y + 14 + 18));
    const bytes = await writeCharts(path, [chart(1), chart(2), chart(3)], { title: 'T', caption: 'C' });
    const { width, height, size } = await sharp(path).metadata();
    expect([width, height]).toEqual([2 * 480 + 28, 46 + 2 * 360 + 32]);
    expect(size ?? bytes).toBe(bytes);
    expect(readdirSync(folder)).toEqual(['chart.png']);
  });

  it('draws charts without any series, and series without any values', async () => {
    const bytes = await writeCharts(path, [
      { x: { label: 'x' }, y: { label: 'y', scale: 'log' }, series: [] },
      {
        title: 'Nothing yet',
        x: { label: 'x' },
        y: { label: 'y' },
        series: [
          { kind: 'line', x: [], y: [], label: 'none' },
          { kind: 'points', x: [], y: [], low: [], high: [] },
          { kind: 'band', x: [], low: [], high: [] },
          { kind: 'bars', edges: [0], heights: [] },
        ],
      },
    ]);
    expect(bytes).toBeGreaterThan(1000);
  });
});
