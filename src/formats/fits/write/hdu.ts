import type { CardList, WriteCard } from './card.js';
import type { FitsOutput } from './output.js';

/** Pixels that are asked for in blocks of rows, so that no image need be held whole. */
export interface RowSource {
  /** Pixels, 1 or more. */
  readonly width: number;
  readonly height: number;
  /**
   * Rows `y0` to `y1` (exclusive), x fastest: `(y1 - y0) × width` pixels, a Float32Array for `bitpix` -32, else an
   * Int32Array. Called once for each block, in order; the array may be reused by the next call.
   */
  rows(y0: number, y1: number): Float32Array | Int32Array;
}

/** float32, int32 or int16 pixels as they are. */
export interface ImageHdu extends RowSource {
  readonly kind: 'image';
  readonly bitpix: -32 | 32 | 16;
  /** EXTNAME. */
  readonly name?: string;
  readonly cards?: readonly WriteCard[];
}

/**
 * RICE_1 in tiles of one row. Integers are kept exactly. float32 pixels are quantised with SUBTRACTIVE_DITHER_2 as
 * fpack does: NaN and exact zeros are kept, everything else to half a quantum; rows that cannot be quantised are
 * kept exactly, gzipped.
 */
export interface RiceImageHdu extends RowSource {
  readonly kind: 'compressed';
  readonly as: 'rice';
  readonly bitpix: -32 | 32 | 16;
  readonly name?: string;
  readonly cards?: readonly WriteCard[];
  /** q: the noise of a row divided by the quantum; 16 as DES has it. */
  readonly quantize?: number;
  /** ZDITHER0, 1 to 10000; by default from the first row's bytes, as cfitsio chooses it with `CHECKSUM`. */
  readonly seed?: number;
}

/** PLIO_1 in tiles of one row: masks of integers 0 to 2^24 - 1. */
export interface PlioImageHdu extends RowSource {
  readonly kind: 'compressed';
  readonly as: 'plio';
  readonly bitpix: 32 | 16;
  readonly name?: string;
  readonly cards?: readonly WriteCard[];
}

interface ColumnOf<Form extends string, Data> {
  readonly name: string;
  /** TUNITn, such as `deg`. */
  readonly unit?: string;
  /** TCOMMn: one line. */
  readonly doc?: string;
  /** Letter of TFORMn. */
  readonly form: Form;
  readonly data: Data;
}

interface NumberColumnOf<Form extends string, Data> extends ColumnOf<Form, Data> {
  /** Numbers in a cell, 1 by default; `data` holds the cells one after the other. */
  readonly repeat?: number;
}

/** float64, float32, int32, int64, logical (anything but 0 is true) or ASCII text as wide as the longest. */
export type TableColumn =
  | NumberColumnOf<'D', Float64Array>
  | NumberColumnOf<'E', Float32Array>
  | NumberColumnOf<'J', Int32Array>
  | NumberColumnOf<'K', BigInt64Array>
  | NumberColumnOf<'L', Uint8Array | readonly boolean[]>
  | ColumnOf<'A', readonly string[]>;

/** A binary table. */
export interface TableHdu {
  readonly kind: 'table';
  readonly name: string;
  readonly columns: readonly TableColumn[];
  readonly cards?: readonly WriteCard[];
}

/** A header without data; only as first HDU. */
export interface EmptyHdu {
  readonly kind: 'empty';
  readonly cards?: readonly WriteCard[];
}

export type FitsHdu = EmptyHdu | ImageHdu | RiceImageHdu | PlioImageHdu | TableHdu;

/** One HDU on its way to disk. */
export interface HduBody {
  /** Its header as far as it is known; it has as many cards before `write` as after. */
  header(): CardList;
  /** Writes the data. @returns their checksum */
  write(output: FitsOutput): number;
}

/** Rows of a block: about a million pixels. */
const BLOCK_PIXELS = 1 << 20;

/**
 * Calls `use` for each block of rows with their pixels.
 *
 * @throws RangeError when there are fewer pixels than asked for, TypeError when they are of the wrong kind
 */
export function eachBlock<Pixels extends Float32Array | Int32Array>(
  source: RowSource,
  type: { new (length: number): Pixels; readonly name: string },
  use: (pixels: Pixels, y0: number, rows: number) => void,
): void {
  const { width, height } = source;
  const step = Math.max(1, Math.floor(BLOCK_PIXELS / width));
  for (let y0 = 0; y0 < height; y0 += step) {
    const rows = Math.min(step, height - y0);
    const pixels = source.rows(y0, y0 + rows);
    if (!(pixels instanceof type)) throw new TypeError(`rows give a ${type.name} for this bitpix`);
    if (pixels.length < rows * width)
      throw new RangeError(`rows ${y0} to ${y0 + rows} have ${rows * width} pixels, ${pixels.length} came`);
    use(pixels, y0, rows);
  }
}
