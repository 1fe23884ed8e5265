/** The data of the case study: made, made again, killed, refused, and read back. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPt } from '../../src/formats/pt/read.js';
import type { PtTensor } from '../../src/formats/pt/value.js';
import { skypass } from '../support/cli.js';
import { seededRandom } from '../support/disturbed.js';
import { digestsOf, runArgs, runKilled, runPipeline } from '../support/fields-run.js';
import { doneTwice } from '../support/results.js';
import { type TempFolder, tempFolder } from '../support/run.js';
import { smallDisk } from '../support/small-disk.js';

let temp: TempFolder;
let made: Record<string, string>;
const at = (name: string): string => join(temp.path, name);
const small = ['image_size=128', 'tile_size=64', 'nfiles=8', 'n_catalogs_per_file=3'];
const make = (folder: string, ...more: readonly string[]) =>
  runPipeline('data-gen', `data_dir=${at(folder)}`, ...small, ...more);

beforeAll(async () => {
  temp = await tempFolder();
  const { code, err } = await make('once');
  expect(code, err).toBe(0);
  made = await digestsOf(at('once'));
}, 60_000);
afterAll(() => temp[Symbol.asyncDispose]());

describe('data-gen', () => {
  it('leaves a catalogue and four images for each field, and lists of three', async () => {
    expect((await readdir(join(at('once'), 'catalogs'))).sort()).toEqual(
      Array.from({ length: 8 }, (_, i) => `galsim_des_00${i}.dat`),
    );
    expect((await readdir(join(at('once'), 'images'))).length).toBe(32);
    expect((await readdir(join(at('once'), 'file_data'))).sort()).toEqual([
      'file_data_0_size_3.pt',
      'file_data_1_size_3.pt',
      'file_data_2_size_2.pt',
    ]);
  });

  it('puts the same pixels into the lists as into the images', async () => {
    await using file = await openPt(join(at('once'), 'file_data', 'file_data_1_size_3.pt'));
    const list = file.value as readonly { readonly get: (key: string) => unknown }[];
    const images = list[2]?.get('images') as PtTensor;
    expect(images.shape).toEqual([4, 128, 128]);
    const pixels = (await file.read(images)) as Float32Array;
    const fits = await readFile(join(at('once'), 'images', 'galsim_des_005_z.fits'));
    const header = fits.indexOf('END     ') + 80;
    const data = Math.ceil(header / 2880) * 2880;
    const last = Array.from({ length: 128 * 128 }, (_, i) => fits.readFloatBE(data + 4 * i));
    expect([...pixels.subarray(3 * 128 * 128)]).toEqual(last);
  });

  it('makes the same bytes with one thread, and in another folder', async () => {
    const { code, err } = await make('again', '+render.threads=1', '+write.threads=1');
    expect(code, err).toBe(0);
    expect(await digestsOf(at('again'))).toEqual(made);
  });

  it('makes a field alone as it made it among others', async () => {
    const { code, err } = await make('alone', 'nfiles=1', '+sample.first=5', 'write.format=[dat,fits]');
    expect(code, err).toBe(0);
    const alone = await digestsOf(at('alone'));
    expect(Object.keys(alone)).toHaveLength(5);
    for (const [name, digest] of Object.entries(alone)) expect(made[name], name).toBe(digest);
  });

  it('ends with the same files after it was killed again and again', { timeout: 180_000 }, async () => {
    const seed = Number(process.env.SKYPASS_TEST_SEED ?? Date.now() % 1e6);
    const args = runArgs('data-gen', `data_dir=${at('killed')}`, ...small);
    const kills = await runKilled(args, seededRandom(seed), 300);
    expect(kills, `seed ${seed}`).toBeGreaterThan(0);
    expect(await digestsOf(at('killed')), `seed ${seed}`).toEqual(made);
    expect(await doneTwice(join(at('killed'), 'run'))).toEqual([]);
  });

  it('has nothing to do when it is given again, and says so', async () => {
    const { code, err } = await make('once');
    expect(code, err).toBe(0);
    expect(await digestsOf(at('once'))).toEqual(made);
  });
});

describe('data-gen refuses', () => {
  it('a second run with the same seed into one folder, until it may replace it', async () => {
    const other = await make('once', `run.dir=${at('other-run')}`);
    expect(other.code).toBe(2);
    expect(other.err).toContain('output_exists');
    expect(other.err).toMatch(/seed/);
    expect(await digestsOf(at('once'))).toEqual(made);
  });

  it('another configuration in a folder that holds data, until it may replace it', async () => {
    await make('changed');
    const refused = await make('changed', 'seed=2');
    expect(refused.code).toBe(2);
    expect(refused.err).toMatch(/overwrite/);
    expect(await digestsOf(at('changed'))).toEqual(made);
    const replaced = await make('changed', 'seed=2', 'overwrite=true');
    expect(replaced.code, replaced.err).toBe(0);
    const now = await digestsOf(at('changed'));
    expect(Object.keys(now)).toEqual(Object.keys(made));
    expect(now['catalogs/galsim_des_000.dat']).not.toBe(made['catalogs/galsim_des_000.dat']);
  });

  it('a noise that its preset does not have', async () => {
    const { code, err } = await make('noise', '+render.noise.depth=[24,24,23,22]');
    expect(code).toBe(2);
    expect(err).toMatch(/depth belongs to preset des, not bliss.*noise\.preset=des/);
  });

  it('an image that is not a whole number of tiles', async () => {
    const { code, err } = await make('uneven', 'image_size=130');
    expect(code).toBe(2);
    expect(err).toMatch(/130/);
    expect(err).toMatch(/64/);
  });

  it('to touch catalogues that it did not make', async () => {
    await mkdir(join(at('foreign'), 'catalogs'), { recursive: true });
    await writeFile(join(at('foreign'), 'catalogs', 'galsim_des_003.dat'), 'mine\n');
    const { code, err } = await make('foreign');
    expect(code).toBe(2);
    expect(err).toContain('output_exists');
    expect(await readFile(join(at('foreign'), 'catalogs', 'galsim_des_003.dat'), 'utf8')).toBe('mine\n');
  });
});

describe('data-gen goes on', () => {
  it('with more fields, and refuses fewer', async () => {
    expect((await make('grown', 'nfiles=4')).code).toBe(0);
    const fewer = await make('grown', 'nfiles=2');
    expect(fewer.code).toBe(2);
    expect(fewer.err).toMatch(/run_mismatch.*galsim_des_002.*sample\.fields=4/);
    const { code, err } = await make('grown');
    expect(code, err).toBe(0);
    expect(await digestsOf(at('grown'))).toEqual(made);
  });

  it('after the disk was full in the middle of a set', { timeout: 120_000 }, async () => {
    await using disk = await smallDisk(at('disk'), 2 << 20);
    const args = runArgs('data-gen', `data_dir=${join(disk.path, 'data')}`, ...small);
    const first = await skypass(args, { env: disk.env });
    expect(first.code).toBe(1);
    expect(first.out).toContain('disk_full');
    const kept = await digestsOf(join(disk.path, 'data'));
    for (const [name, digest] of Object.entries(kept))
      if (!/\.(part|journal)$/.test(name)) expect(made[name], name).toBe(digest);
    disk.grow(64 << 20);
    const second = await skypass(args);
    expect(second.code, second.err).toBe(0);
    expect(await digestsOf(join(disk.path, 'data'))).toEqual(made);
  });

  it('from a kill between signing the folder and clearing up, and leaves nothing of it', async () => {
    await make('signed');
    const left = join(at('signed'), 'dataset.json.data-gen-20260101T000000-0000.part');
    await writeFile(left, '{}');
    await rm(join(at('signed'), 'run'), { recursive: true });
    const { code, err } = await make('signed');
    expect(code, err).toBe(0);
    expect(await digestsOf(at('signed'))).toEqual(made);
  });

  it('when the ledger is gone and the files are whole', async () => {
    await make('adopted');
    await rm(join(at('adopted'), 'run'), { recursive: true });
    const { code, err } = await make('adopted');
    expect(code, err).toBe(0);
    expect(await digestsOf(at('adopted'))).toEqual(made);
  });
});
