/** The compiled kernels (`kernels.as.ts`), and their memory. Whoever knows files hands in the compiled bytes. */

/** What `kernels.as.ts` exports; addresses are bytes of `memory`. Described there. */
export interface WasmKernels {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly heapAt: { readonly value: number };
  transfer(
    out: number,
    kx: number,
    low: number,
    high: number,
    a: number,
    b: number,
    c: number,
    optics: number,
    side: number,
    taps: number,
    pixel: number,
    line: number,
  ): void;
  addModes(
    spectrum: number,
    n: number,
    blocks: number,
    kx: number,
    low: number,
    high: number,
    across: number,
    along: number,
    slope: number,
    phaseX: number,
    phaseY: number,
    apart: number,
  ): void;
  transformColumns(
    spectrum: number,
    other: number,
    n: number,
    twiddles: number,
    first: number,
    count: number,
    out: number,
    stride: number,
  ): void;
  transformRows(
    rows: number,
    stride: number,
    blocks: number,
    z: number,
    other: number,
    n: number,
    twiddles: number,
    first: number,
    count: number,
    out: number,
  ): void;
}

/** The part of the WebAssembly API in use; Node's types leave it out. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** The exports of a compiled module that imports nothing. */
export const instantiate = (bytes: Uint8Array): unknown =>
  new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;

/** Bytes of four complex float32: four neighbouring columns or rows in the lanes of a vector. */
export const blockBytes = 32;
export const pageBytes = 65_536;
const alignment = 32;

/** The kernels of one thread. Memory is laid out from a mark on, and again from there for the next field. */
export class Kernels {
  readonly wasm: WasmKernels;
  #used: number;
  #floats: Float32Array;
  #integers: Int32Array;

  /** @param bytes the compiled `kernels.as.ts` */
  constructor(bytes: Uint8Array) {
    this.wasm = instantiate(bytes) as WasmKernels;
    this.#used = this.wasm.heapAt.value;
    this.#floats = new Float32Array(this.wasm.memory.buffer);
    this.#integers = new Int32Array(this.wasm.memory.buffer);
  }

  /** All memory as numbers; a new array when memory has grown. */
  get floats(): Float32Array {
    if (this.#floats.buffer !== this.wasm.memory.buffer)
      this.#floats = new Float32Array(this.wasm.memory.buffer);
    return this.#floats;
  }

  get integers(): Int32Array {
    if (this.#integers.buffer !== this.wasm.memory.buffer)
      this.#integers = new Int32Array(this.wasm.memory.buffer);
    return this.#integers;
  }

  /** What is laid out now stays until `release(mark)`. */
  mark(): number {
    return this.#used;
  }

  release(mark: number): void {
    this.#used = mark;
  }

  /** The address of so many bytes, which hold what was there before. */
  allocate(bytes: number): number {
    const at = Math.ceil(this.#used / alignment) * alignment;
    this.#used = at + bytes;
    const missing = this.#used - this.wasm.memory.buffer.byteLength;
    if (missing > 0) this.wasm.memory.grow(Math.ceil(missing / pageBytes));
    return at;
  }
}
