/** Draws the sources of a catalogue into the rows of an image. */
import { type CatalogBand, fluxColumn, type SourceTable } from '../catalog.js';
import { CatalogError } from '../catalog-check.js';
import type { Kernels } from './kernels.js';
import { type PsfModel, smallestTransform } from './psf-model.js';
import { type SourceShape, stampBounds, stampSide, type Truncate } from './stamp-size.js';
import { StampMaker } from './stamps.js';

/** Rows [y0, y1) of an image; every band has (y1 - y0) × width numbers. */
export interface ImageRows {
  readonly width: number;
  readonly y0: number;
  readonly y1: number;
  readonly bands: readonly CatalogBand[];
  readonly pixels: readonly Float32Array[];
}

export interface DrawOptions {
  /** What X and Y are called at the centre of the first pixel: 1 for GalSim, 0.5 when pixels span [0, 1), [1, 2), … */
  readonly origin: number;
  readonly truncate: Truncate;
}

/** The largest transform: 72 arcmin. */
const largestTransform = 16_384;

/** Draws, in one thread. Memory is used again from field to field. */
export class Renderer {
  readonly #stamps: StampMaker;

  constructor(kernels: Kernels) {
    this.#stamps = new StampMaker(kernels);
  }

  /**
   * Adds the sources to the rows. What a pixel gets does not depend on which rows are asked for, so an image drawn in
   * parts is that drawn at once, bit by bit.
   *
   * @throws CatalogError `catalog_values` for the first source that cannot be drawn
   */
  draw(psf: PsfModel, sources: SourceTable, into: ImageRows, options: DrawOptions): void {
    this.#stamps.setPsf(psf);
    const fluxes = into.bands.map((band) => sources.columns[fluxColumn(band)]);
    const flux = new Float64Array(fluxes.length);
    for (const row of drawingOrder(sources)) {
      for (const [band, column] of fluxes.entries()) flux[band] = column[row] as number;
      if (flux.every((one) => one === 0)) continue;
      const source = shapeOf(sources, row, flux, options.origin);
      this.#add(psf, source, row, flux, into, options.truncate);
    }
  }

  #add(
    psf: PsfModel,
    source: SourceShape,
    row: number,
    flux: Float64Array,
    into: ImageRows,
    truncate: Truncate,
  ): void {
    const side = stampSide(psf, source, truncate);
    const stamp = stampBounds(source, side);
    const window = {
      xMin: Math.max(stamp.xMin, 1),
      xMax: Math.min(stamp.xMax, into.width),
      yMin: Math.max(stamp.yMin, into.y0 + 1),
      yMax: Math.min(stamp.yMax, into.y1),
    };
    if (window.xMin > window.xMax || window.yMin > window.yMax) return;
    if (!(side <= largestTransform)) throw tooLarge(source, row, side);
    const n = Math.max(smallestTransform, 2 ** Math.ceil(Math.log2(side)));
    const factors = flux.map((one) => one / (n * n));
    for (const rows of this.#stamps.draw(source, stamp, window, n)) {
      const first = Math.max(rows.y, window.yMin);
      const last = Math.min(rows.y + 7, window.yMax);
      const count = window.xMax - window.xMin + 1;
      for (let y = first; y <= last; y++) {
        const from = rows.at + (y - rows.y) * rows.stride + window.xMin - rows.x;
        const to = (y - 1 - into.y0) * into.width + window.xMin - 1;
        addScaled(into.pixels, to, rows.pixels, from, count, factors);
      }
    }
  }
}

/** Rows of a swath of sources that are drawn from left to right. */
const swath = 64;

/**
 * Sources in an order in which neighbours on the image follow each other: it is waiting for far pixels that takes
 * longest. It depends on the catalogue alone.
 */
function drawingOrder({ count, columns: { X, Y } }: SourceTable): Uint32Array {
  const swathOf = Float64Array.from(Y, (y) => Math.floor(y / swath));
  return Uint32Array.from({ length: count }, (_, row) => row).sort(
    (a, b) => (swathOf[a] as number) - (swathOf[b] as number) || (X[a] as number) - (X[b] as number) || a - b,
  );
}

/** Adds a row of a stamp, times a factor for each band, to all bands: four at once, so that it is read once. */
function addScaled(
  bands: readonly Float32Array[],
  to: number,
  values: Float32Array,
  from: number,
  count: number,
  factors: Float64Array,
): void {
  let band = 0;
  for (; band + 4 <= bands.length; band += 4) {
    const [a, b, c, d] = bands.slice(band, band + 4) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const fa = factors[band] as number;
    const fb = factors[band + 1] as number;
    const fc = factors[band + 2] as number;
    const fd = factors[band + 3] as number;
    for (let i = 0; i < count; i++) {
      const value = values[from + i] as number;
      const at = to + i;
      a[at] = (a[at] as number) + fa * value;
      b[at] = (b[at] as number) + fb * value;
      c[at] = (c[at] as number) + fc * value;
      d[at] = (d[at] as number) + fd * value;
    }
  }
  for (; band < bands.length; band++) {
    const pixels = bands[band] as Float32Array;
    const factor = factors[band] as number;
    for (let i = 0; i < count; i++)
      pixels[to + i] = (pixels[to + i] as number) + factor * (values[from + i] as number);
  }
}

function shapeOf({ columns }: SourceTable, row: number, flux: Float64Array, origin: number): SourceShape {
  const x = columns.X[row] as number;
  const y = columns.Y[row] as number;
  const hlr = columns.HLR[row] as number;
  const g1 = columns.G1[row] as number;
  const g2 = columns.G2[row] as number;
  const refuse = (what: string, expected: string): never => {
    throw new CatalogError(`row ${row}: ${what}, expected ${expected}`, { row });
  };
  if (!flux.every((one) => one >= 0 && one < Number.POSITIVE_INFINITY))
    refuse(`its fluxes are ${Array.from(flux).join(', ')}`, 'finite fluxes of at least 0');
  if (!(Number.isFinite(x) && Number.isFinite(y))) refuse(`X is ${x} and Y is ${y}`, 'a position');
  if (!(hlr > 0 && hlr < Number.POSITIVE_INFINITY)) refuse(`HLR is ${hlr}`, 'a radius above 0');
  if (!(Math.hypot(g1, g2) < 1)) refuse(`G1 is ${g1} and G2 is ${g2}`, 'a shear with |g| < 1');
  const shift = 1 - origin;
  return { x: x + shift, y: y + shift, hlr, g1, g2, flux: Math.max(...flux) };
}

const tooLarge = ({ hlr, g1, g2 }: SourceShape, row: number, side: number): CatalogError =>
  new CatalogError(
    `row ${row}: HLR ${hlr} with G1 ${g1} and G2 ${g2} needs a stamp of ${side} pixels, expected at most ${largestTransform}`,
    { row },
  );
