import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatLint } from '../../src/config/lint.js';
import { load } from '../../src/pipelines/load.js';
import { tempFolder } from '../support/run.js';

async function loaded(run: string, overrides: readonly string[] = []) {
  await using folder = await tempFolder();
  const file = join(folder.path, 'p.yaml');
  const encode = 'encode: { weights: x }';
  await writeFile(
    file,
    `${run}\nstages: [{ read: { path: a } }, tile, batch, { ${encode} }, { write: { dir: b } }]\n`,
  );
  const { pipeline, lints } = await load(file, overrides);
  return { pipeline, messages: lints.map((lint) => formatLint(lint).replace(`${folder.path}/`, '')) };
}

describe('run.overwrite', () => {
  it('is false unless it is written', async () => {
    expect((await loaded('run: { dir: c }')).pipeline).toMatchObject({ dir: 'c', overwrite: false });
    expect((await loaded('run: { dir: c, overwrite: true }')).pipeline).toMatchObject({ overwrite: true });
    expect(
      (await loaded('overwrite: true\nrun: { dir: c, overwrite: "$' + '{overwrite}" }')).pipeline,
    ).toMatchObject({
      overwrite: true,
    });
  });

  it('can be set from the command line, like run.dir, whether the file has it or not', async () => {
    const overrides = ['run.overwrite=true', 'run.dir=d'];
    expect(await loaded('name: x', overrides)).toMatchObject({
      messages: [],
      pipeline: { dir: 'd', overwrite: true },
    });
  });

  it('is refused when it is neither true nor false', async () => {
    expect((await loaded('run: { dir: c, overwrite: yes }')).messages).toEqual([
      'p.yaml:1:27: run.overwrite should be true or false, but is "yes"',
    ]);
  });
});

describe('a batch', () => {
  it('is refused when its windows, of all bands, are more than may wait before it', async () => {
    await using folder = await tempFolder();
    const file = join(folder.path, 'p.yaml');
    const batch = (bands: string) =>
      writeFile(
        file,
        `run: { dir: c }\nstages: [{ read: { path: a, bands: ${bands} } }, { tile: { size: 1024, credit_items: 4, credit_bytes: 16MiB } }, { batch: { items: 4 } }, { encode: { weights: x } }, { write: { dir: b } }]\n`,
      );
    await batch('[g]');
    expect((await load(file, [])).lints).toEqual([]);
    await batch('[g, r]');
    expect((await load(file, [])).lints.map(({ message }) => message)).toEqual([
      'a batch of 4 windows takes 32 MiB, more than the edge before it: tile lets 16 MiB wait',
    ]);
  });
});
