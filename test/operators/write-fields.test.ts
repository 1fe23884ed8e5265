import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
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
import {
  all,
  catalogOf,
  failed,
  images,
  keptFields,
  side,
  unprocessable,
  whole,
} from '../support/keep-fields.js';
import { testRun } from '../support/run.js';

const { at, keep, hashes, outcomes } = keptFields();

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
