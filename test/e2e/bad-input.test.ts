import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildZip } from '../formats/zip-builder.js';
import { type Ended, pass } from '../support/cli.js';
import { seededRandom } from '../support/disturbed.js';
import { grouped, type LedgerLine, outcomesOf, tileRows } from '../support/results.js';
import { type TempFolder, tempFolder } from '../support/run.js';
import {
  addTile,
  alter,
  alterHeader,
  type Band,
  bandFile,
  bands,
  corruptFiles,
  fixtureTile,
  plainFits,
} from '../support/survey.js';

let temp: TempFolder;
beforeAll(async () => {
  temp = await tempFolder();
});
afterAll(() => temp[Symbol.asyncDispose]());

const wcs = {
  CTYPE1: 'RA---TAN',
  CTYPE2: 'DEC--TAN',
  CRVAL1: 0.37,
  CRVAL2: -5.69,
  CRPIX1: 128.5,
  CRPIX2: 128.5,
  CD1_1: -7.3e-5,
  CD1_2: 0,
  CD2_1: 0,
  CD2_2: 7.3e-5,
};

/** One tile that cannot be processed: how it is made, and what is said of it. */
interface Ailment {
  readonly what: string;
  /** Damages a whole tile. */
  readonly harm: (folder: string, survey: string) => Promise<void>;
  readonly code: string;
  /** Unless it is `unprocessable`. */
  readonly outcome?: 'failed';
  readonly message: RegExp;
  /** End of the path that is named. */
  readonly file: string | RegExp;
  readonly hdu?: number;
  readonly row?: number;
}

const fileOf = (folder: string, band: Band = 'z'): string => bandFile(folder, band);
const zOf = /_z_nobkg\.fits\.fz$/;

/** The entries of a zip archive: a tile's files under another folder. */
async function zipped(folder: string, prefix: string): Promise<Buffer> {
  const names = await readdir(folder);
  const parts = names.map(async (name) => ({
    name: `${prefix}${name}`,
    data: await readFile(join(folder, name)),
    method: 0,
  }));
  return buildZip(await Promise.all(parts));
}

const ailments: readonly Ailment[] = [
  {
    what: 'a missing band',
    harm: (folder) => rm(fileOf(folder)),
    code: 'band_missing',
    message: /no file of band z; wanted are g, r, i, z, found are g, i, r/,
    file: /DES\d{4}-\d{4}\/$/,
  },
  {
    what: 'a folder without files',
    harm: async (folder) => {
      for (const band of bands) await rm(fileOf(folder, band));
    },
    code: 'band_missing',
    message: /holds no band files/,
    file: /DES\d{4}-\d{4}$/,
  },
  {
    what: 'a file cut in the middle',
    harm: (folder) => alter(fileOf(folder), (bytes) => bytes.subarray(0, Math.floor(bytes.length * 0.4))),
    code: 'fits_truncated',
    message: /declares \d+ bytes of data, the last \d+ of them are missing/,
    file: zOf,
    hdu: 1,
  },
  {
    what: 'an empty file',
    harm: (folder) => writeFile(fileOf(folder), ''),
    code: 'fits_truncated',
    message: /has 0 bytes/,
    file: zOf,
  },
  {
    what: 'a file of another type',
    harm: (folder) => writeFile(fileOf(folder), `<html><body>404 Not Found</body></html>${' '.repeat(9000)}`),
    code: 'fits_not_fits',
    message: /begins with "<html>/,
    file: zOf,
  },
  {
    what: 'a DATASUM that is wrong',
    harm: (folder) =>
      alter(fileOf(folder), (bytes) => {
        bytes.writeUInt8(bytes.readUInt8(60_000) ^ 4, 60_000);
        return bytes;
      }),
    code: 'fits_checksum',
    message: /the sum of the data is \d+, DATASUM says \d+/,
    file: zOf,
    hdu: 1,
  },
  {
    what: 'bands of different size',
    harm: async (folder) => {
      await rm(fileOf(folder));
      await writeFile(bandFile(folder, 'z', '_nobkg.fits'), plainFits(new Float32Array(256 * 256), 256, wcs));
    },
    code: 'bands_differ',
    message: /band z is 256 × 256 pixels, band g is 512 × 512/,
    file: /_z_nobkg\.fits$/,
  },
  {
    what: 'no WCS',
    harm: (folder) => alterHeader(fileOf(folder, 'g'), { CTYPE1: undefined, CTYPE2: undefined }),
    code: 'wcs_missing',
    message: /CTYPE/,
    file: /_g_nobkg\.fits\.fz$/,
    hdu: 1,
  },
  {
    what: 'a WCS without inverse',
    harm: (folder) => alterHeader(fileOf(folder, 'g'), { CD1_1: 0, CD2_2: 0 }),
    code: 'wcs_singular',
    message: /CD/,
    file: /_g_nobkg\.fits\.fz$/,
    hdu: 1,
  },
  {
    what: 'a file that cannot be read',
    harm: async (folder) => {
      await rm(fileOf(folder));
      await mkdir(fileOf(folder));
    },
    code: 'file_unreadable',
    outcome: 'failed',
    message: /not a file|EISDIR/,
    file: zOf,
  },
  {
    what: 'a link to nowhere',
    harm: async (folder) => {
      await rm(fileOf(folder));
      await symlink('/nowhere/at/all', fileOf(folder));
    },
    code: 'file_unreadable',
    outcome: 'failed',
    message: /ENOENT/,
    file: zOf,
  },
  {
    what: 'two folders of one name',
    harm: async (folder, survey) => {
      const other = join(survey, `again-${basename(folder)}`);
      await mkdir(other);
      for (const band of bands)
        await writeFile(join(other, basename(fileOf(folder, band))), await readFile(fileOf(folder, band)));
    },
    code: 'tile_duplicate',
    message: /lies in 2 places: .*DES\d{4}-\d{4}, .*again-DES/,
    file: /DES\d{4}-\d{4}$/,
  },
  {
    what: 'a folder and an archive of one name',
    harm: async (folder, survey) =>
      writeFile(join(survey, `${basename(folder)}.zip`), await zipped(folder, `${basename(folder)}/`)),
    code: 'tile_duplicate',
    message: /lies in 2 places: .*\.zip!/,
    file: /DES\d{4}-\d{4}$/,
  },
  {
    what: 'an entry that leaves its archive',
    harm: async (folder, survey) => {
      await writeFile(join(survey, `${basename(folder)}.zip`), await zipped(folder, '../../'));
      await rm(folder, { recursive: true });
    },
    code: 'zip_unsafe',
    message: /the name leaves its folder with "\.\."/,
    file: /\.zip!\/\.\.\/\.\.\/DES/,
  },
  {
    what: 'a header that declares absurd sizes',
    harm: (folder) =>
      alterHeader(fileOf(folder), { ZNAXIS1: 2_000_000_000, ZNAXIS2: 2_000_000_000, ZTILE1: 2_000_000_000 }),
    code: 'fits_too_large',
    message: /2000000000/,
    file: zOf,
    hdu: 1,
  },
];

describe('a survey in which every tile but two ails of something else', () => {
  const names = ailments.map((_, i) => `DES${String(100 + i).padStart(4, '0')}-0100`);
  let dir: string;
  let ended: Ended;
  let outcomes: ReadonlyMap<string, LedgerLine>;
  let rows: readonly Record<string, unknown>[];

  beforeAll(async () => {
    const survey = join(temp.path, 'ailing');
    await addTile(survey, 'DES0000-0001');
    await addTile(survey, 'DES9999-0001');
    for (const [i, { harm }] of ailments.entries())
      await harm(await addTile(survey, names[i] as string), survey);
    dir = join(temp.path, 'ailing-run');
    ended = await pass({ survey, dir });
    outcomes = await outcomesOf(dir);
    rows = await tileRows(dir);
  }, 60_000);

  it('ends with 3, and the other tiles are complete', () => {
    expect(ended.code, ended.err).toBe(3);
    expect(ended.out).toContain('complete, but some items could not be processed');
    expect(grouped(dir).datasets.id_str?.values).toEqual(
      ['DES0000-0001', 'DES9999-0001'].flatMap((tile) =>
        ['r0c0', 'r0c1', 'r1c0', 'r1c1'].map((cell) => `${tile}/${cell}`),
      ),
    );
    expect(rows).toHaveLength(ailments.length + 2);
  });

  for (const [i, { what, code, outcome = 'unprocessable', message, file, hdu, row }] of ailments.entries()) {
    const name = names[i] as string;
    it(`says what is wrong with ${what}, where, and what to do`, () => {
      const said = outcomes.get(name);
      expect(said).toMatchObject({ outcome, code, stage: 'read' });
      expect(said?.message).toMatch(message);
      expect(said?.hint).toMatch(/\w/);
      const detail = said?.detail as Record<string, unknown>;
      expect(detail.file).toMatch(file);
      if (hdu !== undefined) expect(detail.hdu).toBe(hdu);
      if (row !== undefined) expect(detail.row).toBe(row);
      expect(rows.find(({ id_str }) => id_str === name)).toMatchObject({
        outcome,
        cause: expect.stringMatching(new RegExp(`^${code}: `)),
        windows: 0,
      });
      expect(ended.err).toContain(`"items":["${name}"]`);
    });
  }

  it('shows the first causes in the summary, and where the others are', async () => {
    const summary = await readFile(join(dir, 'summary.txt'), 'utf8');
    expect(summary).toBe(ended.out);
    expect(summary).toContain('set aside');
    expect(summary).toMatch(/DES0100-0100: band_missing: .*; every band asked for needs one file/);
    expect(summary).toMatch(/and \d+ more, in .*ledger\.jsonl/);
  });

  it('tries tiles again once they are mended, forgets those that are gone, and is complete in the end', async () => {
    const survey = join(temp.path, 'ailing');
    await addTile(survey, names[0] as string);
    const again = await pass({ survey, dir });
    expect(again.code, again.err).toBe(3);
    expect((await outcomesOf(dir)).get(`${names[0]}/r0c0`)?.outcome).toBe('ok');
    const mended = (await tileRows(dir)).find(({ id_str }) => id_str === names[0]);
    expect(mended).toMatchObject({ outcome: 'ok', windows_ok: 4, cause: null });

    // A copy that is taken away leaves the files of the other as they were.
    const twice = names[ailments.findIndex(({ what }) => what === 'two folders of one name')] as string;
    await rm(join(survey, `again-${twice}`), { recursive: true });
    for (const name of names.slice(1)) {
      if (name === twice) continue;
      await rm(join(survey, name), { recursive: true, force: true });
      await rm(join(survey, `${name}.zip`), { force: true });
    }
    const last = await pass({ survey, dir });
    expect(last.code, last.err).toBe(0);
    const rows = await tileRows(dir);
    expect(rows.map(({ id_str, outcome }) => [id_str, outcome])).toEqual(
      ['DES0000-0001', names[0], twice, 'DES9999-0001'].map((name) => [name, 'ok']),
    );
  });
});

describe('names that are no files', () => {
  it('sets a tile aside whose file is a pipe or a link to itself, and never waits for it', async () => {
    const survey = join(temp.path, 'pipes');
    const pipe = fileOf(await addTile(survey, 'DES0001-0001'), 'z');
    const loop = fileOf(await addTile(survey, 'DES0002-0001'), 'z');
    await addTile(survey, 'DES9999-0001');
    await rm(pipe);
    await rm(loop);
    execFileSync('mkfifo', [pipe, join(survey, 'pipe.zip')]);
    await symlink(loop, loop);
    const dir = join(temp.path, 'pipes-run');
    const { code, err } = await pass({ survey, dir });
    expect(code, err).toBe(3);
    const rows = await tileRows(dir);
    expect(rows.map(({ id_str, outcome }) => [id_str, outcome])).toEqual([
      ['DES0001-0001', 'failed'],
      ['DES0002-0001', 'failed'],
      ['DES9999-0001', 'ok'],
      ['pipe.zip', 'failed'],
    ]);
  });

  it('says that a path to some other file is no survey', async () => {
    const { code, err } = await pass({
      survey: fileOf(await addTile(join(temp.path, 'one'), 'DES0001-0001'), 'g'),
      dir: join(temp.path, 'one-run'),
    });
    expect(code, err).toBe(2);
    expect(err).toContain('neither a folder of tiles nor a .zip');
  });
});

describe('compressed pixels that cannot be decoded', () => {
  it('sets the windows aside that need those rows, and keeps the others', async () => {
    const survey = join(temp.path, 'undecodable');
    const folder = await addTile(survey, 'DES0001-0001');
    await alterHeader(fileOf(folder, 'r'), {});
    await alter(fileOf(folder, 'r'), (bytes) => {
      // Behind the headers: 512 rows of 24 bytes that begin with length and place in the heap, then the heap.
      const end = bytes.indexOf('END'.padEnd(80), bytes.indexOf('XTENSION='));
      const table = Math.ceil((end + 80) / 2880) * 2880;
      const [length, place] = [bytes.readInt32BE(table + 300 * 24), bytes.readInt32BE(table + 300 * 24 + 4)];
      const at = table + 512 * 24 + place;
      // A first pixel, a block of differences, and a difference whose end never comes.
      bytes.fill(0, at, at + length);
      bytes.writeUInt8(0x08, at + 4);
      return bytes;
    });
    const dir = join(temp.path, 'undecodable-run');
    const { code, err } = await pass({ survey, dir });
    expect(code, err).toBe(3);
    const outcomes = await outcomesOf(dir);
    expect(outcomes.get('DES0001-0001/r0c0')?.outcome).toBe('ok');
    expect(outcomes.get('DES0001-0001/r1c0')).toMatchObject({
      outcome: 'unprocessable',
      stage: 'tile',
      code: 'fits_compressed',
      detail: { file: expect.stringMatching(/_r_nobkg\.fits\.fz$/), hdu: 1, row: 300 },
    });
    expect(await tileRows(dir)).toMatchObject([
      {
        outcome: 'ok_partial',
        windows_ok: 2,
        windows_set_aside: 2,
        cause: expect.stringMatching(/^fits_compressed: /),
      },
    ]);

    // The same command again does nothing, and with the file fetched again it does those windows.
    expect((await pass({ survey, dir })).code).toBe(3);
    await addTile(survey, 'DES0001-0001');
    const last = await pass({ survey, dir });
    expect(last.code, last.err).toBe(0);
    expect(await tileRows(dir)).toMatchObject([
      { outcome: 'ok', windows_ok: 4, windows_set_aside: 0, cause: null },
    ]);
  });
});

describe('files damaged in every way we know', () => {
  it('never hang, crash or stop the others', { timeout: 120_000 }, async () => {
    const survey = join(temp.path, 'corrupt');
    const files = (await readdir(corruptFiles)).sort();
    expect(files).toHaveLength(31);
    for (const [i, file] of files.entries()) {
      const folder = join(survey, `DES${String(i).padStart(4, '0')}-0000`);
      await mkdir(folder, { recursive: true });
      for (const band of ['g', 'r', 'i']) await symlink(bandFile(fixtureTile, band), bandFile(folder, band));
      const ending = file.endsWith('.fz') ? '_nobkg.fits.fz' : '_nobkg.fits';
      await symlink(join(corruptFiles, file), bandFile(folder, 'z', ending));
    }
    await addTile(survey, 'DES9999-0001');
    const dir = join(temp.path, 'corrupt-run');
    const { code, err } = await pass({ survey, dir });
    expect(code, err).toBe(3);
    expect(await tileRows(dir)).toHaveLength(32);
    const outcomes = await outcomesOf(dir);
    for (const [i, file] of files.entries()) {
      const said = outcomes.get(`DES${String(i).padStart(4, '0')}-0000`);
      expect(said, file).toMatchObject({
        outcome: 'unprocessable',
        code: expect.stringMatching(/^(fits|wcs|bands)_/),
        detail: { file: expect.stringMatching(/_z_nobkg\.fits/) },
      });
    }
    expect(outcomes.get('DES9999-0001/r1c1')?.outcome).toBe('ok');
  });

  it('do the same when nobody looks at their checksums', { timeout: 120_000 }, async () => {
    const seed = Number(process.env.SKYPASS_TEST_SEED ?? Date.now() % 1e6);
    console.info(`seed ${seed}`);
    const random = seededRandom(seed);
    const survey = join(temp.path, 'unverified');
    for (let i = 0; i < 12; i++) {
      const folder = await addTile(survey, `DES${String(i).padStart(4, '0')}-0000`);
      await alter(fileOf(folder, bands[i % 4] as Band), (bytes) => {
        for (let n = 0; n < 1 + 20 * random(); n++)
          bytes.writeUInt8(Math.floor(256 * random()), Math.floor(2880 + random() * (bytes.length - 2880)));
        return bytes;
      });
    }
    await addTile(survey, 'DES9999-0001');
    const dir = join(temp.path, 'unverified-run');
    const { code, err } = await pass({ survey, dir }, 'read.verify=false');
    expect([0, 3], `seed ${seed}: ${err}`).toContain(code);
    const rows = await tileRows(dir);
    expect(rows).toHaveLength(13);
    expect(rows.at(-1)).toMatchObject({ outcome: 'ok', windows_ok: 4 });
    for (const { outcome } of rows) expect(outcome).not.toBe('failed');
  });
});
