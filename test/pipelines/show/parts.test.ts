import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { barTicks, colourOf, greyOf, short } from '../../../src/pipelines/show/colour.js';
import {
  chooseBands,
  resampleBand,
  type Showable,
  type ShownImage,
} from '../../../src/pipelines/show/image.js';
import { cellBoxes, windowBoxes } from '../../../src/pipelines/show/marks.js';
import { cellsOf, predictionBar, predictionDots } from '../../../src/pipelines/show/predictions.js';
import { imageOfRunItem } from '../../../src/pipelines/show/run-image.js';
import { readRunItem } from '../../../src/pipelines/show/run-item.js';
import { Page, yUp } from '../../../src/science/orientation.js';
import { tempFolder } from '../../support/run.js';

function imageOf(width: number, height: number, value: (x: number, y: number) => number, rowsAtOnce = 1) {
  const reads: [number, number][] = [];
  const image: ShownImage = {
    bands: ['r'],
    width,
    height,
    wcs: undefined,
    wcsNote: undefined,
    unit: '',
    rowsAtOnce,
    readRows: (_, y0, y1) => {
      reads.push([y0, y1]);
      return Float32Array.from({ length: (y1 - y0) * width }, (_, i) =>
        value(i % width, y0 + Math.floor(i / width)),
      );
    },
    close: async () => {},
  };
  return { image, reads };
}

describe('resampleBand', () => {
  const wave = (x: number, y: number) => Math.sin(x * 0.7) + Math.cos(y * 0.3) + x * 0.01;

  it('takes the mean of whole blocks, strip by strip', () => {
    const { image, reads } = imageOf(30, 300, wave);
    const means = resampleBand(image, 0, { x: 0, y: 0, width: 30, height: 300 }, 10, 100);
    let expected = 0;
    for (let y = 150; y < 153; y++) for (let x = 6; x < 9; x++) expected += wave(x, y) / 9;
    expect(means[50 * 10 + 2]).toBeCloseTo(expected, 5);
    expect(reads.length).toBeGreaterThan(3);
    expect(reads.every(([y0, y1]) => y1 - y0 <= 64)).toBe(true);
  });

  it('parts pixels where blocks do not come out even: the mean of all stays', () => {
    const { image } = imageOf(31, 47, wave);
    const means = resampleBand(image, 0, { x: 0, y: 0, width: 31, height: 47 }, 12, 17);
    let total = 0;
    for (let y = 0; y < 47; y++) for (let x = 0; x < 31; x++) total += wave(x, y) / (31 * 47);
    expect(means.reduce((sum, each) => sum + each, 0) / means.length).toBeCloseTo(total, 5);
    const flat = resampleBand(
      imageOf(31, 47, () => 3).image,
      0,
      { x: 0, y: 0, width: 31, height: 47 },
      12,
      17,
    );
    expect(Math.max(...flat.map((each) => Math.abs(each - 3)))).toBeLessThan(1e-6);
  });

  it('reads the rows of a part only, and in multiples of what lies together', () => {
    const { image, reads } = imageOf(20, 1000, (x, y) => 100 * y + x, 100);
    const part = resampleBand(image, 0, { x: 3, y: 350, width: 4, height: 120 }, 4, 120);
    expect(part[0]).toBe(35_003);
    expect(part.at(-1)).toBe(46_906);
    expect(reads).toEqual([
      [350, 400],
      [400, 470],
    ]);
  });

  it('keeps pixels as squares where there are more values than pixels', () => {
    const { image } = imageOf(3, 2, (x, y) => 10 * y + x);
    const large = resampleBand(image, 0, { x: 0, y: 0, width: 3, height: 2 }, 9, 3);
    expect([...large.subarray(0, 9)]).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2]);
    expect([...large.subarray(9, 12)]).toEqual([5, 5, 5]);
    const uneven = resampleBand(image, 0, { x: 0, y: 0, width: 3, height: 1 }, 4, 1);
    expect([...uneven].map((each) => each.toFixed(4))).toEqual(['0.0000', '0.6667', '1.3333', '2.0000']);
  });

  it('leaves out what is not a number; where nothing is left there is none', () => {
    const { image } = imageOf(4, 2, (x, y) => (x < 2 || (x === 2 && y === 0) ? Number.NaN : 8));
    expect([...resampleBand(image, 0, { x: 0, y: 0, width: 4, height: 2 }, 2, 1)]).toEqual([Number.NaN, 8]);
  });
});

describe('chooseBands', () => {
  const having = (...bands: string[]): Showable => ({
    name: 'x',
    bands,
    open: () => Promise.reject(new Error('not opened')),
  });
  const none = { band: undefined, bands: undefined };

  it('takes i, r, g where they are, else three from red to blue, else one', () => {
    expect(chooseBands(having('g', 'r', 'i', 'z'), none)).toEqual(['i', 'r', 'g']);
    expect(chooseBands(having('g', 'r', 'z'), none)).toEqual(['z', 'r', 'g']);
    expect(chooseBands(having('g', 'r'), none)).toEqual(['r']);
    expect(chooseBands(having('1', '2', '3'), none)).toEqual(['1', '2', '3']);
  });

  it('takes what is asked for, or says what there is', () => {
    expect(chooseBands(having('g', 'r', 'i', 'z'), { ...none, bands: ['z', 'i', 'r'] })).toEqual([
      'z',
      'i',
      'r',
    ]);
    expect(() => chooseBands(having('g', 'r'), { ...none, band: 'z' })).toThrow(
      'there is no band z, there are: g, r',
    );
  });
});

describe('colours', () => {
  const free = { minimum: undefined, stretch: undefined, q: undefined, weights: undefined };
  const noise = Float32Array.from({ length: 900 }, (_, i) => Math.sin(i * 12.9898) * 3);
  const source = (flux: number) => noise.map((value, i) => (i % 100 === 7 ? flux : value));

  it('are balanced, so that sources redder than most look red and others white', () => {
    const { rgb, note } = colourOf([source(400), source(200), source(100)], free);
    const [r, g, b] = rgb.subarray(3 * 7, 3 * 8) as unknown as [number, number, number];
    expect(r / b).toBeLessThan(400 / 100);
    expect(r).toBeGreaterThan(g);
    expect(g).toBeGreaterThan(b);
    expect(note).toMatch(/^Lupton asinh, stretch [\d.]+, Q 8, black at .*, bands weighted /);
  });

  it('follow the numbers that were given, to the letter', () => {
    const given = { minimum: -1, stretch: 20, q: 6, weights: [1, 1, 1] };
    expect(colourOf([noise, noise, noise], given).note).toBe('Lupton asinh, stretch 20, Q 6, black at −1');
    const { bar } = greyOf(source(500), { ...given, weights: undefined }, 'pixel value');
    expect(bar?.place(-1)).toBe(0);
    expect(bar?.place(500)).toBeGreaterThan(bar?.place(50) ?? 1);
  });

  it('have a bar with round numbers that stand apart', () => {
    const { bar } = greyOf(source(500), { ...free, stretch: 5 }, 'pixel value');
    const values = barTicks(bar as NonNullable<typeof bar>, 0.1);
    expect(values).toContain(0);
    expect(values.length).toBeGreaterThan(3);
    expect(values.every((value, i) => i === 0 || value > (values[i - 1] as number))).toBe(true);
  });

  it('are told in few digits', () => {
    expect([0.12345, -1234.5, 1e-4, -0].map((value) => short(value))).toEqual([
      '0.123',
      '−1230',
      '0.0001',
      '0',
    ]);
  });
});

describe('grids', () => {
  it('are the windows that tile would cut', () => {
    expect(windowBoxes(10, 6, { size: 6, step: 3 }).map(({ x, y }) => [x, y])).toEqual([
      [0, 0],
      [3, 0],
      [4, 0],
    ]);
    expect(cellBoxes(5, 4, 4)).toEqual([
      { x: 0, y: 0, width: 4, height: 4 },
      { x: 4, y: 0, width: 1, height: 4 },
    ]);
  });
});

describe('predictions', () => {
  const window = (x: number, values: readonly number[]) => ({
    box: { x, y: 0, width: 4, height: 4 },
    cells: Float32Array.from(values),
    ny: 2,
    nx: 2,
  });

  it('lie on the pixels of their cells, averaged where windows overlap', () => {
    const windows = [window(0, [0, 1, 0, 0]), window(2, [0.5, 0, 0, 0])];
    const page = new Page({ x: 0, y: 0, width: 8, height: 4 }, yUp, 8, 4);
    const bar = predictionBar(windows, 'membership');
    const dots = predictionDots(windows, page, bar);
    const dot = (x: number, y: number) => [
      ...dots.subarray(4 * ((3 - y) * 8 + x), 4 * ((3 - y) * 8 + x) + 4),
    ];
    expect(dot(2, 0).slice(0, 3)).toEqual(bar.colours(0.75));
    expect(dot(0, 0).slice(0, 3)).toEqual(bar.colours(0));
    expect(dot(2, 0)[3]).toBeGreaterThan(dot(0, 0)[3] as number);
    expect(dot(7, 0)).toEqual([0, 0, 0, 0]);
    expect(cellsOf(windows[1] as (typeof windows)[0])[3]).toEqual({ x: 4, y: 2, width: 2, height: 2 });
  });

  it('have a scale from 0 to 1, unless they leave it', () => {
    expect(predictionBar([window(0, [0.2, 0.4, 0.3, 0.3])], 'p').limits).toEqual([0, 1]);
    expect(predictionBar([window(0, [-2, 0.4, 7, 0.3])], 'p').limits).toEqual([-2, 7]);
  });
});

describe('a run', () => {
  it('that has made no image has nothing to show', async () => {
    await using temp = await tempFolder();
    await writeFile(join(temp.path, 'ledger.jsonl'), '');
    await expect(readRunItem(temp.path, 'a')).rejects.toThrow('the run has made no image yet');
  });

  it('whose folder does not say how an image was made says so', async () => {
    const item = {
      dir: 'd',
      run: 'r',
      item: 'field_000',
      inputs: [],
      recipe: { version: '', cwd: '.', config: undefined, identity: {} },
      isDivided: true,
      windows: [],
      answer: '',
      isTrained: true,
    };
    await expect(imageOfRunItem(item, 1)).rejects.toThrow(
      'field_000 cannot be made again: its run.json does not say how',
    );
  });
});
