/**
 * Rows of predictions as bytes, for a journal. Layout, little endian:
 *   uint32 length of the head, the head (JSON: ids, names of the columns), zeros up to a multiple of 8,
 *   each column as float64, then the values as float32.
 * Integers are exact up to 2^53.
 */
import { FormatError } from '../errors.js';
import type { PredictionRows } from './layout.js';

interface Head {
  readonly ids: readonly string[];
  readonly columns: readonly string[];
  readonly values: number;
}

const alignedTo8 = (bytes: number): number => Math.ceil(bytes / 8) * 8;

const bytesOf = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

export function encodeRows(rows: PredictionRows): Uint8Array {
  const columns = Object.keys(rows.columns);
  const head: Head = { ids: rows.ids, columns, values: rows.values.length };
  const text = Buffer.from(JSON.stringify(head));
  const start = alignedTo8(4 + text.length);
  const columnBytes = 8 * rows.ids.length;
  const bytes = new Uint8Array(start + columns.length * columnBytes + rows.values.byteLength);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  columns.forEach((name, index) => {
    bytes.set(bytesOf(Float64Array.from(rows.columns[name] ?? [])), start + index * columnBytes);
  });
  bytes.set(bytesOf(rows.values), start + columns.length * columnBytes);
  return bytes;
}

/** The rows `encodeRows` was given. Errors: `hdf5_damaged` when the bytes are not the length their head asks for. */
export function decodeRows(bytes: Uint8Array): PredictionRows {
  const headBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  const head: Head = JSON.parse(Buffer.from(bytes.subarray(4, 4 + headBytes)).toString());
  const start = alignedTo8(4 + headBytes);
  const columnBytes = 8 * head.ids.length;
  const valuesStart = start + head.columns.length * columnBytes;
  if (valuesStart + 4 * head.values !== bytes.length) {
    throw new FormatError(
      'hdf5_damaged',
      `rows of ${valuesStart + 4 * head.values} bytes come in ${bytes.length} bytes`,
    );
  }
  const body = bytes.slice(start).buffer;
  return {
    ids: head.ids,
    values: new Float32Array(body, valuesStart - start, head.values),
    columns: Object.fromEntries(
      head.columns.map((name, index) => [name, new Float64Array(body, index * columnBytes, head.ids.length)]),
    ),
  };
}
