import { readFileSync } from 'node:fs';
import { builtUrl } from '../../config/built.js';
import { FormatError } from '../errors.js';
import { checkQuantum, dequantizeFloat64, ditherSequence, randomCount, type TileQuantum } from './dither.js';
import { type RicePixelBytes, riceCoding } from './rice.js';

export type { TileQuantum } from './dither.js';

/** What `kernels.as.ts` exports; addresses are bytes of `memory`. */
interface WasmKernels {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly randomsAt: { readonly value: number };
  readonly heapAt: { readonly value: number };
  reverse(from: number, length: number, top: number): void;
  rice(
    top: number,
    length: number,
    count: number,
    blockSize: number,
    bytePix: number,
    headerBits: number,
    verbatim: number,
    out: number,
  ): number;
  integrate(pixels: number, count: number, first: number): void;
  dequantize(
    pixels: number,
    count: number,
    scale: number,
    zero: number,
    hasBlank: boolean,
    blank: number,
  ): number;
  dequantizeDithered(
    pixels: number,
    count: number,
    seedIndex: number,
    scale: number,
    zero: number,
    hasBlank: boolean,
    blank: number,
    keepsZero: boolean,
  ): number;
}

/** The part of the WebAssembly API in use; Node's types leave it out. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

const pageBytes = 65_536;
/** The stream is copied in steps of 16 bytes, and 64 zero bytes follow it. */
const streamPadding = 80;

let compiled: object | undefined;

/**
 * Decoders of compressed tiles, with their scratch memory: one for each thread. The scratch grows to the largest
 * tile seen (compressed bytes twice, decoded pixels once) and is reused, so that a row costs no allocation.
 */
export class Kernels {
  readonly #wasm: WasmKernels;
  readonly #randoms = ditherSequence();
  #bytes = new Uint8Array(0);
  /** Room for a stream as it comes; as much follows for the stream laid down backwards, then the pixels. */
  readonly #inputAt: number;
  #inputBytes = 0;
  #pixelsAt = 0;
  #integers = new Int32Array(0);
  #floats = new Float32Array(0);

  private constructor(wasm: WasmKernels) {
    this.#wasm = wasm;
    this.#inputAt = roundUp(wasm.heapAt.value, 16);
    this.#reserve(pageBytes, 0);
    new Float32Array(wasm.memory.buffer, wasm.randomsAt.value, randomCount).set(this.#randoms);
  }

  static create(): Kernels {
    compiled ??= new WebAssembly.Module(readFileSync(builtUrl(import.meta.url, './kernels.wasm')));
    return new Kernels(new WebAssembly.Instance(compiled).exports as WasmKernels);
  }

  /**
   * Decodes one Rice tile of quantised int32 into float32.
   *
   * @param bytes holds the stream at `start`, `length` bytes
   * @param count pixels of the tile
   * @param blockSize pixels of a Rice block (BLOCKSIZE)
   * @param into receives the pixels at `at`; NaN is 0x7fc00000
   * @returns how many pixels are NaN
   * @throws FormatError `fits_compressed` when the stream ends early or cannot be Rice
   */
  riceToF32(
    bytes: Uint8Array,
    start: number,
    length: number,
    count: number,
    blockSize: number,
    quantum: TileQuantum,
    into: Float32Array,
    at: number,
  ): number {
    checkRoom(count, into.length, at);
    checkQuantum(quantum);
    this.#rice(bytes, start, length, count, blockSize, 4);
    const nanCount = this.#dequantize(count, quantum);
    into.set(this.#floats, at);
    return nanCount;
  }

  /**
   * Decodes one Rice tile of integers: unsigned for `bytePix` 1, signed for 2 and 4.
   *
   * @throws FormatError `fits_compressed` when the stream ends early or cannot be Rice
   */
  riceToInt(
    bytes: Uint8Array,
    start: number,
    length: number,
    count: number,
    blockSize: number,
    bytePix: RicePixelBytes,
    into: Int32Array,
    at: number,
  ): void {
    checkRoom(count, into.length, at);
    this.#rice(bytes, start, length, count, blockSize, bytePix);
    const integers = this.#integers;
    if (bytePix === 4) into.set(integers, at);
    else if (bytePix === 2)
      for (let i = 0; i < count; i++) into[at + i] = ((integers[i] as number) << 16) >> 16;
    else for (let i = 0; i < count; i++) into[at + i] = (integers[i] as number) & 0xff;
  }

  /**
   * Turns `count` quantised integers from `from` on into floating-point pixels at `at`.
   *
   * @returns how many pixels are NaN
   */
  dequantize(
    integers: Int32Array,
    from: number,
    count: number,
    quantum: TileQuantum,
    into: Float32Array | Float64Array,
    at: number,
  ): number {
    checkRoom(count, integers.length, from);
    checkRoom(count, into.length, at);
    checkQuantum(quantum);
    if (into instanceof Float64Array)
      return dequantizeFloat64(integers, from, count, quantum, this.#randoms, into, at);
    this.#reserve(0, count);
    this.#integers.set(integers.subarray(from, from + count));
    const nanCount = this.#dequantize(count, quantum);
    into.set(this.#floats, at);
    return nanCount;
  }

  /** Leaves `count` integers in the scratch. */
  #rice(
    bytes: Uint8Array,
    start: number,
    length: number,
    count: number,
    blockSize: number,
    bytePix: RicePixelBytes,
  ): void {
    const { headerBits, verbatim } = riceCoding(bytePix, length, blockSize);
    checkRoom(length, bytes.length, start);
    this.#reserve(length, count);
    const pixelsAt = this.#pixelsAt;
    const top = pixelsAt - 1;
    this.#bytes.set(bytes.subarray(start, start + length), this.#inputAt);
    this.#wasm.reverse(this.#inputAt, length, top);
    const done = this.#wasm.rice(top, length, count, blockSize, bytePix, headerBits, verbatim, pixelsAt);
    if (done < 0)
      throw new FormatError(
        'fits_compressed',
        `the Rice stream has an impossible block header at pixel ${~done} of ${count}`,
      );
    if (done < count)
      throw new FormatError(
        'fits_compressed',
        `the Rice stream of ${length} bytes ends at pixel ${done} of ${count}`,
      );
    let first = 0;
    for (let i = 0; i < bytePix; i++) first = (first << 8) | (bytes[start + i] as number);
    this.#wasm.integrate(pixelsAt, count, first);
  }

  /** Turns the `count` integers in the scratch into float32. */
  #dequantize(count: number, { scale, zero, dither, blank = 0.5, seedIndex }: TileQuantum): number {
    const isBlankInt32 = (blank | 0) === blank;
    if (dither === 0) return this.#wasm.dequantize(this.#pixelsAt, count, scale, zero, isBlankInt32, blank);
    return this.#wasm.dequantizeDithered(
      this.#pixelsAt,
      count,
      seedIndex,
      scale,
      zero,
      isBlankInt32,
      blank,
      dither === 2,
    );
  }

  /** Makes room for a stream of `length` bytes and for `count` pixels, and points the views at them. */
  #reserve(length: number, count: number): void {
    const memory = this.#wasm.memory;
    if (length > this.#inputBytes) this.#inputBytes = roundUp(length, pageBytes);
    this.#pixelsAt = this.#inputAt + 2 * (this.#inputBytes + streamPadding);
    const missing = this.#pixelsAt + 4 * (count + 4) - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
    if (
      this.#floats.buffer === memory.buffer &&
      this.#floats.length === count &&
      this.#floats.byteOffset === this.#pixelsAt
    )
      return;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#integers = new Int32Array(memory.buffer, this.#pixelsAt, count);
    this.#floats = new Float32Array(memory.buffer, this.#pixelsAt, count);
  }
}

const roundUp = (value: number, step: number) => Math.ceil(value / step) * step;

function checkRoom(count: number, room: number, at: number): void {
  if (!(Number.isInteger(count) && Number.isInteger(at) && count >= 0 && at >= 0 && at + count <= room))
    throw new RangeError(`${count} from ${at} on do not fit into ${room}`);
}
