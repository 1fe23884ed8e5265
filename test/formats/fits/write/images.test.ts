import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlaneReader, readPlane } from '../../../../src/formats/fits/plane.js';
import { planPlane } from '../../../../src/formats/fits/plane-plan.js';
import { TileColumn, type TileStorage } from '../../../../src/formats/fits/tile-storage.js';
import type { FitsHdu } from '../../../../src/formats/fits/write/hdu.js';
import { randomSource } from '../kernels-reference.js';
import { rowsOf, written } from './written.js';

const seeds = fc.integer();
/** Pixels of one kind in each row. */
const rowKinds = {
  noise: (next) => (next() / 2 ** 32 + next() / 2 ** 32 - 1) * 7,
  zeros: () => 0,
  negativeZero: () => -0,
  constant: () => -1e-3,
  nan: () => Number.NaN,
  holes: (next) => (next() % 3 === 0 ? Number.NaN : next() % 5 === 0 ? 0 : (next() / 2 ** 32) * 0.1 - 200),
  integers: (next) => (next() % 1000) - 500,
  few: (next) => [1.5, 2.5][next() % 2] as number,
  denormal: (next) => (next() % 1000) * 1.4e-45,
  offset: (next) => 1e7 + (next() % 64) / 2,
  outlier: (next) => (next() % 40 === 0 ? 3e38 : next() / 2 ** 32),
  infinite: (next) => (next() % 40 === 0 ? Number.NEGATIVE_INFINITY : next() / 2 ** 32),
  bits: (next) => new Float32Array(Uint32Array.of(next()).buffer)[0] as number,
  huge: (next) => (next() / 2 ** 32) * 1e36 - 5e35,
} satisfies Record<string, (next: () => number) => number>;
type RowKind = keyof typeof rowKinds;

const floatImage = fc
  .record({
    width: fc.oneof(fc.integer({ min: 1, max: 80 }), fc.constantFrom(331, 10_001)),
    kinds: fc.array(fc.constantFrom(...(Object.keys(rowKinds) as RowKind[])), { minLength: 1, maxLength: 6 }),
    seed: seeds,
  })
  .map(({ width, kinds, seed }) => {
    const next = randomSource(seed);
    const pixels = kinds.flatMap((kind) => Array.from({ length: width }, () => rowKinds[kind](next)));
    return { width, pixels: Float32Array.from(pixels) };
  });

const rice = (pixels: Float32Array, width: number, more: object = {}): FitsHdu => ({
  kind: 'compressed',
  as: 'rice',
  bitpix: -32,
  ...rowsOf(pixels, width),
  ...more,
});
const ulp = (value: number) => Math.max(2 ** -149, Math.abs(value) * 2 ** -23);

describe('a quantised image', () => {
  it('comes back to half a quantum, zeros and NaN exactly, and exactly where it cannot be quantised', () => {
    fc.assert(
      fc.property(
        floatImage,
        fc.constantFrom(1, 4, 16, 100),
        fc.option(fc.integer({ min: 1, max: 10_000 }), { nil: undefined }),
        ({ width, pixels }, quantize, seed) => {
          written([rice(pixels, width, { quantize, ...(seed === undefined ? {} : { seed }) })], (file) => {
            const back = readPlane(file, 1);
            const { columns, quanta } = planPlane(file, 1).storage as TileStorage;
            const isRight = (found: number, pixel: number, tile: number) => {
              const quantum = quanta?.scales[tile] as number;
              if (columns[tile] === TileColumn.gzip || Number.isNaN(pixel)) return Object.is(found, pixel);
              if (pixel === 0) return found === 0;
              return Math.abs(found - pixel) <= 0.500001 * quantum + ulp(pixel);
            };
            const wrong = [...pixels.keys()].filter(
              (i) => !isRight(back[i] as number, pixels[i] as number, Math.floor(i / width)),
            );
            expect(wrong).toEqual([]);
          });
        },
      ),
      { numRuns: 100 },
    );
  });

  it('has a quantum of a sixteenth of the noise', () => {
    const next = randomSource(3);
    const gauss = () => Array.from({ length: 12 }, next).reduce((sum, word) => sum + word / 2 ** 32, -6);
    const pixels = Float32Array.from({ length: 40_000 }, () => 3 * gauss() + 50);
    written([rice(pixels, 10_000)], (file) => {
      const { quanta } = planPlane(file, 1).storage as TileStorage;
      for (const scale of quanta?.scales ?? []) expect(scale).toBeCloseTo(3 / 16, 2);
    });
  });

  it('keeps rows exactly that have no noise, too wide a range, infinities, or fewer than 9 pixels', () => {
    const columnsOf = (pixels: Float32Array, width: number) =>
      written([rice(pixels, width)], (file) => {
        expect(readPlane(file, 1)).toEqual(pixels);
        return [...(planPlane(file, 1).storage as TileStorage).columns];
      });
    const next = randomSource(1);
    const noise = () => next() / 2 ** 32;
    const row = (special: number) =>
      Float32Array.from({ length: 50 }, (_, x) => (x === 20 ? special : noise()));
    expect(columnsOf(new Float32Array(50).fill(7), 50)).toEqual([TileColumn.gzip]);
    expect(columnsOf(row(1e12), 50)).toEqual([TileColumn.gzip]);
    expect(columnsOf(row(Number.POSITIVE_INFINITY), 50)).toEqual([TileColumn.gzip]);
    expect(columnsOf(row(3.4e38), 50)).toEqual([TileColumn.gzip]);
    expect(columnsOf(Float32Array.from({ length: 8 }, noise), 8)).toEqual([TileColumn.gzip]);
    expect(columnsOf(Float32Array.of(1), 1)).toEqual([TileColumn.gzip]);
  });

  it('takes its seed from the first row unless it is given one', () => {
    const pixels = Float32Array.from({ length: 40 }, (_, i) => Math.sin(i * i));
    const seedOf = (more: object) =>
      written([rice(pixels, 20, more)], (file) => file.hdus[1]?.header.integer('ZDITHER0'));
    const bytes = new Uint8Array(pixels.buffer, 0, 80);
    expect(seedOf({})).toBe((bytes.reduce((sum, byte) => sum + byte, 0) % 10_000) + 1);
    expect(seedOf({ seed: 10_000 })).toBe(10_000);
    for (const seed of [0, 10_001, 1.5]) expect(() => seedOf({ seed })).toThrow(RangeError);
    for (const quantize of [0, -1, Number.NaN]) expect(() => seedOf({ quantize })).toThrow(RangeError);
  });
});

const integerImage = (least: number, greatest: number) =>
  fc
    .record({
      width: fc.integer({ min: 1, max: 150 }),
      height: fc.integer({ min: 1, max: 4 }),
      spread: fc.integer({ min: 0, max: 32 }),
      seed: seeds,
    })
    .map(({ width, height, spread, seed }) => {
      const next = randomSource(seed);
      const middle = least + (next() % (greatest - least + 1));
      const pixel = () =>
        next() % 50 === 0
          ? ([least, greatest] as const)[next() % 2]
          : Math.min(
              greatest,
              Math.max(least, middle + Math.floor(((next() - 2 ** 31) / 2 ** 32) * 2 ** spread)),
            );
      return { width, pixels: Int32Array.from({ length: width * height }, () => pixel() as number) };
    });

describe('an image of integers', () => {
  const forms = [
    ['RICE_1, 4 bytes', -(2 ** 31), 2 ** 31 - 1, { kind: 'compressed', as: 'rice', bitpix: 32 }],
    ['RICE_1, 2 bytes', -(2 ** 15), 2 ** 15 - 1, { kind: 'compressed', as: 'rice', bitpix: 16 }],
    ['PLIO_1', 0, 2 ** 24 - 1, { kind: 'compressed', as: 'plio', bitpix: 32 }],
    ['plain, 4 bytes', -(2 ** 31), 2 ** 31 - 1, { kind: 'image', bitpix: 32 }],
    ['plain, 2 bytes', -(2 ** 15), 2 ** 15 - 1, { kind: 'image', bitpix: 16 }],
  ] as const;

  it.each(forms)('comes back exactly: %s', (_, least, greatest, form) => {
    fc.assert(
      fc.property(integerImage(least, greatest), ({ width, pixels }) => {
        written([{ kind: 'empty' }, { ...form, ...rowsOf(pixels, width) }], (file) => {
          expect(Int32Array.from(readPlane(file, 1))).toEqual(pixels);
        });
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    ['RICE_1, 2 bytes', 2 ** 15],
    ['plain, 2 bytes', -(2 ** 15) - 1],
    ['PLIO_1', 2 ** 24],
    ['PLIO_1', -1],
  ])('is refused where a pixel does not fit: %s, %d', (name, value) => {
    const form = forms.find(([other]) => other === name)?.[3] as (typeof forms)[number][3];
    const pixels = Int32Array.of(1, 2, 3, 4, value, 6);
    expect(() => written([{ kind: 'empty' }, { ...form, ...rowsOf(pixels, 3) }], () => {})).toThrow(
      expect.objectContaining({
        code: 'fits_unsupported',
        message: expect.stringContaining(String(value)),
        place: { file: expect.stringContaining('written.fits'), hdu: 1, row: 1 },
      }),
    );
  });
});

it('keeps the bits of plain float32 pixels', () => {
  const next = randomSource(9);
  const bits = Uint32Array.from({ length: 3000 }, next).map((word) =>
    (word & 0x7f800000) === 0x7f800000 ? 0x7f800000 : word,
  );
  const pixels = new Float32Array(bits.buffer);
  written([{ kind: 'image', bitpix: -32, ...rowsOf(pixels, 30) }], (file) => {
    expect(file.hdus.map(({ kind }) => kind)).toEqual(['image']);
    expect(readPlane(file, 0)).toEqual(pixels);
  });
});

it('gives single pixels after any number of zeros back from PLIO, full words of zeros too', () => {
  const width = 9000;
  const places = [0, 1, 4094, 4095, 4096, 8189, 8190, 8191, 8999];
  const pixels = new Int32Array(width * places.length);
  places.forEach((x, y) => {
    pixels[y * width + x] = y % 2 === 0 ? 3 : 70_000;
  });
  written([{ kind: 'compressed', as: 'plio', bitpix: 32, ...rowsOf(pixels, width) }], (file) => {
    expect(Int32Array.from(readPlane(file, 1))).toEqual(pixels);
  });
});

it('asks for each row once, in order and in blocks, and takes an array that is used again', () => {
  const width = 1000;
  const height = 2500;
  const asked: [number, number][] = [];
  const buffer = new Int32Array(width * height);
  const rows = (y0: number, y1: number) => {
    asked.push([y0, y1]);
    for (let i = 0; i < (y1 - y0) * width; i++) buffer[i] = y0 + Math.floor(i / width);
    return buffer;
  };
  written([{ kind: 'image', bitpix: 16, width, height, rows }], (file) => {
    const back = readPlane(file, 0);
    expect(back.every((pixel, i) => pixel === Math.floor(i / width))).toBe(true);
  });
  expect(asked.length).toBeGreaterThan(1);
  expect(asked.map(([y0]) => y0)).toEqual([0, ...asked.slice(0, -1).map(([, y1]) => y1)]);
  expect(asked.at(-1)?.[1]).toBe(height);
});

it('points into the heap with 64 bits where 32 might not do', () => {
  const side = 18_200;
  const rows = new Int32Array(1 << 20);
  rows[side - 1] = 5;
  const source = { width: side, height: side, rows: () => rows };
  written([{ kind: 'compressed', as: 'plio', bitpix: 32, ...source }], (file) => {
    expect(file.hdus[1]?.header.text('TFORM1')).toMatch(/^1QI\(\d+\)$/);
    const last = new Float32Array(2 * side);
    const reader = new PlaneReader(planPlane(file, 1));
    const perBlock = Math.floor((1 << 20) / side);
    reader.readRows(perBlock * 300 - 1, perBlock * 300 + 1, last);
    expect([...last.keys()].filter((i) => last[i] !== 0)).toEqual([2 * side - 1]);
  });
});
