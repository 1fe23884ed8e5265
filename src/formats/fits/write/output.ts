import { writeFully } from '../../durable.js';
import { addOnesComplement, sumBytes } from '../checksum.js';
import { BLOCK_BYTES } from '../header.js';

/** A multiple of 4, as sums are taken of whole words. */
const BUFFER_BYTES = 4 << 20;

/** A file that is written from front to back, but for gaps that are filled in later. Holds 4 MiB. */
export class FitsOutput {
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #held = 0;
  #written = 0;
  #sum = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#written + this.#held;
  }

  /** Leaves a gap for `writeAt`; what it will hold is not part of the sum. Begins at a whole word. */
  skip(bytes: number): void {
    this.#flush(this.#held);
    this.#written += bytes;
  }

  /** Room for the next bytes, to be filled before anything else is written; at most 4 MiB less 3. */
  room(bytes: number): Buffer {
    if (this.#held + bytes > BUFFER_BYTES) this.#flush(this.#held - (this.#held % 4));
    this.#held += bytes;
    return this.#buffer.subarray(this.#held - bytes, this.#held);
  }

  append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      if (this.#held === BUFFER_BYTES) this.#flush(BUFFER_BYTES);
      const part = bytes.subarray(done, done + BUFFER_BYTES - this.#held);
      this.#buffer.set(part, this.#held);
      this.#held += part.length;
      done += part.length;
    }
  }

  /** Fills up the block with zeros. @returns the checksum of what was appended since the last call */
  endData(): number {
    this.room((BLOCK_BYTES - (this.position % BLOCK_BYTES)) % BLOCK_BYTES).fill(0);
    this.#flush(this.#held);
    const sum = this.#sum;
    this.#sum = 0;
    return sum;
  }

  /** Writes into a gap. */
  writeAt(position: number, bytes: Uint8Array): void {
    writeFully(this.#fd, bytes, position);
  }

  #flush(bytes: number): void {
    const part = this.#buffer.subarray(0, bytes);
    writeFully(this.#fd, part, this.#written);
    this.#sum = addOnesComplement(this.#sum, sumBytes(part));
    this.#written += bytes;
    this.#buffer.copyWithin(0, bytes, this.#held);
    this.#held -= bytes;
  }
}
