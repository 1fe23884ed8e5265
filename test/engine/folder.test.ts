import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeFolder } from '../../src/engine/folder.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skypass-folder-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('makes the folders above, and does not mind those that are there', async () => {
  const path = join(folder, 'a', 'b', 'c');
  await makeFolder(path);
  await makeFolder(path);
  expect((await stat(path)).isDirectory()).toBe(true);
});

it('names the folder that cannot be made, because a file stands in the way', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(makeFolder(join(folder, 'file'))).rejects.toMatchObject({ code: 'config_invalid' });
  await expect(makeFolder(join(folder, 'file', 'inner'))).rejects.toMatchObject({
    code: 'config_invalid',
    place: { file: join(folder, 'file', 'inner') },
  });
});

it('ends where no folder can be made at all', async () => {
  await expect(makeFolder('/proc/nope/inner')).rejects.toMatchObject({ code: 'config_invalid' });
});
