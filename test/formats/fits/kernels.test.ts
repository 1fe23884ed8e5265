import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../../src/formats/errors.js';
import { Kernels } from '../../../src/formats/fits/kernels.js';
import {
  type Bytes,
  decodeRice,
  dequantize,
  encodeRice,
  type Quantum,
  randomSource,
} from './kernels-reference.js';

const kernels = Kernels.create();
const blank = -2147483647;
const exactZero = -2147483646;

const bytePixOf = fc.constantFrom<Bytes>(1, 2, 4);
const blockSizeOf = fc.oneof({ arbitrary: fc.constant(32), weight: 3 }, fc.integer({ min: 1, max: 80 }));
const seedOf = fc.integer();
const quantumOf: fc.Arbitrary<Quantum> = fc.record({
  scale: fc.double({ min: 1e-6, max: 1e3, noNaN: true }),
  zero: fc.constantFrom(0, -12.5, 1.7e9, 3.9e-3),
  dither: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
  blank: fc.constantFrom(undefined, blank),
  seedIndex: fc.oneof(fc.constantFrom(0, 9999, 9998), fc.integer({ min: 0, max: 9999 })),
});

/** Pixels in stretches of every kind: flat, quiet, loud, blank, zero, and over the full range (differences wrap). */
function drawPixels(seed: number, count: number): Int32Array {
  const random = randomSource(seed);
  const pixels = new Int32Array(count);
  const level = random() % 2 === 0 ? exactZero + 5000 : random() | 0;
  for (let i = 0; i < count; ) {
    const kind = random() % 6;
    const amplitude = 2 ** (random() % 24);
    const flat = (level + random() / 2 ** 12) | 0;
    for (const end = Math.min(count, i + 1 + (random() % 90)); i < end; i++) {
      const draw = random();
      if (kind === 0) pixels[i] = flat;
      else if (kind === 1) pixels[i] = draw | 0;
      else if (kind === 2) pixels[i] = draw % 3 === 0 ? blank : draw % 3 === 1 ? exactZero : flat;
      else pixels[i] = level + (draw % amplitude);
    }
  }
  return pixels;
}

const bitsOf = (values: Float32Array) => new Int32Array(values.buffer, values.byteOffset, values.length);
const countNan = (values: ArrayLike<number>) => Array.from(values).filter(Number.isNaN).length;

/** What a call gave: a result or the pixel named in its error. */
function outcome<T>(call: () => T): T | number {
  try {
    return call();
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    expect((error as FormatError).code).toBe('fits_compressed');
    return Number(/at pixel (\d+) of/.exec((error as Error).message)?.[1]);
  }
}

describe('Rice to float32', () => {
  it('equals the reference bit for bit, for any length, block size and dither', () => {
    fc.assert(
      fc.property(
        seedOf,
        fc.integer({ min: 1, max: 400 }),
        blockSizeOf,
        quantumOf,
        (seed, count, blockSize, quantum) => {
          const integers = drawPixels(seed, count);
          const stream = encodeRice(integers, blockSize, 4);
          const into = new Float32Array(count + 8).fill(7);
          const nanCount = kernels.riceToF32(stream, 0, stream.length, count, blockSize, quantum, into, 5);
          const expected = Float32Array.from(dequantize(integers, quantum));
          expect(bitsOf(into.slice(5, 5 + count))).toEqual(bitsOf(expected));
          expect(nanCount).toBe(countNan(expected));
          expect([...into.slice(0, 5), ...into.slice(5 + count)]).toEqual(Array(8).fill(7));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('starts the dither sequence again wherever in a long row it ends', () => {
    for (const [seedIndex, count] of [
      [0, 10_000],
      [17, 10_239],
      [9999, 10_240],
      [4242, 21_001],
    ] as const) {
      const integers = drawPixels(seedIndex, count);
      const stream = encodeRice(integers, 32, 4);
      const quantum = { scale: 0.31, zero: 6.6e8, dither: 2, blank, seedIndex } as const;
      const into = new Float32Array(count);
      kernels.riceToF32(stream, 0, stream.length, count, 32, quantum, into, 0);
      expect(bitsOf(into)).toEqual(bitsOf(Float32Array.from(dequantize(integers, quantum))));
    }
  });

  it('writes into shared memory and reads a stream from the middle of a heap', () => {
    const integers = drawPixels(3, 1000);
    const stream = encodeRice(integers, 32, 4);
    const heap = new Uint8Array(stream.length + 200).fill(0xa5);
    heap.set(stream, 77);
    const quantum = { scale: 2, zero: 0.5, dither: 1, blank: undefined, seedIndex: 5 } as const;
    const into = new Float32Array(new SharedArrayBuffer(4000));
    kernels.riceToF32(heap, 77, stream.length, 1000, 32, quantum, into, 0);
    expect(Array.from(into)).toEqual(Array.from(Float32Array.from(dequantize(integers, quantum))));
  });

  it('reads a large tile after small ones, and small ones again', () => {
    for (const count of [10, 60_000, 10]) {
      const integers = drawPixels(count, count);
      const stream = encodeRice(integers, 32, 4);
      const into = new Int32Array(count);
      kernels.riceToInt(stream, 0, stream.length, count, 32, 4, into, 0);
      expect(into).toEqual(integers);
    }
  });

  it('refuses a dither start outside the sequence, before writing anything', () => {
    const stream = encodeRice([1, 2, 3], 32, 4);
    const into = new Float32Array(3).fill(7);
    for (const seedIndex of [-1, 10_000, 0.5, Number.NaN]) {
      const quantum = { scale: 1, zero: 0, dither: 1, blank: undefined, seedIndex } as const;
      expect(() => kernels.riceToF32(stream, 0, stream.length, 3, 32, quantum, into, 0)).toThrow(
        /dither sequence/,
      );
    }
    expect([...into]).toEqual([7, 7, 7]);
  });
});

describe('Rice to integers', () => {
  it('gives back the pixels of every width: unsigned bytes, signed 16 and 32 bits', () => {
    fc.assert(
      fc.property(
        seedOf,
        fc.integer({ min: 1, max: 400 }),
        blockSizeOf,
        bytePixOf,
        (seed, count, blockSize, bytePix) => {
          const pixels = drawPixels(seed, count).map((v) =>
            bytePix === 1 ? v & 0xff : bytePix === 2 ? (v << 16) >> 16 : v,
          );
          const stream = encodeRice(pixels, blockSize, bytePix);
          const into = new Int32Array(count);
          kernels.riceToInt(stream, 0, stream.length, count, blockSize, bytePix, into, 0);
          expect(into).toEqual(pixels);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('names the pixel at which a shortened stream ends', () => {
    const pixels = drawPixels(11, 500);
    const stream = encodeRice(pixels, 32, 4);
    const into = new Int32Array(500);
    for (let length = 4; length < stream.length; length += 13) {
      const pixel = decodeRice(stream.subarray(0, length), 500, 32, 4);
      expect(pixel).toBeTypeOf('number');
      expect(outcome(() => kernels.riceToInt(stream, 0, length, 500, 32, 4, into, 0))).toBe(pixel);
    }
  });

  it('makes of any bytes what the reference makes of them, and touches nothing outside', () => {
    const bytesOf = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 300 }),
      fc
        .array(fc.constantFrom(0, 0, 0, 0xff, 1, 0x80, 0x30), { minLength: 4, maxLength: 300 })
        .map((a) => Uint8Array.from(a)),
    );
    fc.assert(
      fc.property(
        bytesOf,
        fc.integer({ min: 1, max: 900 }),
        blockSizeOf,
        bytePixOf,
        (bytes, count, blockSize, bytePix) => {
          const into = new Int32Array(count + 2).fill(7);
          const found = outcome(() => {
            kernels.riceToInt(bytes, 0, bytes.length, count, blockSize, bytePix, into, 1);
            return into.slice(1, -1);
          });
          expect(found).toEqual(decodeRice(bytes, count, blockSize, bytePix));
          expect([into[0], into[count + 1]]).toEqual([7, 7]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('makes of flipped bits what the reference makes of them', () => {
    fc.assert(
      fc.property(seedOf, fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), (seed, flips) => {
        const stream = encodeRice(drawPixels(seed, 300), 32, 4);
        for (const flip of flips) {
          const byte = (flip >> 3) % stream.length;
          stream[byte] = (stream[byte] as number) ^ (1 << (flip & 7));
        }
        const into = new Int32Array(300);
        const found = outcome(() => {
          kernels.riceToInt(stream, 0, stream.length, 300, 32, 4, into, 0);
          return into;
        });
        expect(found).toEqual(decodeRice(stream, 300, 32, 4));
      }),
      { numRuns: 300 },
    );
  });

  it('refuses what no stream can be', () => {
    const into = new Int32Array(10);
    const bytes = new Uint8Array(100);
    const decode = (length: number, blockSize: number, bytePix: number, count = 10) =>
      kernels.riceToInt(bytes, 0, length, count, blockSize, bytePix as Bytes, into, 0);
    expect(() => decode(3, 32, 4)).toThrow('the Rice stream of 3 bytes ends before its first pixel');
    expect(() => decode(100, 0, 4)).toThrow('BLOCKSIZE');
    expect(() => decode(100, 32, 3)).toThrow('BYTEPIX');
    expect(() => decode(101, 32, 4)).toThrow(RangeError);
    expect(() => decode(100, 32, 4, 11)).toThrow(RangeError);
  });
});

describe('dequantize', () => {
  it('equals the reference bit for bit, to float32 and to float64', () => {
    fc.assert(
      fc.property(seedOf, fc.integer({ min: 0, max: 300 }), quantumOf, (seed, count, quantum) => {
        const integers = drawPixels(seed, count + 3);
        const expected = dequantize(integers.subarray(3), quantum);
        const single = new Float32Array(count + 2);
        const double = new Float64Array(count + 2);
        expect(kernels.dequantize(integers, 3, count, quantum, single, 2)).toBe(countNan(expected));
        expect(kernels.dequantize(integers, 3, count, quantum, double, 2)).toBe(countNan(expected));
        expect(bitsOf(single.slice(2))).toEqual(bitsOf(Float32Array.from(expected)));
        expect(double.slice(2)).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  it('subtracts the random number before it adds the half: the order decides the last bit', () => {
    const count = 4000;
    const random = randomSource(1);
    const integers = Int32Array.from({ length: count }, () => random() | 0);
    const quantum = { scale: 1, zero: 0, dither: 1, blank: undefined, seedIndex: 0 } as const;
    const into = new Float64Array(count);
    kernels.dequantize(integers, 0, count, quantum, into, 0);
    expect(into).toEqual(dequantize(integers, quantum));
  });

  it('leaves a blank that no int32 can be without effect', () => {
    const quantum = { scale: 1, zero: 0, dither: 0, blank: 1e10, seedIndex: 0 } as const;
    const into = new Float32Array(2);
    expect(kernels.dequantize(Int32Array.of(1410065408, 3), 0, 2, quantum, into, 0)).toBe(0);
    expect(into[1]).toBe(3);
  });
});
