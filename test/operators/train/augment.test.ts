import { describe, expect, it } from 'vitest';
import type { NoiseOption } from '../../../src/operators/support/render/options.js';
import { noiseMaker } from '../../../src/operators/support/render/task.js';
import {
  addNoise,
  average,
  orient,
  scoringVisit,
  trainingVisit,
} from '../../../src/operators/support/train/augment.js';

const noise = (preset: NoiseOption['preset']): NoiseOption => ({
  preset,
  variance: undefined,
  depth: undefined,
  shared: false,
});
const rules = { seed: 1, transforms: ['flip', 'turn'] as const, noise: [noise('bliss'), noise('des')] };

const oriented = (isFlipped: boolean, quarters: number): readonly number[] => {
  const into = new Uint8Array(8);
  orient(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 2, { isFlipped, quarters }, into);
  return [...into];
};

describe('orient', () => {
  it('turns by quarters as numpy.rot90 does, after mirroring left to right, plane by plane', () => {
    expect(oriented(false, 0)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(oriented(false, 1)).toEqual([2, 4, 1, 3, 6, 8, 5, 7]);
    expect(oriented(false, 2)).toEqual([4, 3, 2, 1, 8, 7, 6, 5]);
    expect(oriented(false, 3)).toEqual([3, 1, 4, 2, 7, 5, 8, 6]);
    expect(oriented(true, 0)).toEqual([2, 1, 4, 3, 6, 5, 8, 7]);
    expect(oriented(true, 1)).toEqual([1, 3, 2, 4, 5, 7, 6, 8]);
    expect(oriented(true, 2)).toEqual([3, 4, 1, 2, 7, 8, 5, 6]);
    expect(oriented(true, 3)).toEqual([4, 2, 3, 1, 8, 6, 7, 5]);
  });

  it('keeps cells over the part of the image they belong to', () => {
    const [side, cells] = [8, 4];
    // Each value of the image is the number of its cell.
    const cellOf = Uint8Array.from({ length: cells ** 2 }, (_, cell) => cell);
    const image = Float32Array.from(
      { length: side ** 2 },
      (_, i) => cells * Math.floor(i / side / 2) + Math.floor((i % side) / 2),
    );
    for (const isFlipped of [false, true]) {
      for (const quarters of [0, 1, 2, 3]) {
        const [turned, members] = [new Float32Array(side ** 2), new Uint8Array(cells ** 2)];
        orient(image, side, { isFlipped, quarters }, turned);
        orient(cellOf, cells, { isFlipped, quarters }, members);
        const expected = turned.map(
          (_, i) => members[cells * Math.floor(i / side / 2) + Math.floor((i % side) / 2)] as number,
        );
        expect(turned).toEqual(expected);
      }
    }
  });
});

describe('average', () => {
  it('is the mean over squares of every band', () => {
    const planes = Float32Array.from({ length: 32 }, (_, i) => i);
    const into = new Float32Array(8);
    average(planes, 4, 2, into);
    expect([...into]).toEqual([2.5, 4.5, 10.5, 12.5, 18.5, 20.5, 26.5, 28.5]);
  });
});

describe('a visit', () => {
  it('is the same whenever it is made again, and another in each epoch', () => {
    expect(trainingVisit(rules, 'field_000/r0c0', 3)).toEqual(trainingVisit(rules, 'field_000/r0c0', 3));
    const seeds = [0, 1, 2, 3].map((epoch) =>
      trainingVisit(rules, 'field_000/r0c0', epoch).noise?.[0]?.seed.join(),
    );
    expect(new Set(seeds).size).toBe(4);
  });

  it('draws all orientations and kinds of noise alike', () => {
    const visits = Array.from({ length: 800 }, (_, i) => trainingVisit(rules, `field_${i}/r0c0`, 0));
    const counts = new Map<string, number>();
    for (const { orientation, noise } of visits) {
      const kind = (noise?.[0]?.sigma ?? 0) < 1 ? 'bliss' : 'des';
      const key = `${orientation.isFlipped} ${orientation.quarters} ${kind}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(16);
    // 50 each are expected, with a standard deviation of 7.
    expect(Math.min(...counts.values())).toBeGreaterThan(20);
    expect(Math.max(...counts.values())).toBeLessThan(85);
  });

  it('keeps its noise when transforms are left out', () => {
    const plain = trainingVisit({ ...rules, transforms: [] }, 'a/b', 0);
    expect(plain.orientation).toEqual({ isFlipped: false, quarters: 0 });
    expect(plain.noise).toEqual(trainingVisit(rules, 'a/b', 0).noise);
  });

  it('for scores is upright, with the noise that is asked for', () => {
    const [bliss, des] = [0, 1].map((kind) => scoringVisit(rules, 'a/b', kind));
    expect(bliss?.orientation).toEqual({ isFlipped: false, quarters: 0 });
    expect(bliss?.noise?.[0]?.sigma).toBeLessThan(0.1);
    expect(des?.noise?.[0]?.sigma).toBeGreaterThan(1);
    expect(scoringVisit({ ...rules, noise: [noise('none')] }, 'a/b', 0).noise).toBeUndefined();
  });
});

describe('noise of an averaged image', () => {
  it('is as white noise that has been averaged, and its own in each band', () => {
    const [side, pool, sigma] = [64, 4, 8];
    const planes = new Float32Array(2 * side ** 2).fill(5);
    const bands = [
      { sigma, seed: [1, 2] },
      { sigma, seed: [3, 4] },
    ] as const;
    addNoise(planes, side, bands, pool, noiseMaker());
    const of = (band: number) => planes.subarray(band * side ** 2, (band + 1) * side ** 2);
    for (const band of [0, 1]) {
      const mean = of(band).reduce((sum, value) => sum + value, 0) / side ** 2;
      const variance = of(band).reduce((sum, value) => sum + (value - mean) ** 2, 0) / side ** 2;
      expect(mean).toBeCloseTo(5, 0);
      expect(Math.abs(Math.sqrt(variance) - sigma / pool)).toBeLessThan(0.1);
    }
    expect(of(0)).not.toEqual(of(1));
  });
});
