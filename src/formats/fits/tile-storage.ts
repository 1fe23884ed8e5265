import type { Element } from './elements.js';

export type TileMethod = 'rice' | 'gzip1' | 'gzip2' | 'plio' | 'raw';

/** Which column holds a tile: its compressed form, or one of the two lossless ones for tiles that resist. */
export const TileColumn = { compressed: 0, gzip: 1, raw: 2 } as const;

/** How the integers of float tiles were made; one number for each tile, in shared memory. */
export interface TileQuanta {
  readonly scales: Float64Array;
  readonly zeros: Float64Array;
  /** The integer that stands for NaN; NaN where there is none. */
  readonly blanks: Float64Array;
  readonly dither: 0 | 1 | 2;
  /** Where the dither sequence starts for tile 0; tile t starts t further on. */
  readonly seedIndex: number;
}

/** The tiles of a compressed image (standard chapter 10). Tiles are counted x fastest, then y, then planes. */
export interface TileStorage {
  readonly kind: 'tiles';
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly tileDepth: number;
  readonly method: TileMethod;
  readonly blockSize: number;
  readonly bytePix: 1 | 2 | 4;
  /** What a tile in the lossless gzip column is made of, and an unquantised one in the compressed column. */
  readonly element: Element;
  /** What a tile in the uncompressed column is made of. */
  readonly rawElement: Element;
  /** First byte of each tile, from the start of the region, and its bytes; in shared memory. */
  readonly starts: Float64Array;
  readonly lengths: Float64Array;
  readonly columns: Uint8Array;
  /** Of images of floating-point pixels that were turned into integers. */
  readonly quanta: TileQuanta | undefined;
}

/** Width, height and planes of the whole image. */
export type Axes = readonly [width: number, height: number, planes: number];

/** The pixels a tile covers; at the far edges a tile is cut to the image. */
export interface TileBox {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly width: number;
  readonly height: number;
  readonly depth: number;
}

export function tileBox(storage: TileStorage, [width, height, planes]: Axes, tile: number): TileBox {
  const { tileWidth, tileHeight, tileDepth } = storage;
  const across = Math.ceil(width / tileWidth);
  const down = Math.ceil(height / tileHeight);
  const x = (tile % across) * tileWidth;
  const y = (Math.floor(tile / across) % down) * tileHeight;
  const z = Math.floor(tile / (across * down)) * tileDepth;
  return {
    x,
    y,
    z,
    width: Math.min(tileWidth, width - x),
    height: Math.min(tileHeight, height - y),
    depth: Math.min(tileDepth, planes - z),
  };
}
