import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { buildModel } from '../../src/encoders/families.js';
import { type Architecture, type ConvLayer, convBlock, type Layer } from '../../src/encoders/layers.js';
import { seededWeights } from '../../src/encoders/network.js';
import { readModel } from '../../src/encoders/onnx.js';
import { deriveSeed, Random } from '../../src/science/random.js';

const levels = [0.1, 0.5, 0.9];

function architecture(pool: number, layers: readonly Layer[]): Architecture {
  const normaliser = { name: 'quantiles', bands: 4, pool, levels, initial: [-1, 0.2, 2] };
  return { normaliser, cell: 32, layers };
}

const conv = (name: string, from: number, to: number, kernel: number, stride = 1): ConvLayer => ({
  kind: 'conv',
  name,
  in: from,
  out: to,
  kernel,
  stride,
});
const silu: Layer = { kind: 'silu' };
const tail: Layer[] = [...convBlock('tail', { in: 8, out: 8, kernel: 3, stride: 2 }), conv('head', 8, 1, 1)];

const beginnings: Record<string, { pool: number; layers: readonly Layer[] }> = {
  'pointwise layers before an average': {
    pool: 4,
    layers: [conv('p', 12, 6, 1), silu, conv('q', 6, 8, 1), silu, { kind: 'average-pool', size: 4 }],
  },
  'pointwise layers of an image that is not pooled': {
    pool: 1,
    layers: [conv('p', 12, 8, 1), silu, { kind: 'average-pool', size: 4 }],
  },
  'an average of the normalised image': {
    pool: 2,
    layers: [{ kind: 'average-pool', size: 2 }, conv('a', 12, 8, 3)],
  },
  'a normalised convolution at full resolution': {
    pool: 1,
    layers: [...convBlock('n', { in: 12, out: 8, kernel: 3 }), conv('a', 8, 8, 5, 4)],
  },
};

async function logits(model: Uint8Array, shape: readonly number[]): Promise<readonly number[]> {
  const stream = new Random(deriveSeed(5, 'image'));
  const length = shape.reduce((product, side) => product * side, 1);
  const pixels = Float32Array.from({ length }, () => 6 * stream.uniform() - 2);
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1 });
  const result = await session.run({ image: new Tensor('float32', pixels, shape) });
  await session.release();
  return Array.from(result.logits?.data as Float32Array);
}

describe('striped plans', () => {
  it.each(Object.entries(beginnings))('give what the whole plan gives: %s', async (_, { pool, layers }) => {
    const built = architecture(pool, [...layers, ...tail]);
    const [striped, whole] = (['striped', 'whole'] as const).map(
      (plan) => buildModel('test', built, seededWeights(3), plan).bytes,
    ) as [Uint8Array, Uint8Array];
    expect(readModel(striped).ops).toContain('Scan');
    expect(readModel(whole).ops).not.toContain('Scan');
    const found = await logits(striped, [2, 4, 96, 64]);
    const expected = await logits(whole, [2, 4, 96, 64]);
    const range = Math.max(...expected) - Math.min(...expected);
    expect(range).toBeGreaterThan(0.1);
    expect(found.length).toBe(expected.length);
    for (const [i, value] of expected.entries())
      expect(Math.abs((found[i] as number) - value)).toBeLessThan(1e-5 * range);
  });

  it.each([
    ['a convolution sees neighbours', [conv('a', 12, 8, 3)]],
    ['stripes of squares do not fill a cell', [{ kind: 'average-pool', size: 3 }, conv('a', 12, 8, 3)]],
  ] as const)('are whole where %s', (_, layers) => {
    const built = architecture(2, [...layers, ...tail]);
    expect(readModel(buildModel('test', built, seededWeights(3), 'striped').bytes).ops).not.toContain('Scan');
  });
});
