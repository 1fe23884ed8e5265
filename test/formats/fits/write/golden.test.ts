import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { FitsFile } from '../../../../src/formats/fits/file.js';
import { readPlane } from '../../../../src/formats/fits/plane.js';
import { planPlane } from '../../../../src/formats/fits/plane-plan.js';
import { readExactly } from '../../../../src/formats/fits/source.js';
import type { TileStorage } from '../../../../src/formats/fits/tile-storage.js';
import type { FitsHdu } from '../../../../src/formats/fits/write/hdu.js';
import { goldenImages, goldenWidths } from './golden-input.js';
import { rowsOf, written } from './written.js';

interface Answer {
  readonly tiles: readonly (string | null)[];
  readonly bytes: number;
  readonly seed?: number;
  readonly scales?: readonly number[];
  readonly zeros?: readonly number[];
  readonly pixels: string;
  readonly samples: readonly (readonly [index: number, value: number])[];
}
type Name = keyof typeof goldenImages;

const goldenPath = fileURLToPath(new URL('../../../fixtures/fits-write/golden.json', import.meta.url));
const golden = JSON.parse(readFileSync(goldenPath, 'utf8')) as Record<Name, Answer>;
const names = Object.keys(golden) as Name[];
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

const bitpix = { SCI: -32, WIDE: -32, I32: 32, I16: 16, MSK: 32 } as const;
const hduOf = (name: Name): FitsHdu => {
  const shared = { name, ...rowsOf(goldenImages[name], goldenWidths[name]) };
  return name === 'MSK'
    ? { kind: 'compressed', as: 'plio', bitpix: 32, ...shared }
    : { kind: 'compressed', as: 'rice', bitpix: bitpix[name], ...shared };
};

/** The packed bytes of each tile; null for tiles that are not in the compressed column. */
function tilesOf(file: FitsFile): (string | null)[] {
  const { starts, lengths, columns } = planPlane(file, 1).storage as TileStorage;
  return Array.from(starts, (start, tile) => {
    const bytes = Buffer.alloc(lengths[tile] as number);
    readExactly(file.region, start, bytes.length, bytes);
    return columns[tile] === 0 ? sha256(bytes).slice(0, 16) : null;
  });
}

describe.each(names)('the image %s', (name) => {
  const answer = golden[name];

  it('is packed to the very bytes that fpack makes of it', () => {
    written([hduOf(name)], (file) => {
      expect(tilesOf(file)).toEqual(answer.tiles);
      const { quanta } = planPlane(file, 1).storage as TileStorage;
      if (answer.scales === undefined) return expect(quanta).toBeUndefined();
      expect(quanta?.seedIndex).toBe((answer.seed as number) - 1);
      expect(Array.from(quanta?.scales ?? [])).toEqual(answer.scales);
      expect(Array.from(quanta?.zeros ?? [])).toEqual(answer.zeros);
    });
  });

  it('has the pixels that funpack and astropy read', () => {
    written([hduOf(name)], (file) => {
      const pixels = readPlane(file, 1);
      for (const [index, value] of answer.samples) expect([index, pixels[index]]).toEqual([index, value]);
      const bytes = bitpix[name] === -32 ? pixels : Int32Array.from(pixels);
      expect(sha256(new Uint8Array(bytes.buffer))).toBe(answer.pixels);
    });
  });
});

/** Without gzipped rows, whose bytes are those of whatever zlib Node was built with. */
it('writes the same file today as when the hash was taken', () => {
  const hdus: FitsHdu[] = [
    { kind: 'image', bitpix: 16, ...rowsOf(goldenImages.I16, goldenWidths.I16) },
    ...(['WIDE', 'I32', 'I16', 'MSK'] as const).map(hduOf),
    { kind: 'image', bitpix: -32, name: 'PLAIN', ...rowsOf(goldenImages.WIDE, goldenWidths.WIDE) },
    {
      kind: 'table',
      name: 'CATALOG',
      columns: [
        { name: 'id_str', form: 'A', doc: 'name of the source', data: ['a', 'bcd', ''] },
        { name: 'ra', form: 'D', unit: 'deg', doc: 'right ascension', data: Float64Array.of(1.5, NaN, -3) },
        { name: 'shape', form: 'E', repeat: 2, data: Float32Array.of(1, 2, 3, 4, 5, 6) },
        { name: 'members', form: 'J', data: Int32Array.of(1, -2, 3) },
        { name: 'seed', form: 'K', data: BigInt64Array.of(1n, -(2n ** 60n), 3n) },
        { name: 'is_member', form: 'L', data: [true, false, true] },
      ],
    },
  ];
  const hash = written(hdus, (_, path) => sha256(readFileSync(path)));
  expect(hash).toBe('8192bb56e08e2e2e5270885d329d421fdff1b5110982c26193776fde8e8a0975');
});
