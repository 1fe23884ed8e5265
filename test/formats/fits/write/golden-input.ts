/** Seeded images that `make_golden.py` makes, too, from the same numbers. */
import { randomSource } from '../kernels-reference.js';

export const goldenWidths = { SCI: 331, WIDE: 10_300, I32: 300, I16: 301, MSK: 5000 } as const;

/** Sky noise with hard cases, a row each. */
function science(): Float32Array {
  const width = goldenWidths.SCI;
  const next = randomSource(1);
  const noise = () => ((next() + next() + next() + next()) / 2 ** 32 - 2) * 5;
  const image = Float32Array.from({ length: width * 40 }, noise);
  const row = (y: number, value: (x: number) => number | undefined) => {
    for (let x = 0; x < width; x++) image[y * width + x] = value(x) ?? (image[y * width + x] as number);
  };
  row(1, (x) => (x >= 40 && x < 60 ? 1000 + x : undefined)); // a bright source
  row(2, (x) => (x % 7 === 0 ? Number.NaN : undefined));
  row(3, (x) => (x < 100 ? Number.NaN : undefined));
  row(4, (x) => (x >= 50 && x < 300 ? 0 : undefined));
  row(5, () => Number.NaN);
  row(6, () => 3.5);
  row(7, () => 0);
  row(8, (x) => x);
  row(9, (x) => (x === 5 ? 1e12 : undefined)); // too wide a range
  row(10, (x) => x % 3);
  row(11, (x) => (x >= 8 ? Number.NaN : undefined)); // too few numbers
  row(12, (x) => (x >= 9 ? Number.NaN : undefined));
  row(13, (x) => x * 1e20 - 3e21);
  row(14, (x) => 1e6 + (x % 5) * 0.25);
  row(15, (x) => (x === 0 ? -7e8 : undefined)); // nearly too wide a range
  return image;
}

/** Rows longer than the dither sequence. */
function wide(): Float32Array {
  const next = randomSource(2);
  return Float32Array.from({ length: goldenWidths.WIDE * 3 }, () => next() / 2 ** 29 + 100);
}

/** A constant row, a full-range one, then noise of growing width. */
function integers(seed: number, width: number, bits: number): Int32Array {
  const next = randomSource(seed);
  const range = 2 ** bits;
  return Int32Array.from({ length: width * 20 }, (_, i) => {
    const y = Math.floor(i / width);
    const word = next();
    if (y === 0) return 5;
    if (y === 1) return (word % range) - range / 2;
    return (word % 2 ** Math.min(y - 1, bits - 1)) - 3;
  });
}

/** Blocks and single pixels of small and large values. */
function mask(): Int32Array {
  const next = randomSource(5);
  const width = goldenWidths.MSK;
  return Int32Array.from({ length: width * 12 }, (_, i) => {
    const y = Math.floor(i / width);
    const x = i % width;
    const word = next();
    if (y < 2) return y;
    if (y === 2) return word % 4;
    if (y === 3) return x < 4500 ? 16_777_215 : 0;
    if (x % 1000 < y * 20) return 2 ** y;
    return word % 400 === 0 ? 2 ** (word % 24) : 0;
  });
}

export const goldenImages = {
  SCI: science(),
  WIDE: wide(),
  I32: integers(3, goldenWidths.I32, 32),
  I16: integers(4, goldenWidths.I16, 16),
  MSK: mask(),
} as const;
