/** Tables for Fourier transforms of one size, for one PSF, in the memory of the kernels. */
import { blockBytes, type Kernels } from './kernels.js';
import { fineStep, quintic } from './otf.js';
import type { Symmetric } from './psf.js';
import { type PsfModel, pixelArcsec } from './psf-model.js';

/** Transfer functions are kept for all modes when they take no more bytes than this, else computed where needed. */
const keptBytes = 8 << 20;
/** Most bytes of rows between the two passes; larger stamps are transformed in parts. */
const rowsBytes = 8 << 20;
/** Six lattice points: the first one's index and their weights. */
const tapBytes = 28;
/** Modes beyond the cutoff that a block of four can have. */
const margin = 4;

export class TransformPlan {
  /** Wavenumber of one mode, rad/arcsec. */
  readonly step: number;
  /** Modes from -reach to reach are not zero. */
  readonly reach: number;
  readonly twiddles: number;
  /** Two buffers of n + 1 blocks. */
  readonly spectrum: number;
  readonly other: number;
  /** Rows between the passes. */
  readonly rows: number;
  readonly rowsBytes: number;
  /** Room for eight rows of pixels. */
  readonly pixels: number;
  /** Real parts of the phases of mode 0; the imaginary ones are `apart` bytes on. */
  readonly phaseX: number;
  readonly phaseY: number;
  readonly apart: number;
  readonly #kernels: Kernels;
  readonly #psf: PsfModel;
  readonly #optics: number;
  readonly #taps: number;
  readonly #pixel: number;
  readonly #line: number;
  readonly #form: Symmetric;
  /** First column of each kept block, for each four columns of the half spectrum. */
  readonly #columns: readonly (readonly number[])[];
  /** Where the kept transfer functions are; undefined when they are computed anew. */
  readonly #kept: number | undefined;
  readonly #scratch: number;
  readonly #firstOf: readonly number[];

  /**
   * @param n size of the transform, a power of 2
   * @param optics address of the fine table of the PSF's optics
   */
  constructor(
    kernels: Kernels,
    psf: PsfModel,
    optics: number,
    readonly n: number,
  ) {
    this.#kernels = kernels;
    this.#psf = psf;
    this.#optics = optics;
    this.step = (2 * Math.PI) / (n * pixelArcsec);
    this.reach = Math.ceil(psf.cutoff / this.step);
    const { xx, xy, yy } = psf.atmosphere;
    const scale = this.step ** 2;
    this.#form = { xx: xx * scale, xy: 2 * xy * scale, yy: yy * scale };
    const modes = 2 * (this.reach + margin) + 1;

    this.twiddles = kernels.allocate(8 * n);
    this.spectrum = kernels.allocate(blockBytes * (n + 1));
    this.other = kernels.allocate(blockBytes * (n + 1));
    const blocks = n / 8 + 1;
    this.rowsBytes = Math.max(Math.min(blockBytes * blocks * (n + 8), rowsBytes), 8 * blockBytes * blocks);
    this.rows = kernels.allocate(this.rowsBytes);
    this.pixels = kernels.allocate(8 * 4 * (n + 8));
    this.apart = 4 * modes;
    const middle = this.reach + margin;
    this.phaseX = kernels.allocate(2 * this.apart) + 4 * middle;
    this.phaseY = kernels.allocate(2 * this.apart) + 4 * middle;
    this.#taps = kernels.allocate(tapBytes * modes) + tapBytes * middle;
    this.#pixel = kernels.allocate(4 * (modes + 3)) + 4 * middle;
    this.#line = kernels.allocate(blockBytes * psf.optics.side);
    this.#fillTwiddles();
    this.#fillTaps(middle);

    this.#columns = Array.from({ length: blocks }, (_, j) => this.#aliases(4 * j));
    let kept = 0;
    this.#firstOf = this.#columns.map((columns) => {
      const first = kept;
      kept += columns.length;
      return first;
    });
    const bytes = blockBytes * (2 * this.reach + 1);
    this.#scratch = kernels.allocate(bytes);
    this.#kept = kept * bytes <= keptBytes ? kernels.allocate(kept * bytes) : undefined;
    if (this.#kept !== undefined)
      for (const [j, columns] of this.#columns.entries())
        for (const [i, column] of columns.entries())
          this.#compute(
            (this.#kept as number) + ((this.#firstOf[j] as number) + i) * bytes,
            column,
            -this.reach,
            this.reach,
          );
  }

  /** First columns of the blocks that fold onto columns 4j … 4j + 3 of the half spectrum. */
  columnsOf(j: number): readonly number[] {
    return this.#columns[j] as readonly number[];
  }

  /** Address of the transfer function of the i-th block folding onto j, from row `low` on, at least to row `high`. */
  transfer(j: number, i: number, low: number, high: number): number {
    if (this.#kept === undefined) {
      this.#compute(this.#scratch, (this.#columns[j] as readonly number[])[i] as number, low, high);
      return this.#scratch;
    }
    const block = (this.#firstOf[j] as number) + i;
    return this.#kept + blockBytes * (block * (2 * this.reach + 1) + low + this.reach);
  }

  /** Sets the phases of a source that lies (x, y) pixels from pixel 0 of the transform. */
  setPhases(x: number, y: number): void {
    this.#fillPhases(this.phaseX, x);
    this.#fillPhases(this.phaseY, y);
  }

  #aliases(column: number): number[] {
    const columns: number[] = [];
    for (let kx = column - this.n * Math.ceil((column + this.reach) / this.n); kx <= this.reach; kx += this.n)
      if (kx + 3 >= -this.reach) columns.push(kx);
    return columns;
  }

  #compute(out: number, column: number, low: number, high: number): void {
    const { xx, xy, yy } = this.#form;
    const { side } = this.#psf.optics;
    this.#kernels.wasm.transfer(
      out,
      column,
      low,
      high,
      xx,
      xy,
      yy,
      this.#optics,
      side,
      this.#taps,
      this.#pixel,
      this.#line,
    );
  }

  #fillTwiddles(): void {
    const { floats } = this.#kernels;
    const at = this.twiddles / 4;
    for (let j = 0; j < this.n; j++) {
      floats[at + 2 * j] = Math.cos((2 * Math.PI * j) / this.n);
      floats[at + 2 * j + 1] = Math.sin((2 * Math.PI * j) / this.n);
    }
  }

  #fillTaps(middle: number): void {
    const { floats, integers } = this.#kernels;
    for (let mode = -middle; mode <= middle; mode++) {
      const at = (this.#taps + tapBytes * mode) / 4;
      const position = (mode * this.step) / fineStep;
      const first = Math.floor(position) - 2;
      integers[at] = first + this.#psf.optics.reach;
      for (let j = 0; j < 6; j++) floats[at + 1 + j] = quintic(position - first - j);
      const half = (Math.PI * mode) / this.n;
      floats[this.#pixel / 4 + mode] = mode === 0 ? 1 : Math.sin(half) / half;
    }
  }

  #fillPhases(address: number, offset: number): void {
    const { floats } = this.#kernels;
    const re = address / 4;
    const im = (address + this.apart) / 4;
    const angle = (-2 * Math.PI * offset) / this.n;
    const cos = Math.cos(angle);
    const sin = Math.sin(angle);
    let x = 1;
    let y = 0;
    for (let mode = 0; mode <= this.reach + margin; mode++) {
      floats[re + mode] = floats[re - mode] = x;
      floats[im + mode] = y;
      floats[im - mode] = -y;
      const next = x * cos - y * sin;
      y = x * sin + y * cos;
      x = next;
    }
  }
}
