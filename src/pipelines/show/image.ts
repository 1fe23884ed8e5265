/** What can be shown: an image whose rows are read band by band, however it is kept. */
import { EngineError } from '../../engine/errors.js';
import type { PixelBox } from '../../science/orientation.js';
import type { TanWcs } from '../../science/wcs.js';

/** An image that is open. */
export interface ShownImage {
  readonly bands: readonly string[];
  readonly width: number;
  readonly height: number;
  readonly wcs: TanWcs | undefined;
  /** What there is to say about its coordinates: that there are none, or that they are not exact. */
  readonly wcsNote: string | undefined;
  /** Of the pixels; empty when nobody knows. */
  readonly unit: string;
  /** Rows are best read in multiples of this many. */
  readonly rowsAtOnce: number;
  /** Reads whole rows `y0` to `y1` (exclusive) of a band; the array is used again by the next call. */
  readRows(band: number, y0: number, y1: number): Float32Array | Float64Array;
  close(): Promise<void>;
}

/** An image and the bands it could be opened in. */
export interface Showable {
  /** What it is called in the title. */
  readonly name: string;
  readonly bands: readonly string[];
  open(bands: readonly string[]): Promise<ShownImage>;
}

/** From the shortest wavelength to the longest. */
const byWavelength = ['u', 'g', 'r', 'i', 'z', 'y', 'Y'];

export interface BandChoice {
  /** Red, green and blue. */
  readonly bands: readonly string[] | undefined;
  readonly band: string | undefined;
}

/**
 * The three bands of a colour picture (red, green, blue), or the one of a grey one: those asked for; else i, r, g; else
 * any three from red to blue; else r; else the first.
 *
 * @throws EngineError `config_invalid` when there is no such band
 */
export function chooseBands({ name, bands }: Showable, choice: BandChoice): readonly string[] {
  const asked = choice.band === undefined ? choice.bands : [choice.band];
  if (asked !== undefined) {
    const missing = asked.find((band) => !bands.includes(band));
    if (missing === undefined) return asked;
    throw new EngineError('config_invalid', `there is no band ${missing}, there are: ${bands.join(', ')}`, {
      place: { file: name },
      hint: `choose among ${bands.join(', ')}`,
    });
  }
  const usual = ['i', 'r', 'g'];
  if (usual.every((band) => bands.includes(band))) return usual;
  const known = byWavelength.filter((band) => bands.includes(band));
  if (known.length >= 3) {
    const middle = known[Math.floor((known.length - 1) / 2)];
    return [known.at(-1), middle, known[0]] as string[];
  }
  if (bands.length === 3 && known.length === 0) return bands;
  return [bands.includes('r') ? 'r' : (bands[0] as string)];
}

/** Rows that are held at a time. */
const stripRows = 64;

/**
 * A box of an image as `columns` × `rows` values, in the order of the image: each value is the mean over its own area, so
 * that a smaller picture keeps all light and in a larger one pixels stay squares. The image is read strip by strip.
 * Pixels that are not finite count for nothing; a value without any other is NaN.
 */
export function resampleBand(
  image: ShownImage,
  band: number,
  box: PixelBox,
  columns: number,
  rows: number,
): Float32Array {
  const sums = new Float32Array(columns * rows);
  const weights = new Float32Array(columns * rows);
  const across = spread(box.width, columns);
  const down = spread(box.height, rows);
  const lineSums = new Float64Array(columns);
  const lineWeights = new Float64Array(columns);
  const step = Math.ceil(stripRows / image.rowsAtOnce) * image.rowsAtOnce;
  const end = box.y + box.height;
  for (let y0 = box.y - (box.y % step); y0 < end; y0 += step) {
    const from = Math.max(y0, box.y);
    const to = Math.min(y0 + step, end);
    const strip = image.readRows(band, from, to);
    for (let y = from; y < to; y++) {
      lineSums.fill(0);
      lineWeights.fill(0);
      addPixels(strip, (y - from) * image.width + box.x, across, lineSums, lineWeights);
      const line = y - box.y;
      for (let row = down.first[line] as number; row <= (down.last[line] as number); row++) {
        const part = overlap(line, row, down.ratio);
        for (let i = 0, at = row * columns; i < columns; i++, at++) {
          sums[at] = (sums[at] as number) + part * (lineSums[i] as number);
          weights[at] = (weights[at] as number) + part * (lineWeights[i] as number);
        }
      }
    }
  }
  for (let i = 0; i < sums.length; i++) {
    const weight = weights[i] as number;
    sums[i] = weight > 1e-6 ? (sums[i] as number) / weight : Number.NaN;
  }
  return sums;
}

/** Adds the pixels of one row to the values they overlap. */
function addPixels(
  pixels: ArrayLike<number>,
  start: number,
  { first, last, firstPart, ratio }: Spread,
  sums: Float64Array,
  weights: Float64Array,
): void {
  for (let x = 0; x < first.length; x++) {
    const value = pixels[start + x] as number;
    if (!Number.isFinite(value)) continue;
    const end = last[x] as number;
    let i = first[x] as number;
    // Where the image is reduced, most pixels touch one value only.
    for (let part = firstPart[x] as number; ; part = overlap(x, i, ratio)) {
      sums[i] = (sums[i] as number) + part * value;
      weights[i] = (weights[i] as number) + part;
      if (i === end) break;
      i++;
    }
  }
}

/** Which of `count` values each of `length` pixels touches. */
interface Spread {
  readonly first: Int32Array;
  readonly last: Int32Array;
  /** The part of the first value that lies in the pixel. */
  readonly firstPart: Float64Array;
  /** Values per pixel. */
  readonly ratio: number;
}

function spread(length: number, count: number): Spread {
  const ratio = count / length;
  const first = Int32Array.from({ length }, (_, i) => Math.min(count - 1, Math.floor(i * ratio + 1e-9)));
  const last = Int32Array.from({ length }, (_, i) =>
    Math.min(count - 1, Math.ceil((i + 1) * ratio - 1e-9) - 1),
  );
  const firstPart = Float64Array.from(first, (value, i) => overlap(i, value, ratio));
  return { first, last, firstPart, ratio };
}

/** The part of value `i` that lies in pixel `x`. */
const overlap = (x: number, i: number, ratio: number): number =>
  Math.min((x + 1) * ratio, i + 1) - Math.max(x * ratio, i);

/** A box of an image as someone wrote it; the whole image when nobody did. @throws EngineError `config_invalid` */
export function boxOf({ width, height }: ShownImage, crop: PixelBox | undefined): PixelBox {
  if (crop === undefined) return { x: 0, y: 0, width, height };
  const fits =
    crop.x >= 0 &&
    crop.y >= 0 &&
    crop.width > 0 &&
    crop.height > 0 &&
    crop.x + crop.width <= width &&
    crop.y + crop.height <= height;
  if (fits) return crop;
  const found = `the crop ${crop.x},${crop.y},${crop.width},${crop.height} leaves the image`;
  throw new EngineError('config_invalid', `${found}, which is ${width} × ${height} pixels`, {
    hint: 'write --crop x0,y0,width,height in pixels of the image, the first being 0,0',
  });
}
