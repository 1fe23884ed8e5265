import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Ledger } from '../../src/engine/ledger.js';
import { RunMeters } from '../../src/engine/meters.js';
import { scoresDocument } from '../../src/operators/support/evaluate/document.js';
import { describeRun } from '../../src/pipelines/execute.js';
import { leftIn } from '../../src/pipelines/scores.js';
import { scoresOf } from '../../src/science/scores/scores.js';
import { tempFolder } from '../support/run.js';
import { runRecord } from '../support/run-record.js';

const run = 'train-1';
/** Of four cells two hold members: one is found, and one cell is said to hold one that does not. */
const cells = {
  ny: 2,
  nx: 2,
  probability: Float32Array.of(0.9, 0.2, 0.8, 0.1),
  truth: Uint8Array.of(1, 1, 0, 0),
};
const half = 'F1 0.50, precision 0.50, recall 0.50, accuracy 0.50';

const scores = scoresOf([{ id: 'f0', ...cells }], { threshold: 0.5, seed: 1, draws: 0, samples: 0 });
const set = (windows: number) => ({
  windows,
  loss: 0.4,
  all: scores,
  by_noise: { bliss: scores, des: scores },
});
const training = {
  encoder_sha256: 'abc',
  step: 1200,
  epoch: 2,
  validation_loss: 0.4,
  validation: set(3),
  test: set(2),
};
const manifest = { sha256: 'abc', provenance: { run, steps: 3000, epochs: 5 } };

async function writeJson(folder: string, name: string, value: unknown): Promise<void> {
  await writeFile(join(folder, name), JSON.stringify(value));
}

async function writeTraining(folder: string): Promise<void> {
  await mkdir(join(folder, 'encoder'));
  await writeJson(folder, 'scores.json', training);
  await writeJson(join(folder, 'encoder'), 'manifest.json', manifest);
  for (const name of ['scores.png', 'curves.png']) await writeFile(join(folder, name), '');
}

const record = (output: string) => runRecord({ run, pipeline: 'train', output });

describe('the summary of a training', () => {
  it('says where encoder and scores are, which step was the best, and how good it is with each noise', async () => {
    await using folder = await tempFolder();
    await writeTraining(folder.path);
    await using ledger = await Ledger.open(join(folder.path, 'ledger.jsonl'));
    const text = await describeRun(record(folder.path), '/elsewhere', ledger);
    expect(text.split('\n').slice(2)).toEqual([
      `  encoder   ${folder.path}/encoder  as it was after step 1,200 of 3,000, in epoch 2 of 5`,
      `  scores    ${folder.path}/scores.json  and beside it scores.png and curves.png`,
      `    validation, 3 windows, noise bliss: ${half}, AUC 0.75`,
      `    validation, 3 windows, noise des: ${half}, AUC 0.75`,
      `    test, 2 windows, noise bliss: ${half}, AUC 0.75`,
      `    test, 2 windows, noise des: ${half}, AUC 0.75`,
      '',
    ]);
  });

  it('says how far it came and how long it waited for data', async () => {
    await using folder = await tempFolder();
    await using ledger = await Ledger.open(join(folder.path, 'ledger.jsonl'));
    const meters = new RunMeters('train');
    meters.training.plan({ steps: 3000, epochs: 5, step: 1239, epoch: 3 });
    const step = { epoch: 3, loss: 0.3, learningRate: 1e-3, gradientNorm: 1 };
    meters.training.step({ ...step, step: 1240, samples: 8, seconds: 3, waitSeconds: 1 });
    const interrupted = { ...record(folder.path), meters: meters.snapshot(), end: 'interrupted' as const };
    const text = await describeRun(interrupted, folder.path, ledger);
    expect(text).toContain(
      '  trained   1,240 of 3,000 steps, epoch 3 of 5; 2 samples/s, waiting for data 25 % of the time\n',
    );
    expect(text).not.toContain('scores');
    expect(text).not.toContain('  new ');
  });

  it('finds what it left when the folder of the run has been moved', async () => {
    await using folder = await tempFolder();
    await writeTraining(folder.path);
    await using ledger = await Ledger.open(join(folder.path, 'ledger.jsonl'));
    expect(await describeRun(record('/moved/away'), folder.path, ledger)).toContain(
      `  encoder   ${folder.path}/encoder`,
    );
  });
});

describe('what is left in a folder', () => {
  it('is nothing when an earlier run left it', async () => {
    await using folder = await tempFolder();
    await writeTraining(folder.path);
    expect(await leftIn(folder.path, run)).toHaveLength(2);
    expect(await leftIn(folder.path, 'train-2')).toEqual([]);
  });

  it('is nothing when encoder and scores do not belong together, or cannot be read', async () => {
    await using folder = await tempFolder();
    await writeTraining(folder.path);
    await writeJson(folder.path, 'scores.json', { ...training, encoder_sha256: 'other' });
    expect(await leftIn(folder.path, run)).toEqual([]);
    await writeFile(join(folder.path, 'scores.json'), '{"encoder_sha');
    expect(await leftIn(folder.path, run)).toEqual([]);
  });

  it('is what scoring said of the encoder and of answers that need none', async () => {
    await using folder = await tempFolder();
    const { ny, nx, probability, truth } = cells;
    const window = { id: 'f0/r0c0', parent: 'f0', x0: 0, y0: 0, cellPx: 256, wcs: undefined };
    const document = scoresDocument(
      [{ ...window, ny, nx, probability, truth, counts: new Uint8Array(0) }],
      { threshold: 0.5, seed: 1, samples: 0, bootstrap: { draws: 0, level: 0.95 }, baselines: true },
      {
        run,
        pipeline: 'evaluate',
        skypass_version: '0',
        config_sha256: '',
        encoder: 'cluster-small',
        encoder_sha256: '',
        encoder_trained: true,
      },
    );
    await writeJson(folder.path, 'scores.json', document);
    const [left] = await leftIn(folder.path, run);
    expect(left?.lines).toEqual([
      expect.stringContaining(
        `cluster-small on 1 fields, 4 cells, 50.0 % of them with members: ${half}, AUC 0.75`,
      ),
      expect.stringContaining('always the commoner class: F1 0.00'),
    ]);
    expect(await leftIn(folder.path, 'evaluate-2')).toEqual([]);
  });
});
