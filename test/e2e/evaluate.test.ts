/** Scores of an encoder on simulated fields, as people ask for them. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTable } from '../../src/formats/parquet.js';
import { skypass } from '../support/cli.js';
import { seededRandom } from '../support/disturbed.js';
import { runArgs, runKilled, runPipeline } from '../support/fields-run.js';
import { doneTwice } from '../support/results.js';
import { type TempFolder, tempFolder } from '../support/run.js';
import { fixtureTiles } from '../support/survey.js';

const small = ['image_size=512', 'noise=des'];
const cellsPerField = 4;
const fields = 6;

let temp: TempFolder;
const at = (...names: readonly string[]): string => join(temp.path, ...names);

/** Everything but the name of the run. */
async function resultsIn(dir: string) {
  const { run, ...document } = JSON.parse(await readFile(at(dir, 'scores.json'), 'utf8'));
  expect(run).toMatch(/^evaluate-/);
  const { rows } = await readTable(at(dir, 'cells.parquet'));
  return { document, rows };
}

describe('evaluate', () => {
  let calm: Awaited<ReturnType<typeof resultsIn>>;
  let said: string;

  beforeAll(async () => {
    temp = await tempFolder();
    const { code, out, err } = await runPipeline(
      'evaluate',
      `run.dir=${at('calm')}`,
      `fields=${fields}`,
      ...small,
    );
    expect(code, err).toBe(0);
    said = out;
    calm = await resultsIn('calm');
  }, 120_000);
  afterAll(() => temp[Symbol.asyncDispose]());

  it('scores every cell, beside the baselines, and says so in words', async () => {
    const { scores, baselines, encoder_trained } = calm.document;
    expect(calm.rows).toHaveLength(fields * cellsPerField);
    expect(scores).toMatchObject({ fields, cells: fields * cellsPerField, threshold: 0.5 });
    expect(scores.members).toBe(calm.rows.filter(({ membership }) => membership).length);
    const right = calm.rows.filter(({ probability, membership }) => Number(probability) > 0.5 === membership);
    expect(scores.confusion.tp + scores.confusion.tn).toBe(right.length);
    expect(typeof encoder_trained).toBe('boolean');
    expect(baselines.matched_filter.mode.f1.value).toBeGreaterThan(0);
    expect(said).toMatch(
      /on 6 fields, 24 cells, [\d.]+ % of them with members: F1 [\d.]+ \[[\d.]+, [\d.]+\]/,
    );
    expect(said).toMatch(/matched filter on the true catalogue: F1/);
    expect(await sharp(at('calm', 'scores.png')).metadata()).toMatchObject({ format: 'png' });
  });

  it('ends with the same scores after it was killed again and again', { timeout: 180_000 }, async () => {
    const seed = Number(process.env.SKYPASS_TEST_SEED ?? Date.now() % 1e6);
    const kills = await runKilled(
      runArgs('evaluate', `run.dir=${at('killed')}`, `fields=${fields}`, ...small),
      seededRandom(seed),
      500,
    );
    expect(kills, `seed ${seed}`).toBeGreaterThan(0);
    expect(await resultsIn('killed'), `seed ${seed}`).toEqual(calm);
    expect(await doneTwice(at('killed'))).toEqual([]);
  });

  it('adds fields to those that were scored', { timeout: 120_000 }, async () => {
    for (const some of [fields - 2, fields]) {
      const { code, err } = await runPipeline(
        'evaluate',
        `run.dir=${at('more')}`,
        `fields=${some}`,
        ...small,
      );
      expect(code, err).toBe(0);
    }
    expect(await resultsIn('more')).toEqual(calm);
  });

  it('refuses images of which nobody knows what is in them, and begins no run', async () => {
    const [file, dir] = [at('unknown.yaml'), at('unknown')];
    const stages = [
      `read: { from: des-tiles, path: ${fixtureTiles} }`,
      'tile: { size: 256, step: 256 }',
      'batch: {}',
      "encode: { weights: 'seeded:cluster-small?seed=1' }",
      `evaluate: { into: ${dir} }`,
    ];
    await writeFile(
      file,
      `name: unknown\nmemory: 2GiB\nrun: { dir: ${dir} }\nstages:\n${stages.map((stage) => `  - ${stage}\n`).join('')}`,
    );
    const { code, err } = await skypass(['run', file, '--metrics-port', '0']);
    expect(code, err).toBe(2);
    expect(err).toContain('truth_missing');
    expect((await readdir(dir)).filter((name) => name !== 'encoder')).toEqual([]);
  });
});
