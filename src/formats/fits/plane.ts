import { FormatError } from '../errors.js';
import { randomCount, type TileQuantum } from './dither.js';
import {
  type Element,
  elementBytes,
  type FloatArray,
  isIdentity,
  readFloats,
  readIntegers,
  readLongs,
  scaleFloats,
  scaleIntegers,
  viewOf,
} from './elements.js';
import type { FitsFile } from './file.js';
import { gunzipTile, unshuffle } from './gzip-tile.js';
import { type PlainStorage, type PlanePlan, planPlane } from './plane-plan.js';
import { plioOrMask, plioToInt } from './plio.js';
import { TileColumn, type TileQuanta, type TileStorage, tileBox } from './tile-storage.js';
import { Workbench } from './workbench.js';

/** Most bytes of one read, but for a single row or tile that is larger. */
const READ_BYTES = 4 << 20;
/** A mask that is not run-length coded is decoded this many pixels at a time. */
const MASK_PIXELS = 1 << 20;
/** Tiles this near to each other are read together, with what lies between. */
const MAX_GAP_BYTES = 64 << 10;

/**
 * Decodes rows of one image, again and again. Its buffers are shared by all readers of the thread. A tile is always
 * decoded whole: where tiles are higher than a row, ask for rows in multiples of that height.
 */
export class PlaneReader {
  readonly plan: PlanePlan;
  readonly #bench = Workbench.get();

  constructor(plan: PlanePlan) {
    this.plan = plan;
  }

  /**
   * Decodes rows `y0` to `y1` (exclusive; `y = row + height · plane`). Holds at most 4 MiB of the file at a time, or
   * one tile where that is larger.
   *
   * @param into receives row `y` from element `at + (y - y0) · stride` on; a Float64Array only for `f64` images
   * @returns how many pixels are NaN
   * @throws FormatError `fits_compressed` with the tile as row, `fits_truncated`
   */
  readRows(y0: number, y1: number, into: FloatArray, at = 0, stride = this.plan.width): number {
    this.#checkRange(y0, y1, into.length, at, stride);
    if (into instanceof Float64Array && this.plan.dtype === 'f32') {
      throw new TypeError('rows of a float32 image are read into a Float32Array');
    }
    const { storage } = this.plan;
    if (storage.kind === 'plain') return this.#readPlain(storage, y0, y1, into, at, stride);
    let nans = 0;
    this.#visitTiles(storage, y0, y1, (tile, start) => {
      nans += this.#readTile(storage, tile, start, y0, y1, into, at, stride);
    });
    return nans;
  }

  /**
   * Sets `bit` in the bytes of the pixels that are not 0 (NaN included), and leaves the other bytes alone. Rows are
   * laid out as in `readRows`.
   *
   * @throws FormatError as `readRows`
   */
  orMask(y0: number, y1: number, into: Uint8Array, at: number, stride: number, bit: number): void {
    this.#checkRange(y0, y1, into.length, at, stride);
    const { width, scaling, storage } = this.plan;
    const hasRuns =
      storage.kind === 'tiles' &&
      storage.method === 'plio' &&
      storage.tileWidth === width &&
      storage.tileHeight * storage.tileDepth === 1 &&
      isIdentity(scaling);
    if (!hasRuns) {
      const rows = Math.max(1, Math.floor(MASK_PIXELS / width));
      const pixels = newPixels(this.plan, Math.min(rows, y1 - y0) * width);
      for (let y = y0; y < y1; y++) {
        const held = (y - y0) % rows;
        if (held === 0) this.readRows(y, Math.min(y + rows, y1), pixels);
        orPixels(pixels, held * width, width, into, at + (y - y0) * stride, bit);
      }
      return;
    }
    this.#visitTiles(storage, y0, y1, (y, start) => {
      const to = at + (y - y0) * stride;
      if (storage.columns[y] === TileColumn.compressed) {
        plioOrMask(this.#bench.bytes, start, storage.lengths[y] as number, width, into, to, bit);
      } else {
        const row = this.#bench.pixels(this.plan.dtype, width);
        this.#decodeTile(storage, y, start, width, row, 0);
        orPixels(row, 0, width, into, to, bit);
      }
    });
  }

  #readPlain(
    { element, start }: PlainStorage,
    y0: number,
    y1: number,
    into: FloatArray,
    at: number,
    stride: number,
  ): number {
    const { region, width } = this.plan;
    const rowBytes = width * elementBytes[element];
    const rowsPerRead = Math.max(1, Math.floor(READ_BYTES / rowBytes));
    let nans = 0;
    for (let y = y0; y < y1; y++) {
      const held = (y - y0) % rowsPerRead;
      if (held === 0)
        this.#bench.read(region, start + y * rowBytes, Math.min(rowsPerRead, y1 - y) * rowBytes);
      nans += this.#decodeStored(
        this.#bench.view,
        held * rowBytes,
        width,
        element,
        into,
        at + (y - y0) * stride,
      );
    }
    return nans;
  }

  /** Calls `visit` for each tile that holds some of these rows, with its place among the bytes just read. */
  #visitTiles(
    storage: TileStorage,
    y0: number,
    y1: number,
    visit: (tile: number, start: number) => void,
  ): void {
    const { starts, lengths } = storage;
    const [first, end] = this.#tilesOf(storage, y0, y1);
    for (let tile = first; tile < end; ) {
      const from = starts[tile] as number;
      let to = from + (lengths[tile] as number);
      let next = tile + 1;
      for (; next < end; next++) {
        const start = starts[next] as number;
        const stop = start + (lengths[next] as number);
        if (start < to || start - to > MAX_GAP_BYTES || stop - from > READ_BYTES) break;
        to = stop;
      }
      this.#bench.read(this.plan.region, from, to - from);
      for (; tile < next; tile++) {
        try {
          visit(tile, (starts[tile] as number) - from);
        } catch (error) {
          throw this.#located(error, tile);
        }
      }
    }
  }

  /** The range of tiles that holds these rows; with tiles of several planes it may hold a few that do not. */
  #tilesOf({ tileWidth, tileHeight, tileDepth }: TileStorage, y0: number, y1: number): [number, number] {
    if (y0 === y1) return [0, 0];
    const { width, height } = this.plan;
    const across = Math.ceil(width / tileWidth);
    const down = Math.ceil(height / tileHeight);
    const slab = (y: number) => Math.floor(Math.floor(y / height) / tileDepth) * down;
    if (tileDepth > 1) return [slab(y0) * across, (slab(y1 - 1) + down) * across];
    const band = (y: number) => slab(y) + Math.floor((y % height) / tileHeight);
    return [band(y0) * across, (band(y1 - 1) + 1) * across];
  }

  /** Decodes one tile and places those of its rows that lie in `y0` to `y1`. */
  #readTile(
    storage: TileStorage,
    tile: number,
    start: number,
    y0: number,
    y1: number,
    into: FloatArray,
    at: number,
    stride: number,
  ): number {
    const { width, height, depth } = this.plan;
    const box = tileBox(storage, [width, height, depth], tile);
    const count = box.width * box.height * box.depth;
    const top = box.z * height + box.y;
    const isWhole = box.width === width && box.depth === 1 && top >= y0 && top + box.height <= y1;
    if (isWhole && (box.height === 1 || stride === width)) {
      return this.#decodeTile(storage, tile, start, count, into, at + (top - y0) * stride);
    }
    const pixels = this.#bench.pixels(this.plan.dtype, count);
    this.#decodeTile(storage, tile, start, count, pixels, 0);
    let nans = 0;
    for (let line = 0, from = 0; line < box.height * box.depth; line++) {
      const y = (box.z + Math.floor(line / box.height)) * height + box.y + (line % box.height);
      const to = at + (y - y0) * stride + box.x;
      if (y < y0 || y >= y1) from += box.width;
      else {
        for (let x = 0; x < box.width; x++) {
          const pixel = pixels[from++] as number;
          if (Number.isNaN(pixel)) nans++;
          into[to + x] = pixel;
        }
      }
    }
    return nans;
  }

  /** Decodes all pixels of one tile, one after the other. */
  #decodeTile(
    storage: TileStorage,
    tile: number,
    start: number,
    count: number,
    into: FloatArray,
    at: number,
  ): number {
    const { method, blockSize, bytePix, element, quanta } = storage;
    const length = storage.lengths[tile] as number;
    const column = storage.columns[tile];
    const { bytes } = this.#bench;
    if (column === TileColumn.raw)
      return this.#decodeStored(this.#bench.view, start, count, storage.rawElement, into, at);
    if (column === TileColumn.gzip) {
      const unpacked = viewOf(gunzipTile(bytes, start, length, count * elementBytes[element]));
      return this.#decodeStored(unpacked, 0, count, element, into, at);
    }
    if (method === 'raw') return this.#decodeStored(this.#bench.view, start, count, element, into, at);
    const { scaling } = this.plan;
    const quantum = quanta === undefined ? undefined : quantumOf(quanta, tile);
    if (method === 'rice' && quantum !== undefined && into instanceof Float32Array) {
      const nans = this.#bench.kernels.riceToF32(bytes, start, length, count, blockSize, quantum, into, at);
      scaleFloats(into, at, count, scaling);
      return nans;
    }
    const integers = this.#bench.integers(count);
    if (method === 'rice') {
      this.#bench.kernels.riceToInt(bytes, start, length, count, blockSize, bytePix, integers, 0);
    } else if (method === 'plio') {
      plioToInt(bytes, start, length, count, integers, 0);
    } else {
      const stored = quantum === undefined ? element : 'J';
      const width = elementBytes[stored];
      const unpacked = gunzipTile(bytes, start, length, count * width);
      const view = viewOf(method === 'gzip2' ? unshuffle(unpacked, width) : unpacked);
      if (quantum === undefined) return this.#decodeStored(view, 0, count, stored, into, at);
      readIntegers(view, 0, count, 'J', integers);
    }
    if (quantum === undefined) return scaleIntegers(integers, count, scaling, into, at);
    const nans = this.#bench.kernels.dequantize(integers, 0, count, quantum, into, at);
    scaleFloats(into, at, count, scaling);
    return nans;
  }

  /** Decodes and scales pixels that are stored as they are. */
  #decodeStored(
    view: DataView,
    start: number,
    count: number,
    element: Element,
    into: FloatArray,
    at: number,
  ): number {
    const { scaling } = this.plan;
    if (element === 'K') return readLongs(view, start, count, scaling, into, at);
    if (element === 'E' || element === 'D') {
      const nans = readFloats(view, start, count, element, into, at);
      scaleFloats(into, at, count, scaling);
      return nans;
    }
    const integers = this.#bench.integers(count);
    readIntegers(view, start, count, element, integers);
    return scaleIntegers(integers, count, scaling, into, at);
  }

  /** Decoders know pixels but no files: adds the place to what they throw. */
  #located(error: unknown, tile: number): unknown {
    if (!(error instanceof FormatError) || error.place.file !== undefined) return error;
    const place = { file: this.plan.region.name, hdu: this.plan.hdu, row: tile };
    return new FormatError(error.code, error.message, { place, cause: error });
  }

  #checkRange(y0: number, y1: number, length: number, at: number, stride: number): void {
    const { width, height, depth } = this.plan;
    if (!(y0 >= 0 && y0 <= y1 && y1 <= height * depth)) {
      throw new RangeError(`rows ${y0} to ${y1} are wanted, the image has ${height * depth}`);
    }
    if (y0 < y1 && !(at >= 0 && stride >= width && at + (y1 - y0 - 1) * stride + width <= length)) {
      throw new RangeError(
        `rows ${y0} to ${y1} from ${at} on, ${stride} apart, do not fit into ${length} elements`,
      );
    }
  }
}

/** A whole image or cube in the type of its plan. @throws FormatError as `planPlane` and `PlaneReader.readRows` */
export function readPlane(file: FitsFile, hduIndex: number): FloatArray {
  const plan = planPlane(file, hduIndex);
  const rows = plan.height * plan.depth;
  const pixels = newPixels(plan, plan.width * rows);
  new PlaneReader(plan).readRows(0, rows, pixels);
  return pixels;
}

function newPixels(plan: PlanePlan, count: number): FloatArray {
  return plan.dtype === 'f32' ? new Float32Array(count) : new Float64Array(count);
}

function orPixels(
  pixels: FloatArray,
  from: number,
  width: number,
  into: Uint8Array,
  at: number,
  bit: number,
): void {
  for (let x = 0; x < width; x++) {
    if (pixels[from + x] !== 0) into[at + x] = (into[at + x] as number) | bit;
  }
}

function quantumOf(quanta: TileQuanta, tile: number): TileQuantum {
  const blank = quanta.blanks[tile] as number;
  return {
    scale: quanta.scales[tile] as number,
    zero: quanta.zeros[tile] as number,
    dither: quanta.dither,
    blank: Number.isNaN(blank) ? undefined : blank,
    seedIndex: (quanta.seedIndex + tile) % randomCount,
  };
}
