/**
 * One averaged window on disk. Little endian: `SKYWIND1`, CRC-32 of all that follows, bands, side of the image, side of
 * the cells (uint32 each), the image (float32, band by band), the membership of the cells (a byte each).
 */
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { EngineError } from '../../../engine/errors.js';
import { writeFully } from '../../../formats/durable.js';

/** Sides of what an encoder takes and gives for one window. */
export interface WindowShape {
  readonly bands: number;
  /** Of the averaged image, pixels. */
  readonly side: number;
  /** Of the map of cells. */
  readonly cells: number;
}

export interface CachedWindow {
  /** Bands × side × side. */
  readonly image: Float32Array;
  /** Cells × cells. */
  readonly membership: Uint8Array;
}

const magic = Buffer.from('SKYWIND1', 'latin1');
const headBytes = 24;
const crcEnd = 12;

export const imageLength = ({ bands, side }: WindowShape): number => bands * side * side;
/** Bytes of the file of a window. */
export const windowFileBytes = (shape: WindowShape): number =>
  headBytes + 4 * imageLength(shape) + shape.cells ** 2;

/** Writes a window, and does not wait for the disk. Throws the system's error, with the path. */
export function writeWindow(path: string, shape: WindowShape, { image, membership }: CachedWindow): void {
  const head = Buffer.alloc(headBytes);
  magic.copy(head);
  for (const [i, value] of [shape.bands, shape.side, shape.cells].entries())
    head.writeUInt32LE(value, crcEnd + 4 * i);
  const pixels = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  head.writeUInt32LE(checksum(head, pixels, membership), magic.length);
  const fd = openSync(path, 'w');
  try {
    writeFully(fd, head, 0);
    writeFully(fd, pixels, headBytes);
    writeFully(fd, membership, headBytes + pixels.length);
  } catch (error) {
    throw Object.assign(error as Error, { path });
  } finally {
    closeSync(fd);
  }
}

const checksum = (head: Uint8Array, pixels: Uint8Array, membership: Uint8Array): number =>
  crc32(membership, crc32(pixels, crc32(head.subarray(crcEnd))));

/**
 * Reads a window back. The image stands on memory of its own. A damaged file is deleted: who misses it makes it anew.
 *
 * @throws EngineError `cache_damaged` when it is not, byte for byte, what was written
 */
export function readWindow(path: string, shape: WindowShape): CachedWindow {
  const bytes = readBytes(path);
  const expected = windowFileBytes(shape);
  if (bytes.length !== expected)
    throw damaged(path, `the cached window has ${bytes.length} bytes, expected ${expected}`);
  const pixels = bytes.subarray(headBytes, headBytes + 4 * imageLength(shape));
  const membership = bytes.subarray(headBytes + pixels.length);
  const isWhole =
    magic.equals(bytes.subarray(0, magic.length)) &&
    [shape.bands, shape.side, shape.cells].every(
      (value, i) => bytes.readUInt32LE(crcEnd + 4 * i) === value,
    ) &&
    bytes.readUInt32LE(magic.length) === checksum(bytes.subarray(0, headBytes), pixels, membership);
  if (!isWhole) throw damaged(path, 'the cached window does not agree with its checksum');
  return { image: new Float32Array(pixels.buffer, pixels.byteOffset, pixels.length / 4), membership };
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw damaged(path, 'the cached window is gone');
  }
}

function damaged(file: string, message: string): EngineError {
  rmSync(file, { force: true });
  return new EngineError('cache_damaged', message, { place: { file } });
}
