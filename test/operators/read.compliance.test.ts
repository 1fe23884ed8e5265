import { link, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { read } from '../../src/operators/read.js';
import type { SkyImage } from '../../src/operators/support/nouns.js';
import { complies } from '../support/compliance.js';
import { type TempFolder, tempFolder } from '../support/run.js';
import { addTile, fixtureTile, tileName } from '../support/survey.js';

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
