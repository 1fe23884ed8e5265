import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, pass, passArgs, root, skypass } from '../support/cli.js';
import { mean, writeEncoder } from '../support/encoder.js';
import { grouped, ledgerLines, outcomesOf, runJson, tileRows } from '../support/results.js';
import { type TempFolder, tempFolder } from '../support/run.js';
import { smallDisk } from '../support/small-disk.js';
import { fixtureTiles, makeSurvey } from '../support/survey.js';

let temp: TempFolder;
beforeAll(async () => {
  temp = await tempFolder();
});
afterAll(() => temp[Symbol.asyncDispose]());

const at = (name: string): string => join(temp.path, name);
const sample = fixtureTiles;

describe('an encoder that answers with what is not a number', () => {
  it('sets those windows aside, and keeps the others', async () => {
    // Below that mean of its pixels, the logarithm of a window is that of a negative number.
    const weights = await writeEncoder(at('nan-encoder'), {
      answer: (graph, image) => graph.log(graph.sub(mean(graph, image), graph.scalar(1.9))),
    });
    const dir = at('nan');
    const { code, err } = await pass({ survey: sample, dir }, `encoder.weights=${weights}`, 'batch.items=2');
    expect(code, err).toBe(3);
    const bad = [...(await outcomesOf(dir))].filter(([, { outcome }]) => outcome !== 'ok');
    const good = grouped(dir).datasets;
    expect(bad.length).toBeGreaterThan(0);
    expect(good.id_str?.values.length).toBe(16 - bad.length);
    expect(good.id_str?.values.length).toBeGreaterThan(0);
    expect(good.predictions?.values.every(Number.isFinite)).toBe(true);
    for (const [item, said] of bad) {
      expect(good.id_str?.values).not.toContain(item);
      expect(said).toMatchObject({
        outcome: 'unprocessable',
        stage: 'encode',
        code: 'encoder_not_finite',
        message: expect.stringContaining('not a finite number'),
      });
    }
    const rows = await tileRows(dir);
    expect(rows.reduce((sum, { windows_set_aside }) => sum + Number(windows_set_aside), 0)).toBe(bad.length);
  });
});

describe('what keeps a pass from starting', () => {
  const nothingStarted = async (dir: string): Promise<void> => {
    expect(await ledgerLines(dir)).toEqual([]);
    expect(await readdir(dir).catch(() => [])).not.toContain('predictions');
  };

  it('a folder without tiles', async () => {
    await mkdir(at('empty'));
    const dir = at('empty-run');
    const { code, err } = await pass({ survey: at('empty'), dir });
    expect(code).toBe(2);
    expect(err).toMatch(
      /no_input: there is nothing here to read, expected tiles: files such as DES.*\(.*empty\); check the path given to read/,
    );
    await nothingStarted(dir);
  });

  it('a folder that is not there', async () => {
    const { code, err } = await pass({ survey: at('nowhere'), dir: at('nowhere-run') });
    expect(code).toBe(2);
    expect(err).toMatch(/no_input: .*ENOENT.*nowhere/);
  });

  it('a folder of results that cannot be', async () => {
    await writeFile(at('a-file'), '');
    for (const dir of [at('a-file'), join(at('a-file'), 'below')]) {
      const { code, err } = await pass({ survey: sample, dir });
      expect(code, err).toBe(2);
      expect(err).toMatch(
        /config_invalid: the folder cannot be made: E\w+.*choose a folder that can be written/,
      );
    }
  });

  it('bands the encoder does not take', async () => {
    const dir = at('bands-run');
    const { code, err } = await pass({ survey: sample, dir }, 'read.bands=[g,r,i]');
    expect(code).toBe(2);
    expect(err).toMatch(
      /encoder_mismatch: the pipeline gives bands g, r, i; encoder cluster-small takes g, r, i, z.*set read\.bands.* to \[g, r, i, z\]/,
    );
    await nothingStarted(dir);
  });

  it('windows the encoder does not take', async () => {
    const dir = at('window-run');
    const { code, err } = await pass({ survey: sample, dir }, 'tile.size=300');
    expect(code).toBe(2);
    expect(err).toMatch(
      /encoder_mismatch: the pipeline cuts windows of 300 px; .* multiples of 256 px.*set tile\.size=256/,
    );
    await nothingStarted(dir);
  });

  it('an encoder that is not there, or of an unknown family', async () => {
    const missing = await pass({ survey: sample, dir: at('e1') }, `encoder.weights=${at('none')}`);
    expect(missing.code).toBe(2);
    expect(missing.err).toMatch(/encoder_invalid: there is no such folder or file/);
    const family = await pass({ survey: sample, dir: at('e2') }, 'encoder.weights=seeded:cluster-smal');
    expect(family.code).toBe(2);
    expect(family.err).toMatch(/there is no family of encoders "cluster-smal".*did you mean "?cluster-small/);
  });

  it('a device that is not here', async () => {
    const dir = at('cuda');
    const { code, err } = await pass({ survey: sample, dir }, 'encode.device=cuda');
    expect(code).toBe(2);
    expect(err).toMatch(/device_unavailable: .*; .*(npm|CUDA)/);
    expect(await ledgerLines(dir)).toEqual([]);
    expect(await readdir(dir)).not.toContain('run.json');
  });

  it('too little memory, with the least that would do', async () => {
    const { code, err } = await pass({ survey: sample, dir: at('memory') }, 'memory=20MiB');
    expect(code).toBe(2);
    const [, least] = /memory_too_small: .*?memory=(\S+?)[\s;,)]/.exec(err) ?? [];
    expect(least, err).toBeDefined();
    const enough = await pass({ survey: sample, dir: at('memory') }, `memory=${least}`);
    expect(enough.code, enough.err).toBe(0);
  });

  it('another process that works in the folder', async () => {
    const dir = at('locked');
    const survey = await makeSurvey(at('locked-survey'), 4);
    const first = new Cli(passArgs({ survey, dir }, 'tile.step=16'));
    await first.until(async () => (await ledgerLines(dir)).length > 3);
    const second = await pass({ survey, dir }, 'tile.step=16');
    expect(second.code).toBe(2);
    expect(second.err).toMatch(/run_locked: process \d+ on .* works in this folder/);
    expect((await first.ended).code).toBe(0);
  });
});

describe('a folder that holds a run of another configuration', () => {
  let done: string;
  beforeAll(async () => {
    done = at('done');
    expect((await pass({ survey: sample, dir: done })).code).toBe(0);
  });
  const copied = async (name: string): Promise<string> => {
    await cp(done, at(name), { recursive: true });
    return at(name);
  };

  it('is refused, with all that changed, and left as it is', async () => {
    const dir = await copied('changed');
    const before = await readFile(join(dir, 'ledger.jsonl'));
    const record = await runJson(dir);
    const { code, err } = await pass({ survey: sample, dir }, 'tile.step=128', 'tile.nan=keep');
    expect(code).toBe(2);
    expect(err).toContain('tile.step: 256 → 128');
    expect(err).toContain('tile.nan: "zero" → "keep"');
    expect(err).toMatch(/run_mismatch: .*choose another folder/);
    expect(await readFile(join(dir, 'ledger.jsonl'))).toEqual(before);
    expect(await runJson(dir)).toEqual(record);
  });

  it('is put aside by a new run when that is asked for', async () => {
    const dir = await copied('overwritten');
    const before = await readFile(join(dir, 'ledger.jsonl'));
    const step = 'tile.step=128';
    const plan = await skypass(['resume', '--explain', dir, step, 'run.overwrite=true', `run.dir=${dir}`]);
    expect(plan.out).toMatch(
      /put aside .*\n {2}tile\.step: 256 → 128\na new run: (\d+) of \1 tiles will run/,
    );
    const { code, out, err } = await pass({ survey: sample, dir }, step, 'run.overwrite=true');
    expect(code, err).toBe(0);
    expect(out).toMatch(/ {2}tiles {5}\d+ ok\n/);
    expect(await readFile(join(dir, 'ledger.jsonl.before'))).toEqual(before);
    expect(await runJson(dir)).toMatchObject({ units: { whole: 'tiles', part: 'windows' } });
  });

  it('is refused when the encoder has changed under the same name', async () => {
    const weights = at('changing-encoder');
    await writeEncoder(weights, { answer: mean });
    const dir = at('changing');
    expect((await pass({ survey: sample, dir }, `encoder.weights=${weights}`)).code).toBe(0);
    await writeEncoder(weights, { answer: (graph, image) => graph.neg(mean(graph, image)) });
    const { code, err } = await pass({ survey: sample, dir }, `encoder.weights=${weights}`);
    expect(code).toBe(2);
    expect(err).toMatch(/run_mismatch: .*encode\.encoder_sha256: "[0-9a-f]{64}" → "[0-9a-f]{64}"/);
  });

  it('goes on when only what does not change results has changed', async () => {
    const dir = await copied('operational');
    const { code, err } = await pass(
      { survey: sample, dir },
      'encode.sessions=1',
      'tile.threads=1',
      'memory=2GiB',
      'tile.credit_items=1',
    );
    expect(code, err).toBe(0);
  });
});

describe('what ends a pass midway, with everything committed kept', () => {
  it('a full disk', { timeout: 60_000 }, async () => {
    const survey = await makeSurvey(at('disk-survey'), 6);
    await using disk = await smallDisk(at('disk'), 170_000);
    const dir = join(disk.path, 'run');
    const args = passArgs({ survey, dir }, 'tile.step=32', 'write.tiles_per_shard=1');
    const first = await skypass(args, { env: disk.env });
    expect(first.code, first.err).toBe(1);
    expect(first.out).toMatch(/error {5}disk_full: .*free some space and give the same command again/);
    expect((await ledgerLines(dir)).length).toBeGreaterThan(1);
    disk.grow(30_000_000);
    const again = await skypass(args);
    expect(again.code, again.err).toBe(0);
    expect(grouped(dir).datasets.id_str?.shape).toEqual([6 * 81]);
  });

  it('file descriptors that are all taken', { timeout: 60_000 }, async () => {
    const survey = await makeSurvey(at('files-survey'), 6);
    const dir = at('files');
    const trigger = at('take-all-files');
    const args = passArgs({ survey, dir }, 'tile.step=32');
    const cli = new Cli(args, {
      shell: 'ulimit -n 256',
      env: {
        NODE_OPTIONS: `--import ${join(root, 'test', 'support', 'hog-files.mjs')}`,
        SKYPASS_TEST_HOG: trigger,
      },
    });
    await cli.until(async () => (await outcomesOf(dir)).size > 0);
    await writeFile(trigger, '');
    const { code, out, err } = await cli.ended;
    expect(code, err).toBe(1);
    expect(out).toMatch(/error {5}out_of_files: .*EMFILE.*raise the limit of open files \(ulimit -n\)/);
    const kept = (await outcomesOf(dir)).size;
    expect(kept).toBeGreaterThan(0);
    const again = await skypass(args);
    expect(again.code, again.err).toBe(0);
    expect(grouped(dir).datasets.id_str?.shape).toEqual([6 * 81]);
  });

  it('file descriptors too few for the threads', async () => {
    const dir = at('threads');
    const args = passArgs({ survey: sample, dir }, 'tile.threads=60', 'encode.sessions=30', 'memory=30GiB');
    const { code, out, err } = await skypass(args, { shell: 'ulimit -n 200' });
    expect(code, err).toBe(1);
    expect(out + err).toMatch(/out_of_files: .*EMFILE/);
    expect((await pass({ survey: sample, dir })).code).toBe(0);
  });
});

describe('a port that is in use', () => {
  it('is passed over for the next free one, and that is said', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const { code, err } = await pass({ survey: sample, dir: at('port') }, '--metrics-port', String(port));
      expect(code, err).toBe(0);
      const [, found] =
        /metrics at http:\/\/127\.0\.0\.1:(\d+)\/metrics \(port (\d+) is busy\)/.exec(err) ?? [];
      expect(Number(found)).toBeGreaterThan(port);
    } finally {
      server.close();
    }
  });
});
