import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { splitItems } from '../../../src/operators/support/train/splits.js';
import { keptItems, syncFiles, WindowCache } from '../../../src/operators/support/train/window-cache.js';
import {
  readWindow,
  windowFileBytes,
  writeWindow,
} from '../../../src/operators/support/train/window-file.js';
import { type TempFolder, tempFolder } from '../../support/run.js';

let temp: TempFolder;
beforeAll(async () => {
  temp = await tempFolder();
});
afterAll(() => temp[Symbol.asyncDispose]());

const shape = { bands: 2, side: 4, cells: 2 };
const window = {
  image: Float32Array.from({ length: 32 }, (_, i) => i / 3),
  membership: Uint8Array.of(0, 1, 0, 1),
};

describe('a window on disk', () => {
  it('is read back as it was', () => {
    const path = join(temp.path, 'whole');
    writeWindow(path, shape, window);
    const { image, membership } = readWindow(path, shape);
    expect(image).toEqual(window.image);
    expect([...membership]).toEqual([...window.membership]);
    expect(readFileSync(path)).toHaveLength(windowFileBytes(shape));
  });

  it.each([0, 9, 13, 30, 60, 153])('is refused and deleted when byte %i has changed', (at) => {
    const path = join(temp.path, 'changed');
    writeWindow(path, shape, window);
    const bytes = readFileSync(path);
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(path, bytes);
    expect(() => readWindow(path, shape)).toThrow(
      expect.objectContaining({ code: 'cache_damaged', place: { file: path } }),
    );
    expect(existsSync(path)).toBe(false);
  });

  it('is refused when it is cut short, gone, or of another shape', () => {
    const path = join(temp.path, 'other');
    writeWindow(path, shape, window);
    writeFileSync(path, readFileSync(path).subarray(0, 100));
    expect(() => readWindow(path, shape)).toThrow('has 100 bytes, expected 156');
    expect(() => readWindow(path, shape)).toThrow('is gone');
    writeWindow(path, shape, window);
    expect(() => readWindow(path, { bands: 8, side: 2, cells: 2 })).toThrow('does not agree');
  });
});

describe('a cache', () => {
  const names = Array.from({ length: 20 }, (_, i) => `field_${i}`);
  const rules = {
    splits: splitItems('0:60/60:80/80:100', 20),
    seed: 1,
    names,
    perImage: 2,
    shape,
    bytes: 2 * 156 * 13,
    isRevisited: true,
  };

  it('keeps all that scores are taken from, and of the rest as much as fits, drawn by seed', () => {
    const kept = keptItems(rules);
    expect(kept.size).toBe(13);
    expect([...kept]).toEqual(expect.arrayContaining(names.slice(12)));
    expect(keptItems(rules)).toEqual(kept);
    expect(keptItems({ ...rules, seed: 2 })).not.toEqual(kept);
    expect(keptItems({ ...rules, bytes: 1e9 }).size).toBe(20);
  });

  it('keeps nothing that is not visited again', () => {
    expect([...keptItems({ ...rules, isRevisited: false })].sort()).toEqual(names.slice(12).sort());
  });

  it('that is too small for the scores is refused', () => {
    expect(() => keptItems({ ...rules, bytes: 2 * 156 * 7 })).toThrow(
      expect.objectContaining({ code: 'config_invalid', hint: expect.stringContaining('train.cache.size=') }),
    );
  });

  it('has the windows of its own run only', async () => {
    const dir = join(temp.path, 'cache');
    const open = (run: string, into: string) => WindowCache.open({ dir, run, into, shape });
    const cache = await open('run-1', 'a');
    writeWindow(cache.pathOf('f/r0c0'), shape, window);
    cache.wrote('f/r0c0');
    syncFiles(cache.takeUnsynced());
    expect(cache.takeUnsynced()).toEqual([]);
    expect((await open('run-1', 'a')).has('f/r0c0')).toBe(true);
    await expect(open('run-2', 'b')).rejects.toMatchObject({ code: 'output_exists' });
    expect((await open('run-2', 'a')).has('f/r0c0')).toBe(false);
  });

  it('may be moved together with the folder of its encoder', async () => {
    const [from, to] = [join(temp.path, 'from'), join(temp.path, 'to')];
    const open = (into: string) => WindowCache.open({ dir: join(into, 'cache'), run: 'run-1', into, shape });
    writeWindow((await open(from)).pathOf('f/r0c0'), shape, window);
    renameSync(from, to);
    expect((await open(to)).has('f/r0c0')).toBe(true);
  });
});
