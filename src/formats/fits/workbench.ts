import { type FloatArray, viewOf } from './elements.js';
import { Kernels } from './kernels.js';
import { type ByteRegion, readExactly } from './source.js';

/** Decoders of compressed tiles may look this far past the end of a tile. */
const PADDING_BYTES = 16;

/**
 * What all readers of a thread decode with: kernels and buffers, which grow to the largest tile seen. Decoding is
 * synchronous, so there is only one reader at work at a time; what a buffer holds lasts until the next call.
 */
export class Workbench {
  static #ofThread: Workbench | undefined;

  readonly kernels = Kernels.create();
  /** Bytes of the file, as read last. */
  bytes = new Uint8Array(0);
  view: DataView = viewOf(this.bytes);
  #integers = new Int32Array(0);
  #pixels = { f32: new Float32Array(0), f64: new Float64Array(0) };

  /** The one of this thread, made when it is first needed. */
  static get(): Workbench {
    Workbench.#ofThread ??= new Workbench();
    return Workbench.#ofThread;
  }

  /** Reads a part of a file into `bytes`. @throws FormatError `fits_truncated` */
  read(region: ByteRegion, position: number, length: number): void {
    if (this.bytes.length < length + PADDING_BYTES) {
      this.bytes = new Uint8Array(length + PADDING_BYTES);
      this.view = viewOf(this.bytes);
    }
    readExactly(region, position, length, this.bytes);
  }

  integers(count: number): Int32Array {
    if (this.#integers.length < count) this.#integers = new Int32Array(count);
    return this.#integers;
  }

  pixels(dtype: 'f32' | 'f64', count: number): FloatArray {
    if (this.#pixels[dtype].length < count) {
      if (dtype === 'f32') this.#pixels.f32 = new Float32Array(count);
      else this.#pixels.f64 = new Float64Array(count);
    }
    return this.#pixels[dtype];
  }
}
