import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { mergeShards } from '../../../src/formats/hdf5/merge.js';
import { ShardFile } from '../../../src/formats/hdf5/shard.js';
import { Journal } from '../../../src/formats/journal.js';
import { expected, inputs, maps, range, readAll, rowsOf, temporaryFolder, writeShard } from './rows.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const realWrite = fs.writeSync;

/** A disk that takes `room` more bytes, writes what still fits of the next piece, and then is full. */
function leaveRoom(room: number): void {
  let left = room;
  const write = (fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number => {
    if (left === 0)
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const written = realWrite(fd, bytes, offset, Math.min(length, left), position);
    left -= written;
    return written;
  };
  fs.writeSync = write as typeof fs.writeSync;
  syncBuiltinESMExports();
}

function makeRoom(): void {
  fs.writeSync = realWrite;
  syncBuiltinESMExports();
}

afterEach(makeRoom);

const full = expect.objectContaining({ code: 'ENOSPC' });

function writeInBatches(path: string): void {
  const shard = ShardFile.create(path, maps);
  try {
    for (let start = 0; start < 64; start += 16) {
      shard.append(rowsOf(maps, range(start, start + 16)));
      shard.flush();
    }
    shard.finish(inputs);
  } finally {
    shard.abandon();
  }
}

describe('a full disk', () => {
  it('ends a shard with ENOSPC wherever it strikes, and leaves nothing behind', () => {
    let finished = 0;
    let refused = 0;
    for (let room = 0; finished < 3; room += 1777) {
      leaveRoom(room);
      try {
        writeInBatches(at('shard.h5'));
        makeRoom();
        expect(readAll(at('shard.h5'))).toEqual(expected(maps, range(0, 64)));
        fs.unlinkSync(at('shard.h5'));
        finished++;
      } catch (error) {
        makeRoom();
        expect(error, `room for ${room} bytes`).toEqual(full);
        refused++;
      }
      expect(fs.readdirSync(folder), `room for ${room} bytes`).toEqual([]);
    }
    expect(refused).toBeGreaterThan(30);
  });

  it('ends a merge with ENOSPC and keeps the file of before', () => {
    const shard = writeShard(at('a.h5'), maps, range(0, 64));
    mergeShards([shard], at('grouped.hdf5'));
    const more = writeShard(at('b.h5'), maps, range(64, 80));
    for (const room of [0, 5_000, 20_000, 200_000]) {
      leaveRoom(room);
      expect(() => mergeShards([shard, more], at('grouped.hdf5'))).toThrow(full);
      makeRoom();
      expect(readAll(at('grouped.hdf5')).ids).toHaveLength(64);
    }
    expect(fs.readdirSync(folder).sort()).toEqual(['a.h5', 'b.h5', 'grouped.hdf5']);
  });

  it('lets a journal go on from what it had when there is room again', () => {
    const journal = Journal.open(at('journal'), {});
    journal.append([new Uint8Array(100).fill(1)]);
    leaveRoom(50);
    expect(() => journal.append([new Uint8Array(100).fill(2)])).toThrow(full);
    makeRoom();
    journal.append([new Uint8Array(100).fill(3)]);
    journal.close();
    const again = Journal.open(at('journal'), {});
    expect([...again.replay()].map((payload) => payload[0])).toEqual([1, 3]);
    expect(again.lost).toBeUndefined();
    again.remove();
  });
});
