import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/engine/errors.js';
import { Ledger } from '../../src/engine/ledger.js';
import { RunMeters } from '../../src/engine/meters.js';
import type { OutcomeRecord, ShardRecord } from '../../src/engine/records.js';
import { describeRun } from '../../src/pipelines/execute.js';
import { resumeText } from '../../src/pipelines/resume.js';
import { tempFolder } from '../support/run.js';
import { runRecord } from '../support/run-record.js';

const record = runRecord({ run: 'data-gen-1', pipeline: 'data-gen', output: 'data/cached' });

const done = (items: readonly string[]): OutcomeRecord => ({
  type: 'outcome',
  items,
  outcome: 'ok',
  shard: 'a',
});
const file = (shard: string, name: string): ShardRecord => ({
  type: 'shard',
  shard,
  file: name,
  rows: 1,
  bytes: 1 << 20,
});

describe('the summary of a run that ends with files', () => {
  it('counts what the source made, and says how much was written where', async () => {
    await using folder = await tempFolder();
    await using ledger = await Ledger.open(`${folder.path}/ledger.jsonl`);
    await ledger.append(done(['f0', 'f1', 'f2']), file('f0', 'f0.dat f0_g.fits'), file('pt', 'a.pt'));
    expect(await describeRun(record, folder.path, ledger)).toBe(
      [
        'data-gen: complete, in 1:00  (data-gen-1)',
        '  fields    3 ok',
        '  written   3 files, 2 MiB  in data/cached',
        '',
      ].join('\n'),
    );
  });

  it('says when nothing was left to do', async () => {
    await using folder = await tempFolder();
    await using ledger = await Ledger.open(`${folder.path}/ledger.jsonl`);
    await ledger.append(done(['f0']), file('f0', 'f0.dat'));
    const meters = new RunMeters('data-gen').snapshot();
    const text = await describeRun({ ...record, meters }, folder.path, ledger);
    expect(text).toContain('  new       nothing: earlier starts had done it all\n');
    expect(await describeRun({ ...record, meters, end: 'failed' }, folder.path, ledger)).not.toContain('new');
  });

  it('speaks of tiles and windows for a record that does not say', async () => {
    await using folder = await tempFolder();
    await using ledger = await Ledger.open(`${folder.path}/ledger.jsonl`);
    const detail = { area_square_degrees: 1 };
    await ledger.append({ type: 'parent', item: 'T0', children: 2, detail }, done(['T0/r0c0', 'T0/r0c1']));
    const { units: _, ...old } = record;
    const text = await describeRun(old, folder.path, ledger);
    expect(text).toContain('  windows   2 ok\n  tiles     1 ok\n');
  });

  it('offers to go on only where that could end otherwise', async () => {
    await using folder = await tempFolder();
    await using ledger = await Ledger.open(`${folder.path}/ledger.jsonl`);
    const failed = (error_code: ErrorCode) =>
      describeRun({ ...record, end: 'failed', error_code }, folder.path, ledger);
    expect(await failed('disk_full')).toContain('\n  go on     skypass run ');
    expect(await failed('training_diverged')).not.toContain('go on');
  });
});

describe('the plan of a resume', () => {
  const items = [
    { name: 'f0', runs: false, why: 'done: ok' },
    { name: 'f1', runs: true, why: 'not begun' },
  ];
  const plan = { run: 'r1', changes: [], overwrite: false, unit: 'fields', items };

  it('names items as their source does', () => {
    expect(resumeText(plan).split('\n')[0]).toBe('r1: 1 of 2 fields will run');
  });

  it('says what overwriting would put aside, and what keeps it from starting without', () => {
    const changed = { ...plan, changes: ['tile.size: 1 → 2'] };
    expect(resumeText(changed)).toMatch(/^refused: .*run\.overwrite=true.*\n {2}tile\.size: 1 → 2\n {2}skip/);
    expect(resumeText({ ...changed, overwrite: true })).toMatch(
      /^the configuration is not that of r1, which is put aside .*\n {2}tile\.size: 1 → 2\na new run: 1 of 2 fields will run\n/,
    );
  });
});
