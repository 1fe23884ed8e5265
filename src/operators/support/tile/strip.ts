/**
 * The strip: the rows of an image that windows are being cut from, in shared memory.
 *
 * It is a ring: row y lies at y mod `rows`, so that the rows two neighbouring windows share are decoded once.
 * Decoding threads write into it, cutting threads read from it, and the main thread never touches a pixel.
 */
import type { PlanePlan } from '../../../formats/fits/plane-plan.js';
import type { RawPlane } from '../../../formats/raw-plane.js';

/** Where a worker thread finds the pixels of an image; plain data. */
export type PixelSource =
  | {
      readonly kind: 'fits';
      readonly image: string;
      readonly planes: readonly PlanePlan[];
      readonly masks: readonly (PlanePlan | undefined)[];
    }
  | { readonly kind: 'raw'; readonly image: string; readonly planes: readonly RawPlane[] }
  | {
      readonly kind: 'memory';
      /** No pixel is NaN: nobody needs to look. */
      readonly isFinite: boolean;
      readonly image: string;
      readonly width: number;
      readonly height: number;
      readonly pixels: readonly SharedArrayBuffer[];
    };

/** What is done with a pixel that is not a number, or masked. */
export interface PixelRules {
  /** `zero`: NaN becomes 0. `keep`: it stays NaN. */
  readonly nan: 'zero' | 'keep';
}

export interface Strip {
  readonly width: number;
  /** Rows of each band that fit at once. */
  readonly rows: number;
  readonly bands: number;
  /** Float32, bands × rows × width. */
  readonly pixels: SharedArrayBuffer;
  /** One byte a pixel of the sky, rows × width, bits of `flags`. */
  readonly mask: SharedArrayBuffer;
}

/** Why a pixel of the sky counts as masked. */
export const flags = { notANumber: 1, masked: 2 } as const;

export const stripBytes = (bands: number, rows: number, width: number): number =>
  rows * width * (4 * bands + 1);

export function makeStrip(bands: number, rows: number, width: number): Strip {
  return {
    width,
    rows,
    bands,
    pixels: new SharedArrayBuffer(4 * bands * rows * width),
    mask: new SharedArrayBuffer(rows * width),
  };
}

/** The parts of rows [y0, y1) that lie together in the ring. */
export function* ringParts(
  rows: number,
  y0: number,
  y1: number,
): Iterable<{ y: number; slot: number; count: number }> {
  for (let y = y0; y < y1; ) {
    const slot = y % rows;
    const count = Math.min(y1 - y, rows - slot);
    yield { y, slot, count };
    y += count;
  }
}
