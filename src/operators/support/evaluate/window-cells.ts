/**
 * What is kept of a window that was encoded: the cells, and nothing of its pixels. As bytes, for the journal, little endian:
 *   uint32 length of the head, the head (JSON), zeros up to a multiple of 4,
 *   the probabilities as float32, the truth as bytes, the counts of the matched filter as bytes.
 */
import { FormatError } from '../../../formats/errors.js';
import type { TanTerms } from '../../../science/wcs.js';

export interface WindowCells {
  readonly id: string;
  /** The image it was cut from. */
  readonly parent: string;
  /** Offset of its first pixel in the image. */
  readonly x0: number;
  readonly y0: number;
  /** Side of a cell, pixels. */
  readonly cellPx: number;
  readonly ny: number;
  readonly nx: number;
  /** Of the image; undefined when nobody knows. */
  readonly wcs: TanTerms | undefined;
  /** Cell (row, column) is element row · nx + column. */
  readonly probability: Float32Array;
  /** 1 where a member lies. */
  readonly truth: Uint8Array;
  /** Cells × redshifts, as `RedSequenceFilter.counts`; empty where the sources are not known, or not asked for. */
  readonly counts: Uint8Array;
}

type Head = Omit<WindowCells, 'probability' | 'truth' | 'counts'> & { readonly counts: number };

const alignedTo4 = (bytes: number): number => Math.ceil(bytes / 4) * 4;

export function encodeCells({ probability, truth, counts, ...rest }: WindowCells): Uint8Array {
  const head: Head = { ...rest, counts: counts.length };
  const text = Buffer.from(JSON.stringify(head));
  const start = alignedTo4(4 + text.length);
  const bytes = new Uint8Array(start + 4 * probability.length + truth.length + counts.length);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  bytes.set(new Uint8Array(probability.buffer, probability.byteOffset, probability.byteLength), start);
  bytes.set(truth, start + 4 * probability.length);
  bytes.set(counts, start + 4 * probability.length + truth.length);
  return bytes;
}

/** The cells `encodeCells` was given. @throws FormatError `hdf5_damaged` when the bytes are not as many as their head asks for */
export function decodeCells(bytes: Uint8Array): WindowCells {
  const headBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  const { counts, ...head }: Head = JSON.parse(Buffer.from(bytes.subarray(4, 4 + headBytes)).toString());
  const start = alignedTo4(4 + headBytes);
  const cells = head.ny * head.nx;
  if (start + 5 * cells + counts !== bytes.length) {
    throw new FormatError(
      'hdf5_damaged',
      `cells of ${start + 5 * cells + counts} bytes come in ${bytes.length} bytes`,
    );
  }
  const body = bytes.slice(start).buffer;
  return {
    ...head,
    wcs: head.wcs,
    probability: new Float32Array(body, 0, cells),
    truth: new Uint8Array(body, 4 * cells, cells),
    counts: new Uint8Array(body, 5 * cells, counts),
  };
}
