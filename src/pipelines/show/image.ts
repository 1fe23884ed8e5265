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
 * Area means of the pixels of a box as `columns` × `rows` values, in the order of the image: the image is read strip by
 * strip, and where a pixel lies in two values, each gets its part. Pixels that are not a number count for nothing; a value
 * without any other pixel is NaN.
 *
 * @param columns at most the width of the box, as `rows` is at most its height
 */
export function reduceBand(
  image: ShownImage,
  band: number,
  box: PixelBox,
  columns: number,
  rows: number,
): Float32Array {
  const sums = new Float64Array(columns * rows);
  const weights = new Float64Array(columns * rows);
  const across = spread(box.width, columns);
  const down = spread(box.height, rows);
  const lineSums = new Float64Array(columns + 1);
  const lineWeights = new Float64Array(columns + 1);
  const addLine = (row: number, part: number): void => {
    if (part === 0) return;
    for (let i = 0, at = row * columns; i < columns; i++, at++) {
      sums[at] = (sums[at] as number) + part * (lineSums[i] as number);
      weights[at] = (weights[at] as number) + part * (lineWeights[i] as number);
    }
  };
  const step = Math.ceil(stripRows / image.rowsAtOnce) * image.rowsAtOnce;
  const end = box.y + box.height;
  for (let y0 = box.y - (box.y % step); y0 < end; y0 += step) {
    const from = Math.max(y0, box.y);
    const to = Math.min(y0 + step, end);
    const strip = image.readRows(band, from, to);
    for (let y = from; y < to; y++) {
      lineSums.fill(0);
      lineWeights.fill(0);
      for (let x = 0, at = (y - from) * image.width + box.x; x < box.width; x++, at++) {
        const value = strip[at] as number;
        if (!Number.isFinite(value)) continue;
        const first = across.first[x] as number;
        const part = across.part[x] as number;
        lineSums[first] = (lineSums[first] as number) + part * value;
        lineWeights[first] = (lineWeights[first] as number) + part;
        if (part === 1) continue;
        lineSums[first + 1] = (lineSums[first + 1] as number) + (1 - part) * value;
        lineWeights[first + 1] = (lineWeights[first + 1] as number) + 1 - part;
      }
      const row = down.first[y - box.y] as number;
      const part = down.part[y - box.y] as number;
      addLine(row, part);
      if (part < 1) addLine(row + 1, 1 - part);
    }
  }
  return Float32Array.from(sums, (sum, i) =>
    (weights[i] as number) > 1e-9 ? sum / (weights[i] as number) : Number.NaN,
  );
}

/** For each of `length` pixels laid over `count` cells: the first cell it touches, and the part of it that lies there. */
function spread(length: number, count: number): { readonly first: Int32Array; readonly part: Float64Array } {
  const first = new Int32Array(length);
  const part = new Float64Array(length).fill(1);
  for (let i = 0; i < length; i++) {
    const start = (i * count) / length;
    const stop = ((i + 1) * count) / length;
    const cell = Math.min(count - 1, Math.floor(start + 1e-9));
    first[i] = cell;
    if (stop > cell + 1 + 1e-9) part[i] = (cell + 1 - start) / (stop - start);
  }
  return { first, part };
}

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
