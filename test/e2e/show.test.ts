/** `skypass show` as people start it. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pass, skypass } from '../support/cli.js';
import { type TempFolder, tempFolder } from '../support/run.js';
import { fixtureTiles } from '../support/survey.js';

const survey = fixtureTiles;
const [tile, other] = ['DES0347-5540', 'DES0001-0541'];
let temp: TempFolder;
beforeAll(async () => {
  temp = await tempFolder();
});
afterAll(() => temp[Symbol.asyncDispose]());

const show = (...args: readonly string[]) => skypass(['show', ...args], { cwd: temp.path });

describe('skypass show', () => {
  it('writes a picture named after the tile and says where', async () => {
    const { code, out, err } = await show(join(survey, tile));
    expect(code, err).toBe(0);
    expect(out).toMatch(/^\S+DES0347-5540\.png: \d+ × \d+, [\d.]+ [KM]iB\n$/);
    const { format, width } = await sharp(join(temp.path, `${tile}.png`)).metadata();
    expect(format).toBe('png');
    expect(width).toBeLessThanOrEqual(1200);
  });

  it('finds the files and predictions of a run', async () => {
    const dir = join(temp.path, 'run');
    const ended = await pass({ survey, dir });
    expect(ended.code, ended.err).toBe(0);
    const plain = await show(dir, '--tile', other, '--scale', '1', '--no-markers', '-o', 'plain.png');
    const full = await show(dir, '--tile', other, '--scale', '1', '-o', 'full.png');
    expect([plain.code, full.code], plain.err + full.err).toEqual([0, 0]);
    const width = async (name: string) => (await sharp(join(temp.path, name)).metadata()).width;
    expect(await width('full.png')).toBeGreaterThan((await width('plain.png')) + 30);
    // Translucent cells of low probability are bluer than the sky beneath, those of high probability greener.
    const part = { left: 100, top: 100, width: 300, height: 300 };
    const [before, after] = await Promise.all(
      ['plain.png', 'full.png'].map((name) => sharp(join(temp.path, name)).extract(part).stats()),
    );
    const levels = (of: typeof before) => of?.channels.slice(1).reduce((sum, { mean }) => sum + mean, 0) ?? 0;
    expect(levels(after)).toBeGreaterThan(levels(before) + 5);
    const { code, err } = await show(dir, '--tile', 'DES0001-0451');
    expect(code).toBe(2);
    expect(err).toContain('the run has no tile DES0001-0451 (did you mean "DES0001-0541"?)');
    expect((await show(dir)).err).toContain('the run has 4 tiles, and one is shown at a time');
  });

  it('refuses wrong usage with 2 and unreadable files with 1, each in one line', async () => {
    const before = await readdir(temp.path);
    const results = await Promise.all([
      show(),
      show(survey),
      show(join(survey, tile), '--bands', 'i,r'),
      show(join(survey, tile), '--crop', '1,2,3'),
      show(join(survey, tile), '--band', 'y'),
      show('gone.fits'),
    ]);
    expect(results.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2, 1]);
    expect(results[1]?.err).toContain('there are 4 tiles here');
    expect(results[2]?.err).toContain('expected three bands for red, green and blue');
    expect(results[4]?.err).toBe(
      `config_invalid: there is no band y, there are: g, r, i, z (${tile}); choose among g, r, i, z\n`,
    );
    expect(results[5]?.err).toMatch(/^file_unreadable: .*gone\.fits/);
    expect(await readdir(temp.path)).toEqual(before);
  });
});
