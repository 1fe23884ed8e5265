import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Cli } from '../support/cli.js';
import { seededRandom } from '../support/disturbed.js';
import { digestsOf, runArgs } from '../support/fields-run.js';
import { doneTwice, ledgerLines } from '../support/results.js';
import { type TempFolder, tempFolder } from '../support/run.js';

const kills = 60;
let temp: TempFolder;
beforeAll(async () => {
  temp = await tempFolder();
});
afterAll(() => temp[Symbol.asyncDispose]());

it('makes the same files after 60 kills', { timeout: 900_000 }, async () => {
  const seed = Number(process.env.SKYPASS_TEST_SEED ?? Date.now() % 1e6);
  const random = seededRandom(seed);
  const start = (folder: string) =>
    new Cli(
      runArgs(
        'data-gen',
        `data_dir=${join(temp.path, folder)}`,
        'image_size=256',
        'tile_size=64',
        'nfiles=120',
        'n_catalogs_per_file=7',
      ),
    );
  const calm = await start('calm').ended;
  expect(calm.code, calm.err).toBe(0);

  const run = join(temp.path, 'killed', 'run');
  const done = async () => (await ledgerLines(run)).filter(({ type }) => type === 'outcome').length;
  for (let kill = 0; kill < kills; kill++) {
    const cli = start('killed');
    const before = await done();
    const wanted = before + 1 + Math.floor(random() * 3);
    if (random() < 0.3) await new Promise((resolve) => setTimeout(resolve, random() * 1500));
    else await cli.until(async () => (await done()) >= wanted);
    await new Promise((resolve) => setTimeout(resolve, random() * 60));
    cli.kill('SIGKILL');
    const { code, err } = await cli.ended;
    expect(code === undefined || code === 0, `seed ${seed}: it ended by itself with ${code}: ${err}`).toBe(
      true,
    );
  }
  const { code, err } = await start('killed').ended;
  expect(code, `seed ${seed}: ${err}`).toBe(0);
  expect(await digestsOf(join(temp.path, 'killed')), `seed ${seed}`).toEqual(
    await digestsOf(join(temp.path, 'calm')),
  );
  expect(await doneTwice(run)).toEqual([]);
});
