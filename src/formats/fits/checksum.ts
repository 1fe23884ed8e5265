import { type ByteRegion, readExactly } from './source.js';

/** 2^20 words of 32 bits add up to less than 2^53, so their sum in doubles is exact. */
const CHUNK_BYTES = 4 << 20;
const ALL_ONES = 0xffffffff;

/** Reused by every sum of this thread. */
let chunk: DataView<ArrayBuffer> | undefined;

/**
 * The FITS checksum of some bytes: their big-endian 32-bit words added in ones' complement, the last one filled
 * with zeros (FITS standard 4.0, appendix J). Holds 4 MiB at a time, whatever the length.
 *
 * @param length bytes
 * @throws FormatError `fits_truncated`
 */
export function onesComplementSum(region: ByteRegion, position: number, length: number): number {
  chunk ??= new DataView(new ArrayBuffer(CHUNK_BYTES));
  const bytes = new Uint8Array(chunk.buffer);
  let sum = 0;
  for (let done = 0; done < length; done += CHUNK_BYTES) {
    const part = Math.min(CHUNK_BYTES, length - done);
    readExactly(region, position + done, part, bytes);
    const end = Math.ceil(part / 16) * 16;
    bytes.fill(0, part, end);
    sum = addOnesComplement(sum, sumWords(chunk, end));
  }
  return sum;
}

/** A sum with the end-around carry: 2^32 counts as 1. */
export function addOnesComplement(a: number, b: number): number {
  let sum = a + b;
  while (sum > ALL_ONES) sum = (sum % 2 ** 32) + Math.floor(sum / 2 ** 32);
  return sum;
}

/** The checksum of bytes in memory, the last word filled with zeros. */
export function sumBytes(bytes: Uint8Array): number {
  let sum = 0;
  for (let done = 0; done < bytes.length; done += CHUNK_BYTES) {
    const part = bytes.subarray(done, done + CHUNK_BYTES);
    const whole = part.length - (part.length % 16);
    sum = addOnesComplement(sum, sumWords(new DataView(part.buffer, part.byteOffset, whole), whole));
    const rest = new Uint8Array(16);
    rest.set(part.subarray(whole));
    sum = addOnesComplement(sum, sumWords(new DataView(rest.buffer), 16));
  }
  return sum;
}

/** Four chains of additions keep the processor busy. */
function sumWords(view: DataView, bytes: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = 0; i < bytes; i += 16) {
    a += view.getUint32(i);
    b += view.getUint32(i + 4);
    c += view.getUint32(i + 8);
    d += view.getUint32(i + 12);
  }
  return a + b + c + d;
}
