/** Rows of an image, wherever its pixels lie, for the thread that needs them. */
import { FormatError } from '../../formats/errors.js';
import { PlaneReader } from '../../formats/fits/plane.js';
import { type RawPlane, readRawRows } from '../../formats/raw-plane.js';
import type { PixelSource } from './tile/strip.js';

/** Of the FITS image this thread worked on last: its readers have tables, and rows of one image come together. */
let current: PixelRows | undefined;

export class PixelRows {
  readonly #source: PixelSource;
  readonly #planes: readonly PlaneReader[];
  readonly #masks: readonly (PlaneReader | undefined)[];

  private constructor(source: PixelSource) {
    this.#source = source;
    const plans = source.kind === 'fits' ? source : { planes: [], masks: [] };
    this.#planes = plans.planes.map((plan) => new PlaneReader(plan));
    this.#masks = plans.masks.map((plan) => plan && new PlaneReader(plan));
  }

  static of(source: PixelSource): PixelRows {
    if (source.kind !== 'fits') return new PixelRows(source);
    if (current === undefined || current.#source.image !== source.image) current = new PixelRows(source);
    return current;
  }

  /**
   * Reads rows [y0, y1) of a band into `into[at…]`.
   *
   * @returns how many pixels are NaN, or 1 where that was not counted
   * @throws FormatError `fits_*`, `file_unreadable`
   */
  read(band: number, y0: number, y1: number, into: Float32Array, at: number): number {
    const source = this.#source;
    try {
      if (source.kind === 'fits') return (this.#planes[band] as PlaneReader).readRows(y0, y1, into, at);
      if (source.kind === 'raw') readRawRows(source.planes[band] as RawPlane, y0, y1, into, at);
      else {
        const pixels = source.pixels[band] as SharedArrayBuffer;
        into.set(new Float32Array(pixels, 4 * y0 * source.width, (y1 - y0) * source.width), at);
        if (source.isFinite) return 0;
      }
      return 1;
    } catch (error) {
      throw asReadError(error, source.image);
    }
  }

  /** Sets `bit` in the bytes of the pixels of rows [y0, y1) that the mask of a band marks. @throws as `read` */
  orMask(
    band: number,
    y0: number,
    y1: number,
    into: Uint8Array,
    at: number,
    stride: number,
    bit: number,
  ): void {
    try {
      this.#masks[band]?.orMask(y0, y1, into, at, stride, bit);
    } catch (error) {
      throw asReadError(error, this.#source.image);
    }
  }
}

/** What the system says of a file that is read concerns that image, not the disk that is written to. */
function asReadError(error: unknown, image: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof FormatError || code === undefined || code === 'EMFILE' || code === 'ENFILE')
    return error;
  return new FormatError('file_unreadable', message, { place: { file: image }, cause: error });
}
