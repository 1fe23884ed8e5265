import { cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, desPass, pass, passArgs, root, skypass } from '../support/cli.js';
import { ledgerLines, runJson } from '../support/results.js';
import { type TempFolder, tempFolder } from '../support/run.js';
import { addTile, bandFile, fixtureTiles, makeSurvey } from '../support/survey.js';

let temp: TempFolder;
beforeAll(async () => {
  temp = await tempFolder();
});
afterAll(() => temp[Symbol.asyncDispose]());

const at = (name: string): string => join(temp.path, name);
const conf = join(root, 'conf');

/** A reference as YAML has it. */
const reference = (name: string): string => `\${${name}}`;

/** A pipeline file of these lines, and where it lies. */
async function written(name: string, ...lines: readonly string[]): Promise<string> {
  await writeFile(at(name), `${lines.join('\n')}\n`);
  return at(name);
}

describe('skypass lint', () => {
  const lint = (file: string, ...overrides: readonly string[]) => skypass(['lint', file, ...overrides]);
  const sample = ['survey=sample', 'run.dir=runs/x'];

  it('says every mistake at once, each with its file, line and column', async () => {
    const file = await written(
      'mistakes.yaml',
      'name: mistakes',
      'memroy: 3GiB',
      'defaults: [survey: sample, encoder: cluster-smal]',
      `run: { dir: "${reference('env:SKYPASS_NOT_SET')}" }`,
      'stages:',
      `  - read: { path: "${reference('survey.pth')}", bands: g }`,
      '  - tile: { sise: 2560, step: many }',
      '  - encode: { weights: "seeded:cluster-small?seed=1" }',
      '  - wirte: { dir: x }',
    );
    const { code, err } = await lint(file);
    expect(code).toBe(2);
    expect(err.split('\n')).toEqual([
      expect.stringMatching(/mistakes\.yaml:2:1: .*"memroy".*did you mean "memory"/),
      expect.stringMatching(/mistakes\.yaml:3:37: .*no "cluster-smal".*did you mean "cluster-small"/),
      expect.stringMatching(/mistakes\.yaml:4:13: the environment variable SKYPASS_NOT_SET is not set/),
      expect.stringMatching(/mistakes\.yaml:6:19: \$\{survey\.pth\} refers to nothing.*"survey\.path"/),
      expect.stringMatching(/mistakes\.yaml:6:43: read\.bands should be a list .*write \[g\]/),
      expect.stringMatching(/mistakes\.yaml:7:13: tile has no option "sise" \(did you mean "size"\?\)/),
      expect.stringMatching(/mistakes\.yaml:7:31: tile\.step should be a whole number .*"many"/),
      expect.stringMatching(
        /mistakes\.yaml:8:5: encode takes Batch, but tile gives Window \(put batch between them\)/,
      ),
      expect.stringMatching(/mistakes\.yaml:9:5: there is no operator "wirte" \(did you mean "write"\?\)/),
      '9 problems; nothing was started',
      '',
    ]);
  });

  it('says what is missing and how to give it', async () => {
    const { code, err } = await lint(desPass);
    expect(code).toBe(2);
    expect(err).toMatch(
      /des-pass\.yaml:\d+:8: run\.dir has no value: .*add run\.dir=runs\/NAME to the command/,
    );
    expect(err).toMatch(/des\.yaml:\d+:7: survey\.path has no value/);
  });

  it('finds no fault with the pipelines that come with it', async () => {
    const { code, out, err } = await lint(desPass, ...sample);
    expect(code, err).toBe(0);
    expect(out).toContain('6 stages, no problems');
  });

  it('refuses a batch that is larger than its edge, and says what would do', async () => {
    const { code, err } = await lint(desPass, ...sample, 'batch.items=8');
    expect(code).toBe(2);
    expect(err).toMatch(/batch of 8 is larger than the edge before it: tile lets 2 windows wait/);
    expect(err).toMatch(/use tile\.credit_items=8 or batch\.items=2/);
    expect(err).toMatch(/takes 800 MiB, more than the edge before it.*use tile\.credit_bytes=800MiB/);
    const wider = ['tile.credit_items=8', 'tile.credit_bytes=800MiB'];
    expect((await lint(desPass, ...sample, 'batch.items=8', ...wider)).code).toBe(0);
  });

  it('takes overrides as Hydra does, and refuses those that change nothing', async () => {
    const bad = await lint(desPass, ...sample, 'tile.sise=3', 'no.such.key=3', 'survey=sampel');
    expect(bad.code).toBe(2);
    expect(bad.err).toMatch(/<command line>: tile\.sise=3: tile has no option "sise"/);
    expect(bad.err).toMatch(/<command line>: no\.such\.key=3: there is no no\.such\.key to override/);
    expect(bad.err).toMatch(/<command line>: survey=sampel: .*did you mean "sample"/);
    const good = await lint(desPass, ...sample, '~tile.step', '+tile.max_masked=0.5', 'machine=auto');
    expect(good.code, good.err).toBe(0);
    const chain = await lint(desPass, ...sample, '~tile');
    expect(chain.code).toBe(2);
    expect(chain.err).toMatch(
      /:\d+:5: batch takes Window, but read gives SkyImage \(put tile between them\)/,
    );
  });

  it('takes values from the environment', async () => {
    const args = ['lint', desPass, 'survey=sample', `run.dir=${reference('env:SKYPASS_TEST_DIR')}/x`];
    expect((await skypass(args)).code).toBe(2);
    expect((await skypass(args, { env: { SKYPASS_TEST_DIR: '/somewhere' } })).code).toBe(0);
  });

  it('refuses a file that is not there, and one that is not YAML', async () => {
    expect(await lint(at('nowhere.yaml'))).toMatchObject({
      code: 2,
      err: expect.stringContaining('there is no such file'),
    });
    const torn = await written('torn.yaml', 'name: x', 'stages: [');
    expect(await lint(torn)).toMatchObject({ code: 2, err: expect.stringMatching(/torn\.yaml:\d+:\d+: /) });
  });
});

describe('the command line', () => {
  it('shows what it can do', async () => {
    const { code, out } = await skypass(['--help']);
    expect(code).toBe(0);
    for (const verb of ['run', 'lint', 'explain', 'dry-run', 'resume', 'report', 'list', 'bench'])
      expect(out).toMatch(new RegExp(`^ {2}${verb} `, 'm'));
    expect(out).toContain('Exit codes: 0 complete');
    expect((await skypass(['--version'])).out.trim()).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it('ends with 2 when it is used wrongly', async () => {
    const uses = [
      [],
      ['rnu'],
      ['run'],
      ['run', desPass, '--metrics-port', 'x'],
      ['run', desPass, '--drain', 'x'],
    ];
    for (const args of uses) expect((await skypass(args)).code, args.join(' ')).toBe(2);
  });

  it('lists the operators, the options of one, and a schema for editors', async () => {
    const { out } = await skypass(['list']);
    for (const operator of ['read', 'tile', 'batch', 'encode', 'write', 'aggregate'])
      expect(out).toMatch(new RegExp(`^${operator} `, 'm'));
    expect((await skypass(['list', 'tile'])).out).toMatch(/max_masked +fraction +=.*0 to 1/);
    expect(JSON.parse((await skypass(['list', '--schema'])).out)).toHaveProperty('properties.stages');
    const unknown = await skypass(['list', 'tiel']);
    expect(unknown).toMatchObject({ code: 2, err: expect.stringContaining('did you mean "tile"?') });
  });

  it('names the benchmarks there are', async () => {
    const { code, err } = await skypass(['bench', 'nothing']);
    expect(code).toBe(2);
    expect(err).toMatch(/there is no benchmark "nothing"; there are .*decode.*pass/);
  });
});

describe('skypass explain and dry-run', () => {
  const args = (verb: string, ...overrides: readonly string[]): string[] => [
    verb,
    desPass,
    `survey.path=${fixtureTiles}`,
    `run.dir=${at('planned')}`,
    'tile.size=256',
    'tile.step=64',
    ...overrides,
  ];

  it('shows stages, types, credit and memory, as text and as a diagram', async () => {
    const { code, out, err } = await skypass(args('explain'));
    expect(code, err).toBe(0);
    expect(out).toMatch(/tile +SkyImage → Window +1 +1 MiB +2 \/ 256 MiB/);
    expect(out).toMatch(/memory: 3 GiB; at least [\d.]+ MiB is needed/);
    expect(out).toContain('flowchart LR');
    expect((await skypass([...args('explain'), '--mermaid'])).out).toMatch(/^flowchart LR\n {2}read\[/);
  });

  it('ends with 2 when the memory is too small, and shows the plan all the same', async () => {
    const { code, out } = await skypass(args('explain', 'memory=20MiB'));
    expect(code).toBe(2);
    expect(out).toMatch(/memory: 20 MiB; at least [\d.]+ MiB is needed: raise memory=/);
  });

  it('counts the items and predicts memory, time and output, without a trace in the folder', async () => {
    const { code, out, err } = await skypass(args('dry-run', 'encoder.weights=seeded:cluster-small?seed=1'));
    expect(code, err).toBe(0);
    expect(out).toMatch(/items +4 tiles; 100 windows of 25 each; 0\.0056 deg²/);
    expect(out).toMatch(/memory +at least [\d.]+ MiB of memory=3 GiB/);
    expect(out).toMatch(/time +\S+ .*measured on \d+ windows|too few windows/);
    expect(out).toMatch(/output +[\d.]+ KiB/);
    expect(out).toContain('UNTRAINED');
    await expect(readFile(join(at('planned'), 'ledger.jsonl'))).rejects.toThrow('ENOENT');
  });

  it('writes nothing into the folders of a pipeline that keeps its results elsewhere', async () => {
    const elsewhere = at('elsewhere');
    const { code, err } = await skypass(
      args('dry-run', `write.dir=${elsewhere}/shards`, `aggregate.into=${elsewhere}/tables`),
    );
    expect(code, err).toBe(0);
    await expect(stat(elsewhere)).rejects.toThrow('ENOENT');
  });
});

const everyStage = [
  'received_items_total',
  'received_bytes_total',
  'sent_items_total',
  'sent_bytes_total',
  'outcomes_total',
  'busy_seconds_total',
  'queue_items',
  'queue_bytes',
  'queue_items_limit',
  'queue_bytes_limit',
  'run_seconds_count',
];
const blockedReasons = ['upstream', 'downstream', 'memory', 'device'];
const wholeRun = [
  'skypass_sky_area_square_degrees_total',
  'skypass_windows_total',
  'skypass_tiles_total',
  'skypass_encoder_seconds_total',
  'skypass_memory_in_flight_bytes',
  'skypass_memory_budget_bytes',
  'process_resident_memory_bytes',
];

describe('skypass run, report and resume', () => {
  it('serves metrics while it runs, and says how far it is', async () => {
    const survey = await makeSurvey(at('served-survey'), 4);
    const cli = new Cli(passArgs({ survey, dir: at('served') }, 'tile.step=16'));
    const url = () => /metrics at (http:\/\/127\.0\.0\.1:\d+\/)metrics/.exec(cli.err)?.[1];
    await cli.until(() => url() !== undefined);
    const get = (page: string) => fetch(`${url()}${page}`);
    await cli.until(async () => (await get('ready').catch(() => undefined))?.status === 200);
    expect((await get('live')).status).toBe(200);
    let metrics = '';
    await cli.until(async () => {
      metrics = await (await get('metrics')).text();
      return metrics.includes('skypass_encoder_seconds_total{');
    });
    const missing = (patterns: readonly string[]) =>
      patterns.filter((pattern) => !new RegExp(`^${pattern}`, 'm').test(metrics));
    for (const stage of ['read', 'tile', 'batch', 'encode', 'write', 'aggregate']) {
      const ofStage = (name: string) => `skypass_stage_${name}{[^}]*stage="${stage}"`;
      expect(missing(everyStage.map(ofStage))).toEqual([]);
      const blocked = ofStage('blocked_seconds_total');
      expect(missing(blockedReasons.map((reason) => `${blocked}[^}]*reason="${reason}"`))).toEqual([]);
    }
    expect(missing(wholeRun.map((name) => `${name}[{ ]`))).toEqual([]);
    const { code, err } = await cli.ended;
    expect(code, err).toBe(0);
    expect(err).toMatch(/^1,156 of 1,156 windows \(100 %\) · .* deg²\/h · .* windows\/s · in \d:\d\d/m);
    // No terminal, no drawing: every line is a line.
    expect(err).not.toContain('\u001b[');
  });

  describe('of a pass that is complete', () => {
    let dir: string;
    beforeAll(async () => {
      dir = at('complete');
      const { code, err } = await pass({ survey: fixtureTiles, dir });
      expect(code, err).toBe(0);
    });

    it('leaves a record, the metrics and a summary', async () => {
      expect(await runJson(dir)).toMatchObject({
        pipeline: 'des-pass',
        version: expect.stringMatching(/^\d/),
        config_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        config: { memory: '3GiB', survey: { path: fixtureTiles } },
        end: 'complete',
        exit_code: 0,
        encoder_untrained: false,
        items: { ok: 16, failed: 0 },
        tiles: { ok: 4 },
      });
      const metrics = await readFile(join(dir, 'metrics.prom'), 'utf8');
      expect(metrics).toMatch(/^skypass_windows_total{.*outcome="ok".*} 16$/m);
      expect(metrics).toMatch(/^skypass_stage_sent_items_total{.*stage="tile".*} 16$/m);
      const summary = await readFile(join(dir, 'summary.txt'), 'utf8');
      expect(summary).toMatch(/^des-pass: complete, in \d:\d\d {2}\(des-pass-\d{8}T\d{6}-[0-9a-f]{4}\)$/m);
      expect(summary).toMatch(/windows +16 ok\n {2}tiles +4 ok\n {2}sky +0\.0056 deg²/);
      expect(summary).toContain(join(dir, 'grouped.hdf5'));
      expect(summary).toMatch(/highest probability 0\.\d{3}, \d of 4 cells above the threshold/);
      expect(summary).not.toContain('UNTRAINED');
    });

    it('is reported again from its folder', async () => {
      const { code, out } = await skypass(['report', dir]);
      expect(code).toBe(0);
      expect(out).toBe(await readFile(join(dir, 'summary.txt'), 'utf8'));
      expect(JSON.parse((await skypass(['report', dir, '--json'])).out)).toEqual(await runJson(dir));
      const nowhere = await skypass(['report', temp.path]);
      expect(nowhere).toMatchObject({ code: 2, err: expect.stringContaining('this is no folder of a run') });
    });

    it('is explained before it is resumed: nothing is left to do', async () => {
      const { code, out, err } = await skypass(['resume', dir, '--explain']);
      expect(code, err).toBe(0);
      expect(out).toMatch(/0 of 4 tiles will run/);
      expect(out).toMatch(/skip {2}DES0001-0541 {2}done: ok, 4 windows/);
      const changed = await skypass(['resume', dir, 'tile.step=128', '--explain']);
      expect(changed.code).toBe(2);
      expect(changed.out).toMatch(/refused: .*\n {2}tile\.step: 256 → 128/);
      const before = (await ledgerLines(dir)).length;
      const again = await skypass(['resume', dir, '--metrics-port', '0']);
      expect(again.code, again.err).toBe(0);
      expect(again.out).toMatch(/windows +16 ok/);
      expect((await ledgerLines(dir)).slice(before).map(({ type }) => type)).toEqual(['start']);
    });

    it('is not resumed in the folder it was copied from', async () => {
      const copy = at('copied');
      await cp(dir, copy, { recursive: true });
      const { code, err } = await skypass(['resume', copy, '--explain']);
      expect(code).toBe(2);
      expect(err).toContain(`works in ${dir}`);
      expect(err).toContain(`skypass resume ${copy} run.dir=${copy}`);
      const told = await skypass(['resume', copy, `run.dir=${copy}`, '--explain']);
      expect(told.code, told.err).toBe(0);
      expect(told.out).toMatch(/0 of 4 tiles will run/);
    });
  });

  it('explains of a pass with faults why each tile will or will not run again', async () => {
    const survey = await makeSurvey(at('faulty-survey'), 2);
    const bad = await addTile(survey, 'DES5000-5000');
    await rm(bandFile(bad, 'i'));
    const dir = at('faulty');
    const { code } = await pass({ survey, dir });
    expect(code).toBe(3);
    const { out } = await skypass(['resume', dir, '--explain']);
    expect(out).toMatch(/0 of 3 tiles will run/);
    expect(out).toMatch(
      /skip {2}DES5000-5000 {2}unprocessable, tried again only when its files change: band_missing: /,
    );
    await makeSurvey(survey, 3);
    expect((await skypass(['resume', dir, '--explain'])).out).toMatch(/run {3}DES0002-1002 {2}not begun/);
  });

  it('can be written as a file of its own, with groups of its own', async () => {
    await mkdir(join(at('own'), 'pipelines'), { recursive: true });
    await mkdir(join(at('own'), 'survey'));
    await writeFile(join(at('own'), 'survey', 'mine.yaml'), `path: ${fixtureTiles}\nbands: [g, r, i, z]\n`);
    const text = (await readFile(desPass, 'utf8')).replace('survey: des', 'survey: mine');
    await writeFile(join(at('own'), 'pipelines', 'mine.yaml'), text);
    const args = ['run', 'pipelines/mine.yaml', '--metrics-port', '0', 'run.dir=out', 'tile.size=256'];
    const { code, err } = await skypass([...args, 'tile.step=256'], { cwd: at('own') });
    expect(code, err).toBe(0);
    // The record knows where the command was given.
    const again = await skypass(['resume', join(at('own'), 'out'), '--metrics-port', '0']);
    expect(again.code, again.err).toBe(0);
    expect(again.out).toMatch(/windows +16 ok/);
  });

  it('reads the groups that come with it', async () => {
    expect(await readFile(join(conf, 'survey', 'sample.yaml'), 'utf8')).toContain('runs/sample/survey');
    const { code, err } = await skypass(
      passArgs({ survey: fixtureTiles, dir: at('groups') }, 'survey=sample'),
    );
    expect(code, err).toBe(0);
  });
});
