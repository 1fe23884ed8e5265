import { FormatError } from '../../errors.js';

/** Greatest value of a mask: what cfitsio's reader takes. */
const MOST = 0xffffff;
/** A word is 4 bits of operation and 12 bits of data. */
const MOST_DATA = 0xfff;
const HEADER_WORDS = 7;
const Word = {
  set: 0x1000,
  raise: 0x2000,
  values: 0x4000,
  zerosThenValue: 0x5000,
  lowerBit: 0x1000,
  oneBit: 0x4000,
};

/** Packs rows of masks as PLIO_1 lists: big-endian 16-bit words, the inverse of `plioToInt`. */
export class PlioEncoder {
  readonly #bytes: Buffer;
  #words = 0;

  /** @param width most pixels of a row */
  constructor(width: number) {
    this.#bytes = Buffer.alloc(2 * (HEADER_WORDS + 4 * width));
  }

  /**
   * @param row which row this is, for the message
   * @returns the list; overwritten by the next call
   * @throws FormatError `fits_unsupported` when a pixel is not 0 to 2^24 - 1
   */
  encode(pixels: Int32Array, row: number): Uint8Array {
    const count = pixels.length;
    this.#words = HEADER_WORDS;
    let level = 1;
    for (let i = 0; i < count; ) {
      const zerosFrom = i;
      while (i < count && pixels[i] === 0) i++;
      const zeros = i - zerosFrom;
      if (i === count) {
        this.#run(0, zeros);
        break;
      }
      const from = i;
      const value = pixels[from] as number;
      if (value < 0 || value > MOST)
        throw new FormatError('fits_unsupported', `pixel ${i} is ${value}, a mask holds 0 to ${MOST}`, {
          place: { row },
        });
      while (i < count && pixels[i] === value) i++;
      this.#values(zeros, i - from, value, value - level);
      level = value;
    }
    return this.#finish();
  }

  /** `zeros` zeros, then `length` pixels of a value that is `step` above the one before. */
  #values(zeros: number, length: number, value: number, step: number): void {
    const size = Math.abs(step);
    const change = Word.raise | (step < 0 ? Word.lowerBit : 0) | size;
    if (size > 0 && size <= MOST_DATA && length === 1 && zeros === 0) {
      this.#put(change | Word.oneBit);
      return;
    }
    if (size > MOST_DATA) {
      this.#put(Word.set | (value & MOST_DATA));
      this.#put(value >> 12);
    } else if (size > 0) this.#put(change);
    // One pixel after zeros is a word together with them, unless the last word of zeros is full.
    const rest = zeros % MOST_DATA;
    if (length === 1 && rest > 0) {
      this.#run(0, zeros - rest);
      this.#put(Word.zerosThenValue | (rest + 1));
    } else {
      this.#run(0, zeros);
      this.#run(Word.values, length);
    }
  }

  #run(operation: number, length: number): void {
    for (let left = length; left > 0; left -= MOST_DATA) this.#put(operation | Math.min(left, MOST_DATA));
  }

  #put(word: number): void {
    this.#bytes.writeUInt16BE(word, 2 * this.#words++);
  }

  /** The header: version, words of the header, a mark that tells it from the older one, words in two parts. */
  #finish(): Uint8Array {
    const header = [0, HEADER_WORDS, -100 & 0xffff, this.#words & 0x7fff, this.#words >> 15, 0, 0];
    header.forEach((word, index) => {
      this.#bytes.writeUInt16BE(word, 2 * index);
    });
    return this.#bytes.subarray(0, 2 * this.#words);
  }
}
