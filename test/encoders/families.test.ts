import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { type FamilyName, families, type Plan, plans } from '../../src/encoders/families.js';
import { seededWeights } from '../../src/encoders/network.js';

interface Golden {
  readonly parameters: number;
  readonly height: number;
  readonly width: number;
  readonly shape: readonly number[];
  readonly logits: readonly number[];
}
const golden = JSON.parse(
  readFileSync(new URL('../fixtures/encoders/golden.json', import.meta.url), 'utf8'),
) as Record<FamilyName, Golden>;

/** The image of make_golden.py. */
function image(rows: number, height: number, width: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: rows * 4 * height * width }, (_, i) => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    const r = (state >>> 8) / 2 ** 24;
    return (r - 0.5) * 8 + (i % 97 === 0 ? 256 * r : 0);
  });
}

async function logits(
  family: FamilyName,
  plan: Plan,
  pixels: Float32Array,
  shape: readonly number[],
): Promise<Tensor> {
  const { bytes } = families[family].build(seededWeights(7), plan);
  const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1 });
  const result = await session.run({ image: new Tensor('float32', pixels, shape) });
  await session.release();
  return result.logits as Tensor;
}

const cases = (['cluster-small', 'bliss'] as const).flatMap((family) =>
  plans.map((plan) => [family, plan] as const),
);

describe('encoder families', () => {
  it.each(cases)('%s, %s: gives the logits torch gives', async (family, plan) => {
    const { height, width, shape, logits: expected } = golden[family];
    const found = await logits(family, plan, image(1, height, width), [1, 4, height, width]);
    expect(found.dims).toEqual(shape);
    const range = Math.max(...expected) - Math.min(...expected);
    for (const [i, value] of expected.entries())
      expect(Math.abs(Number(found.data[i]) - value)).toBeLessThan(1e-4 * range);
  });

  it.each([
    ['cluster-small', 441_319, 1.8e6],
    ['bliss', 20_362_959, 81.6e6],
  ] as const)('%s has %i trainable values, normaliser included', (family, count, bytes) => {
    const built = families[family].build(seededWeights(1), 'striped');
    const sizes = [...built.parameters.values()].map(({ shape, data }) => {
      expect(shape.reduce((product, length) => product * length, 1)).toBe(data.length);
      return data.length;
    });
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(count);
    expect(golden[family].parameters).toBe(count);
    expect(built.bytes.length).toBeLessThan(bytes);
  });

  it("names BLISS's weights as its state_dict does", () => {
    const { parameters } = families.bliss.build(seededWeights(1), 'whole');
    const expected = {
      'preprocess3d.0.weight': [64, 56, 5, 5],
      'preprocess3d.1.bias': [64],
      'backbone.3.conv.weight': [1024, 512, 5, 5],
    };
    for (const [name, shape] of Object.entries(expected)) expect(parameters.get(name)?.shape).toEqual(shape);
    expect([...parameters.keys()]).toContain('backbone.5.3.gn.weight');
    expect([...parameters.keys()]).toContain('backbone.7.4.conv.weight');
    expect([...parameters.keys()].filter((name) => name.endsWith('conv.bias'))).toEqual([]);
  });

  it('treats the rows of a batch apart', async () => {
    const pixels = image(2, 256, 256);
    const both = await logits('cluster-small', 'striped', pixels, [2, 4, 256, 256]);
    const half = pixels.length / 2;
    for (const row of [0, 1]) {
      const alone = await logits(
        'cluster-small',
        'striped',
        pixels.slice(row * half, (row + 1) * half),
        [1, 4, 256, 256],
      );
      expect(Number(both.data[row])).toBeCloseTo(Number(alone.data[0]), 5);
    }
  });

  it('gives the same bytes for a seed, on every machine', () => {
    const sha256 = (seed: number) =>
      createHash('sha256')
        .update(families['cluster-small'].build(seededWeights(seed), 'striped').bytes)
        .digest('hex');
    expect(sha256(7)).toBe('cfda82cc6e10b5bd586daedfcda75316fefa1a42c28253eb59677998e8201b30');
    expect(sha256(8)).not.toBe(sha256(7));
  });
});

describe('initial weights', () => {
  it('fill ±1/sqrt(fan in) evenly, as torch does', () => {
    const { parameters } = families['cluster-small'].build(seededWeights(3), 'striped');
    const weights = parameters.get('backbone.1.conv.weight')?.data as Float32Array;
    const bound = 1 / Math.sqrt(64 * 9);
    const scaled = Array.from(weights, (value) => value / bound);
    expect(Math.max(...scaled)).toBeLessThanOrEqual(1);
    expect(Math.max(...scaled)).toBeGreaterThan(0.999);
    expect(Math.abs(scaled.reduce((sum, value) => sum + value, 0) / scaled.length)).toBeLessThan(0.01);
    expect(scaled.reduce((sum, value) => sum + value * value, 0) / scaled.length).toBeCloseTo(1 / 3, 2);
    expect(parameters.get('backbone.1.gn.weight')?.data.every((value) => value === 1)).toBe(true);
  });

  it('come from streams that do not depend on order', () => {
    const uniform = { uniform: 1 };
    const first = seededWeights(1)('a', [3], uniform);
    const weights = seededWeights(1);
    expect(weights('b', [3], uniform)).not.toEqual(first);
    expect(weights('a', [3], uniform)).toEqual(first);
  });
});
