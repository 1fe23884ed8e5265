import { copyFile, link, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Observable } from 'rxjs';
import { afterAll, beforeAll, describe } from 'vitest';
import type { Parcel } from '../../src/engine/ports.js';
import { read } from '../../src/operators/read.js';
import type { SkyImage } from '../../src/operators/support/nouns.js';
import { anyPixels, writeNpyImages, writePtImages } from '../support/arrays.js';
import { root } from '../support/cli.js';
import { complies } from '../support/compliance.js';
import { type TempFolder, tempFolder } from '../support/run.js';
import { addTile, fixtureTile, tileName } from '../support/survey.js';

const catalogFile = join(root, 'test', 'fixtures', 'read', 'galsim_des_000.dat');

let folder: TempFolder;
const survey = (tiles: number): string => join(folder.path, `${tiles}`);

/** Surveys of 0, 1, 5 and 20 tiles, all of them one tile under many names. */
beforeAll(async () => {
  folder = await tempFolder();
  const first = await addTile(join(folder.path, 'first'), tileName(0), fixtureTile);
  for (const tiles of [0, 1, 5, 20]) {
    await mkdir(survey(tiles));
    for (let i = 0; i < tiles; i++) {
      const to = join(survey(tiles), tileName(i));
      await mkdir(to);
      for (const file of await readdir(first))
        await link(join(first, file), join(to, file.replace(tileName(0), tileName(i))));
    }
  }
});
afterAll(() => folder[Symbol.asyncDispose]());

complies<never, SkyImage>('read', () => ({
  memoryBytes: 64 << 20,
  start: (run, count) => read({ path: survey(count), credit_items: 1 }, run),
  idsOf: ({ id }) => [id],
  expected: (count) => Array.from({ length: count }, (_, i) => tileName(i)),
  emptyError: 'no_input',
  // One image in the recorder, one on the edge.
  stalledAfter: 2,
}));

/** A folder of so many items of a form; each of them is small. */
const folderOf = async (form: string, items: number, add: (folder: string) => Promise<void> | void) => {
  const path = join(folder.path, form, `${items}`);
  await mkdir(path, { recursive: true });
  await add(path);
};
const numbers = (items: number): readonly string[] =>
  Array.from({ length: items }, (_, i) => String(i).padStart(3, '0'));
const bands = ['g', 'r'];
const shape = [2, 16, 16];

beforeAll(async () => {
  const tile = join(folder.path, 'first', tileName(0));
  for (const items of [0, 1, 5, 20]) {
    await folderOf('dat', items, async (to) => {
      for (const i of numbers(items)) await copyFile(catalogFile, join(to, `field_${i}.dat`));
    });
    await folderOf('fits', items, async (to) => {
      const files = (await readdir(tile)).filter((file) => /_[gr]_/.test(file));
      for (const i of numbers(items))
        for (const file of files)
          await link(join(tile, file), join(to, `field_${i}_${/_([gr])_/.exec(file)?.[1]}.fits.fz`));
    });
    await folderOf('npy', items, (to) => {
      for (const i of numbers(items))
        writeNpyImages(join(to, `field_${i}.npy`), shape, anyPixels(Number(i), 512));
    });
    await folderOf('pt', items, (to) => {
      const images = numbers(items).map((i) => ({ shape, pixels: anyPixels(Number(i), 512) }));
      if (items > 0) writePtImages(join(to, 'field.pt'), images);
    });
  }
});

for (const from of ['dat', 'fits', 'npy', 'pt'] as const) {
  describe(`from ${from}`, () =>
    complies<never, { readonly id: string }>('read', () => ({
      memoryBytes: 64 << 20,
      start: (run, count): Observable<Parcel<{ readonly id: string }>> => {
        const options = { path: join(folder.path, from, `${count}`), credit_items: 1 };
        return from === 'dat'
          ? read({ ...options, from, size: 256 }, run)
          : read({ ...options, from, bands }, run);
      },
      idsOf: ({ id }) => [id],
      expected: (count) => numbers(count).map((i) => `field_${i}`),
      emptyError: 'no_input',
      // One in the recorder, one on the edge.
      stalledAfter: 2,
    })));
}
