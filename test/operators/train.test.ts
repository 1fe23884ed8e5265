/** What training does with windows, in one process. */
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCheckpoint } from '../../src/encoders/checkpoint/state.js';
import type { RunSummary } from '../../src/engine/run.js';
import type { Batch, Window } from '../../src/operators/support/nouns.js';
import { train } from '../../src/operators/train.js';
import { batchFacts } from '../support/nouns.js';
import { type TestRun, tempFolder, testRun } from '../support/run.js';
import { Progress, produced } from '../support/stages.js';
import { knownWindow } from '../support/training.js';

const bands = ['g', 'r', 'i', 'z'];
const size = 256;
const names = Array.from({ length: 20 }, (_, i) => `field_${String(i).padStart(2, '0')}`);
type Options = Parameters<typeof train>[0];

/** Trains on one window for each name, in batches of two; every second window holds a member. */
async function trained(
  own: TestRun,
  options: Partial<Options>,
  windowOf = (name: string, i: number): Window => knownWindow(name, i % 2 === 0),
): Promise<RunSummary> {
  const { run, dir } = own;
  const rows = 2;
  const stream = produced<Batch>(run, new Progress(), {
    count: names.length / rows,
    bytes: rows * 4 * 4 * size * size,
    facts: {
      ...batchFacts(bands, size, rows),
      announced: names.map((name) => ({ name, problem: undefined })),
      hasTruth: true,
    },
    itemsOf: (i) => names.slice(rows * i, rows * i + rows).map((name) => `${name}/r0c0`),
    value: (i) => ({
      rows: [0, 1].map((row) => windowOf(names[rows * i + row] as string, rows * i + row)),
      shape: [bands.length, size, size],
    }),
  }).pipe(
    train({ into: dir, splits: '0:60/60:80/80:100', lanes: 1, loaders: 1, device: 'cpu', ...options }, run),
  );
  return run.execute(stream);
}

const newRun = () => testRun({ memoryBytes: 1 << 30 });

describe('train', () => {
  it('learns what is easy to learn', async () => {
    await using own = await newRun();
    const summary = await trained(own, {
      epochs: 12,
      optimizer: { learning_rate: 0.003 },
      augment: { noise: ['bliss'] },
      normaliser_updates: 6,
    });
    expect(summary).toMatchObject({ end: 'complete', error: undefined, items: { ok: 20 } });
    const scores = JSON.parse(await readFile(join(own.dir, 'scores.json'), 'utf8'));
    expect(scores.test.loss).toBeLessThan(0.2);
    expect(scores.test.all.mode.f1.value).toBeGreaterThan(0.99);
    expect(own.meters.training.snapshot).toMatchObject({ step: 72, steps: 72, epoch: 12 });
    const { position } = await readCheckpoint(join(own.dir, 'checkpoints', 'last.ckpt'));
    const { steps } = (position as { history: { steps: { loss: number }[] } }).history;
    expect(steps).toHaveLength(72);
    expect((steps.at(-1) as { loss: number }).loss).toBeLessThan((steps[0] as { loss: number }).loss / 3);
  }, 30_000);

  it('does not depend on lanes, loaders, or how windows are grouped on their way', async () => {
    const encoderAfter = async (options: Partial<Options>): Promise<string> => {
      await using own = await newRun();
      expect(await trained(own, { epochs: 2, accumulate_grad_batches: 2, ...options })).toMatchObject({
        end: 'complete',
      });
      return (await readFile(join(own.dir, 'encoder', 'encoder.onnx'))).toString('base64');
    };
    expect(await encoderAfter({ lanes: 3, loaders: 2 })).toBe(await encoderAfter({}));
  }, 30_000);

  it('goes through when no cell holds a member, and says so', async () => {
    await using own = await newRun();
    const warned: unknown[] = [];
    own.run.log.warn = ((_about: unknown, words: unknown) => warned.push(words)) as never;
    const summary = await trained(own, { epochs: 2, positive_weight: 'balanced' }, (name) =>
      knownWindow(name, false),
    );
    expect(summary).toMatchObject({ end: 'complete', error: undefined });
    expect(warned).toEqual(
      [1, 2].map((epoch) => expect.stringContaining(`no cell of epoch ${epoch} holds a member`)),
    );
  }, 30_000);

  it('stops when the loss explodes, names the step and its windows, and keeps the last good checkpoint', async () => {
    await using own = await newRun();
    const summary = await trained(own, {
      epochs: 12,
      optimizer: { learning_rate: 1e9 },
      checkpoint_every: 1,
    });
    expect(summary).toMatchObject({
      end: 'failed',
      error: {
        code: 'training_diverged',
        message: expect.stringMatching(/^in step \d+, on field_\d\d\/r0c0, field_\d\d\/r0c0, the /),
        place: { file: join(own.dir, 'checkpoints', 'last.ckpt') },
      },
    });
    const { parameters } = await readCheckpoint(join(own.dir, 'checkpoints', 'last.ckpt'));
    expect(parameters.every(Number.isFinite)).toBe(true);
  }, 30_000);

  it('stops when the loss of the validation set is no number or explodes, and makes no best network of it', async () => {
    await using own = await newRun();
    const summary = await trained(own, {
      epochs: 1,
      optimizer: { learning_rate: 1e30 },
      accumulate_grad_batches: 6,
    });
    expect(summary).toMatchObject({
      end: 'failed',
      error: {
        code: 'training_diverged',
        message: 'after step 1, on the validation set, the loss is NaN',
        place: {},
        hint: expect.stringContaining('no checkpoint had been made'),
      },
    });
    expect(existsSync(join(own.dir, 'checkpoints', 'best.ckpt'))).toBe(false);
  }, 30_000);

  it('asks to look at the images when the loss is no number before anything is learnt', async () => {
    await using own = await newRun();
    const summary = await trained(own, {}, (name) => {
      const window = knownWindow(name, true);
      if (name === 'field_01') new Float32Array(window.pixels).fill(1e30);
      return window;
    });
    expect(summary).toMatchObject({
      end: 'failed',
      error: {
        code: 'training_diverged',
        message: 'in step 1, on field_00/r0c0, field_01/r0c0, the loss is NaN',
        hint: expect.stringContaining('look at the pixels'),
      },
    });
  }, 30_000);

  it('makes pictures again that are gone, and says at once how to go on without a checkpoint', async () => {
    await using folder = await tempFolder();
    const [last, best, picture] = ['checkpoints/last.ckpt', 'checkpoints/best.ckpt', 'scores.png'].map(
      (name) => join(folder.path, name),
    ) as [string, string, string];
    const train = async (epochs: number): Promise<RunSummary> => {
      await using own = await testRun({ dir: folder.path, memoryBytes: 1 << 30 });
      return await trained(own, { epochs });
    };
    await train(2);
    rmSync(picture);
    expect(await train(2)).toMatchObject({ end: 'complete', error: undefined });
    expect(existsSync(picture)).toBe(true);

    const whole = readFileSync(last);
    truncateSync(last, 1000);
    expect((await train(2)).error).toMatchObject({
      code: 'checkpoint_mismatch',
      hint: expect.stringContaining('copy best.ckpt over it'),
    });
    writeFileSync(last, whole);
    rmSync(best);
    expect(await train(2)).toMatchObject({ end: 'complete', error: undefined });
    expect((await train(3)).error).toMatchObject({
      code: 'checkpoint_mismatch',
      hint: `delete ${last} to train anew from the first epoch`,
    });
    rmSync(last);
    expect(await train(3)).toMatchObject({ end: 'complete', error: undefined });
  }, 30_000);

  it('replaces no checkpoints of another run, but in its own folder', async () => {
    await using other = await newRun();
    await trained(other, { epochs: 1 });
    const last = join(other.dir, 'checkpoints', 'last.ckpt');
    const before = readFileSync(last);
    await using own = await newRun();
    expect((await trained(own, { epochs: 1, into: other.dir })).error).toMatchObject({
      code: 'output_exists',
      message: `this is a checkpoint of another training (${other.run.id})`,
      place: { file: last },
    });
    expect(readFileSync(last).equals(before)).toBe(true);
  }, 30_000);

  it('sets windows aside that it cannot train on, and trains on the others', async () => {
    await using own = await newRun();
    const odd: Readonly<Record<string, (window: Window) => Window>> = {
      field_01: (window) => ({ ...window, bands: ['g', 'r', 'i', 'Y'] }),
      field_03: (window) => ({ ...window, size: 128 }),
      field_05: ({ truth: _, ...window }) => window,
      field_07: (window) => {
        new Float32Array(window.pixels)[5] = Number.NaN;
        return window;
      },
      field_13: ({ truth: _, ...window }) => window,
    };
    const summary = await trained(own, { epochs: 2 }, (name, i) => {
      const window = knownWindow(name, i % 2 === 0);
      return odd[name]?.(window) ?? window;
    });
    expect(summary).toMatchObject({ end: 'incomplete', error: undefined, items: { ok: 15 } });
    const codes = Object.keys(odd).map((name) => own.run.ledger.causeOf(`${name}/r0c0`)?.code);
    expect(codes).toEqual([
      'bands_differ',
      'bands_differ',
      'truth_missing',
      'encoder_not_finite',
      'truth_missing',
    ]);
    expect(existsSync(join(own.dir, 'encoder', 'encoder.onnx'))).toBe(true);
  }, 30_000);

  it('ends when all windows of a set had to be set aside', async () => {
    await using own = await newRun();
    const summary = await trained(own, { epochs: 2 }, (name, i) => {
      const { truth, ...window } = knownWindow(name, i % 2 === 0);
      return i >= 16 ? window : { ...window, ...(truth !== undefined && { truth }) };
    });
    expect(summary).toMatchObject({
      end: 'failed',
      error: { code: 'splits_invalid', message: 'no window of the test set could be used' },
    });
  }, 30_000);
});
