import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { PredictionRows, ShardLayout } from '../../../src/formats/hdf5/layout.js';
import { iterateRows } from '../../../src/formats/hdf5/read-shard.js';
import { ShardFile } from '../../../src/formats/hdf5/shard.js';

/** A folder that is deleted when the tests of the file have run. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hdf5-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  return folder;
}

export const maps: ShardLayout = {
  answers: ['cluster'],
  passes: 1,
  cells: { ny: 10, nx: 10 },
  columns: [
    { name: 'ra', type: 'f64', unit: 'deg', doc: 'right ascension of the centre' },
    { name: 'x0', type: 'i32', unit: 'pix', doc: 'first column of the window' },
    { name: 'object', type: 'i64', unit: '', doc: 'number of the object' },
    { name: 'masked_fraction', type: 'f32', unit: '', doc: 'masked part of the window' },
  ],
  description: 'cluster membership',
  attributes: { run_id: 'r-1', seed: 9_007_199_254_740_991, threshold: 0.5, config_hash: '' },
};

const { cells: _, ...withoutCells } = maps;
export const votes: ShardLayout = { ...withoutCells, answers: ['smooth', 'featured', 'artefact'], passes: 2 };

const sizeOf = ({ answers, passes, cells }: ShardLayout) =>
  answers.length * passes * (cells ? cells.ny * cells.nx : 1);

/** Rows whose every number follows from the item's own number. */
export function rowsOf(layout: ShardLayout, items: readonly number[]): PredictionRows {
  const size = sizeOf(layout);
  return {
    ids: items.map((item) => `DES${String(item).padStart(6, '0')}/r0c0é`),
    values: Float32Array.from(
      { length: items.length * size },
      (_, n) => (items[Math.floor(n / size)] ?? 0) + (n % size) / 256,
    ),
    columns: {
      ra: items.map((item) => (item === 3 ? Number.NaN : item / 7)),
      x0: items.map((item) => 1 - item),
      object: items.map((item) => 2 ** 52 + item),
      masked_fraction: Float32Array.from(items, (item) => item / 1024),
    },
  };
}

export const range = (start: number, stop: number): number[] =>
  Array.from({ length: stop - start }, (_, n) => start + n);

export const inputs = [{ name: 'a.fits.fz', checksum: 'sha256:00', bytes: 5_000_000_000 }];

export function writeShard(
  path: string,
  layout: ShardLayout,
  items: readonly number[],
  from = inputs,
): string {
  const shard = ShardFile.create(path, layout);
  shard.append(rowsOf(layout, items));
  shard.finish(from);
  return path;
}

/** All rows of a finished file in one piece, columns as plain arrays. */
export function readAll(path: string) {
  const slabs = [...iterateRows(path)];
  const names = Object.keys(slabs[0]?.columns ?? {});
  return {
    ids: slabs.flatMap(({ ids }) => [...ids]),
    values: slabs.flatMap(({ values }) => [...values]),
    columns: Object.fromEntries(
      names.map((name) => [name, slabs.flatMap(({ columns }) => Array.from(columns[name] ?? []))]),
    ),
  };
}

/** What `readAll` gives for a file that holds exactly these items. */
export function expected(layout: ShardLayout, items: readonly number[]) {
  const { ids, values, columns } = rowsOf(layout, items);
  const plain = Object.entries(columns).map(([name, column]) => [name, Array.from(column)]);
  return { ids: [...ids], values: [...values], columns: Object.fromEntries(plain) };
}
