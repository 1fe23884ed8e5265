/** What `read` makes of FITS images and of catalogues. */
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { read } from '../../src/operators/read.js';
import type { CatalogFacts } from '../../src/operators/support/facts.js';
import type { Catalog, SkyImage } from '../../src/operators/support/nouns.js';
import { deriveSeed } from '../../src/science/random.js';
import { TanWcs } from '../../src/science/wcs.js';
import { anyPixels } from '../support/arrays.js';
import { root } from '../support/cli.js';
import { catalogs, factsOf, images, windows } from '../support/read-all.js';
import { type TempFolder, tempFolder } from '../support/run.js';
import { alter, plainFits } from '../support/survey.js';

const fixtures = join(root, 'test', 'fixtures', 'read');
const catalogFile = join(fixtures, 'galsim_des_000.dat');

let folder: TempFolder;
beforeEach(async () => {
  folder = await tempFolder();
});
afterEach(() => folder[Symbol.asyncDispose]());

const at = (...path: string[]): string => join(folder.path, ...path);

const wcsCards = {
  CTYPE1: 'RA---TAN',
  CTYPE2: 'DEC--TAN',
  CRVAL1: 50.5,
  CRVAL2: -40.25,
  CRPIX1: 12.5,
  CRPIX2: 8.5,
  CD1_1: -7.3e-5,
  CD1_2: 0,
  CD2_1: 0,
  CD2_2: 7.3e-5,
};
const width = 24;
const height = 16;
const pixelsOf = (seed: number): Float32Array => anyPixels(seed, width * height);

async function addFits(path: string, seed: number, cards: Record<string, string | number> = wcsCards) {
  await writeFile(path, plainFits(pixelsOf(seed), width, cards));
}

describe('catalogues (.dat)', () => {
  const size = 256;

  it('become fields with the numbers of the file, named after it', async () => {
    const { taken, summary } = await catalogs({ path: fixtures, size });
    expect(summary.end).toBe('complete');
    expect(taken).toHaveLength(1);
    const [catalog] = taken as [Catalog];
    const lines = (await readFile(catalogFile, 'utf8')).trimEnd().split('\n');
    const first = (lines[0] as string).split(' ').map(Number);
    expect(catalog).toMatchObject({ id: 'galsim_des_000', width: size, height: size, clusters: [] });
    expect(catalog.seed).toBe(deriveSeed(0, 'galsim_des_000'));
    expect(catalog.sources.count).toBe(lines.length);
    expect(catalog.sources.columns.X[0]).toBe(first[2]);
    expect(catalog.sources.columns.HLR[0]).toBe(first[9]);
    expect(catalog.inputs).toMatchObject([
      { name: catalogFile, checksum: expect.stringMatching(/^sha256:/) },
    ]);
  });

  it('lie where the options say, north up, with the pixels of DECam', async () => {
    const { taken } = await catalogs({ path: catalogFile, size: [300, 200], ra: 10, dec: 20 });
    const [{ wcs, areaSquareDegrees }] = taken as [Catalog];
    const tan = new TanWcs(wcs);
    expect(tan.toSky([149.5, 99.5])).toEqual([10, 20]);
    expect(tan.toSky([149.5, 100.5])[1]).toBeCloseTo(20 + 0.263 / 3600, 10);
    expect(tan.toSky([150.5, 99.5])[0]).toBeLessThan(10);
    expect(areaSquareDegrees).toBeCloseTo((300 * 200 * 0.263 ** 2) / 3600 ** 2, 12);
  });

  it('are found in the folder, in the catalogs/ of a data_dir, or one alone; other files are not ours', async () => {
    await mkdir(at('data', 'catalogs'), { recursive: true });
    await copyFile(catalogFile, at('data', 'catalogs', 'b.dat'));
    await copyFile(catalogFile, at('data', 'catalogs', 'a.dat'));
    await writeFile(at('data', 'catalogs', 'notes.txt'), 'hello');
    for (const path of [at('data'), at('data', 'catalogs')]) {
      const { taken } = await catalogs({ path, size });
      expect(taken.map(({ id }) => id)).toEqual(['a', 'b']);
    }
    const { taken } = await catalogs({ path: at('data', 'catalogs', 'b.dat'), size });
    expect(taken.map(({ id }) => id)).toEqual(['b']);
  });

  it('without a source are fields without a source', async () => {
    await writeFile(at('empty.dat'), '');
    const { taken, summary } = await catalogs({ path: folder.path, size });
    expect(summary.end).toBe('complete');
    expect(taken.map(({ sources }) => sources.count)).toEqual([0]);
  });

  it('tell the next stage their size', async () => {
    const facts = (await factsOf({ from: 'dat', path: fixtures, size: [300, 200] })) as CatalogFacts;
    expect(facts).toMatchObject({ kind: 'Catalog', width: 300, height: 200 });
    expect(facts.announced.map(({ name }) => name)).toEqual(['galsim_des_000']);
  });

  it.each([
    ['missing columns', 'catalog_columns', (row: string[]) => row.slice(0, 9)],
    ['a flux that is not a number', 'catalog_values', (row: string[]) => row.with(6, 'nan')],
    ['a negative flux', 'catalog_values', (row: string[]) => row.with(6, '-3.5')],
    ['a shear of 1', 'catalog_values', (row: string[]) => row.with(11, '1.0').with(12, '0.0')],
    ['no radius', 'catalog_values', (row: string[]) => row.with(9, '0.0')],
    ['a source far outside', 'catalog_values', (row: string[]) => row.with(2, '99999.0')],
    ['text', 'catalog_values', (row: string[]) => row.with(4, 'galaxy')],
  ])('with %s are set aside with the line, and the others go on', async (_what, code, change) => {
    await copyFile(catalogFile, at('good.dat'));
    await copyFile(catalogFile, at('bad.dat'));
    await alter(at('bad.dat'), (bytes) => {
      const lines = bytes.toString().trimEnd().split('\n');
      return Buffer.from(lines.with(4, change((lines[4] as string).split(' ')).join(' ')).join('\n'));
    });
    const { taken, summary, causes } = await catalogs({ path: folder.path, size });
    expect(summary).toMatchObject({ end: 'incomplete', items: { unprocessable: 1 } });
    expect(taken.map(({ id }) => id)).toEqual(['good']);
    expect(causes.bad).toMatchObject({ code, stage: 'read', detail: { file: at('bad.dat'), line: 5 } });
  });

  it('must be told how large they are, and images must not', () => {
    expect(() => read({ from: 'dat', path: fixtures }, undefined as never)).toThrow(/size: 2560/);
    expect(() => read({ from: 'fits', path: fixtures, size }, undefined as never)).toThrow(
      /images say themselves/,
    );
    const reader = 'fitsjs';
    expect(() => read({ from: 'dat', path: fixtures, size, reader }, undefined as never)).toThrow(
      /fitsjs reads FITS/,
    );
  });
});

describe('images (.fits)', () => {
  const bands = ['g', 'r'];
  const from = 'fits';

  beforeEach(async () => {
    await mkdir(at('images'));
    for (const [i, name] of ['sky_000', 'sky_001'].entries())
      for (const [j, band] of bands.entries()) await addFits(at('images', `${name}_${band}.fits`), 2 * i + j);
  });

  it('give through tile what is in the file', async () => {
    const { taken, summary } = await windows({ from, path: at('images'), bands }, 8);
    expect(summary.end).toBe('complete');
    expect(taken).toHaveLength(12);
    for (const { parent, x0, y0, values } of taken) {
      for (const [j] of bands.entries()) {
        const pixels = pixelsOf(2 * ['sky_000', 'sky_001'].indexOf(parent) + j);
        for (let y = 0; y < 8; y++) {
          const start = (y0 + y) * width + x0;
          expect(values.subarray((j * 8 + y) * 8, (j * 8 + y + 1) * 8)).toEqual(
            pixels.slice(start, start + 8),
          );
        }
      }
    }
  });

  it('have the coordinates of their headers, and one name for all bands', async () => {
    const { taken } = await images({ from, path: folder.path, bands });
    expect(taken.map(({ id }) => id)).toEqual(['sky_000', 'sky_001']);
    expect(taken[0]).toMatchObject({
      bands,
      width,
      height,
      wcs: { crval: [50.5, -40.25] },
      truth: undefined,
    });
    expect(taken[0]?.inputs.map(({ name }) => name)).toEqual(
      bands.map((band) => at('images', `sky_000_${band}.fits`)),
    );
  });

  it('of other bands are not looked at', async () => {
    await addFits(at('images', 'other_y.fits'), 9);
    await addFits(at('images', 'sky_000_y.fits'), 9);
    const { taken, summary } = await images({ from, path: at('images'), bands });
    expect(summary.end).toBe('complete');
    expect(taken.map(({ id }) => id)).toEqual(['sky_000', 'sky_001']);
  });

  it.each([
    ['beside the images', 'images'],
    ['in catalogs/ within their folder', 'images/catalogs'],
    ['in catalogs/ beside their folder', 'catalogs'],
  ])('know what is in them from the catalogue %s', async (_where, place) => {
    await mkdir(at(place), { recursive: true });
    const content = `${'50.6 -40.2 3.5 4.5 1 10 20 30 40 1 0 0.1 0 0.5 1 0 0'}\n`;
    for (const name of ['sky_000', 'sky_001']) await writeFile(at(place, `${name}.dat`), content);
    const { taken } = await images({ from, path: at('images'), bands });
    const [{ truth, wcs, fingerprint }] = taken as [SkyImage];
    expect(truth).toMatchObject({ id: 'sky_000', width, height, wcs, fingerprint, sources: { count: 1 } });
    const facts = await factsOf({ from, path: at('images'), bands });
    expect(facts).toMatchObject({ kind: 'SkyImage', width, height, hasTruth: true });
    await rm(at(place, 'sky_001.dat'));
    const partly = { hasTruth: false, hasSomeTruth: true };
    expect(await factsOf({ from, path: at('images'), bands })).toMatchObject(partly);
  });

  it('are set aside when their catalogue cannot be true', async () => {
    await writeFile(at('images', 'sky_001.dat'), '50.6 -40.2 3.5 4.5 1 -10 20 30 40 1 0 0.1 0 0.5 1 0 0\n');
    const { taken, causes } = await images({ from, path: at('images'), bands });
    expect(taken.map(({ id }) => id)).toEqual(['sky_000']);
    expect(causes.sky_001).toMatchObject({ code: 'catalog_values' });
  });

  it.each<[string, string, () => Promise<void>]>([
    ['a band is missing', 'band_missing', () => rm(at('images', 'sky_000_r.fits'))],
    ['a band is there twice', 'band_duplicate', () => addFits(at('images', 'sky_000_r.fits.fz'), 1)],
    [
      'the file is cut short',
      'fits_truncated',
      () => alter(at('images', 'sky_000_r.fits'), (b) => b.subarray(0, 3000)),
    ],
    [
      'the file is something else',
      'fits_not_fits',
      () => writeFile(at('images', 'sky_000_r.fits'), 'hello '.repeat(1000)),
    ],
    ['there are no coordinates', 'wcs_missing', () => addFits(at('images', 'sky_000_r.fits'), 1, {})],
    [
      'the bands are of different sizes',
      'bands_differ',
      () => writeFile(at('images', 'sky_000_r.fits'), plainFits(pixelsOf(1), 16, wcsCards)),
    ],
  ])('are set aside when %s, and the others go on', async (_what, code, spoil) => {
    await spoil();
    const { taken, summary, causes } = await images({ from, path: at('images'), bands });
    expect(summary.items).toMatchObject({ ok: 1, unprocessable: 1 });
    expect(taken.map(({ id }) => id)).toEqual(['sky_001']);
    expect(causes.sky_000).toMatchObject({ code, stage: 'read' });
  });

  it('can be read by fitsjs', async () => {
    const { taken } = await windows({ from, path: at('images'), bands, reader: 'fitsjs' }, 16);
    expect(taken).toHaveLength(4);
    expect(taken[0]?.values[0]).toBe(pixelsOf(0)[0]);
  });
});

describe('nothing to read', () => {
  it.each(['des-tiles', 'fits', 'pt', 'npy', 'dat'] as const)(
    'is an error that says what was expected (%s)',
    async (from) => {
      const options = { from, path: folder.path, ...(from === 'dat' && { size: 64 }) };
      await expect(factsOf(options)).rejects.toMatchObject({ code: 'no_input', message: /expected/ });
      await writeFile(at('notes.txt'), 'hello');
      for (const ending of ['dat', 'pt', 'npy']) await mkdir(at(`folder.${ending}`));
      await expect(factsOf(options)).rejects.toMatchObject({ code: 'no_input' });
      await expect(factsOf({ ...options, path: at('notes.txt') })).rejects.toMatchObject({
        code: 'no_input',
      });
      await expect(factsOf({ ...options, path: at('gone') })).rejects.toMatchObject({ code: 'no_input' });
    },
  );
});

it.each([
  ['dat', 'pipe.dat', { size: 256 }],
  ['pt', 'pipe.pt', {}],
  ['npy', 'pipe.npy', {}],
  ['fits', 'pipe_g.fits', { bands: ['g'] }],
] as const)('a pipe among the files is set aside, and never waited for (%s)', async (from, name, options) => {
  execFileSync('mkfifo', [at(name)]);
  const { causes } =
    from === 'dat'
      ? await catalogs({ path: folder.path, ...options })
      : await images({ from, path: folder.path, ...options });
  expect(causes.pipe).toMatchObject({ code: 'file_unreadable', message: 'this is not a file' });
});
