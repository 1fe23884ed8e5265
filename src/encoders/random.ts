/**
 * Seeded random numbers that are the same on every machine: xoshiro128** (Blackman and Vigna, 2018), one
 * stream per name, its state the first 16 bytes of SHA-256 of "seed/name". Streams do not depend on the
 * order in which they are asked for.
 */
import { createHash } from 'node:crypto';

export class RandomStream {
  private readonly state: Uint32Array;

  constructor(seed: number, name: string) {
    const digest = createHash('sha256').update(`${seed}/${name}`).digest();
    this.state = Uint32Array.from([0, 4, 8, 12], (offset) => digest.readUInt32LE(offset));
  }

  /** The next 32 bits. */
  next(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.state;
    const x = c ^ a;
    const y = d ^ b;
    this.state.set([a ^ y, b ^ x, x ^ (b << 9), rotate(y, 11)]);
    return Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
  }

  /** A multiple of 2^-24 in [0, 1). */
  uniform(): number {
    return (this.next() >>> 8) / 2 ** 24;
  }
}

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));
