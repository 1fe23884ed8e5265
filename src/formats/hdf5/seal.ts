/**
 * A seal behind the end of an HDF5 file: its length and CRC-32. HDF5 ignores what stands there.
 *
 * The library trusts a file's internal addresses: a flipped bit can send it into an endless loop or make it ask for
 * gigabytes. So a file is opened only when all its bytes are known to be those that were written.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { writeFully } from '../durable.js';
import { FormatError } from '../errors.js';

const magic = Buffer.from('SKYSEAL1', 'latin1');
const sealBytes = 20;

/** magic, uint64 length and uint32 CRC-32 of what stands before, little endian */
function sealOf(length: number, crc: number): Buffer {
  const seal = Buffer.alloc(sealBytes);
  magic.copy(seal);
  seal.writeBigUInt64LE(BigInt(length), 8);
  seal.writeUInt32LE(crc, 16);
  return seal;
}

function crcOf(fd: number, length: number): number {
  const piece = new Uint8Array(Math.min(1 << 20, length));
  let crc = 0;
  for (let at = 0; at < length; ) {
    const count = readSync(fd, piece, 0, Math.min(piece.length, length - at), at);
    if (count === 0) break;
    crc = crc32(piece.subarray(0, count), crc);
    at += count;
  }
  return crc;
}

function withFile<T>(path: string, flags: string, use: (fd: number, bytes: number) => T): T {
  const fd = openSync(path, flags);
  try {
    return use(fd, fstatSync(fd).size);
  } finally {
    closeSync(fd);
  }
}

/** Adds the seal to a closed file. */
export function seal(path: string): void {
  withFile(path, 'r+', (fd, bytes) => writeFully(fd, sealOf(bytes, crcOf(fd, bytes)), bytes));
}

/** Throws `hdf5_damaged` unless every byte of the file is as it was when it was sealed; reads all of it (about 1 GB/s). */
export function checkSeal(path: string): void {
  withFile(path, 'r', (fd, bytes) => {
    const length = Math.max(0, bytes - sealBytes);
    const found = Buffer.alloc(sealBytes);
    readSync(fd, found, 0, sealBytes, length);
    const fault = !found.subarray(0, magic.length).equals(magic)
      ? 'the file was cut short, or never finished'
      : found.equals(sealOf(length, crcOf(fd, length)))
        ? undefined
        : 'the file changed after it was finished';
    if (fault !== undefined) throw new FormatError('hdf5_damaged', fault, { place: { file: path } });
  });
}
