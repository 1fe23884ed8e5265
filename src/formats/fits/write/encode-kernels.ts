import { readFileSync } from 'node:fs';
import { builtUrl } from '../../../config/built.js';
import { ditherSequence, randomCount } from '../dither.js';
import { riceCoding } from '../rice.js';

/** What `encode-kernels.as.ts` exports; addresses are bytes of `memory`. */
interface WasmKernels {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly randomsAt: { readonly value: number };
  readonly heapAt: { readonly value: number };
  numbers(from: number, count: number, to: number): number;
  least(from: number, count: number): number;
  greatest(from: number, count: number): number;
  differences(pixels: number, count: number, second: number, third: number, fifth: number): number;
  select(values: number, count: number, rank: number, spare: number): number;
  quantize(from: number, count: number, seedIndex: number, scale: number, zero: number, to: number): void;
  rice(
    pixels: number,
    count: number,
    bytePix: number,
    headerBits: number,
    verbatim: number,
    top: number,
  ): number;
  reverse(top: number, length: number, to: number): void;
}

/** The part of the WebAssembly API in use; Node's types leave it out. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

const pageBytes = 65_536;
/** Kernels read and write a little beyond what they are told to. */
const slackBytes = 256;

/** Quantised pixels begin here, so that they lie near the two reserved integers: -(2^31 - 1) and 10 more. */
const firstInteger = -2147483637;
/** From the least quantised pixel to the greatest, with room for dither: more do not fit into 32 bits. */
const mostLevels = 2 ** 32 - 16;
/** Differences of fifth order of such pixels stay within float32. */
const greatestMagnitude = 2e37;
/** Of rows with fewer numbers than this the noise cannot be told. */
const fewestPixels = 9;

/** A tile of floating-point pixels, packed: `value = (integer - random + 0.5) * scale + zero`. */
export interface PackedTile {
  /** The Rice stream; overwritten by the next call. */
  readonly bytes: Uint8Array;
  readonly scale: number;
  readonly zero: number;
}

let compiled: object | undefined;

/** Encoders of compressed tiles, with their scratch memory: one for each thread. It grows to the largest tile seen. */
export class EncodeKernels {
  static #ofThread: EncodeKernels | undefined;

  readonly #wasm: WasmKernels;
  readonly #lanesAt: number;
  /** Pixels for which there is room. */
  #room = 0;
  #stride = 0;
  #floats = new Float32Array(0);
  #integers = new Int32Array(0);
  #bytes = new Uint8Array(0);

  private constructor(wasm: WasmKernels) {
    this.#wasm = wasm;
    this.#lanesAt = Math.ceil(wasm.heapAt.value / 16) * 16;
    new Float32Array(wasm.memory.buffer, wasm.randomsAt.value, randomCount).set(ditherSequence());
  }

  /** The one of this thread, made when it is first needed. */
  static get(): EncodeKernels {
    compiled ??= new WebAssembly.Module(readFileSync(builtUrl(import.meta.url, './encode-kernels.wasm')));
    EncodeKernels.#ofThread ??= new EncodeKernels(new WebAssembly.Instance(compiled).exports as WasmKernels);
    return EncodeKernels.#ofThread;
  }

  /**
   * Quantises and packs one tile as cfitsio does: RICE_1, SUBTRACTIVE_DITHER_2, NaN kept, exact zeros kept.
   *
   * @param pixels float32, any value
   * @param seedIndex (tile index + ZDITHER0 - 1) mod 10000: where in the random sequence the tile begins
   * @param levelsPerSigma q: the noise of the tile divided by the quantum
   * @returns undefined for a tile that cannot be quantised: fewer than 9 numbers, no noise, or too wide a range
   */
  packFloats(pixels: Float32Array, seedIndex: number, levelsPerSigma: number): PackedTile | undefined {
    const count = pixels.length;
    this.#reserve(count);
    this.#floats.set(pixels);
    const quantum = this.#quantum(count, levelsPerSigma);
    if (quantum === undefined) return undefined;
    const { scale, zero } = quantum;
    const integersAt = this.#at(1);
    this.#wasm.quantize(this.#at(0), count, seedIndex, scale, zero, integersAt);
    return { bytes: this.#rice(integersAt, count, 4), scale, zero };
  }

  /**
   * Packs one tile of integers with RICE_1.
   *
   * @param bytePix 4, or 2 for integers that fit into 16 bits
   * @returns the stream; overwritten by the next call
   */
  packIntegers(pixels: Int32Array, bytePix: 2 | 4): Uint8Array {
    this.#reserve(pixels.length);
    this.#integers.set(pixels);
    return this.#rice(this.#at(1), pixels.length, bytePix);
  }

  /** ZSCALE and ZZERO of the tile in lane 0. */
  #quantum(count: number, levelsPerSigma: number): { scale: number; zero: number } | undefined {
    const good = this.#wasm.numbers(this.#at(0), count, this.#at(1));
    if (count < fewestPixels) return undefined;
    if (good === 0) return { scale: 1 / levelsPerSigma, zero: -firstInteger / levelsPerSigma };
    const least = this.#wasm.least(this.#at(1), good);
    const greatest = this.#wasm.greatest(this.#at(1), good);
    if (good < fewestPixels || Math.max(-least, greatest) > greatestMagnitude) return undefined;
    const scale = this.#noise(good) / levelsPerSigma;
    if (scale === 0 || (greatest - least) / scale > mostLevels) return undefined;
    return { scale, zero: least - scale * firstInteger };
  }

  /**
   * The noise of the numbers in lane 1: the least of three estimates, each the median of absolute differences of one
   * order times its ratio to the standard deviation of Gaussian noise (Stoehr et al. 2008, ST-ECF newsletter 42; the
   * factors are cfitsio's).
   */
  #noise(good: number): number {
    const [second, third, fifth, spare] = [this.#at(2), this.#at(3), this.#at(4), this.#at(5)];
    const kept = this.#wasm.differences(this.#at(1), good - fewestPixels + 1, second, third, fifth);
    if (kept === 0) return 0;
    const median = (at: number) => this.#wasm.select(at, kept, (kept - 1) >> 1, spare);
    const estimates = [0.6052697 * median(third), 1.0483579 * median(second), 0.1772048 * median(fifth)];
    const [first] = estimates as [number, number, number];
    return Math.min(first, ...estimates.filter((estimate) => estimate !== 0));
  }

  #rice(integersAt: number, count: number, bytePix: 2 | 4): Uint8Array {
    const { headerBits, verbatim } = riceCoding(bytePix, bytePix, 32);
    const outAt = this.#at(2);
    const top = outAt + 2 * this.#stride - 32;
    const length = this.#wasm.rice(integersAt, count, bytePix, headerBits, verbatim, top);
    const streamAt = this.#at(4);
    this.#wasm.reverse(top, length, streamAt);
    return this.#bytes.subarray(streamAt, streamAt + length);
  }

  /** Where one of six lanes of pixels begins: the pixels; their numbers, or integers; then room to work in. */
  #at(lane: number): number {
    return this.#lanesAt + slackBytes + lane * this.#stride;
  }

  #reserve(count: number): void {
    if (count > this.#room) {
      this.#room = count;
      this.#stride = Math.ceil((4 * count) / 16) * 16 + slackBytes;
      const missing = this.#at(6) + slackBytes - this.#wasm.memory.buffer.byteLength;
      if (missing > 0) this.#wasm.memory.grow(Math.ceil(missing / pageBytes));
      const { buffer } = this.#wasm.memory;
      this.#floats = new Float32Array(buffer, this.#at(0), count);
      this.#integers = new Int32Array(buffer, this.#at(1), count);
      this.#bytes = new Uint8Array(buffer);
    }
  }
}
