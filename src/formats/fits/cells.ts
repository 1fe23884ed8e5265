import { bytesOf, type ColumnLayout } from './columns.js';
import type { Header } from './header.js';

type NumberArray =
  | Uint8Array
  | Int8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

/** Values of a column, in the type that holds them exactly. Missing is NaN, or null in the lists. */
export type CellValues =
  | NumberArray
  | BigInt64Array
  | BigUint64Array
  | string[]
  | (boolean | null)[]
  | (bigint | null)[];

/** Decodes the items (numbers, strings, bits, …) of one column. */
export interface CellDecoder {
  /** Of one cell, slowest axis first; empty for a single value. Complex numbers add a last axis of 2. */
  readonly shape: readonly number[];
  /** Items of one cell. */
  readonly items: number;
  make(items: number): CellValues;
  /** Decodes `items` items that begin at `at` of `bytes`, into the places of items `first` and following. */
  read(bytes: Buffer, at: number, items: number, into: CellValues, first: number): void;
}

type Get<T> = (bytes: Buffer, at: number) => T;
type Make<T> = (items: number) => T;

const numbers: Readonly<Record<'B' | 'I' | 'J' | 'E' | 'D', { get: Get<number>; make: Make<NumberArray> }>> =
  {
    B: { get: (bytes, at) => bytes.readUInt8(at), make: (items) => new Uint8Array(items) },
    I: { get: (bytes, at) => bytes.readInt16BE(at), make: (items) => new Int16Array(items) },
    J: { get: (bytes, at) => bytes.readInt32BE(at), make: (items) => new Int32Array(items) },
    E: { get: (bytes, at) => bytes.readFloatBE(at), make: (items) => new Float32Array(items) },
    D: { get: (bytes, at) => bytes.readDoubleBE(at), make: (items) => new Float64Array(items) },
  };

/** FITS has no unsigned integers and no signed byte: they are stored less this TZERO (standard, table 19). */
const shifted: Readonly<Record<string, { zero: number; make: Make<NumberArray> }>> = {
  B: { zero: -(2 ** 7), make: (items) => new Int8Array(items) },
  I: { zero: 2 ** 15, make: (items) => new Uint16Array(items) },
  J: { zero: 2 ** 31, make: (items) => new Uint32Array(items) },
};

/** The decoder of a binary table's column. @throws FormatError `fits_header` when its keywords make no sense */
export function binaryDecoder(header: Header, column: ColumnLayout): CellDecoder {
  const { letter, number } = column;
  if (letter === 'A') return stringDecoder(header, column);
  const shape = shapeOf(dimensionsOf(header, number, column.repeat), column.repeat);
  switch (letter) {
    case 'L':
      return decoder(shape, 1, list<boolean | null>, (bytes, at) => logical(bytes[at]));
    case 'X':
      return bitDecoder(shape);
    case 'C':
      return complexDecoder(shape, 'E');
    case 'M':
      return complexDecoder(shape, 'D');
    case 'K':
      return longDecoder(shape, scalingOf(header, number));
    default:
      return numberDecoder(shape, letter, scalingOf(header, number));
  }
}

/** A string ends at its first NUL; trailing blanks are padding, leading ones are not. */
export function textOf(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('latin1', start, end);
  const nul = text.indexOf('\0');
  return (nul < 0 ? text : text.slice(0, nul)).replace(/ +$/, '');
}

export interface ColumnScaling {
  readonly slope: number;
  readonly zero: number;
  readonly blank: bigint | undefined;
}

function scalingOf(header: Header, number: number): ColumnScaling {
  const blank = header.get(`TNULL${number}`);
  const isInteger = typeof blank === 'bigint' || Number.isSafeInteger(blank);
  return {
    slope: header.number(`TSCAL${number}`, 1),
    zero: header.number(`TZERO${number}`, 0),
    blank: isInteger ? BigInt(blank as number | bigint) : undefined,
  };
}

/** A decoder whose items have one size and stand one after the other. */
function decoder<T extends { [index: number]: V }, V>(
  shape: readonly number[],
  itemBytes: number,
  make: Make<T & CellValues>,
  get: Get<V>,
): CellDecoder {
  return {
    shape,
    items: productOf(shape),
    make,
    read(bytes, at, items, into, first) {
      const values = into as T & CellValues as { [index: number]: V };
      for (let i = 0; i < items; i++) values[first + i] = get(bytes, at + i * itemBytes);
    },
  };
}

function numberDecoder(
  shape: readonly number[],
  letter: keyof typeof numbers,
  scaling: ColumnScaling,
): CellDecoder {
  const { get, make } = numbers[letter];
  const bytes = bytesOf(letter, 1);
  const { slope, zero } = scaling;
  const blank = letter === 'E' || letter === 'D' ? undefined : scaling.blank;
  if (slope === 1 && blank === undefined) {
    if (zero === 0) return decoder(shape, bytes, make, get);
    const other = shifted[letter];
    if (zero === other?.zero) return decoder(shape, bytes, other.make, (from, at) => get(from, at) + zero);
  }
  const missing = blank === undefined ? undefined : Number(blank);
  return decoder(
    shape,
    bytes,
    (items) => new Float64Array(items),
    (from, at) => {
      const stored = get(from, at);
      return stored === missing ? Number.NaN : stored * slope + zero;
    },
  );
}

/** 64-bit integers stay whole: identifiers of sources lose their last digits in a double. */
function longDecoder(shape: readonly number[], { slope, zero, blank }: ColumnScaling): CellDecoder {
  const get: Get<bigint> = (bytes, at) => bytes.readBigInt64BE(at);
  if (slope !== 1 || !Number.isInteger(zero)) {
    return decoder(
      shape,
      8,
      (items) => new Float64Array(items),
      (bytes, at) => {
        const stored = get(bytes, at);
        return stored === blank ? Number.NaN : Number(stored) * slope + zero;
      },
    );
  }
  const shift = BigInt(zero);
  if (blank === undefined && shift === 0n) return decoder(shape, 8, (items) => new BigInt64Array(items), get);
  if (blank === undefined && shift === 2n ** 63n) {
    return decoder(
      shape,
      8,
      (items) => new BigUint64Array(items),
      (bytes, at) => get(bytes, at) + shift,
    );
  }
  return decoder(shape, 8, list<bigint | null>, (bytes, at) => {
    const stored = get(bytes, at);
    return stored === blank ? null : stored + shift;
  });
}

function complexDecoder(shape: readonly number[], part: 'E' | 'D'): CellDecoder {
  const parts = numberDecoder([...shape, 2], part, { slope: 1, zero: 0, blank: undefined });
  return {
    shape: parts.shape,
    items: productOf(shape),
    make: (items) => parts.make(2 * items),
    read: (bytes, at, items, into, first) => parts.read(bytes, at, 2 * items, into, 2 * first),
  };
}

function bitDecoder(shape: readonly number[]): CellDecoder {
  return {
    shape,
    items: productOf(shape),
    make: list<boolean | null>,
    read(bytes, at, items, into, first) {
      for (let bit = 0; bit < items; bit++) {
        into[first + bit] = (((bytes[at + (bit >> 3)] as number) << (bit & 7)) & 0x80) !== 0;
      }
    },
  };
}

/** A cell is one string, or as many as TDIM or a TFORM such as 24A8 cut it into. */
function stringDecoder(header: Header, { number, repeat, substring }: ColumnLayout): CellDecoder {
  const dimensions = dimensionsOf(header, number, repeat);
  const length = dimensions?.[0] ?? substring ?? repeat;
  const strings = length === 0 ? 0 : Math.floor(repeat / length);
  const shape = shapeOf(dimensions?.slice(1), strings);
  return decoder(shape, length, list<string>, (bytes, at) => textOf(bytes, at, at + length));
}

/** TDIM, x first; undefined when it is absent or is not about all of the cell. */
function dimensionsOf(header: Header, number: number, repeat: number): number[] | undefined {
  const text = /^\s*\(([\d,\s]+)\)\s*$/.exec(String(header.get(`TDIM${number}`) ?? ''))?.[1];
  const dimensions = text?.split(',').map(Number);
  return dimensions !== undefined && productOf(dimensions) === repeat ? dimensions : undefined;
}

function shapeOf(dimensions: readonly number[] | undefined, items: number): number[] {
  return dimensions?.toReversed() ?? (items === 1 ? [] : [items]);
}

function productOf(lengths: readonly number[]): number {
  return lengths.reduce((product, length) => product * length, 1);
}

function list<T>(items: number): T[] {
  return new Array<T>(items);
}

const [TRUE, FALSE] = [0x54, 0x46];

function logical(byte: number | undefined): boolean | null {
  return byte === TRUE ? true : byte === FALSE ? false : null;
}
