import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { GraphBuilder, type Value } from '../../src/encoders/graph.js';
import { readModel, writeModel } from '../../src/encoders/onnx.js';

async function evaluate(
  build: (graph: GraphBuilder, x: Value) => Value,
  data: number[],
  shape: number[],
): Promise<number[]> {
  const graph = new GraphBuilder('test');
  const x = graph.input('x', shape);
  graph.output(build(graph, x), 'y', undefined);
  const session = await InferenceSession.create(graph.build());
  const { y } = await session.run({ x: new Tensor('float32', Float32Array.from(data), shape) });
  return Array.from(y?.data as Float32Array);
}

describe('ONNX graphs', () => {
  it('are read back as they were written', () => {
    const graph = new GraphBuilder('small');
    const x = graph.input('image', ['n', 4, 'h', 512]);
    const weight = graph.parameter('head.weight', [2, 4, 1, 1], Float32Array.from([1, 2, 3, 4, 5, 6, 7, -8]));
    graph.output(graph.conv(x, weight, { kernel: 1 }), 'logits', ['n', 2, 'h', 512]);
    const model = readModel(graph.build({ seed: '7' }));
    expect(model).toMatchObject({
      opset: 21,
      producer: 'skypass',
      metadata: { seed: '7' },
      ops: new Set(['Conv', 'Identity']),
    });
    expect(model.inputs).toEqual([{ name: 'image', type: 'float32', shape: ['n', 4, 'h', 512] }]);
    expect(model.outputs).toEqual([{ name: 'logits', type: 'float32', shape: ['n', 2, 'h', 512] }]);
    const [stored] = model.initializers;
    expect(stored).toMatchObject({ name: 'head.weight', type: 'float32', shape: [2, 4, 1, 1] });
    expect(Array.from(new Float32Array(Uint8Array.from(stored?.bytes ?? []).buffer))).toEqual([
      1, 2, 3, 4, 5, 6, 7, -8,
    ]);
  });

  it('keep a value whose number of axes is not said', () => {
    const input = { name: 'x', type: 'float32', shape: undefined } as const;
    const graph = { name: 'g', inputs: [input], outputs: [], initializers: new Map(), nodes: [] };
    expect(readModel(writeModel({ graph, opset: 21, producer: 'test', metadata: {} })).inputs).toEqual([
      input,
    ]);
  });

  it('refuse bytes that are not a model, wherever they are cut or spoilt', () => {
    const graph = new GraphBuilder('g');
    graph.output(graph.silu(graph.input('x', [1])), 'y', [1]);
    const bytes = graph.build();
    expect(() => readModel(new Uint8Array(0))).toThrow('not an ONNX model');
    expect(() => readModel(Buffer.from('SIMPLE  =                    T'))).toThrow();
    for (let length = 1; length < bytes.length - 8; length += 7)
      expect(() => readModel(bytes.subarray(0, length))).toThrow();
  });

  it('refuse a weight name used twice', () => {
    const graph = new GraphBuilder('g');
    graph.parameter('w', [1], Float32Array.of(1));
    expect(() => graph.parameter('w', [1], Float32Array.of(2))).toThrow('two parameters are named w');
  });
});

describe('asinh', () => {
  it('is right from large negative to large positive arguments, at zero and for NaN', async () => {
    const values = [-1e6, -5e3, -1, -1e-3, -1e-8, 0, 1e-8, 1e-3, 1, 5e3, 1e6, Number.NaN];
    const found = await evaluate((graph, x) => graph.asinh(x), values, [values.length]);
    for (const [i, value] of values.entries()) {
      if (Number.isNaN(value)) expect(found[i]).toBeNaN();
      else
        expect(Math.abs((found[i] as number) - Math.asinh(value))).toBeLessThan(
          1e-6 + 2e-7 * Math.abs(Math.asinh(value)),
        );
    }
  });
});

describe('group normalisation', () => {
  it('survives a mean that is larger than the deviation', async () => {
    const offsets = [-1.5, -0.5, 0.5, 1.5];
    const found = await evaluate(
      (graph, x) =>
        graph.groupNorm(x, graph.constant([1, 1, 2, 2], [4]), graph.constant([0, 0, 0, 1], [4]), 2),
      [...offsets.map((offset) => 64 + offset), ...offsets],
      [1, 4, 1, 2],
    );
    const deviation = Math.sqrt(1.25 + 1e-5);
    const expected = [-1.5, -0.5, 0.5, 1.5, -3, -1, 1 + deviation, 3 + deviation].map(
      (value) => value / deviation,
    );
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5);
  });
});

describe('a scan', () => {
  it('hands carried values on and stacks the others', async () => {
    const found = await evaluate(
      (graph, x) => {
        const [last, sums] = graph.scan(
          [{ value: x, type: 'float32' }],
          [graph.scalar(0)],
          (turn, [element], [sum]) => {
            const next = turn.add(sum as Value, element as Value);
            return { carried: [next], stacked: [turn.mul(next, turn.scalar(10))] };
          },
        );
        return graph.concat([graph.reshape(last as Value, [1]), sums as Value], 0);
      },
      [1, 2, 3],
      [3],
    );
    expect(found).toEqual([6, 10, 30, 60]);
  });
});
