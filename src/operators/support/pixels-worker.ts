/** The tasks of the pixel threads: open and check a tile, decode rows into a strip, cut a window out of it, draw. */
import { task } from '../../engine/workers.js';
import { PixelRows } from './pixel-rows.js';
import { readBand } from './read/open-band.js';
import { flags, type PixelRules, type PixelSource, ringParts, type Strip } from './tile/strip.js';

export { drawRows } from './render/task.js';
export { readUserCatalogues, sampleCatalog } from './sample/task.js';

/** As `readBand`, in a thread. */
export const openBand = task(readBand);

export interface DecodeRows {
  readonly source: PixelSource;
  readonly strip: Strip;
  readonly y0: number;
  readonly y1: number;
  readonly rules: PixelRules;
}

/** Decodes rows [y0, y1) of all bands, and of their masks, into the strip. */
export const decodeRows = task(({ source, strip, y0, y1, rules }: DecodeRows): void => {
  const pixels = new Float32Array(strip.pixels);
  const mask = new Uint8Array(strip.mask);
  const planeSize = strip.rows * strip.width;
  const rows = PixelRows.of(source);
  for (const { y, slot, count } of ringParts(strip.rows, y0, y1)) {
    const at = slot * strip.width;
    const length = count * strip.width;
    mask.fill(0, at, at + length);
    for (let band = 0; band < strip.bands; band++) {
      const first = band * planeSize + at;
      const nulls = rows.read(band, y, y + count, pixels, first);
      if (nulls > 0) markNulls(pixels, first, length, mask, at, rules);
      rows.orMask(band, y, y + count, mask, at, strip.width, flags.masked);
    }
  }
});

function markNulls(
  pixels: Float32Array,
  first: number,
  length: number,
  mask: Uint8Array,
  at: number,
  rules: PixelRules,
): void {
  for (let i = 0; i < length; i++) {
    const value = pixels[first + i] as number;
    if (!Number.isNaN(value)) continue;
    mask[at + i] = (mask[at + i] as number) | flags.notANumber;
    if (rules.nan === 'zero') pixels[first + i] = 0;
  }
}

export interface CutWindow {
  readonly strip: Strip;
  readonly x0: number;
  readonly y0: number;
  readonly size: number;
  readonly into: SharedArrayBuffer;
}

/** Copies a window out of the strip into a buffer of its own, and says which part of its pixels is masked. */
export const cutWindow = task(({ strip, x0, y0, size, into }: CutWindow): number => {
  const window = new Float32Array(into);
  const pixels = new Float32Array(strip.pixels);
  const mask = new Uint8Array(strip.mask);
  const words = new Int32Array(strip.mask, 0, strip.mask.byteLength >> 2);
  const { rows, width } = strip;
  let masked = 0;
  for (let y = 0; y < size; y++) {
    const row = ((y0 + y) % rows) * width + x0;
    for (let band = 0; band < strip.bands; band++) {
      const from = band * rows * width + row;
      window.set(pixels.subarray(from, from + size), (band * size + y) * size);
    }
    masked += countMarked(mask, words, row, row + size);
  }
  return masked / (size * size);
});

/** How many bytes of [from, to) are not zero; most are, so four are looked at together. */
function countMarked(bytes: Uint8Array, words: Int32Array, from: number, to: number): number {
  let count = 0;
  for (let i = from; i < to; ) {
    if ((i & 3) === 0 && i + 4 <= to && words[i >> 2] === 0) {
      i += 4;
      continue;
    }
    if (bytes[i] !== 0) count++;
    i++;
  }
  return count;
}
