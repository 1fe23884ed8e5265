import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { NewFile, writeFully, writeWhole } from '../../src/formats/durable.js';
import { tempFolder } from '../support/run.js';

it('replaces a file in one step', async () => {
  await using temp = await tempFolder();
  const path = join(temp.path, 'table');
  writeWhole(path, 'before');
  {
    using file = new NewFile(path);
    writeFully(file.fd, Buffer.from('after'), 0);
    expect(readFileSync(path, 'utf8')).toBe('before');
    file.commit();
  }
  expect(readFileSync(path, 'utf8')).toBe('after');
  expect(readdirSync(temp.path)).toEqual(['table']);
});

it('leaves the file of before, and no part, when writing fails', async () => {
  await using temp = await tempFolder();
  const path = join(temp.path, 'table');
  writeWhole(path, 'before');
  const write = (): void => {
    using file = new NewFile(path);
    writeFully(file.fd, Buffer.from('half'), 0);
    throw new Error('no more');
  };
  expect(write).toThrow('no more');
  expect(readFileSync(path, 'utf8')).toBe('before');
  expect(readdirSync(temp.path)).toEqual(['table']);
});

it('starts a part anew that a kill left behind', async () => {
  await using temp = await tempFolder();
  const path = join(temp.path, 'table');
  writeFileSync(`${path}.part`, 'a longer one than the next');
  writeWhole(path, 'short');
  expect(readFileSync(path, 'utf8')).toBe('short');
});
