import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { FormatError } from '../errors.js';

/**
 * A run of bytes behind a file descriptor: a whole file, or one stored entry of an archive. It can be sent to a
 * worker thread as it is, since descriptors belong to the process and every read states its position.
 */
export interface ByteRegion {
  /** Shown in errors: the path, or the archive's path with the entry's. */
  readonly name: string;
  readonly fd: number;
  /** First byte of the region in the file behind `fd`. */
  readonly offset: number;
  /** Bytes in the region. */
  readonly size: number;
}

/** Opens a whole file for reading. The caller closes it with `closeRegion`. System errors pass through. */
export function openRegion(path: string): ByteRegion {
  const fd = openSync(path, 'r');
  try {
    return { name: path, fd, offset: 0, size: fstatSync(fd).size };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

export function closeRegion(region: ByteRegion): void {
  closeSync(region.fd);
}

/**
 * Reads `length` bytes at `position` of the region into `into[at…]`.
 *
 * @throws FormatError `fits_truncated` when the bytes are not there (also when the file shrank since it was opened)
 */
export function readExactly(
  region: ByteRegion,
  position: number,
  length: number,
  into: Uint8Array,
  at = 0,
): void {
  let done = position + length <= region.size ? 0 : Number.NaN;
  while (done < length) {
    const got = readSync(region.fd, into, at + done, length - done, region.offset + position + done);
    if (got === 0) done = Number.NaN;
    else done += got;
  }
  if (Number.isNaN(done)) {
    throw new FormatError(
      'fits_truncated',
      `bytes ${position} to ${position + length} are wanted, the file ends before`,
      { place: { file: region.name } },
    );
  }
}
