import { mkdtemp, readFile, rename, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { filledPlaces, fillPlace, finishPlaces, type RecordPlan } from '../../../src/formats/pt/places.js';
import { openPt } from '../../../src/formats/pt/read.js';
import type { PtTensor } from '../../../src/formats/pt/value.js';

const plan: RecordPlan = [
  { dtype: 'float32', shape: [2, 3] },
  { dtype: 'int64', shape: [] },
];

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skypass-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

const contents = (record: number) => (index: number) =>
  index === 0
    ? [new Uint8Array(Float32Array.of(record, 1, 2).buffer), new Uint8Array(Float32Array.of(3, 4, 5).buffer)]
    : [new Uint8Array(BigInt64Array.of(BigInt(record)).buffer)];

const finish = (path: string, places: readonly number[]) =>
  finishPlaces(path, plan, places, (records) => records.map(([first]) => first as PtTensor));

describe('records with places of their own', () => {
  const at = (name: string) => join(folder, name);
  const fill = (name: string, ...places: readonly number[]) => {
    for (const place of places) fillPlace(`${at(name)}.part`, plan, place, contents(place));
  };

  it('make the same bytes in any order, filled twice or once', async () => {
    fill('a.pt', 0, 1, 2, 3);
    fill('b.pt', 3, 1, 1, 0, 2);
    expect(finish(at('a.pt'), [0, 1, 2, 3])).toBe((await readFile(at('a.pt'))).length);
    finish(at('b.pt'), [0, 1, 2, 3]);
    expect((await readFile(at('a.pt'))).equals(await readFile(at('b.pt')))).toBe(true);
    await using file = await openPt(at('a.pt'));
    const list = file.value as readonly PtTensor[];
    expect(await file.read(list[2] as PtTensor)).toEqual(Float32Array.of(2, 1, 2, 3, 4, 5));
  });

  it('leave out those that are not wanted, whatever lies in their place', async () => {
    fill('a.pt', 1, 3);
    fill('b.pt', 0, 1, 2, 3, 4);
    finish(at('a.pt'), [1, 3]);
    finish(at('b.pt'), [1, 3]);
    expect((await readFile(at('a.pt'))).equals(await readFile(at('b.pt')))).toBe(true);
    await using file = await openPt(at('b.pt'));
    const list = file.value as readonly PtTensor[];
    expect(list).toHaveLength(2);
    expect((await file.read(list[0] as PtTensor))[0]).toBe(1);
  });

  it('can be added to a file that was finished', async () => {
    fill('a.pt', 0, 1, 2);
    finish(at('a.pt'), [0, 1, 2]);
    fill('b.pt', 0, 2);
    finish(at('b.pt'), [0, 2]);
    await rename(at('b.pt'), `${at('b.pt')}.part`);
    fill('b.pt', 1);
    finish(at('b.pt'), [0, 1, 2]);
    expect((await readFile(at('a.pt'))).equals(await readFile(at('b.pt')))).toBe(true);
  });

  it('tell which of them are filled', async () => {
    expect(filledPlaces(`${at('a.pt')}.part`, plan, [0, 1])).toEqual([]);
    fill('a.pt', 0, 2);
    expect(filledPlaces(`${at('a.pt')}.part`, plan, [0, 1, 2, 3])).toEqual([0, 2]);
    const { length } = await readFile(`${at('a.pt')}.part`);
    await truncate(`${at('a.pt')}.part`, length - 1);
    expect(filledPlaces(`${at('a.pt')}.part`, plan, [0, 1, 2])).toEqual([0]);
    expect(() => finish(at('a.pt'), [0, 2])).toThrow(/place of record 2 is not filled/);
  });

  it('refuse contents of another size', () => {
    const short = (index: number) => [...contents(0)(index)].slice(1);
    expect(() => fillPlace(`${at('a.pt')}.part`, plan, 0, short)).toThrow(/tensor 0 has 24 bytes/);
    const long = (index: number) => [...contents(0)(index), new Uint8Array(1)];
    expect(() => fillPlace(`${at('a.pt')}.part`, plan, 0, long)).toThrow(RangeError);
  });
});
