import { type ByteRegion, readExactly } from './source.js';

const CHUNK_BYTES = 4 << 20;
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
const ALL_ONES = 0xffffffff;

/** Reused by every sum of this thread. */
let chunk: Uint32Array | undefined;

/**
 * The FITS checksum of some bytes: their 32-bit big-endian words added in ones' complement, the last one filled
 * with zeros (FITS standard 4.0, appendix J). Such a sum does not depend on the byte order of the words but for
 * a swap at the end, so words are added as the machine reads them.
 *
 * @param length bytes; holds 4 MiB at a time, whatever the length
 * @throws FormatError `fits_truncated`
 */
export function onesComplementSum(region: ByteRegion, position: number, length: number): number {
  chunk ??= new Uint32Array(CHUNK_BYTES / 4);
  const bytes = new Uint8Array(chunk.buffer);
  let sum = 0;
  for (let done = 0; done < length; done += CHUNK_BYTES) {
    const part = Math.min(CHUNK_BYTES, length - done);
    readExactly(region, position + done, part, bytes);
    const words = Math.ceil(part / 4);
    bytes.fill(0, part, words * 4);
    sum = foldCarries(sum + sumWords(chunk, words));
  }
  return LITTLE_ENDIAN ? swapBytes(sum) : sum;
}

/** Adds two such sums. */
export function addOnesComplement(a: number, b: number): number {
  return foldCarries(a + b);
}

/** A plain sum: 2^20 words of 32 bits stay far below 2^53, so doubles are exact; four chains keep the adder busy. */
function sumWords(words: Uint32Array, count: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = 0;
  for (const end = count - 3; i < end; i += 4) {
    a += words[i] as number;
    b += words[i + 1] as number;
    c += words[i + 2] as number;
    d += words[i + 3] as number;
  }
  for (; i < count; i++) a += words[i] as number;
  return a + b + c + d;
}

/** The end-around carry: 2^32 counts as 1. */
function foldCarries(sum: number): number {
  let folded = sum;
  while (folded > ALL_ONES) folded = (folded % 2 ** 32) + Math.floor(folded / 2 ** 32);
  return folded;
}

function swapBytes(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
