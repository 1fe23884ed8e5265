/** Reads rows of an image that lies in a file as plain little-endian floats, row by row, as arrays are saved. */
import { readSync } from 'node:fs';
import { FormatError } from './errors.js';
import type { ByteRegion } from './fits/source.js';

/** Where one plane lies; plain data, so that any thread can read it. */
export interface RawPlane {
  /** The file, or the entry of an archive. */
  readonly region: ByteRegion;
  /** Byte of the region its first pixel begins at. */
  readonly start: number;
  readonly width: number;
  readonly height: number;
  readonly element: 'f32' | 'f64';
}

/** Doubles that are read in one go before they are rounded to float32. */
const chunkPixels = 1 << 17;
/** Shared by all planes of the thread. */
let doubles: Float64Array | undefined;

/**
 * Reads rows [y0, y1) into `into[at…]`. Float32 pixels keep every bit, also those of a NaN: they go straight from the
 * file to their place. All machines Node runs the encoders on are little-endian, so no byte is swapped.
 *
 * @throws FormatError `file_unreadable` when the file has become shorter since it was opened
 */
export function readRawRows(plane: RawPlane, y0: number, y1: number, into: Float32Array, at: number): void {
  const { width, element, start } = plane;
  const first = y0 * width;
  const count = (y1 - y0) * width;
  if (element === 'f32') {
    readBytes(plane, start + 4 * first, new Uint8Array(into.buffer, into.byteOffset + 4 * at, 4 * count));
    return;
  }
  doubles ??= new Float64Array(chunkPixels);
  for (let done = 0; done < count; done += chunkPixels) {
    const part = doubles.subarray(0, Math.min(chunkPixels, count - done));
    readBytes(plane, start + 8 * (first + done), new Uint8Array(part.buffer, 0, part.byteLength));
    into.set(part, at + done);
  }
}

function readBytes({ region }: RawPlane, position: number, into: Uint8Array): void {
  const isInside = position + into.length <= region.size;
  for (let done = 0; done < into.length; ) {
    const got = isInside
      ? readSync(region.fd, into, done, into.length - done, region.offset + position + done)
      : 0;
    if (got === 0) {
      throw new FormatError(
        'file_unreadable',
        `bytes ${position} to ${position + into.length} are wanted, the file ends before: it has changed since it was opened`,
        { place: { file: region.name } },
      );
    }
    done += got;
  }
}
