import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ShardLayout } from '../../../src/formats/hdf5/layout.js';
import { mergeShards } from '../../../src/formats/hdf5/merge.js';
import { readShardIndex } from '../../../src/formats/hdf5/read-shard.js';
import { expected, maps, range, readAll, temporaryFolder, votes, writeShard } from './rows.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

/** The numbers 0 to `count` in an order that has nothing to do with their size. */
const shuffled = (count: number): number[] => range(0, count).map((n) => (n * 7919 + 13) % count);

describe('mergeShards', () => {
  it.each([
    ['votes', votes, 3001],
    ['maps', maps, 701],
  ] as const)('sorts %s by id whatever the order of shards and rows', (name, layout: ShardLayout, count) => {
    const items = shuffled(count);
    const shards = [0, 1, 2].map((n) =>
      writeShard(
        at(`${name}-${n}.h5`),
        layout,
        items.filter((_, index) => index % 3 === n),
      ),
    );
    const grouped = at(`${name}.hdf5`);
    expect(mergeShards(shards, grouped)).toEqual({ rows: count });
    expect(readAll(grouped)).toEqual(expected(layout, range(0, count)));
    mergeShards(shards.toReversed(), grouped);
    expect(readAll(grouped)).toEqual(expected(layout, range(0, count)));
  });

  it('needs no more memory for many rows than for a few', () => {
    const items = shuffled(2999);
    const shards = [0, 1].map((n) =>
      writeShard(
        at(`few-${n}.h5`),
        votes,
        items.filter((item) => item % 2 === n),
      ),
    );
    const progress: number[] = [];
    mergeShards(shards, at('few.hdf5'), {
      windowBytes: 50_000,
      onProgress: ({ rows }) => progress.push(rows),
    });
    expect(progress).toEqual([1024, 2048, 2999]);
    expect(readAll(at('few.hdf5'))).toEqual(expected(votes, range(0, 2999)));
  });

  it('keeps what all shards agree on, adds what is asked for, and lists every input once', () => {
    const [a, b] = [1, 2].map((n) =>
      writeShard(
        at(`agree-${n}.h5`),
        { ...votes, attributes: { run_id: 'r-1', created: `day ${n}` } },
        [n],
        [
          { name: `tile-${3 - n}`, checksum: 'sha256:11', bytes: n },
          { name: 'model', checksum: 'sha256:22', bytes: 9 },
        ],
      ),
    );
    mergeShards([a ?? '', b ?? ''], at('agree.hdf5'), {
      attributes: { version: '1' },
      description: 'all of them',
    });
    const { layout, inputs } = readShardIndex(at('agree.hdf5'));
    expect(layout.attributes).toEqual({ run_id: 'r-1', version: '1' });
    expect(layout.description).toBe('all of them');
    expect(inputs.map(({ name, bytes }) => [name, bytes])).toEqual([
      ['model', 9],
      ['tile-1', 2],
      ['tile-2', 1],
    ]);
  });

  it('refuses an id that occurs twice and names both places', () => {
    const [a, b] = [
      writeShard(at('twice-a.h5'), votes, [5, 8]),
      writeShard(at('twice-b.h5'), votes, [9, 1, 8]),
    ];
    expect(() => mergeShards([a, b], at('twice.hdf5'))).toThrow(
      expect.objectContaining({
        code: 'hdf5_damaged',
        message: `DES000008/r0c0é is also row 1 of ${a}`,
        place: { file: b, row: 2 },
      }),
    );
    expect(existsSync(at('twice.hdf5'))).toBe(false);
  });

  it('refuses shards of another encoder', () => {
    const [a, b] = [writeShard(at('other-a.h5'), votes, [1]), writeShard(at('other-b.h5'), maps, [2])];
    expect(() => mergeShards([a, b], at('other.hdf5'))).toThrow(
      expect.objectContaining({ code: 'hdf5_damaged', place: { file: b } }),
    );
  });

  it('leaves what was there when it is aborted', () => {
    const shard = writeShard(at('abort-a.h5'), votes, [1]);
    mergeShards([shard], at('abort.hdf5'));
    const controller = new AbortController();
    const more = writeShard(at('abort-b.h5'), votes, [2]);
    const onProgress = () => controller.abort();
    expect(() =>
      mergeShards([shard, more], at('abort.hdf5'), { signal: controller.signal, onProgress }),
    ).toThrow(expect.objectContaining({ name: 'AbortError' }));
    expect(readAll(at('abort.hdf5')).ids).toHaveLength(1);
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('merges shards without rows into a file without rows', () => {
    const shard = writeShard(at('none-a.h5'), votes, []);
    expect(mergeShards([shard], at('none.hdf5'))).toEqual({ rows: 0 });
    expect(readShardIndex(at('none.hdf5')).ids).toEqual([]);
  });
});
