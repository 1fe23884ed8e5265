import { gunzipSync } from 'node:zlib';
import { FormatError } from '../errors.js';

/**
 * Unpacks the gzip stream of one tile (GZIP_1, GZIP_2 and the lossless fallback column).
 *
 * @param expectedBytes bytes of the tile's pixels; the stream is not unpacked any further than that
 * @throws FormatError `fits_compressed` when the stream is damaged, or holds more or fewer bytes
 */
export function gunzipTile(
  bytes: Uint8Array,
  start: number,
  length: number,
  expectedBytes: number,
): Uint8Array {
  let pixels: Uint8Array;
  try {
    pixels = gunzipSync(bytes.subarray(start, start + length), {
      maxOutputLength: Math.max(1, expectedBytes),
    });
  } catch (cause) {
    const found =
      (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
        ? 'it holds more'
        : (cause as Error).message;
    throw new FormatError(
      'fits_compressed',
      `the gzip stream does not unpack to ${expectedBytes} bytes: ${found}`,
      { cause },
    );
  }
  if (pixels.length !== expectedBytes)
    throw new FormatError(
      'fits_compressed',
      `the gzip stream does not unpack to ${expectedBytes} bytes: it holds ${pixels.length}`,
    );
  return pixels;
}

/**
 * Undoes the byte shuffle of GZIP_2: the first (most significant) bytes of all pixels come first, then the second
 * ones, and so on. The result is big-endian, as the pixels of GZIP_1 are.
 *
 * @param width bytes of one pixel
 */
export function unshuffle(bytes: Uint8Array, width: number): Uint8Array {
  const count = bytes.length / width;
  if (!Number.isInteger(count))
    throw new FormatError(
      'fits_compressed',
      `${bytes.length} bytes are no whole number of ${width}-byte pixels`,
    );
  const pixels = new Uint8Array(bytes.length);
  for (let byte = 0, from = 0; byte < width; byte++)
    for (let to = byte; to < pixels.length; to += width) pixels[to] = bytes[from++] as number;
  return pixels;
}
