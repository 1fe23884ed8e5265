/** How an image lies on a page: North up and East left by quarter turns and mirrors alone, so that pixels stay pixels. */
import type { TanWcs } from './wcs.js';

/** A rectangle of pixels: first column, first row, and how many of each. */
export interface PixelBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** One of the eight ways to lay a square on itself: first perhaps exchange x and y, then perhaps mirror each. */
export interface Orientation {
  /** Columns of the page are rows of the image. */
  readonly swaps: boolean;
  /** Columns of the page run against the image. */
  readonly mirrorsX: boolean;
  /** Rows of the page (downwards) run against the image. */
  readonly mirrorsY: boolean;
}

/** As plots show arrays: x to the right, y up. */
export const yUp: Orientation = { swaps: false, mirrorsX: false, mirrorsY: true };

const flags = [false, true] as const;
const orientations: readonly Orientation[] = [
  yUp,
  ...flags.flatMap((swaps) =>
    flags.flatMap((mirrorsX) => flags.map((mirrorsY) => ({ swaps, mirrorsX, mirrorsY }))),
  ),
];

/** A step on the page, `u` to the right and `v` down, of a step in the image. */
export function onPage({ swaps, mirrorsX, mirrorsY }: Orientation, dx: number, dy: number): [number, number] {
  const [u, v] = swaps ? [dy, dx] : [dx, dy];
  return [mirrorsX ? -u : u, mirrorsY ? -v : v];
}

/** Steps in the image, of one length, towards North and East at the reference point of the projection. */
export function compassOf(
  wcs: TanWcs,
): Readonly<Record<'north' | 'east', readonly [dx: number, dy: number]>> {
  const [a, b, c, d] = wcs.terms.cd;
  // Columns of the inverse of CD, up to its (signed) determinant.
  const sign = Math.sign(a * d - b * c);
  const unit = (dx: number, dy: number): [number, number] => {
    const length = sign * Math.hypot(dx, dy);
    return [dx / length, dy / length];
  };
  return { north: unit(-b, a), east: unit(d, -c) };
}

/** The orientation that brings North nearest to up and East nearest to left. */
export function northUp(wcs: TanWcs): Orientation {
  const { north, east } = compassOf(wcs);
  const misfit = (of: Orientation) => onPage(of, ...north)[1] + onPage(of, ...east)[0];
  return orientations.reduce((best, each) => (misfit(each) < misfit(best) - 1e-9 ? each : best));
}

/**
 * Where a box of an image lies on a page that is `width` × `height` dots. Image positions are array coordinates: 0 is
 * the centre of the first pixel. Page positions count dots from the corner, 0 to `width`.
 */
export class Page {
  constructor(
    readonly box: PixelBox,
    readonly orientation: Orientation,
    readonly width: number,
    readonly height: number,
  ) {}

  /** Dots of one pixel, along the rows of the page and down. */
  get dotsPerPixel(): readonly [number, number] {
    const { width, height } = this.box;
    return this.orientation.swaps
      ? [this.width / height, this.height / width]
      : [this.width / width, this.height / height];
  }

  /** The position on the page of a position in the image. */
  place(x: number, y: number): [u: number, v: number] {
    const { box, orientation } = this;
    const a = (x + 0.5 - box.x) / box.width;
    const b = (y + 0.5 - box.y) / box.height;
    const [u, v] = orientation.swaps ? [b, a] : [a, b];
    return [
      this.width * (orientation.mirrorsX ? 1 - u : u),
      this.height * (orientation.mirrorsY ? 1 - v : v),
    ];
  }

  /** The rectangle on the page of a rectangle whose first pixel is (x, y): left, top, width and height. */
  placeBox({ x, y, width, height }: PixelBox): [left: number, top: number, width: number, height: number] {
    const [u0, v0] = this.place(x - 0.5, y - 0.5);
    const [u1, v1] = this.place(x + width - 0.5, y + height - 0.5);
    return [Math.min(u0, u1), Math.min(v0, v1), Math.abs(u1 - u0), Math.abs(v1 - v0)];
  }

  /** Whether a position on the page can be seen, or lies at most `margin` dots outside. */
  holds(u: number, v: number, margin = 0): boolean {
    return u >= -margin && v >= -margin && u <= this.width + margin && v <= this.height + margin;
  }

  /** How many columns and rows of values, in the order of the image, fill the page dot by dot. */
  get gridSides(): readonly [columns: number, rows: number] {
    return this.orientation.swaps ? [this.height, this.width] : [this.width, this.height];
  }

  /** Values in the order of the image, `columns` × `rows` as `gridSides` says, in the order of the page. */
  arrange(values: Float32Array): Float32Array {
    const { swaps, mirrorsX, mirrorsY } = this.orientation;
    const [columns] = this.gridSides;
    const page = new Float32Array(values.length);
    for (let v = 0, at = 0; v < this.height; v++) {
      const row = mirrorsY ? this.height - 1 - v : v;
      for (let u = 0; u < this.width; u++) {
        const column = mirrorsX ? this.width - 1 - u : u;
        page[at++] = values[swaps ? column * columns + row : row * columns + column] as number;
      }
    }
    return page;
  }
}
