import { FormatError } from '../../errors.js';
import { CardList, type WriteCard } from './card.js';
import { eachBlock, type HduBody, type ImageHdu } from './hdu.js';
import type { FitsOutput } from './output.js';

/** Beginning of a header: the primary HDU's, or an extension's. */
export function opening(extension: 'IMAGE' | 'BINTABLE' | undefined, bitpix: number): CardList {
  return extension === undefined
    ? new CardList().add('SIMPLE', true, 'conforms to FITS standard').add('BITPIX', bitpix, 'array data type')
    : new CardList().add('XTENSION', extension, 'extension type').add('BITPIX', bitpix, 'array data type');
}

/** Pixels as they are, big-endian. */
export function imageBody(hdu: ImageHdu, isPrimary: boolean): HduBody {
  const { bitpix, width, height, name, cards = [] } = hdu;
  return {
    header() {
      const list = opening(isPrimary ? undefined : 'IMAGE', bitpix)
        .add('NAXIS', 2, 'number of array dimensions')
        .add('NAXIS1', width, 'pixels along x')
        .add('NAXIS2', height, 'pixels along y');
      if (isPrimary) list.add('EXTEND', true, 'extensions may follow');
      else list.add('PCOUNT', 0, 'number of parameters').add('GCOUNT', 1, 'number of groups');
      if (name !== undefined) list.add('EXTNAME', name, 'name of this HDU');
      return list.addAll(cards);
    },
    write(output) {
      if (bitpix === -32)
        eachBlock(hdu, Float32Array, (pixels, _, rows) => append32(output, pixels, rows * width));
      else if (bitpix === 32)
        eachBlock(hdu, Int32Array, (pixels, _, rows) => append32(output, pixels, rows * width));
      else
        eachBlock(hdu, Int32Array, (pixels, y0, rows) => {
          checkInt16(pixels, rows * width, width, y0);
          append16(output, pixels, rows * width);
        });
      return output.endData();
    },
  };
}

/** A header without data. */
export const emptyBody = (cards: readonly WriteCard[] = []): HduBody => ({
  header: () =>
    opening(undefined, 8)
      .add('NAXIS', 0, 'number of array dimensions')
      .add('EXTEND', true, 'extensions may follow')
      .addAll(cards),
  write: (output) => output.endData(),
});

/** Pixels that are turned round at once. */
const PART = 1 << 18;

function append32(output: FitsOutput, pixels: Float32Array | Int32Array, count: number): void {
  const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, 4 * count);
  for (let from = 0; from < bytes.length; from += 4 * PART) {
    const part = bytes.subarray(from, from + 4 * PART);
    const room = output.room(part.length);
    room.set(part);
    room.swap32();
  }
}

function append16(output: FitsOutput, pixels: Int32Array, count: number): void {
  for (let from = 0; from < count; from += PART) {
    const to = Math.min(count, from + PART);
    const room = output.room(2 * (to - from));
    for (let i = from; i < to; i++) room.writeInt16BE(pixels[i] as number, 2 * (i - from));
  }
}

/** @throws FormatError `fits_unsupported` with the row of a pixel that 16 bits do not hold */
export function checkInt16(pixels: Int32Array, count: number, width: number, y0: number): void {
  for (let i = 0; i < count; i++) {
    const pixel = pixels[i] as number;
    if ((pixel << 16) >> 16 === pixel) continue;
    throw new FormatError('fits_unsupported', `pixel ${i % width} is ${pixel}, expected -32768 to 32767`, {
      place: { row: y0 + Math.floor(i / width) },
    });
  }
}
