import { existsSync } from 'node:fs';
import { readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Run } from '../../src/engine/run.js';
import { listDesTiles } from '../../src/formats/des-tiles.js';
import { desName, fieldFacts, fieldName } from '../support/fields.js';
import { all, catalogOf, fatal, images, keptFields, side, whole } from '../support/keep-fields.js';
import { until } from '../support/run.js';

const { at, keep, hashes, outcomes } = keptFields();

describe('a run that is taken up again', () => {
  beforeEach(async () => {
    await keep({ format: all, run: 'whole-run', data: 'whole' });
  });

  it('makes what is missing, and nothing twice', async () => {
    for (const last of [1, 3, 4]) {
      const before = async (index: number, run: Run) => {
        if (index < last) return;
        await until(() => run.ledger.isDone(fieldName(index - 1)));
        throw fatal();
      };
      const { summary } = await keep({ format: all, before });
      expect(summary).toMatchObject({ end: 'failed', error: { code: 'out_of_files' } });
    }
    expect((await keep({ format: all })).summary).toMatchObject(whole);
    expect(await hashes('data')).toEqual(await hashes('whole'));
    const made = await outcomes();
    expect(new Set(made).size).toBe(made.length);
  });

  it('ends as ever when it was killed between a file and the ledger', async () => {
    await keep({ format: all });
    const path = at('run', 'ledger.jsonl');
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    // The file has its name, its record is not written; of the last field, nothing is.
    const finished = lines.filter(
      (line) => !/"shard":"file_data_\d","file"/.test(line) && !line.includes(fieldName(4)),
    );
    await writeFile(path, `${finished.join('\n')}\n`);
    await rename(
      at('data', 'file_data', 'file_data_1_size_2.pt'),
      at('data', 'file_data', 'file_data_1_size_2.pt.part'),
    );
    await writeFile(at('data', `${catalogOf(4)}.part`), 'half a');
    expect((await keep({ format: all })).summary).toMatchObject(whole);
    expect(await hashes('data')).toEqual(await hashes('whole'));
    expect((await outcomes()).toSorted()).toEqual([0, 1, 2, 3, 4].map(fieldName));
  });

  it('makes fields again whose files are gone or have changed', async () => {
    await keep({ format: all });
    await rm(at('data', images(0)[2] as string));
    await truncate(at('data', catalogOf(3)), 10);
    expect((await keep({ format: all })).summary).toMatchObject(whole);
    expect(await hashes('data')).toEqual(await hashes('whole'));
    expect((await outcomes()).slice(5).toSorted()).toEqual([fieldName(0), fieldName(3)]);
  });

  it('makes the fields of a shared file again that has changed, and keeps it to be looked at', async () => {
    await keep({ format: all });
    await truncate(at('data', 'file_data', 'file_data_1_size_2.pt'), 1000);
    expect((await keep({ format: all })).summary).toMatchObject(whole);
    expect(await hashes('data')).toMatchObject(await hashes('whole'));
    expect(existsSync(at('data', 'file_data', 'file_data_1_size_2.pt.damaged'))).toBe(true);
    expect((await outcomes()).slice(5).toSorted()).toEqual([fieldName(2), fieldName(3)]);
  });

  it('makes the fields of an open file again whose places are not filled', async () => {
    const before = async (index: number, run: Run) => {
      if (index < 1) return;
      await until(() => run.ledger.isDone(fieldName(0)));
      throw fatal();
    };
    await keep({ format: all, before });
    expect(existsSync(at('data', 'file_data', 'file_data_0.pt.part'))).toBe(true);
    await truncate(at('data', 'file_data', 'file_data_0.pt.part'), 1000);
    expect((await keep({ format: all })).summary).toMatchObject(whole);
    expect(await hashes('data')).toEqual(await hashes('whole'));
  });

  it('goes on with more fields than it began with', async () => {
    await keep({ format: all, count: 3 });
    expect(existsSync(at('data', 'file_data', 'file_data_1_size_1.pt'))).toBe(true);
    expect((await keep({ format: all, count: 5 })).summary).toMatchObject(whole);
    expect(await hashes('data')).toEqual(await hashes('whole'));
  });

  it('makes the table of clusters again when a tile is', async () => {
    const start = { format: 'des-tiles', nameOf: desName, run: 'survey-run', data: 'survey' } as const;
    await keep(start);
    const expected = await hashes('survey');
    await rm(at('survey', 'truth', `${desName(2)}_truth.fits`));
    expect((await keep(start)).summary).toMatchObject(whole);
    expect(await hashes('survey')).toEqual(expected);
    await rm(at('survey', 'truth', 'clusters.fits'));
    expect((await keep(start)).summary).toMatchObject(whole);
    expect(await hashes('survey')).toEqual(expected);
  });
});

describe('a folder that holds something', () => {
  const refused = (message: RegExp) => ({
    end: 'failed',
    error: {
      code: 'output_exists',
      reach: 'usage',
      message: expect.stringMatching(message),
      hint: expect.stringContaining('overwrite=true'),
    },
  });

  it('is refused when another run made it, whatever its configuration', async () => {
    await keep({ format: all });
    const expected = await hashes('data');
    const same = await keep({ format: all, run: 'other' });
    expect(same.summary).toMatchObject(
      refused(/the data set of run test-.*, made from the same configuration/),
    );
    expect(same.summary.error?.hint).toContain(`run.dir=${at('run')}`);
    const other = await keep({ format: 'dat', run: 'third' });
    expect(other.summary).toMatchObject(refused(/made from another configuration/));
    expect(await hashes('data')).toEqual(expected);
  });

  it('is that of one of two runs that begin at once', async () => {
    const both = await Promise.all(['one', 'two'].map((run) => keep({ format: all, run })));
    const ends = both.map(({ summary }) => summary.error?.code ?? summary.end);
    expect(ends.toSorted()).toEqual(['complete', 'output_exists']);
    expect(Object.keys(await hashes('data'))).toHaveLength(5 * 5 + 3);
  });

  it('says with which seed it was made', async () => {
    await keep({ format: all, facts: { ...fieldFacts(5, side), seed: 1 } });
    const facts = { ...fieldFacts(5, side), seed: 2 };
    const { summary } = await keep({ format: all, run: 'other', facts, options: { min_flux: 1 } });
    expect(summary).toMatchObject(refused(/made with seed 1 instead of 2/));
  });

  it('is replaced when that is asked for: nothing of before is left', async () => {
    await keep({ format: all, count: 7 });
    const other = { run: 'other', format: all, count: 3, options: { overwrite: true, min_flux: 1 } } as const;
    expect((await keep(other)).summary).toMatchObject(whole);
    await keep({ ...other, run: 'clean-run', data: 'clean' });
    expect(await hashes('data')).toEqual(await hashes('clean'));
    // The first run does not take it for its own.
    expect((await keep({ format: all, count: 7 })).summary).toMatchObject(refused(/another configuration/));
    expect((await keep({ format: all, count: 7, options: { overwrite: true } })).summary).toMatchObject(
      whole,
    );
    expect(Object.keys(await hashes('data'))).toHaveLength(7 * 5 + 4);
  });

  it('has no tiles of before when a survey is replaced', async () => {
    const survey = { format: 'des-tiles', nameOf: desName } as const;
    await keep({ ...survey, count: 3 });
    const options = { overwrite: true, min_flux: 1 };
    expect((await keep({ ...survey, count: 1, run: 'other', options })).summary).toMatchObject(whole);
    expect((await listDesTiles(at('data'))).map(({ name }) => name)).toEqual([desName(0)]);
  });

  it('is refused when nobody knows who made its files', async () => {
    await keep({ format: all, count: 1, run: 'gone' });
    await rm(at('data', 'dataset.json'));
    expect((await keep({ format: all })).summary).toMatchObject(
      refused(/that no dataset.json explains: catalogs\/galsim_des_000.dat, .* and 3 more/),
    );
    expect((await keep({ format: all, options: { overwrite: true } })).summary).toMatchObject(whole);
  });

  it('is gone on with by its own run when its signature is lost', async () => {
    await keep({ format: all, count: 3 });
    await rm(at('data', 'dataset.json'));
    expect((await keep({ format: all, count: 5 })).summary).toMatchObject(whole);
    expect(existsSync(at('data', 'dataset.json'))).toBe(true);
    expect(await outcomes()).toHaveLength(5);
  });

  it('is refused when its signature cannot be read', async () => {
    await keep({ format: all, count: 1 });
    await writeFile(at('data', 'dataset.json'), '{"run":');
    expect((await keep({ format: all, run: 'other' })).summary).toMatchObject({
      end: 'failed',
      error: { code: 'output_exists', place: { file: at('data', 'dataset.json') } },
    });
  });

  it('counts as done when the same configuration made it and its run folder is gone', async () => {
    await keep({ format: all });
    const expected = await hashes('data');
    await rm(at('run'), { recursive: true });
    await rm(at('data', catalogOf(4)));
    const made: number[] = [];
    const order = [4];
    expect(
      (await keep({ format: all, order, before: (index) => void made.push(index) })).summary,
    ).toMatchObject({
      ...whole,
      items: { ok: 5 },
    });
    expect(made).toEqual([4]);
    expect(await hashes('data')).toEqual(expected);
    await rm(at('run'), { recursive: true });
    const survey = { format: 'des-tiles', nameOf: desName, data: 'survey' } as const;
    await keep(survey);
    await rm(at('run'), { recursive: true });
    expect((await keep({ ...survey, order: [] })).summary).toMatchObject({ ...whole, items: { ok: 5 } });
  });
});
