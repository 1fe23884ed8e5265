import { type CellDecoder, textOf } from './cells.js';
import { type Header, parseReal } from './header.js';

/** A column of an ASCII table: where it stands in the line, and how it reads (standard section 7.2). */
export interface AsciiColumn {
  readonly number: number;
  readonly name: string;
  /** First character in the line, from 0. */
  readonly offset: number;
  readonly decoder: CellDecoder;
}

const TFORM = /^([AIFED])(\d+)(?:\.(\d+))?$/;

/** @throws FormatError `fits_header` when a TFORM follows no rule, or a column ends beyond the line */
export function asciiColumns(header: Header): AsciiColumn[] {
  const fields = header.integer('TFIELDS');
  if (fields < 0 || fields > 999) throw header.unexpected('TFIELDS', '0 to 999');
  return Array.from({ length: fields }, (_, index) => {
    const number = index + 1;
    const [, letter, width, decimals] = TFORM.exec(header.text(`TFORM${number}`).trim()) ?? [];
    if (letter === undefined) throw header.unexpected(`TFORM${number}`, 'Aw, Iw, Fw.d, Ew.d or Dw.d');
    const offset = header.integer(`TBCOL${number}`) - 1;
    if (offset < 0 || offset + Number(width) > header.integer('NAXIS1')) {
      throw header.unexpected(`TBCOL${number}`, `a column of ${width} characters within the line`);
    }
    const name = String(header.get(`TTYPE${number}`) ?? '').trim();
    const decoder =
      letter === 'A'
        ? textDecoder(Number(width))
        : fieldDecoder(header, number, Number(width), Number(decimals ?? 0));
    return { number, name, offset, decoder };
  });
}

function textDecoder(width: number): CellDecoder {
  return {
    shape: [],
    items: 1,
    make: (items) => new Array<string>(items),
    read: (bytes, at, _items, into, first) => {
      into[first] = textOf(bytes, at, at + width);
    },
  };
}

/** Numbers; TNULL is NaN, an empty field is 0, and digits without a point have `decimals` of them behind it. */
function fieldDecoder(header: Header, number: number, width: number, decimals: number): CellDecoder {
  const slope = header.number(`TSCAL${number}`, 1);
  const zero = header.number(`TZERO${number}`, 0);
  const nullCard = header.get(`TNULL${number}`);
  const missing = nullCard === undefined ? undefined : String(nullCard).trim();
  return {
    shape: [],
    items: 1,
    make: (items) => new Float64Array(items),
    read: (bytes, at, _items, into, first) => {
      const text = bytes.toString('latin1', at, at + width).trim();
      const value = /[.EeDd]/.test(text) ? parseReal(text) : Number(text) / 10 ** decimals;
      into[first] = text === missing ? Number.NaN : value * slope + zero;
    },
  };
}
