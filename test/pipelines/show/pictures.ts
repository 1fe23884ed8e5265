/** Small FITS images with known pixels, and the dots of the pictures made of them. */
import sharp from 'sharp';
import type { WriteCard } from '../../../src/formats/fits/write/card.js';
import type { TableColumn } from '../../../src/formats/fits/write/hdu.js';
import { writeFits } from '../../../src/formats/fits/write/writer.js';
import type { ShowRequest } from '../../../src/pipelines/show/subject.js';
import { TanWcs } from '../../../src/science/wcs.js';

const degrees = 0.263 / 3600;

/** Coordinates about the middle of an image, from what CD is in pixels of 0.263″. */
export const wcsOf = (width: number, height: number, cd: readonly [number, number, number, number]): TanWcs =>
  new TanWcs({
    crval: [30, -20],
    crpix: [(width + 1) / 2, (height + 1) / 2],
    cd: cd.map((each) => each * degrees) as [number, number, number, number],
    radesys: 'ICRS',
    equinox: undefined,
  });

/** East left, North up. */
export const usual = [-1, 0, 0, 1] as const;

export interface TestImage {
  readonly width: number;
  readonly height: number;
  readonly wcs?: TanWcs;
  readonly pixels: (x: number, y: number) => number;
}

export function writeImage(path: string, { width, height, wcs, pixels }: TestImage): string {
  const cards = (wcs?.cards() ?? []) as readonly WriteCard[];
  const rows = (y0: number, y1: number) =>
    Float32Array.from({ length: (y1 - y0) * width }, (_, i) => pixels(i % width, y0 + Math.floor(i / width)));
  writeFits(path, [{ kind: 'image', bitpix: -32, width, height, rows, cards }]);
  return path;
}

export function writeTable(path: string, columns: Readonly<Record<string, readonly number[]>>): string {
  const list = Object.entries(columns).map(
    ([name, values]): TableColumn => ({ name, form: 'D', data: Float64Array.from(values) }),
  );
  writeFits(path, [{ kind: 'table', name: 'CATALOG', columns: list }]);
  return path;
}

/** A request with nothing asked for. */
export const plain: ShowRequest = {
  output: undefined,
  bands: undefined,
  band: undefined,
  stretch: undefined,
  q: undefined,
  minimum: undefined,
  weights: undefined,
  scale: undefined,
  width: 800,
  crop: undefined,
  catalogs: [],
  origin: 1,
  grid: undefined,
  cells: undefined,
  tile: undefined,
  field: undefined,
  hasMarkers: true,
  palette: false,
};

export interface Dots {
  readonly width: number;
  readonly height: number;
  at(u: number, v: number): readonly [number, number, number];
}

export async function dotsOf(path: string): Promise<Dots> {
  const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return {
    width: info.width,
    height: info.height,
    at: (u, v) => {
      const i = 3 * (Math.floor(v) * info.width + Math.floor(u));
      return [data[i] as number, data[i + 1] as number, data[i + 2] as number];
    },
  };
}

/** The middle of all dots in a rectangle that a test picks. */
export function middleOf(
  dots: Dots,
  box: { readonly left: number; readonly top: number; readonly width: number; readonly height: number },
  picks: (rgb: readonly [number, number, number]) => boolean,
): { readonly u: number; readonly v: number; readonly count: number } {
  let [u, v, count] = [0, 0, 0];
  for (let y = box.top; y < box.top + box.height; y++) {
    for (let x = box.left; x < box.left + box.width; x++) {
      if (!picks(dots.at(x, y))) continue;
      u += x + 0.5;
      v += y + 0.5;
      count++;
    }
  }
  return { u: u / count, v: v / count, count };
}
