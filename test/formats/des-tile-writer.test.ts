import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type DesTileImages, desBandPath, writeDesTile } from '../../src/formats/des-tile-writer.js';
import { listDesTiles } from '../../src/formats/des-tiles.js';
import { verifyChecksum } from '../../src/formats/fits/file.js';
import { readPlane } from '../../src/formats/fits/plane.js';
import { TanWcs } from '../../src/science/wcs.js';
import { tempFolder } from '../support/run.js';
import { withFits } from './fits/fixtures.js';
import { randomSource } from './fits/kernels-reference.js';

const width = 60;
const height = 40;
const wcs = new TanWcs({
  crval: [0.2521, -0.6833],
  crpix: [30.5, 20.5],
  cd: [-0.263 / 3600, 0, 0, 0.263 / 3600],
  radesys: 'ICRS',
  equinox: 2000,
});
const next = randomSource(1);
const science = Float32Array.from({ length: width * height }, () => next() / 2 ** 31 - 1);
science.fill(0, 0, width);
science[100] = Number.NaN;
const mask = Int32Array.from(science, (pixel) => (pixel === 0 ? 2048 : 0));
const weight = new Float32Array(width * height).fill(0.25);
const tile = (bands: readonly string[]): DesTileImages => ({
  name: 'DES0001-0041',
  tag: 'r4907p01',
  width,
  height,
  wcs,
  bands: bands.map((band) => ({
    band,
    science: (y0, y1) => science.subarray(y0 * width, y1 * width),
    mask: (y0, y1) => mask.subarray(y0 * width, y1 * width),
    weight: (y0, y1) => weight.subarray(y0 * width, y1 * width),
    magZero: 30,
    cards: [['ORIGIN', 'simulated', 'synthetic, no survey data']],
  })),
});

describe('a DES tile', () => {
  it('lies where the survey has it and is found by its reader', async () => {
    await using folder = await tempFolder();
    const paths = writeDesTile(folder.path, tile(['g', 'r']));
    expect(paths).toEqual(
      ['g', 'r'].map((band) => desBandPath(folder.path, 'DES0001-0041', 'r4907p01', band)),
    );
    expect(paths[0]).toBe(join(folder.path, 'DES0001-0041/DES0001-0041_r4907p01_g_nobkg.fits.fz'));
    const [found, ...others] = await listDesTiles(folder.path);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ name: 'DES0001-0041', problem: undefined });
    expect([...(found?.files.keys() ?? [])].sort()).toEqual(['g', 'r']);
  });

  it('holds SCI, MSK and WGT as DES compresses them, with the world coordinates of the tile', async () => {
    await using folder = await tempFolder();
    const [path] = writeDesTile(folder.path, tile(['z'])) as [string];
    withFits(path, (file) => {
      expect(file.hdus.map(({ name, kind }) => [name, kind])).toEqual([
        ['', 'empty'],
        ['SCI', 'compressed-image'],
        ['MSK', 'compressed-image'],
        ['WGT', 'compressed-image'],
      ]);
      for (const hdu of file.hdus) expect(verifyChecksum(file, hdu)).toBe('ok');
      const [, sci, msk] = file.hdus;
      for (const header of [sci?.header, msk?.header]) {
        expect(TanWcs.fromHeader((keyword) => header?.get(keyword)).terms).toEqual(wcs.terms);
        expect(
          ['TILENAME', 'BAND', 'MAGZERO', 'REQNUM', 'ATTNUM', 'ORIGIN'].map((key) => header?.get(key)),
        ).toEqual(['DES0001-0041', 'z', 30, 4907, 1, 'simulated']);
      }
      expect(sci?.header.get('ZQUANTIZ')).toBe('SUBTRACTIVE_DITHER_2');
      expect(msk?.header.get('ZCMPTYPE')).toBe('PLIO_1');
      const pixels = readPlane(file, 1);
      expect(pixels.subarray(0, width).every((pixel) => pixel === 0)).toBe(true);
      expect([...pixels.keys()].filter((i) => Number.isNaN(pixels[i]))).toEqual([100]);
      expect(Int32Array.from(readPlane(file, 2))).toEqual(mask);
      expect(readPlane(file, 3)).toEqual(weight);
    });
  });

  it.each([
    ['tile name', { name: '../DES0001-0041' }],
    ['tile name', { name: '' }],
    ['tag', { tag: 'p01' }],
    ['band', { bands: tile(['g']).bands.map((band) => ({ ...band, band: 'g_1' })) }],
  ])('is refused for a %s that makes no path', async (what, more) => {
    await using folder = await tempFolder();
    expect(() => writeDesTile(folder.path, { ...tile(['g']), ...more })).toThrow(`the ${what} is`);
    expect(existsSync(join(folder.path, 'DES0001-0041'))).toBe(false);
  });
});
