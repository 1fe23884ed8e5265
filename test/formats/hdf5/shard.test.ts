import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Dataset, File } from 'h5wasm/node';
import { describe, expect, it } from 'vitest';
import { builtUrl } from '../../../src/config/built.js';
import { iterateRows, readShardIndex } from '../../../src/formats/hdf5/read-shard.js';
import { ShardFile } from '../../../src/formats/hdf5/shard.js';
import {
  expected,
  inputs,
  maps,
  range,
  readAll,
  rowsOf,
  temporaryFolder,
  votes,
  writeShard,
} from './rows.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

describe.each([
  ['one answer per item and pass', votes],
  ['maps', maps],
])('a shard of %s', (_, layout) => {
  it('gives back ids, numbers, columns, layout and inputs', () => {
    const path = at('round-trip.h5');
    const shard = ShardFile.create(path, layout);
    shard.append(rowsOf(layout, range(0, 5)));
    shard.append(rowsOf(layout, []));
    shard.append(rowsOf(layout, range(5, 700)));
    expect(shard.rows).toBe(700);
    shard.finish(inputs);
    expect(readShardIndex(path)).toEqual({ ids: rowsOf(layout, range(0, 700)).ids, layout, inputs });
    expect(readAll(path)).toEqual(expected(layout, range(0, 700)));
  });

  it('can be empty', () => {
    const path = writeShard(at('empty.h5'), layout, [], []);
    expect(readShardIndex(path)).toEqual({ ids: [], layout, inputs: [] });
    expect([...iterateRows(path)]).toEqual([]);
  });
});

describe('ShardFile', () => {
  it('has the names, shapes and types that h5py users know', () => {
    const path = writeShard(at('known.h5'), maps, range(0, 3));
    const file = new File(path, 'r');
    const dataset = (name: string) => file.get(name) as Dataset;
    expect(file.keys().sort()).toEqual(
      ['id_str', 'inputs', 'label_cols', 'masked_fraction', 'object', 'predictions', 'ra', 'x0'].sort(),
    );
    expect([dataset('predictions').shape, dataset('predictions').dtype]).toEqual([[3, 1, 1, 10, 10], '<f']);
    expect(dataset('predictions').get_dimension_labels()).toEqual(['item', 'answer', 'pass', 'y', 'x']);
    expect([dataset('id_str').dtype, dataset('label_cols').value]).toEqual(['S', ['cluster']]);
    expect([dataset('ra').dtype, dataset('x0').dtype, dataset('object').dtype]).toEqual(['<d', '<i', '<q']);
    expect(dataset('ra').attrs.unit?.value).toBe('deg');
    expect(dataset('ra').attrs.description?.value).toBe('right ascension of the centre');
    expect(file.attrs.run_id?.value).toBe('r-1');
    expect(file.attrs.seed?.value).toBe(9_007_199_254_740_991n);
    file.close();
  });

  it('can be read under its temporary name after every flush', () => {
    const path = at('growing.h5');
    const shard = ShardFile.create(path, votes);
    for (const rows of [16, 32, 48]) {
      shard.append(rowsOf(votes, range(rows - 16, rows)));
      shard.flush();
      writeFileSync(at('copy.h5'), readFileSync(`${path}.part`));
      const file = new File(at('copy.h5'), 'r');
      const { ids, values } = rowsOf(votes, range(0, rows));
      expect((file.get('id_str') as Dataset).value).toEqual(ids);
      expect((file.get('predictions') as Dataset).value).toEqual(values);
      file.close();
    }
    expect(existsSync(path)).toBe(false);
    shard.abandon();
    expect(existsSync(`${path}.part`)).toBe(false);
  });

  it('takes little more room than its rows, few or large', () => {
    const small = writeShard(at('small.h5'), votes, range(0, 128));
    expect(statSync(small).size).toBeLessThan(48_000);
    const large = { ...maps, answers: votes.answers, passes: 5, cells: { ny: 40, nx: 40 } };
    const path = writeShard(at('large.h5'), large, range(0, 2));
    expect(statSync(path).size).toBeLessThan(2 * 4 * 3 * 5 * 1600 + 48_000);
  });

  it('shrinks with gzip and reads the same', () => {
    const path = at('gzip.h5');
    const shard = ShardFile.create(path, maps, { gzip: 4 });
    shard.append(rowsOf(maps, range(0, 256)));
    shard.finish(inputs);
    expect(statSync(path).size).toBeLessThan(
      statSync(writeShard(at('plain.h5'), maps, range(0, 256))).size * 0.7,
    );
    expect(readAll(path)).toEqual(expected(maps, range(0, 256)));
  });

  it('starts afresh over the part of a process that was killed', () => {
    const path = at('killed.h5');
    writeFileSync(`${path}.part`, 'left behind');
    writeShard(path, votes, range(0, 4));
    expect(readAll(path)).toEqual(expected(votes, range(0, 4)));
    expect(readdirSync(folder)).not.toContain('killed.h5.part');
  });

  it('keeps the finished file of before until the new one is whole', () => {
    const path = writeShard(at('before.h5'), votes, range(0, 4));
    const shard = ShardFile.create(path, votes);
    shard.append(rowsOf(votes, range(4, 9)));
    expect(readAll(path)).toEqual(expected(votes, range(0, 4)));
    shard.finish([]);
    expect(readAll(path)).toEqual(expected(votes, range(4, 9)));
  });

  it('keeps many shards open at once', () => {
    const shards = range(0, 20).map((n) => ShardFile.create(at(`many-${n}.h5`), votes));
    for (const step of [0, 1, 2]) {
      for (const [n, shard] of shards.entries()) shard.append(rowsOf(votes, [100 * n + step]));
    }
    for (const shard of shards) shard.finish([]);
    for (const n of shards.keys()) {
      expect(readAll(at(`many-${n}.h5`))).toEqual(expected(votes, [100 * n, 100 * n + 1, 100 * n + 2]));
    }
  });

  it('writes in a worker thread as in any other', async () => {
    const built = builtUrl(new URL('../../../src/formats/hdf5/shard.ts', import.meta.url).href, './shard.js');
    const program = `
      const { workerData } = require('node:worker_threads');
      import(workerData.built).then(({ ShardFile }) => {
        const shard = ShardFile.create(workerData.path, workerData.layout);
        shard.append(workerData.rows);
        shard.finish([]);
      });`;
    const workerData = {
      built: built.href,
      path: at('worker.h5'),
      layout: maps,
      rows: rowsOf(maps, range(0, 20)),
    };
    const [code] = await once(new Worker(program, { eval: true, workerData }), 'exit');
    expect(code).toBe(0);
    expect(readAll(at('worker.h5'))).toEqual(expected(maps, range(0, 20)));
  });

  it('refuses rows and layouts that do not fit, and writes nothing of them', () => {
    const path = at('unfit.h5');
    const good = rowsOf(votes, [1, 2]);
    const shard = ShardFile.create(path, votes);
    expect(() => shard.append({ ...good, values: good.values.subarray(1) })).toThrow(
      '2 rows need 12 predictions',
    );
    expect(() => shard.append({ ...good, columns: { ...good.columns, ra: [1] } })).toThrow('1 values of ra');
    expect(() => shard.append({ ...good, columns: { ...good.columns, x0: [1, 0.5] } })).toThrow(
      'x0 holds integers',
    );
    expect(() => shard.append({ ...good, ids: ['a', 'b\0c'] })).toThrow('cannot be the id');
    shard.append(good);
    shard.finish([]);
    expect(readAll(path)).toEqual(expected(votes, [1, 2]));
    const [column] = votes.columns;
    if (column === undefined) throw new Error('no column');
    expect(() => ShardFile.create(path, { ...votes, columns: [{ ...column, name: 'id_str' }] })).toThrow(
      'id_str',
    );
    expect(() => ShardFile.create(path, { ...votes, attributes: { complete: 1 } })).toThrow('complete');
    expect(() => ShardFile.create(path, { ...votes, passes: 0 })).toThrow('not possible');
  });

  it('says what is wrong when the folder is not there', () => {
    expect(() => ShardFile.create(at('nowhere/a.h5'), votes)).toThrow(
      expect.objectContaining({ code: 'ENOENT' }),
    );
  });
});

describe('readShardIndex', () => {
  const damaged = expect.objectContaining({ code: 'hdf5_damaged', place: { file: at('damaged.h5') } });

  it('refuses a file cut at any place', () => {
    const bytes = readFileSync(writeShard(at('whole.h5'), votes, range(0, 3)));
    for (let cut = 0; cut < bytes.length; cut += 997) {
      writeFileSync(at('damaged.h5'), bytes.subarray(0, cut));
      expect(() => readShardIndex(at('damaged.h5'))).toThrow(damaged);
    }
  });

  it('refuses a file with any bit flipped', () => {
    const bytes = readFileSync(writeShard(at('whole.h5'), votes, range(0, 3)));
    for (let byte = 0; byte < bytes.length; byte += 211) {
      const flipped = Buffer.from(bytes);
      flipped[byte] = (flipped[byte] ?? 0) ^ (1 << (byte % 8));
      writeFileSync(at('damaged.h5'), flipped);
      expect(() => readShardIndex(at('damaged.h5'))).toThrow(damaged);
    }
  });

  it('refuses a part that was never finished', () => {
    const shard = ShardFile.create(at('part.h5'), votes);
    shard.append(rowsOf(votes, range(0, 3)));
    shard.flush();
    writeFileSync(at('damaged.h5'), readFileSync(at('part.h5.part')));
    shard.abandon();
    expect(() => readShardIndex(at('damaged.h5'))).toThrow(damaged);
  });
});
