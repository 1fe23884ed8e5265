/** An encoder is trained from the command line: disturbed, resumed, from files, and on what cannot be trained on. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, truncateSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, skypass } from '../support/cli.js';
import { seededRandom } from '../support/disturbed.js';
import { runArgs, runKilled, runPipeline } from '../support/fields-run.js';
import { ledgerLines } from '../support/results.js';
import { type TempFolder, tempFolder } from '../support/run.js';
import { smallDisk } from '../support/small-disk.js';

let temp: TempFolder;
const at = (...names: readonly string[]): string => join(temp.path, ...names);

/** Ten fields of one cell, of which the cluster fills three. */
const small = [
  'fields=10',
  'image_size=256',
  'batch_size=2',
  'cache_size=1GiB',
  'train.splits=20:80/0:20/80:100',
  'train.schedule={kind: constant}',
  'train.validate_every=2',
  'train.checkpoint_every=2',
  'train.normaliser_updates=3',
];
const args = (dir: string, ...overrides: readonly string[]): readonly string[] =>
  runArgs('train', `run.dir=${at(dir)}`, ...small, ...overrides);

const encoderOf = (dir: string): string =>
  createHash('sha256')
    .update(readFileSync(at(dir, 'encoder', 'encoder.onnx')))
    .digest('hex');

let calm: string;
beforeAll(async () => {
  temp = await tempFolder();
  const { code, err } = await skypass(args('calm', 'epochs=3', 'train.lanes=1', 'train.loaders=1'));
  expect(code, err).toBe(0);
  calm = encoderOf('calm');
}, 60_000);
afterAll(() => temp[Symbol.asyncDispose]());

/** Updates that the last checkpoint of a folder holds, as the events tell; 0 before the first. */
const hasCheckpoint = (dir: string): boolean => existsSync(at(dir, 'checkpoints', 'last.ckpt'));

describe('train', () => {
  it('leaves an encoder that says how it was made, scores, curves and checkpoints', async () => {
    const manifest = JSON.parse(await readFile(at('calm', 'encoder', 'manifest.json'), 'utf8'));
    expect(manifest).toMatchObject({
      trained: true,
      provenance: { seed: 1, epochs: 3, steps: 9, windows: { train: 6, validation: 2, test: 2 } },
    });
    const scores = JSON.parse(await readFile(at('calm', 'scores.json'), 'utf8'));
    expect(Object.keys(scores.test.by_noise)).toEqual(['bliss', 'des']);
    expect(scores).toMatchObject({ encoder_sha256: calm, validation: { windows: 2 }, test: { windows: 2 } });
    const files = await readdir(at('calm'), { recursive: true });
    expect(files).toEqual(
      expect.arrayContaining(['curves.png', 'scores.png', 'checkpoints/best.ckpt', 'checkpoints/last.ckpt']),
    );
    const metrics = await readFile(at('calm', 'metrics.prom'), 'utf8');
    expect(metrics).toMatch(/^skypass_training_steps?(_done|_total)?\{.*\} 9$/m);
  });

  it('ends with the same bytes, however many lanes there are, after it was killed again and again', {
    timeout: 60_000,
  }, async () => {
    const seed = Number(process.env.SKYPASS_TEST_SEED ?? Date.now() % 1e6);
    const kills = await runKilled(args('killed', 'epochs=3', 'train.lanes=2'), seededRandom(seed), 1500);
    expect(kills, `seed ${seed}`).toBeGreaterThan(0);
    expect(encoderOf('killed'), `seed ${seed}`).toBe(calm);
    const items = (await ledgerLines(at('killed'))).flatMap(({ type, items }) =>
      type === 'outcome' ? (items as string[]) : [],
    );
    expect(new Set(items).size, `seed ${seed}`).toBe(10);
  });

  it('stops after the step it is at when it is told to, and goes on', { timeout: 60_000 }, async () => {
    const cli = new Cli(args('stopped', 'epochs=3'));
    await cli.until(() => hasCheckpoint('stopped'));
    cli.kill('SIGTERM');
    const stopped = await cli.ended;
    expect(stopped.code, stopped.err).not.toBe(0);
    expect(existsSync(at('stopped', 'scores.json'))).toBe(false);
    const { code, err } = await skypass(args('stopped', 'epochs=3'));
    expect(code, err).toBe(0);
    expect(encoderOf('stopped')).toBe(calm);
  });

  it('trains on when it is given more epochs, and makes windows of the cache anew that are damaged', {
    timeout: 60_000,
  }, async () => {
    const first = await skypass(args('longer', 'epochs=2'));
    expect(first.code, first.err).toBe(0);
    const windows = at('longer', 'cache', 'windows');
    const path = join(windows, 'field_004%2Fr0c0');
    const bytes = await readFile(path);
    bytes[1000] = 255 - (bytes[1000] as number);
    await writeFile(path, bytes);
    truncateSync(join(windows, 'field_000%2Fr0c0'), 100);
    const { code, out } = await skypass(args('longer', 'epochs=3'));
    expect(code).not.toBe(0);
    expect(out).toMatch(/cache_damaged: .*field_004%2Fr0c0/);
    const again = await skypass(args('longer', 'epochs=3'));
    expect(again.code, again.err).toBe(0);
    expect(encoderOf('longer')).toBe(calm);
  });

  it('ends when the disk of the cache is full, and goes on when there is room', {
    timeout: 60_000,
  }, async () => {
    await using disk = await smallDisk(at('disk'), 400_000);
    const own = args('full', 'epochs=3', `train.cache.dir=${disk.path}`);
    const full = await skypass(own, { env: disk.env });
    expect(full.code).not.toBe(0);
    expect(full.out).toMatch(/disk_full: .*ENOSPC/);
    disk.grow(1 << 24);
    const { code, err } = await skypass(own);
    expect(code, err).toBe(0);
    expect(encoderOf('full')).toBe(calm);
  });

  it('refuses to train less than it has', async () => {
    const { code, err } = await skypass(args('calm', 'epochs=2'));
    expect(code).not.toBe(0);
    expect(err).toMatch(/run_mismatch: this run has trained for 3 epochs/);
  });

  it('refuses to go on with another configuration', async () => {
    const { code, err } = await skypass(args('calm', 'epochs=3', 'learning_rate=0.01'));
    expect(code).not.toBe(0);
    expect(err).toMatch(/run_mismatch: .*learning_rate: .* → 0.01/);
  });
});

describe('train-cached', () => {
  it('trains on .pt files, with the keys of the case study', { timeout: 60_000 }, async () => {
    const made = await runPipeline(
      'data-gen',
      `data_dir=${at('data')}`,
      'nfiles=10',
      'n_catalogs_per_file=5',
      'image_size=256',
    );
    expect(made.code, made.err).toBe(0);
    const { code, err } = await runPipeline(
      'train-cached',
      `cached_data_path=${at('data', 'file_data')}`,
      `run.dir=${at('cached')}`,
      'batch_size=3',
      'splits=0:60/60:90/90:100',
      'num_workers=1',
      'train_transforms=[flip]',
      'epochs=2',
    );
    expect(code, err).toBe(0);
    const { provenance } = JSON.parse(await readFile(at('cached', 'encoder', 'manifest.json'), 'utf8'));
    expect(provenance).toMatchObject({ steps: 4, windows: { train: 6, validation: 3, test: 1 } });
  });
});
