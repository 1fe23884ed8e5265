import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { obstacle, unavailable } from '../../src/encoders/devices.js';
import { GraphBuilder, type Value } from '../../src/encoders/graph.js';
import { type Encoder, loadEncoder } from '../../src/encoders/load.js';
import { EncoderSessions } from '../../src/encoders/session.js';

const root = mkdtempSync(join(tmpdir(), 'sessions-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** An encoder of one band and whole images whose two answers are made from the image's mean. */
async function tiny(
  name: string,
  answers: (graph: GraphBuilder, mean: Value) => Value,
  manifest: object = {},
): Promise<Encoder> {
  const graph = new GraphBuilder(name);
  const mean = graph.mean(graph.input('image', ['n', 1, 'h', 'w']), [1, 2, 3]);
  graph.output(answers(graph, graph.reshape(mean, [0, 1])), 'answers', ['n', 2]);
  const path = join(root, `${name}.onnx`);
  writeFileSync(path, graph.build());
  writeFileSync(
    join(root, `${name}.manifest.json`),
    JSON.stringify({
      name,
      trained: false,
      bands: ['r'],
      input: { name: 'image', layout: 'NCHW', window: { multiple_of: 2, min: 2, max: 64 } },
      output: { name: 'answers', kind: 'features', map: false, labels: ['mean', 'double'] },
      ...manifest,
    }),
  );
  return loadEncoder(path, { buildDir: root });
}

const doubled = (graph: GraphBuilder, mean: Value) =>
  graph.concat([mean, graph.mul(mean, graph.scalar(2))], 1);
function pixels(value: number, side = 2): SharedArrayBuffer {
  const shared = new SharedArrayBuffer(4 * side * side);
  new Float32Array(shared).fill(value);
  return shared;
}

describe('encoder sessions', () => {
  let encoder: Encoder;
  beforeAll(async () => {
    encoder = await tiny('doubler', doubled);
  });

  it('give each request its own answer when many run at once', async () => {
    await using sessions = await EncoderSessions.open(encoder, { device: 'cpu', sessions: 2 });
    expect(sessions.slots).toEqual([{ device: 'cpu' }, { device: 'cpu' }]);
    const replies = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        sessions.run({ inputs: [pixels(i)], shape: [1, 2, 2], passes: 1 }),
      ),
    );
    expect(replies.map(({ values }) => Array.from(values))).toEqual(replies.map((_, i) => [i, 2 * i]));
    expect(replies[0]).toMatchObject({ shape: [1, 2, 1], device: 'cpu' });
  });

  it('leave the inputs as they were, batch after batch of any size', async () => {
    await using sessions = await EncoderSessions.open(encoder, { device: 'cpu', sessions: 1 });
    for (const rows of [1, 3, 2]) {
      const inputs = Array.from({ length: rows }, (_, i) => pixels(i + 1));
      const reply = await sessions.run({ inputs, shape: [1, 2, 2], passes: 1 });
      expect(inputs.map((buffer) => new Float32Array(buffer)[3])).toEqual(inputs.map((_, i) => i + 1));
      expect(Array.from(reply.values)).toEqual(inputs.flatMap((_, i) => [i + 1, 2 * (i + 1)]));
      expect(reply.shape).toEqual([rows, 2, 1]);
    }
  });

  it('pass NaN through instead of hiding it', async () => {
    const logits = await tiny('logits', doubled, {
      output: { name: 'answers', kind: 'bernoulli-logits', map: false, labels: ['a', 'b'] },
    });
    await using sessions = await EncoderSessions.open(logits, { device: 'cpu', sessions: 1 });
    const { values } = await sessions.run({
      inputs: [pixels(1), pixels(Number.NaN)],
      shape: [1, 2, 2],
      passes: 1,
    });
    expect(values[0]).toBeCloseTo(1 / (1 + Math.exp(-1)), 6);
    expect(values[1]).toBeCloseTo(1 / (1 + Math.exp(-2)), 6);
    expect(Array.from(values.subarray(2))).toEqual([Number.NaN, Number.NaN]);
  });

  it('run a stochastic encoder once for each pass, over one input', async () => {
    const noisy = await tiny(
      'noisy',
      (graph, mean) => doubled(graph, graph.add(mean, graph.node('RandomNormalLike', [mean]))),
      {
        stochastic: true,
      },
    );
    await using sessions = await EncoderSessions.open(noisy, { device: 'cpu', sessions: 1 });
    const { values, shape } = await sessions.run({
      inputs: [pixels(0), pixels(100)],
      shape: [1, 2, 2],
      passes: 5,
    });
    expect(shape).toEqual([2, 2, 5]);
    const [first, second, third] = [0, 1, 2].map((series) =>
      Array.from(values.subarray(series * 5, series * 5 + 5)),
    );
    expect(new Set(first).size).toBe(5);
    for (const [pass, value] of (first as number[]).entries())
      expect(second?.[pass]).toBeCloseTo(2 * value, 5);
    expect(third?.every((value) => Math.abs(value - 100) < 10)).toBe(true);
  });

  it('repeat the answer of a deterministic encoder', async () => {
    await using sessions = await EncoderSessions.open(encoder, { device: 'cpu', sessions: 1 });
    const { values } = await sessions.run({ inputs: [pixels(3)], shape: [1, 2, 2], passes: 2 });
    expect(Array.from(values)).toEqual([3, 3, 6, 6]);
  });

  it('keep the cells of a map last', async () => {
    const map = await loadEncoder('seeded:cluster-small?seed=1', { buildDir: root });
    await using sessions = await EncoderSessions.open(map, { device: ['cpu'], sessions: 1, windowPx: 512 });
    const side = 512;
    const image = new SharedArrayBuffer(16 * side * side);
    new Float32Array(image).forEach((_, i, all) => {
      all[i] = Math.sin(i * i);
    });
    const { values, shape } = await sessions.run({ inputs: [image], shape: [4, side, side], passes: 1 });
    expect(shape).toEqual([1, 1, 1, 2, 2]);
    expect(values.every((value) => value > 0 && value < 1)).toBe(true);
  });

  it('say when a device starts and ends', async () => {
    await using sessions = await EncoderSessions.open(encoder, { device: 'cpu', sessions: 1 });
    const events: string[] = [];
    const onStart = (device: string) => {
      events.push(`start ${device}`);
      return () => events.push('end');
    };
    await Promise.all(
      [1, 2].map((value) => sessions.run({ inputs: [pixels(value)], shape: [1, 2, 2], passes: 1, onStart })),
    );
    expect(events).toEqual(['start cpu', 'end', 'start cpu', 'end']);
  });

  it('answer the next request after a failed or abandoned one', async () => {
    await using sessions = await EncoderSessions.open(encoder, { device: 'cpu', sessions: 1 });
    await expect(sessions.run({ inputs: [pixels(1)], shape: [1, 3, 3], passes: 1 })).rejects.toThrow();
    const gone = new AbortController();
    const running = sessions.run({ inputs: [pixels(1)], shape: [1, 2, 2], passes: 1 });
    const waiting = sessions.run({ inputs: [pixels(2)], shape: [1, 2, 2], passes: 1, signal: gone.signal });
    gone.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    expect((await running).values[0]).toBe(1);
    expect((await sessions.run({ inputs: [pixels(4)], shape: [1, 2, 2], passes: 1 })).values[0]).toBe(4);
  });

  it('refuse a model that gives another shape than its manifest says', async () => {
    const liar = await tiny('liar', (graph, mean) => graph.concat([mean, mean, mean], 1));
    await using sessions = await EncoderSessions.open(liar, { device: 'cpu', sessions: 1 });
    await expect(sessions.run({ inputs: [pixels(1)], shape: [1, 2, 2], passes: 1 })).rejects.toMatchObject({
      code: 'encoder_mismatch',
      message: expect.stringContaining('[1, 3]; its manifest says [1, 2]'),
    });
  });

  it('are not opened for a model ONNX Runtime cannot run', async () => {
    const broken = await tiny('broken', (graph, mean) => graph.node('NoSuchOperator', [mean]));
    await expect(EncoderSessions.open(broken, { device: 'cpu', sessions: 1 })).rejects.toMatchObject({
      code: 'encoder_invalid',
      place: { file: broken.modelPath },
    });
  });

  it('are not opened for windows that do not fit', async () => {
    await expect(EncoderSessions.open(encoder, { device: 'cpu', windowPx: 3 })).rejects.toMatchObject({
      code: 'encoder_mismatch',
    });
  });

  it('leave no thread behind', async () => {
    const workers: Worker[] = [];
    const note = (worker: Worker) => workers.push(worker);
    process.on('worker', note);
    const sessions = await EncoderSessions.open(encoder, { device: 'cpu', sessions: 2 });
    process.off('worker', note);
    expect(workers.map(({ threadId }) => threadId > 0)).toEqual([true, true]);
    await sessions.close();
    expect(workers.map(({ threadId }) => threadId)).toEqual([-1, -1]);
  });
});

describe('devices', () => {
  it('are refused by unknown names, with the known ones', async () => {
    const encoder = await tiny('devices', doubled);
    await expect(EncoderSessions.open(encoder, { device: 'gpu' })).rejects.toMatchObject({
      code: 'device_unavailable',
      message: expect.stringContaining('"gpu"; there are cpu, webgpu, cuda, auto'),
    });
  });

  it('that lack their provider say so with the command that fetches it', async () => {
    expect(unavailable('cuda', 'its library is not installed')).toMatchObject({
      code: 'device_unavailable',
      message: 'device cuda cannot be used: its library is not installed',
      hint: expect.stringContaining('onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12'),
    });
    const encoder = await tiny('cuda', doubled);
    const opened = await EncoderSessions.open(encoder, { device: ['cpu', 'cuda'] }).then(
      async (sessions) => sessions.close(),
      (error: { code: string }) => error.code,
    );
    if (obstacle('cuda') !== undefined) expect(opened).toBe('device_unavailable');
  });

  it('are chosen by auto, which says why', async () => {
    const encoder = await tiny('auto', doubled);
    await using sessions = await EncoderSessions.open(encoder, { device: 'auto', sessions: 1 });
    expect(sessions.choice).toMatch(/^(cuda|webgpu|cpu \(cuda: .+; webgpu: .+\))$/);
    expect((await sessions.run({ inputs: [pixels(5)], shape: [1, 2, 2], passes: 1 })).values[0]).toBeCloseTo(
      5,
      5,
    );
  });
});
