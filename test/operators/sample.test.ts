/** `sample` in a run: which fields there are, that they are the same however they are made, and what it refuses. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkedOptions } from '../../src/config/options.js';
import type { OptionsInput } from '../../src/config/spec.js';
import type { StageNeeds } from '../../src/engine/stage.js';
import { sample, sampleSpec } from '../../src/operators/sample.js';
import type { Catalog } from '../../src/operators/support/nouns.js';
import { catalogColumns } from '../../src/science/catalog.js';
import { checkSources } from '../../src/science/catalog-check.js';
import { fieldDefaults } from '../../src/science/priors/field.js';
import { deriveSeed } from '../../src/science/random.js';
import { TanWcs } from '../../src/science/wcs.js';
import { tempFolder, testRun } from '../support/run.js';
import { takeAll } from '../support/take-all.js';

type Options = OptionsInput<typeof sampleSpec>;

const fixture = (name: string): string => join(import.meta.dirname, '../fixtures/sample', name);
const small = { size: 256, clusters: { probability: 1 } } as const;

async function catalogs(options: Options, dir?: string) {
  await using own = await testRun({ memoryBytes: 64 << 20, ...(dir !== undefined && { dir }) });
  const { run } = own;
  const { taken, summary } = await takeAll(run, sample(options, run), (catalog: Catalog) => catalog);
  expect(run.memory.inUse).toBe(0);
  return { taken, summary };
}

async function needsOf(options: Options): Promise<StageNeeds> {
  await using own = await testRun();
  return await sample.inspect(checkedOptions(sampleSpec, options), {}, own.run);
}

const bytesOf = ({ sources, clusters, seed }: Catalog): string =>
  JSON.stringify([seed, clusters, catalogColumns.map((name) => [...sources.columns[name]])]);

describe('fields', () => {
  it('are numbered, and lie where the case study has them', async () => {
    const { taken, summary } = await catalogs({ ...small, fields: 2, first: 999, prefix: 'mock' });
    expect(summary.end).toBe('complete');
    expect(taken.map(({ id }) => id)).toEqual(['mock_999', 'mock_1000']);
    for (const catalog of taken) {
      expect(catalog).toMatchObject({ width: 256, height: 256, inputs: [] });
      expect(catalog.clusters).toHaveLength(1);
      const [ra, dec] = new TanWcs(catalog.wcs).toSky([127.5, 127.5]);
      expect(ra).toBeCloseTo(50.64516228577292, 12);
      expect(dec).toBeCloseTo(-40.228830895890404, 12);
      expect(catalog.areaSquareDegrees).toBeCloseTo((256 * 0.263) ** 2 / 3600 ** 2, 12);
    }
  });

  it('hold what a catalogue may hold', async () => {
    const { taken } = await catalogs({ fields: 3, size: [300, 500], noise: { enabled: true } });
    for (const { sources, width, height } of taken) {
      expect(sources.count).toBeGreaterThan(50);
      expect(() => checkSources(sources, { width, height })).not.toThrow();
    }
  });

  it('take names and centres from a list of tiles', async () => {
    const { taken } = await catalogs({ ...small, tiles: fixture('tiles.csv'), first: 1 });
    expect(taken.map(({ id }) => id)).toEqual(['DES0002-5040', 'DES0000-5914']);
    const [, across] = taken as [Catalog, Catalog];
    // Its corners are 359.4142 and 360.84265: the middle is behind 0 h.
    expect(across.wcs.crval[0]).toBeCloseTo(0.128425, 6);
    expect(across.wcs.crval[1]).toBeCloseTo(-59.236111, 6);
  });

  it('are as many as asked for, or as there are tiles', async () => {
    const announced = async (options: Options) =>
      ((await needsOf(options)).facts.announced as readonly { name: string }[]).map(({ name }) => name);
    expect(await announced({})).toEqual(['galsim_des_000']);
    expect(await announced({ tiles: fixture('tiles.csv') })).toHaveLength(3);
    expect(await announced({ tiles: fixture('tiles.csv'), fields: 1 })).toEqual(['DES0001-0541']);
    expect(await announced({ fields: 10_169 })).toHaveLength(10_169);
  });

  it('are the same whichever of them are made, and in whichever run', async () => {
    const { taken: all } = await catalogs({ ...small, fields: 6 });
    const { taken: some } = await catalogs({ ...small, fields: 2, first: 3 });
    expect(some.map(bytesOf)).toEqual(all.slice(3, 5).map(bytesOf));
    expect(all.map(({ seed }) => seed)).toEqual(all.map(({ id }) => deriveSeed(0, id)));
    const { taken: others } = await catalogs({ ...small, fields: 1, seed: 1 });
    expect(bytesOf(others[0] as Catalog)).not.toBe(bytesOf(all[0] as Catalog));
  });

  it('that are done are not made again', async () => {
    await using folder = await tempFolder();
    expect((await catalogs({ ...small, fields: 3 }, folder.path)).taken).toHaveLength(3);
    const again = await catalogs({ ...small, fields: 3 }, folder.path);
    expect(again.taken).toEqual([]);
    expect(again.summary).toMatchObject({ end: 'complete', resumed: true });
  });

  it('of another seed do not get into the same run', async () => {
    await using folder = await tempFolder();
    await catalogs({ ...small, fields: 1 }, folder.path);
    const { summary } = await catalogs({ ...small, fields: 1, seed: 1 }, folder.path);
    expect(summary).toMatchObject({
      end: 'failed',
      error: { code: 'run_mismatch', message: expect.stringContaining('sample.seed: 0 → 1') },
    });
  });

  it('of catalogues of the user have their checksums as inputs', async () => {
    const { taken, summary } = await catalogs({
      fields: 2,
      size: 900,
      clusters: { probability: 1 },
      background_catalogue: { path: fixture('background.fits') },
      cluster_catalogue: { path: fixture('members.fits'), photo_z: { path: fixture('photo_z.fits') } },
    });
    expect(summary.end).toBe('complete');
    for (const catalog of taken) {
      expect(catalog.inputs.map(({ checksum }) => checksum)).toEqual(
        Array.from({ length: 3 }, () => expect.stringMatching(/^sha256:/)),
      );
      expect(catalog.sources.columns.MEM.filter((is) => is === 1)).toHaveLength(4);
      expect(new Set(catalog.sources.columns.FLUX_I).size).toBeLessThanOrEqual(5 + 4);
      expect(() => checkSources(catalog.sources, { width: 900, height: 900 })).not.toThrow();
    }
  });
});

describe('options', () => {
  it('have the numbers of the priors as defaults', () => {
    const options = checkedOptions(sampleSpec, {});
    const { background, clusters, shapes, noise, cosmology } = options;
    const { user: _user, ...defaults } = fieldDefaults;
    expect({ background, clusters, shapes, noise, cosmology }).toEqual(defaults);
  });

  it.each<[string, Options, string]>([
    [
      'a range upside down',
      { background: { counts: { brightest: 26 } } },
      'brightest = 26 should be below faintest = 25',
    ],
    [
      'a table of unequal columns',
      { clusters: { red_sequence: { z: [0.1, 0.5] } } },
      'm_star has 17 rows, but there are 2',
    ],
    ['redshifts that fall', { clusters: { red_sequence: { z: [0.5, 0.1] } } }, '0.1 follows 0.5'],
    ['a centre upside down', { clusters: { centre: [0.7, 0.3] } }, '0.7 should not be above 0.3'],
    [
      'members without a redshift',
      { cluster_catalogue: { path: 'x.fits' } },
      'redshifts should come from a column, or from photo_z',
    ],
    [
      'a column that is no name',
      { background_catalogue: { path: 'x.fits', i: 'MAG[' } },
      'the name of a column',
    ],
    ['a name that is a path', { prefix: '../x' }, 'a word of letters, digits'],
  ])('refuse %s', (_what, options, message) => {
    expect(() => checkedOptions(sampleSpec, options)).toThrow(message);
  });
});

describe('before anything starts', () => {
  it.each<[string, Options, object]>([
    [
      'clusters that never fit',
      { clusters: { max_diameter: 1, max_tries: 50 } },
      {
        code: 'prior_empty',
        message: 'none of 50 clusters fits: 50 wider than max_diameter = 1 px, 0 without members',
      },
    ],
    [
      'priors that leave nothing',
      { background: { counts: { slope_faint: 1e6 } } },
      { code: 'config_invalid', message: expect.stringContaining('the priors contradict each other') },
    ],
    [
      'a catalogue that is not there',
      { background_catalogue: { path: 'nowhere.fits' } },
      { code: 'no_input', place: { file: 'nowhere.fits' } },
    ],
    [
      'a catalogue that is no FITS file',
      { background_catalogue: { path: fixture('tiles.csv') } },
      { code: 'fits_not_fits' },
    ],
    [
      'a catalogue without a column',
      { background_catalogue: { path: fixture('members.fits') } },
      {
        code: 'prior_columns',
        message: expect.stringContaining('FLUX_RADIUS_R (for flux_radius) is missing'),
      },
    ],
    [
      'a list that is not there',
      { tiles: 'nowhere.csv' },
      { code: 'no_input', place: { file: 'nowhere.csv' }, hint: expect.stringContaining('des-dr2') },
    ],
    [
      'a list that is something else',
      { tiles: fixture('make_catalogues.py') },
      { code: 'no_input', message: expect.stringContaining('has no tilename') },
    ],
    [
      'a first tile after the last',
      { tiles: fixture('tiles.csv'), first: 3 },
      { code: 'no_input', message: 'the list has 3 tiles, none after the first 3' },
    ],
    [
      'more tiles than the list has',
      { tiles: fixture('tiles.csv'), first: 1, fields: 3 },
      {
        code: 'no_input',
        message: 'the list has 2 tiles after the first 1, but 3 are asked for',
        hint: expect.stringContaining('sample.fields=2'),
      },
    ],
  ])('%s are refused', async (_what, options, error) => {
    await expect(needsOf(options)).rejects.toMatchObject(error);
  });

  it('a catalogue none of whose clusters fits is refused', async () => {
    const { summary, taken } = await catalogs({
      fields: 1,
      clusters: { max_diameter: 1 },
      cluster_catalogue: { path: fixture('members.fits'), photo_z: { path: fixture('photo_z.fits') } },
    });
    expect(taken).toEqual([]);
    expect(summary).toMatchObject({
      end: 'failed',
      error: { code: 'prior_empty', message: expect.stringContaining('none of 3 clusters fits: 2 wider') },
    });
  });
});
