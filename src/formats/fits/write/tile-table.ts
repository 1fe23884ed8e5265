import { addOnesComplement, sumBytes } from '../checksum.js';
import type { CardList } from './card.js';
import type { FitsOutput } from './output.js';

/** Heaps below this have 32-bit descriptors (P), which every reader knows; larger ones 64-bit ones (Q). */
const MOST_P_BYTES = 2 ** 31;
/** What a pixel takes at most, whatever packs it (in PLIO it is three words), and a tile besides. */
const MOST_PIXEL_BYTES = 6.5;
const MOST_TILE_BYTES = 64;

/** The binary table of a compressed image: a row for each tile that says where in the heap its bytes lie. */
export class TileTable {
  readonly #tiles: number;
  /** Bytes of one element of the compressed column. */
  readonly #elementBytes: number;
  readonly #letter: 'B' | 'I';
  readonly #isQuantised: boolean;
  readonly #descriptorBytes: 8 | 16;
  readonly #rows: Buffer;
  #output: FitsOutput | undefined;
  #heapBytes = 0;
  #longest = 0;
  #longestGzip = 0;

  /** @param letter what the compressed column is made of: bytes, or 16-bit words */
  constructor({ width, height }: { width: number; height: number }, letter: 'B' | 'I', isQuantised = false) {
    this.#tiles = height;
    this.#letter = letter;
    this.#elementBytes = letter === 'B' ? 1 : 2;
    this.#isQuantised = isQuantised;
    const mostBytes = height * (width * MOST_PIXEL_BYTES + MOST_TILE_BYTES);
    this.#descriptorBytes = mostBytes < MOST_P_BYTES ? 8 : 16;
    this.#rows = Buffer.alloc(height * this.#rowBytes);
  }

  get #rowBytes(): number {
    return this.#isQuantised ? 2 * this.#descriptorBytes + 16 : this.#descriptorBytes;
  }

  /** The cards from NAXIS to the last column. */
  addTo(list: CardList): CardList {
    const form = (letter: string, longest: number) =>
      `1${this.#descriptorBytes === 8 ? 'P' : 'Q'}${letter}(${longest})`;
    list
      .add('NAXIS', 2, '2-dimensional binary table')
      .add('NAXIS1', this.#rowBytes, 'width of table in bytes')
      .add('NAXIS2', this.#tiles, 'number of rows in table')
      .add('PCOUNT', this.#heapBytes, 'size of special data area')
      .add('GCOUNT', 1, 'one data group')
      .add('TFIELDS', this.#isQuantised ? 4 : 1, 'number of fields in each row')
      .add('TTYPE1', 'COMPRESSED_DATA', 'packed pixels of a tile')
      .add('TFORM1', form(this.#letter, this.#longest), 'variable length array');
    if (!this.#isQuantised) return list;
    return list
      .add('TTYPE2', 'ZSCALE', 'quantum of a tile')
      .add('TFORM2', '1D', 'data format of field: 8-byte DOUBLE')
      .add('TTYPE3', 'ZZERO', 'zero point of a tile')
      .add('TFORM3', '1D', 'data format of field: 8-byte DOUBLE')
      .add('TTYPE4', 'GZIP_COMPRESSED_DATA', 'pixels of a tile that is not quantised')
      .add('TFORM4', form('B', this.#longestGzip), 'variable length array');
  }

  /**
   * Writes the table and, between, whatever `appendAll` appends to its heap.
   *
   * @returns the checksum of both
   */
  write(output: FitsOutput, appendAll: () => void): number {
    const start = output.position;
    output.skip(this.#rows.length);
    this.#output = output;
    appendAll();
    const heapSum = output.endData();
    output.writeAt(start, this.#rows);
    return addOnesComplement(sumBytes(this.#rows), heapSum);
  }

  /** Adds the packed bytes of a tile, and with which quantum they were made. */
  append(tile: number, bytes: Uint8Array, scale?: number, zero?: number): void {
    const at = tile * this.#rowBytes;
    const elements = bytes.length / this.#elementBytes;
    this.#longest = Math.max(this.#longest, elements);
    this.#descriptor(at, elements, bytes);
    if (scale === undefined || zero === undefined) return;
    this.#rows.writeDoubleBE(scale, at + this.#descriptorBytes);
    this.#rows.writeDoubleBE(zero, at + this.#descriptorBytes + 8);
  }

  /** Adds the gzipped bytes of a tile. */
  appendGzip(tile: number, bytes: Uint8Array): void {
    this.#longestGzip = Math.max(this.#longestGzip, bytes.length);
    this.#descriptor(tile * this.#rowBytes + this.#descriptorBytes + 16, bytes.length, bytes);
  }

  #descriptor(at: number, elements: number, bytes: Uint8Array): void {
    if (this.#descriptorBytes === 8) {
      this.#rows.writeInt32BE(elements, at);
      this.#rows.writeInt32BE(this.#heapBytes, at + 4);
    } else {
      this.#rows.writeBigInt64BE(BigInt(elements), at);
      this.#rows.writeBigInt64BE(BigInt(this.#heapBytes), at + 8);
    }
    this.#output?.append(bytes);
    this.#heapBytes += bytes.length;
  }
}
