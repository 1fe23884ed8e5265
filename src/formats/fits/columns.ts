import { type Element, elementBytes } from './elements.js';
import type { Header } from './header.js';

/** Letters of TFORM besides the numbers: strings, logicals, bits, single and double complex. */
export type CellLetter = Element | 'A' | 'L' | 'X' | 'C' | 'M';

/** Where a column of a binary table stands in its rows, and of what it is made (standard section 7.3). */
export interface ColumnLayout {
  /** From 1, as in TFORMn. */
  readonly number: number;
  readonly name: string;
  readonly letter: CellLetter;
  /** Elements of one cell; for a variable-length column the elements are counted in each row. */
  readonly repeat: number;
  /** Variable-length columns hold descriptors of 32-bit (P) or 64-bit (Q) numbers that point into the heap. */
  readonly descriptor: 'P' | 'Q' | undefined;
  /** First byte within the row. */
  readonly offset: number;
  /** Characters of one string in a TFORM such as 24A8. */
  readonly substring: number | undefined;
}

const TFORM = /^(\d*)([LXBIJKAEDCM])(\d*)/;
const DESCRIPTOR = /^(\d*)([PQ])([LXBIJKAEDCM])/;
const cellBytes: Readonly<Record<Exclude<CellLetter, 'X'>, number>> = {
  ...elementBytes,
  A: 1,
  L: 1,
  C: 8,
  M: 16,
};

/** Bytes of `count` elements of a cell: bits are packed, everything else has a fixed size. */
export function bytesOf(letter: CellLetter, count: number): number {
  return letter === 'X' ? Math.ceil(count / 8) : count * cellBytes[letter];
}

/**
 * The columns of a binary table, in order.
 *
 * @throws FormatError `fits_header` when a TFORM follows no rule, or the columns are wider than NAXIS1
 */
export function columnLayouts(header: Header): ColumnLayout[] {
  const fields = header.integer('TFIELDS');
  if (fields < 0 || fields > 999) throw header.unexpected('TFIELDS', '0 to 999');
  const columns: ColumnLayout[] = [];
  let offset = 0;
  for (let number = 1; number <= fields; number++) {
    const form = header.text(`TFORM${number}`).trim();
    const name = String(header.get(`TTYPE${number}`) ?? '').trim();
    const [, pointers, descriptor, target] = DESCRIPTOR.exec(form) ?? [];
    const [, repeat, letter, substring] = TFORM.exec(form) ?? [];
    if (descriptor === 'P' || descriptor === 'Q') {
      const isPresent = pointers !== '0';
      columns.push({
        number,
        name,
        letter: target as CellLetter,
        repeat: isPresent ? 1 : 0,
        descriptor,
        offset,
        substring: undefined,
      });
      if (isPresent) offset += descriptor === 'P' ? 8 : 16;
    } else if (letter !== undefined) {
      const count = repeat === '' ? 1 : Number(repeat);
      columns.push({
        number,
        name,
        letter: letter as CellLetter,
        repeat: count,
        descriptor: undefined,
        offset,
        substring: letter === 'A' && Number(substring) > 0 ? Number(substring) : undefined,
      });
      offset += bytesOf(letter as CellLetter, count);
    } else {
      throw header.unexpected(`TFORM${number}`, 'a repeat count and one of L X B I J K A E D C M P Q');
    }
  }
  if (offset > header.integer('NAXIS1'))
    throw header.unexpected('NAXIS1', `at least the ${offset} bytes of the columns`);
  return columns;
}

/** A descriptor of a variable-length cell: how many elements, and where in the heap. Either may be damaged. */
export function readDescriptor(row: Buffer, at: number, kind: 'P' | 'Q'): { count: number; start: number } {
  if (kind === 'P') return { count: row.readInt32BE(at), start: row.readUInt32BE(at + 4) };
  return { count: Number(row.readBigInt64BE(at)), start: Number(row.readBigInt64BE(at + 8)) };
}

/** The heap of a binary table: where it begins in the data, and its bytes. @throws FormatError `fits_header` */
export function heapOf(header: Header): { offset: number; bytes: number } {
  const tableBytes = header.integer('NAXIS1') * header.integer('NAXIS2');
  const total = tableBytes + header.integer('PCOUNT', 0);
  const offset = header.integer('THEAP', tableBytes);
  if (offset < tableBytes || offset > total) throw header.unexpected('THEAP', `${tableBytes} to ${total}`);
  return { offset, bytes: total - offset };
}
