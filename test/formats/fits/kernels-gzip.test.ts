import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../../src/formats/errors.js';
import { gunzipTile, unshuffle } from '../../../src/formats/fits/gzip-tile.js';

const pixels = Uint8Array.from({ length: 400 }, (_, i) => (i * i) & 0xff);
const packed = gzipSync(pixels);

describe('gzip tiles', () => {
  it('unpacks a stream in the middle of a heap', () => {
    const heap = Buffer.concat([Buffer.alloc(5, 1), packed, Buffer.alloc(16)]);
    expect(new Uint8Array(gunzipTile(heap, 5, packed.length, 400))).toEqual(pixels);
  });

  it('refuses a stream that holds more or fewer bytes than the tile, and stops unpacking there', () => {
    expect(() => gunzipTile(packed, 0, packed.length, 401)).toThrow(
      'does not unpack to 401 bytes: it holds 400',
    );
    const bomb = gzipSync(new Uint8Array(50_000_000));
    expect(() => gunzipTile(bomb, 0, bomb.length, 400)).toThrow(
      'does not unpack to 400 bytes: it holds more',
    );
    expect(() => gunzipTile(packed, 0, packed.length, 0)).toThrow(FormatError);
  });

  it('answers any damage with an error or the right number of bytes', () => {
    fc.assert(
      fc.property(
        fc.nat(packed.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.nat(packed.length),
        (at, flip, length) => {
          const damaged = Uint8Array.from(packed);
          damaged[at] = (damaged[at] as number) ^ flip;
          let found: Uint8Array;
          try {
            found = gunzipTile(damaged, 0, length, 400);
          } catch (error) {
            expect(error).toBeInstanceOf(FormatError);
            return;
          }
          expect(found.length).toBe(400);
        },
      ),
    );
  });
});

describe('unshuffle', () => {
  it('brings the bytes of each pixel together again', () => {
    expect([...unshuffle(Uint8Array.of(1, 5, 2, 6, 3, 7, 4, 8), 4)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...unshuffle(Uint8Array.of(1, 3, 5, 2, 4, 6), 2)]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...unshuffle(Uint8Array.of(1, 2), 1)]).toEqual([1, 2]);
  });

  it('refuses bytes that are no whole number of pixels', () => {
    expect(() => unshuffle(new Uint8Array(7), 4)).toThrow('7 bytes are no whole number of 4-byte pixels');
  });
});
