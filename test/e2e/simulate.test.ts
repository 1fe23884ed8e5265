/** Fields that are drawn and gone again, drawn from given catalogues, and made into a survey. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFits } from '../../src/formats/fits/file.js';
import { readPlane } from '../../src/formats/fits/plane.js';
import { closeRegion, openRegion } from '../../src/formats/fits/source.js';
import { readTable } from '../../src/formats/fits/table.js';
import { pass, root, skypass } from '../support/cli.js';
import { seededRandom } from '../support/disturbed.js';
import { digestsOf, runArgs, runKilled, runPipeline } from '../support/fields-run.js';
import { doneTwice, grouped, tileRows } from '../support/results.js';
import { type TempFolder, tempFolder } from '../support/run.js';

let temp: TempFolder;
const at = (name: string): string => join(temp.path, name);
const galsim = (name: string): string => join(root, 'test', 'fixtures', 'galsim', name);

beforeAll(async () => {
  temp = await tempFolder();
});
afterAll(() => temp[Symbol.asyncDispose]());

async function pixelsOf(path: string, hdu: number): Promise<Float32Array> {
  const region = await openRegion(path);
  try {
    return readPlane(openFits(region), hdu) as Float32Array;
  } finally {
    await closeRegion(region);
  }
}

describe('render', () => {
  const side = 256;

  it('draws a catalogue as GalSim does, with the PSF of a file', async () => {
    const { psf } = JSON.parse(await readFile(galsim('field.json'), 'utf8'));
    await writeFile(at('psf.json'), JSON.stringify(psf));
    const { code, err } = await runPipeline(
      'render',
      `catalog.path=${galsim('field.dat')}`,
      `image_size=${side}`,
      `render.psf=${at('psf.json')}`,
      `run.dir=${at('drawn')}`,
    );
    expect(code, err).toBe(0);
    const bytes = await readFile(galsim('field_griz.f32'));
    const expected = new Float32Array(bytes.buffer, bytes.byteOffset, 4 * side * side);
    for (const [i, band] of ['g', 'r', 'i', 'z'].entries()) {
      const drawn = await pixelsOf(join(at('drawn'), 'images', `field_${band}.fits`), 0);
      const of = expected.subarray(i * side * side, (i + 1) * side * side);
      const peak = of.reduce((most, value) => Math.max(most, value), 0);
      const worst = of.reduce((most, value, j) => Math.max(most, Math.abs(value - (drawn[j] as number))), 0);
      expect(worst / peak, band).toBeLessThan(1e-5);
    }
  });

  it('sets a catalogue aside that cannot be drawn, says where, and draws the others', async () => {
    const good = await readFile(galsim('field.dat'), 'utf8');
    const lines = good.split('\n');
    const changed = (column: number, value: string) =>
      lines.map((line, i) => (i === 6 ? line.split(' ').with(column, value).join(' ') : line)).join('\n');
    const folder = at('catalogues');
    await mkdir(folder);
    await writeFile(join(folder, 'good.dat'), good);
    await writeFile(join(folder, 'nan.dat'), changed(6, 'nan'));
    await writeFile(join(folder, 'negative.dat'), changed(7, '-3.5'));
    await writeFile(join(folder, 'sheared.dat'), changed(11, '1.2'));
    await writeFile(join(folder, 'pointless.dat'), changed(9, '0'));
    await writeFile(join(folder, 'far.dat'), changed(2, '99999'));
    await writeFile(
      join(folder, 'short.dat'),
      lines.map((line) => line.split(' ').slice(0, 9).join(' ')).join('\n'),
    );
    const { code, err, out } = await runPipeline(
      'render',
      `catalog.path=${folder}`,
      `image_size=${side}`,
      `run.dir=${at('some')}`,
    );
    expect(code, err).toBe(3);
    expect(Object.keys(await digestsOf(join(at('some'), 'images')))).toHaveLength(4);
    for (const name of ['nan', 'negative', 'sheared', 'pointless', 'far'])
      expect(out).toMatch(new RegExp(`${name}: catalog_values: .*7`));
    expect(out).toMatch(/short: catalog_columns: .*9/);
  });
});

describe('simulate', () => {
  const small = ['fields=6', 'image_size=256'];

  it('ends with the same predictions after it was killed again and again', { timeout: 180_000 }, async () => {
    const { code, err } = await runPipeline('simulate', `run.dir=${at('calm')}`, ...small);
    expect(code, err).toBe(0);
    const calm = grouped(at('calm'));
    expect(calm.datasets.id_str?.values).toEqual(Array.from({ length: 6 }, (_, i) => `field_00${i}/r0c0`));
    const seed = Number(process.env.SKYPASS_TEST_SEED ?? Date.now() % 1e6);
    const kills = await runKilled(
      runArgs('simulate', `run.dir=${at('killed')}`, ...small),
      seededRandom(seed),
      400,
    );
    expect(kills, `seed ${seed}`).toBeGreaterThan(0);
    expect(grouped(at('killed')).datasets, `seed ${seed}`).toEqual(calm.datasets);
    expect(await doneTwice(at('killed'))).toEqual([]);
  });

  it('keeps nothing but predictions', async () => {
    const left = Object.keys(await digestsOf(at('calm'), []));
    expect(left.filter((name) => /\.(dat|fits|pt|fz)$/.test(name))).toEqual([]);
  });

  it('draws deeper skies when it is told to', async () => {
    const { code, err } = await runPipeline('simulate', `run.dir=${at('deep')}`, ...small, 'noise=des');
    expect(code, err).toBe(0);
    expect(grouped(at('deep')).datasets.predictions?.values).not.toEqual(
      grouped(at('calm')).datasets.predictions?.values,
    );
  });
});

describe('make-survey', () => {
  const keys = (folder: string) => [`survey_dir=${at(folder)}`, 'tiles=2', 'image_size=256', 'clusters=4'];

  it('makes tiles that a pass reads, and their truth', async () => {
    const { code, err } = await runPipeline('make-survey', ...keys('survey'));
    expect(code, err).toBe(0);
    const done = await pass({ survey: at('survey'), dir: at('over') });
    expect(done.code, done.err).toBe(0);
    expect((await tileRows(at('over'))).map(({ id_str, outcome }) => [id_str, outcome])).toEqual([
      ['DES0001-0541', 'ok'],
      ['DES0002-5040', 'ok'],
    ]);
    const region = await openRegion(join(at('survey'), 'truth', 'clusters.fits'));
    try {
      const table = readTable(openFits(region), 1);
      expect(table.rows).toBeGreaterThan(0);
    } finally {
      await closeRegion(region);
    }
  });

  it('makes the same bytes after it was killed again and again', { timeout: 120_000 }, async () => {
    const seed = Number(process.env.SKYPASS_TEST_SEED ?? Date.now() % 1e6);
    await runKilled(runArgs('make-survey', ...keys('again')), seededRandom(seed), 400);
    expect(await digestsOf(at('again')), `seed ${seed}`).toEqual(await digestsOf(at('survey')));
  });

  it('can be looked at', async () => {
    const png = at('tile.png');
    const { code, err } = await skypass([
      'show',
      join(at('survey'), 'DES0001-0541'),
      '-o',
      png,
      '--width',
      '600',
    ]);
    expect(code, err).toBe(0);
    const { width, format } = await sharp(png).metadata();
    expect([width, format]).toEqual([600, 'png']);
  });
});
