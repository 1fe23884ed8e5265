import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EngineError } from '../../src/engine/errors.js';
import type { Run, RunSummary } from '../../src/engine/run.js';
import type { Facts } from '../../src/engine/stage.js';
import { readDat } from '../../src/formats/dat.js';
import { listDesTiles } from '../../src/formats/des-tiles.js';
import { openFits, verifyChecksum } from '../../src/formats/fits/file.js';
import { readPlane } from '../../src/formats/fits/plane.js';
import { closeRegion, openRegion } from '../../src/formats/fits/source.js';
import { readTable } from '../../src/formats/fits/table.js';
import { openPt } from '../../src/formats/pt/read.js';
import type { ImageFacts } from '../../src/operators/support/facts.js';
import type { Catalog, SkyImage } from '../../src/operators/support/nouns.js';
import { write } from '../../src/operators/write.js';
import { toTileCatalog } from '../../src/science/tile-catalog.js';
import {
  catalog,
  catalogFacts,
  desName,
  drawnField,
  fieldBands,
  fieldFacts,
  fieldName,
} from '../support/fields.js';
import { type TempFolder, tempFolder, testRun, until } from '../support/run.js';
import { Progress, produced } from '../support/stages.js';

const side = 64;

let temp: TempFolder;
beforeEach(async () => {
  temp = await tempFolder();
});
afterEach(() => temp[Symbol.asyncDispose]());
const at = (...names: string[]): string => join(temp.path, ...names);

type Field = SkyImage | Catalog;

interface Start {
  /** Folder of the run, in the test's own. */
  readonly run?: string;
  /** Folder of the data set. */
  readonly data?: string;
  readonly format: 'dat' | 'fits' | 'pt' | 'des-tiles' | readonly ('dat' | 'fits' | 'pt' | 'des-tiles')[];
  /** How many fields are announced. */
  readonly count?: number;
  /** Which of them come, in this order; all, in their order, when left out. */
  readonly order?: readonly number[];
  readonly facts?: Facts;
  readonly field?: (index: number) => Field;
  readonly nameOf?: (index: number) => string;
  readonly options?: Partial<Parameters<typeof write>[0]>;
  /** Called before a field is made; may throw, which sets it aside or ends the run. */
  readonly before?: (index: number, run: Run) => void | Promise<void>;
}

interface Done {
  readonly summary: RunSummary;
  readonly run: Run;
}

/** One start of a run that keeps so many fields. */
async function keep(start: Start): Promise<Done> {
  const { run: runDir = 'run', data = 'data', format, count = 5, nameOf = fieldName } = start;
  const { order = [...Array(count).keys()], facts = fieldFacts(count, side, nameOf) } = start;
  const { field = (index) => drawnField(index, side, nameOf) } = start;
  await using own = await testRun({ dir: at(runDir), memoryBytes: 512 << 20 });
  const { run } = own;
  const stream = produced<Field>(run, new Progress(), {
    name: 'render',
    count: order.length,
    bytes: 100,
    facts,
    itemsOf: (i) => [nameOf(order[i] as number)],
    value: (i) => field(order[i] as number),
    before: (i) => start.before?.(order[i] as number, run),
  }).pipe(
    write({ format, dir: at(data), tile_size: 32, fields_per_file: 2, threads: 2, ...start.options }, run),
  );
  return { summary: await run.execute(stream), run };
}

/** Hash of every file of a folder, but for the signature, which names the run. */
async function hashes(folder: string): Promise<Readonly<Record<string, string>>> {
  const entries = await readdir(at(folder), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name !== 'dataset.json');
  const hashed = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    const hash = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    return [path.slice(at(folder).length + 1), hash.slice(0, 16)] as const;
  });
  return Object.fromEntries((await Promise.all(hashed)).sort());
}

/** A set-aside of the field, as when its catalogue cannot be read. */
const unprocessable = () => new EngineError('catalog_values', 'a flux is negative');
/** A failure that a later start tries again. */
const failed = () => new EngineError('timed_out', 'it took too long');
/** What ends the run, as a kill would, but for what is in flight. */
const fatal = () => new EngineError('out_of_files', 'no more files');

const images = (index: number) => fieldBands.map((band) => `images/${fieldName(index)}_${band}.fits`);
const catalogOf = (index: number) => `catalogs/${fieldName(index)}.dat`;
const all = ['dat', 'fits', 'pt'] as const;
const whole = { end: 'complete', error: undefined } as const;

async function outcomes(run = 'run'): Promise<readonly string[]> {
  const lines = (await readFile(at(run, 'ledger.jsonl'), 'utf8')).trim().split('\n');
  const records = lines.map((line) => JSON.parse(line) as { type: string; items?: readonly string[] });
  return records.flatMap(({ type, items }) => (type === 'outcome' ? (items ?? []) : []));
}

/** The columns of a table of a FITS file. */
function tableOf(path: string, hdu: number): Readonly<Record<string, unknown>> {
  const region = openRegion(path);
  try {
    return Object.fromEntries(
      readTable(openFits(region), hdu).columns.map(({ name, values }) => [name, values]),
    );
  } finally {
    closeRegion(region);
  }
}

describe('a set of fields', () => {
  it('has the files of the case study, each for what it is', async () => {
    expect((await keep({ format: all })).summary).toMatchObject(whole);
    const found = await hashes('data');
    expect(Object.keys(found)).toEqual(
      [
        ...[0, 1, 2, 3, 4].flatMap((index) => [catalogOf(index), ...images(index)]),
        ...[
          'file_data/file_data_0_size_2.pt',
          'file_data/file_data_1_size_2.pt',
          'file_data/file_data_2_size_1.pt',
        ],
      ].sort(),
    );
    // Read by torch.load, also with weights_only=True, and compared number by number, when these were taken.
    expect(found).toMatchObject({
      'catalogs/galsim_des_000.dat': '6b532abcade9f207',
      'file_data/file_data_0_size_2.pt': '1f5c8c75b0e26bfd',
      'file_data/file_data_2_size_1.pt': '0ef2c9c32e937c6c',
    });
    expect(await readDat(at('data', catalogOf(1)))).toEqual(catalog(1, side).sources);
    expect(JSON.parse(await readFile(at('data', 'dataset.json'), 'utf8'))).toMatchObject({
      format: all,
      bands: fieldBands,
      width: side,
      tile_size: 32,
      fields: [0, 1, 2, 3, 4].map(fieldName),
    });
  });

  it('has images that say what they are, where, and of what', async () => {
    await keep({ format: 'fits', count: 1 });
    const region = openRegion(at('data', 'images', 'galsim_des_000_r.fits'));
    const file = openFits(region);
    const { header } = file.hdus[0] as (typeof file.hdus)[number];
    expect(verifyChecksum(file, file.hdus[0] as (typeof file.hdus)[number])).toBe('ok');
    const pixels = Array.from({ length: side * side }, (_, i) =>
      i === 0 ? 0 : Math.fround(1000 + Math.floor(i / side) + (i % side) / 100),
    );
    expect([...readPlane(file, 0)]).toEqual(pixels);
    closeRegion(region);
    const cards = ['OBJECT', 'FILTER', 'BUNIT', 'MAGZERO', 'CTYPE1', 'CRVAL1', 'ORIGIN', 'CREATOR', 'DATE'];
    expect(cards.map((keyword) => header.get(keyword))).toEqual([
      ...['galsim_des_000', 'r', 'pmgy', 30, 'RA---TAN', 10, 'Skypass', 'skypass 0.0.0', undefined],
    ]);
  });

  it('becomes a survey of DES tiles with its truth', async () => {
    const { summary } = await keep({ format: 'des-tiles', nameOf: desName });
    expect(summary).toMatchObject(whole);
    const tiles = await listDesTiles(at('data'));
    expect(tiles.map(({ name, files, problem }) => [name, [...files.keys()].sort(), problem])).toEqual(
      [0, 1, 2, 3, 4].map((index) => [desName(index), [...fieldBands].sort(), undefined]),
    );
    const region = openRegion(at('data', desName(2), `${desName(2)}_r4907p01_i_nobkg.fits.fz`));
    const file = openFits(region);
    expect(file.hdus.map(({ name }) => name)).toEqual(['', 'SCI', 'MSK', 'WGT']);
    for (const hdu of file.hdus) expect(verifyChecksum(file, hdu)).toBe('ok');
    expect(new Set(readPlane(file, 2))).toEqual(new Set([0]));
    closeRegion(region);
    expect(tableOf(at('data', 'truth', 'clusters.fits'), 1)).toMatchObject({
      id_str: [0, 1, 2, 3, 4].map((index) => `${desName(index)}_c0`),
      richness: Float64Array.of(20, 21, 22, 23, 24),
      tile: [0, 1, 2, 3, 4].map(desName),
    });
    expect(tableOf(at('data', 'truth', `${desName(3)}_truth.fits`), 2)).toMatchObject({
      FLUX_R: catalog(3, side).sources.columns.FLUX_R,
    });
  });

  it('marks and gives no weight to pixels that are not numbers', async () => {
    const field = (index: number): SkyImage => {
      const image = drawnField(index, side, desName);
      if (image.pixels.kind === 'memory')
        for (const band of image.pixels.pixels) new Float32Array(band)[70] = Number.NaN;
      return image;
    };
    await keep({ format: 'des-tiles', nameOf: desName, count: 1, field });
    const region = openRegion(at('data', desName(0), `${desName(0)}_r4907p01_g_nobkg.fits.fz`));
    const file = openFits(region);
    const [science, mask, weight] = [1, 2, 3].map((hdu) => readPlane(file, hdu));
    closeRegion(region);
    expect([science?.[70], mask?.[70], weight?.[70]]).toEqual([Number.NaN, 1, 0]);
    expect([...(mask ?? [])].filter((flag) => flag !== 0)).toHaveLength(1);
    expect(weight?.[71]).toBeGreaterThan(0);
  });

  it('without a cluster has a table of clusters without rows', async () => {
    const field = (index: number): SkyImage => {
      const image = drawnField(index, side, desName);
      return { ...image, truth: { ...catalog(index, side, desName), clusters: [] } };
    };
    const { summary } = await keep({ format: 'des-tiles', nameOf: desName, count: 2, field });
    expect(summary).toMatchObject(whole);
    expect(tableOf(at('data', 'truth', 'clusters.fits'), 1)).toMatchObject({
      id_str: [],
      ra: new Float64Array(),
    });
  });

  it('of images that nobody knows the sources of has no catalogues', async () => {
    const facts: ImageFacts = { ...fieldFacts(3, side), hasTruth: false };
    const field = (index: number): SkyImage => ({ ...drawnField(index, side), truth: undefined });
    const { summary } = await keep({ format: ['fits', 'pt'], count: 3, facts, field });
    expect(summary).toMatchObject(whole);
    await using file = await openPt(at('data', 'file_data', 'file_data_0_size_2.pt'));
    expect((file.value as readonly ReadonlyMap<string, unknown>[]).map((item) => [...item.keys()])).toEqual([
      ['images'],
      ['images'],
    ]);
  });

  it('keeps tile catalogues that are all that is known', async () => {
    await keep({ format: 'pt', count: 2, data: 'made', run: 'made-run' });
    const rules = { width: side, height: side, tileSize: 32, origin: 1, band: 'r', minFlux: 0 } as const;
    const field = (index: number): SkyImage => {
      const { truth, ...image } = drawnField(index, side);
      return { ...image, truth: undefined, cells: toTileCatalog((truth as Catalog).sources, rules) };
    };
    const facts: ImageFacts = { ...fieldFacts(2, side), hasTruth: false, hasCells: true };
    expect((await keep({ format: 'pt', count: 2, facts, field })).summary).toMatchObject(whole);
    expect(await hashes('data')).toEqual(await hashes('made'));
    const other = { format: 'pt', count: 2, facts, field, run: 'other', data: 'other' } as const;
    const { summary, run } = await keep({ ...other, options: { tile_size: 16 } });
    expect(summary).toMatchObject({ end: 'incomplete', items: { unprocessable: 2 } });
    expect(run.ledger.causeOf(fieldName(0))?.message).toBe('the field knows 2 × 2 tiles, expected are 4 × 4');
  });

  it('has the same bytes whatever order its fields come in, and however many are written at once', async () => {
    await keep({ format: all });
    await keep({ format: all, run: 'run2', data: 'data2', order: [4, 2, 0, 3, 1], options: { threads: 4 } });
    await keep({ format: all, run: 'run3', data: 'data3', order: [3, 4, 1, 2, 0], options: { threads: 1 } });
    const expected = await hashes('data');
    expect(await hashes('data2')).toEqual(expected);
    expect(await hashes('data3')).toEqual(expected);
  });
});

describe('fields that are set aside', () => {
  it('leave their file smaller, and the others as they are', async () => {
    await keep({ format: all, run: 'whole-run', data: 'whole' });
    const before = (index: number) => {
      if (index === 0 || index === 4) throw unprocessable();
    };
    const { summary } = await keep({ format: all, before });
    expect(summary).toMatchObject({ end: 'incomplete', items: { ok: 3, unprocessable: 2 } });
    const [expected, found] = [await hashes('whole'), await hashes('data')];
    // Field 0 has zeros for a place; read by torch when this was taken.
    expect(found['file_data/file_data_0_size_1.pt']).toBe('f73c5b82537fd7c7');
    const same = [catalogOf(1), catalogOf(3), ...images(2), 'file_data/file_data_1_size_2.pt'];
    for (const file of same) expect(found[file]).toBe(expected[file]);
    expect(Object.keys(found).filter((file) => file.startsWith('file_data/'))).toHaveLength(2);
  });

  it('are added to their file when a later start can make them after all', async () => {
    await keep({ format: all, run: 'whole-run', data: 'whole' });
    const before = (index: number) => {
      if (index === 1) throw failed();
    };
    expect((await keep({ format: all, before })).summary).toMatchObject({
      end: 'incomplete',
      items: { failed: 1 },
    });
    expect(existsSync(at('data', 'file_data', 'file_data_0_size_1.pt'))).toBe(true);
    expect((await keep({ format: all })).summary).toMatchObject(whole);
    expect(await hashes('data')).toEqual(await hashes('whole'));
    expect((await outcomes()).filter((item) => item === fieldName(0))).toHaveLength(1);
  });
});

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

describe('what cannot be written', () => {
  const invalid = (message: RegExp, hint: RegExp) => ({
    end: 'failed',
    error: {
      code: 'config_invalid',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    },
  });

  it('is refused before anything starts', async () => {
    const odd = { ...fieldFacts(1, side), width: 100, height: 96 };
    expect((await keep({ format: 'pt', facts: odd })).summary).toMatchObject(
      invalid(
        /100 × 96 pixels cannot be cut into tiles of 32/,
        /width of 96 or 128 and a height of 96.*tile_size=4/,
      ),
    );
    expect((await keep({ format: 'fits', facts: catalogFacts(1, side) })).summary).toMatchObject(
      invalid(/catalogues have no pixels to write as fits/, /write.format=dat/),
    );
    const unknown = { ...fieldFacts(1, side), hasTruth: false };
    expect((await keep({ format: 'dat', facts: unknown })).summary).toMatchObject(
      invalid(/no catalogue to write/, /leave dat out/),
    );
    expect((await keep({ format: 'des-tiles' })).summary).toMatchObject(
      invalid(/galsim_des_000 cannot be the name of a DES tile/, /DES0001-0041/),
    );
    expect(existsSync(at('data'))).toBe(false);
  });

  it('of formats is said by the options', async () => {
    await using own = await testRun();
    const options = (format: unknown) => () => write({ format: format as 'dat', dir: at('data') }, own.run);
    expect(options(['hdf5', 'dat'])).toThrow(/format/);
    expect(options(['dat', 'dat'])).toThrow(/dat is asked for twice/);
  });

  it('as a field among others of another size is set aside', async () => {
    const field = (index: number) => drawnField(index, index === 1 ? 32 : side);
    const { summary, run } = await keep({ format: all, field });
    expect(summary).toMatchObject({ end: 'incomplete', items: { ok: 4, unprocessable: 1 } });
    expect(run.ledger.causeOf(fieldName(1))).toMatchObject({
      code: 'bands_differ',
      message: 'the field is 32 × 32 pixels, the others are 64 × 64',
    });
  });

  it('because the folder may not be written to ends the run', async () => {
    await keep({ format: all, count: 1 });
    await rm(at('data', 'images'), { recursive: true });
    await writeFile(at('data', 'images'), 'in the way');
    const { summary } = await keep({ format: all });
    expect(summary.end).toBe('failed');
    expect(['write_failed', 'config_invalid']).toContain(summary.error?.code);
  });
});

it('writes catalogues that were never drawn', async () => {
  const facts = catalogFacts(2, side);
  const { summary } = await keep({ format: 'dat', count: 2, facts, field: (index) => catalog(index, side) });
  expect(summary).toMatchObject(whole);
  expect(await readDat(at('data', catalogOf(1)))).toEqual(catalog(1, side).sources);
});
