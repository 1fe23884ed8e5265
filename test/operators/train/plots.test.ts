import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Example,
  outcomeWords,
  writeExamples,
} from '../../../src/operators/support/train/example-pictures.js';
import {
  estimateWords,
  type History,
  runningMean,
  writeCurves,
  writeScores,
} from '../../../src/operators/support/train/plots.js';
import { scoresOf } from '../../../src/science/scores/scores.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'plots-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function dotsOf(path: string) {
  const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number): readonly number[] => [
    ...data.subarray(3 * (y * info.width + x), 3 * (y * info.width + x) + 3),
  ];
  return { at, width: info.width, height: info.height, data };
}

/** How many dots have this very colour. */
function count(data: Buffer, colour: string): number {
  const wanted = Buffer.from(colour.slice(1), 'hex');
  let found = 0;
  for (let i = 0; i < data.length; i += 3) if (data.subarray(i, i + 3).equals(wanted)) found++;
  return found;
}

const history = (steps: number, validations: readonly number[]): History => ({
  steps: {
    step: Array.from({ length: steps }, (_, i) => i + 1),
    loss: Array.from({ length: steps }, (_, i) => 0.7 / (1 + i / 50)),
    learningRate: new Float64Array(steps).fill(1e-3),
    samplesPerSecond: new Float64Array(steps).fill(11),
  },
  validations: {
    step: validations,
    loss: validations.map((step) => 0.8 / (1 + step / 50)),
    accuracy: validations.map(() => 0.9),
    precision: validations.map(() => 0.5),
    recall: validations.map(() => 0.4),
    f1: validations.map(() => 0.45),
    auc: validations.map(() => Number.NaN),
  },
});

const fields = Array.from({ length: 6 }, (_, field) => ({
  id: `field${field}`,
  ny: 5,
  nx: 5,
  probability: Float32Array.from({ length: 25 }, (_, i) => ((i * 7 + field) % 25) / 25),
  truth: Uint8Array.from({ length: 25 }, (_, i) => ((i * 7 + field * 3) % 25 > 17 ? 1 : 0)),
}));

describe('running means', () => {
  it('are of the last fiftieth of all values, and leave out what is not finite', () => {
    const values = Array.from({ length: 200 }, (_, i) => (i === 7 ? Number.NaN : i * i));
    const { means, width } = runningMean(values);
    expect(width).toBe(4);
    expect([means[0], means[1], means[2]]).toEqual([0, 0.5, 5 / 3]);
    expect(means[8]).toBeCloseTo((25 + 36 + 64) / 3, 9);
    expect(means[199]).toBeCloseTo((196 ** 2 + 197 ** 2 + 198 ** 2 + 199 ** 2) / 4, 6);
  });
});

describe('curves', () => {
  it('show what a training has been through', async () => {
    const path = await writeCurves(join(folder, 'new'), history(400, [100, 200, 300, 400]), {
      title: 'A run',
    });
    expect(path).toBe(join(folder, 'new', 'curves.png'));
    const { data, width, height } = await dotsOf(path);
    expect([width, height]).toEqual([988, 780]);
    // Means, validations, single steps; AUC is unknown and stands in the legend alone.
    expect(count(data, '#004488')).toBeGreaterThan(1500);
    expect(count(data, '#bb5566')).toBeGreaterThan(250);
    expect(count(data, '#44aa99')).toBeLessThan(100);
  });

  it.each([
    ['nothing', 0, []],
    ['one step', 1, []],
    ['one validation', 3, [3]],
  ] as const)('are drawn of %s', async (_, steps, validations) => {
    const { width } = await dotsOf(await writeCurves(folder, history(steps, validations)));
    expect(width).toBe(988);
  });
});

describe('scores', () => {
  it('are drawn with intervals, beside those of what only ranks', async () => {
    const scores = scoresOf(fields, { threshold: 0.5, seed: 1, draws: 50 });
    const path = await writeScores(folder, [
      { label: 'Test', scores },
      { label: 'Filter', scores: { ...scores, reliability: [] }, isProbability: false },
    ]);
    const { data, width, height } = await dotsOf(path);
    expect([width, height]).toEqual([968, 906]);
    expect(count(data, '#004488')).toBeGreaterThan(1000);
  });

  it('are drawn of fields without any member', async () => {
    const empty = fields.map((field) => ({ ...field, truth: new Uint8Array(25) }));
    const scores = scoresOf(empty, { threshold: 0.5, seed: 1, draws: 0, samples: 0 });
    expect(scores.auc.value).toBeNull();
    const { width } = await dotsOf(await writeScores(folder, [{ label: 'Test', scores }]));
    expect(width).toBe(968);
  });

  it('are drawn of many sets', async () => {
    const scores = scoresOf(fields, { threshold: 0.5, seed: 1, draws: 0, samples: 0 });
    const all = ['a', 'b', 'c', 'd', 'e'].map((label) => ({ label, scores }));
    const { width } = await dotsOf(await writeScores(folder, all));
    expect(width).toBe(968);
  });

  it('are written with what is known of them', () => {
    expect(estimateWords({ value: 0.8314, low: 0.8, high: 0.861 })).toBe('0.831 [0.800, 0.861]');
    expect(estimateWords({ value: 0.8314, low: null, high: null })).toBe('0.831');
    expect(estimateWords({ value: null, low: null, high: null })).toBe('none');
  });
});

describe('examples', () => {
  /** Sky with noise; the first row is bright in the red band, the first column in the blue one. */
  const window = (change: Partial<Example> = {}): Example => {
    const side = 40;
    const plane = (isBright: (x: number, y: number) => boolean): Float32Array =>
      Float32Array.from({ length: side * side }, (_, i) => {
        const noise = Math.sin(i * 12.9898) * 3;
        return 100 + noise + (isBright(i % side, Math.floor(i / side)) ? 4000 : 0);
      });
    return {
      title: 'window',
      planes: [plane((_, y) => y < 4), plane(() => false), plane((x) => x < 4)],
      width: side,
      height: side,
      ny: 10,
      nx: 10,
      truth: Uint8Array.from({ length: 100 }, (_, i) => (i === 55 ? 1 : 0)),
      probability: new Float32Array(100),
      ...change,
    };
  };
  const path = (): string => join(folder, 'examples.png');

  it('have row 0 at the bottom, and cells where they belong', async () => {
    await writeExamples(path(), [
      window({ probability: Float32Array.from({ length: 100 }, (_, i) => (i === 9 ? 1 : 0)) }),
    ]);
    const { at, width } = await dotsOf(path());
    expect(width).toBe(2 * 22 + 380);
    const [left, top] = [22, 22 + 26];
    const [red, , redBlue] = at(left + 190, top + 370) as [number, number, number];
    expect(red).toBeGreaterThan(150);
    expect(redBlue).toBeLessThan(60);
    const [blueRed, , blue] = at(left + 10, top + 100) as [number, number, number];
    expect(blue).toBeGreaterThan(150);
    expect(blueRed).toBeLessThan(60);
    expect(Math.max(...at(left + 190, top + 100))).toBeLessThan(60);
    // Cell 55 is the sixth of the sixth row from below; its outline runs within it.
    expect(at(left + 5 * 38 + 19, top + 380 - 6 * 38 + 2)).toEqual([245, 166, 35]);
    // The colour of certainty lies over the last cell of the first row, beside its number.
    const [, green] = at(left + 9 * 38 + 3, top + 380 - 33) as [number, number];
    expect(green).toBeGreaterThan(80);
  });

  it('are laid out in rows', async () => {
    await writeExamples(path(), [window(), window(), window(), window()], { title: 'Examples' });
    const { width, height } = await dotsOf(path());
    expect([width, height]).toEqual([2 * 22 + 3 * 380 + 2 * 18, 22 + 34 + 2 * (26 + 380 + 26 + 18) + 44]);
  });

  it('are drawn of images without noise, and with cells too small for numbers', async () => {
    const flat = new Float32Array(1600);
    const bytes = await writeExamples(path(), [
      window({ planes: [flat, flat, flat], ny: 40, nx: 40, truth: new Uint8Array(1600), probability: flat }),
    ]);
    expect(bytes).toBeGreaterThan(1000);
  });

  it('say what was found', () => {
    const example = window({
      truth: Uint8Array.of(1, 1, 0, 0),
      probability: Float32Array.of(0.9, 0.5, 0.6, 0.1),
      ny: 2,
      nx: 2,
    });
    expect(outcomeWords(example, 0.5)).toBe('1 found  ·  1 missed  ·  1 false alarm');
  });

  it('are refused where lengths do not fit', async () => {
    await expect(writeExamples(path(), [])).rejects.toThrow('found none');
    await expect(writeExamples(path(), [window({ width: 41 })])).rejects.toThrow(
      'window: a band of 1600 pixels, expected 41 × 40',
    );
    await expect(writeExamples(path(), [window({ nx: 9 })])).rejects.toThrow(
      'window: 100 cells and 100 probabilities, expected 10 × 9',
    );
  });
});
