import { FormatError } from '../errors.js';

/** How Rice coding packs pixels of one width (White & Greenfield 1999, as in cfitsio's `ricecomp.c`). */
export interface RiceCoding {
  /** Bytes of one pixel, and of the first pixel, which stands uncoded before the blocks. */
  readonly bytePix: RicePixelBytes;
  /** Bits of the number before each block: 0 for a block without differences, else 1 + the low bits of each one. */
  readonly headerBits: number;
  /** The number of low bits that says "not coded at all": each difference is stored in `8 * bytePix` bits. */
  readonly verbatim: number;
}

export type RicePixelBytes = 1 | 2 | 4;

const codings: Readonly<Record<RicePixelBytes, RiceCoding>> = {
  1: { bytePix: 1, headerBits: 3, verbatim: 6 },
  2: { bytePix: 2, headerBits: 4, verbatim: 14 },
  4: { bytePix: 4, headerBits: 5, verbatim: 25 },
};

/** Streams are counted in bits in 32-bit words. */
const mostBytes = 2 ** 28;

/**
 * @param length bytes of the stream
 * @param blockSize pixels that share one block header (BLOCKSIZE)
 * @throws FormatError `fits_compressed` when no stream can be like that
 */
export function riceCoding(bytePix: RicePixelBytes, length: number, blockSize: number): RiceCoding {
  const coding = codings[bytePix];
  if (coding === undefined)
    throw new FormatError('fits_compressed', `Rice pixels have 1, 2 or 4 bytes (BYTEPIX), not ${bytePix}`);
  if (!(Number.isInteger(blockSize) && blockSize > 0 && blockSize < 2 ** 31))
    throw new FormatError(
      'fits_compressed',
      `Rice blocks have at least one pixel (BLOCKSIZE), not ${blockSize}`,
    );
  if (length < bytePix)
    throw new FormatError(
      'fits_compressed',
      `the Rice stream of ${length} bytes ends before its first pixel`,
    );
  if (length > mostBytes)
    throw new FormatError(
      'fits_compressed',
      `the Rice stream has ${length} bytes, at most ${mostBytes} are read`,
    );
  return coding;
}
