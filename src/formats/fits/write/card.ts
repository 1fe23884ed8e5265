import { FormatError } from '../../errors.js';
import { BLOCK_BYTES } from '../header.js';

/** A number that is written as a real number even when it is whole: 2000.0, not 2000. */
export interface Real {
  readonly real: number;
}

export const real = (value: number): Real => ({ real: value });

/** `undefined` makes a card without a value. */
export type CardValue = string | number | bigint | boolean | Real | undefined;

/**
 * A card to be written. COMMENT, HISTORY and '' take a text as value and may stand more than once; the text is
 * spread over as many cards as it needs.
 */
export type WriteCard = readonly [keyword: string, value: CardValue, comment?: string];

const CARD_CHARACTERS = 80;
/** A string between its quotes that still fits into one card. */
const STRING_CHARACTERS = 68;
const commentary: ReadonlySet<string> = new Set(['COMMENT', 'HISTORY', '']);
/** Keywords whose values the standard calls real numbers. */
const realKeyword = /^(?:C(?:RVAL|RPIX|DELT|ROTA)\d+|(?:CD|PC)\d+_\d+|EQUINOX|LONPOLE|LATPOLE)$/;

/** What says how the data are laid out; the writer alone knows. */
const structural =
  /^(?:SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|[PG]COUNT|GROUPS|BSCALE|BZERO|BLANK|THEAP|TFIELDS|T(?:TYPE|FORM|UNIT|COMM|DIM|ZERO|SCAL|NULL)\d+|Z(?:IMAGE|SIMPLE|TENSION|EXTEND|BITPIX|NAXIS\d*|TILE\d+|CMPTYPE|NAME\d+|VAL\d+|[PG]COUNT|QUANTIZ|DITHER0|BLANK|SCALE|ZERO|HECKSUM|DATASUM)|CHECKSUM|DATASUM)$/;

/** The cards of one header, being written: 80 characters each. */
export class CardList {
  readonly #lines: string[] = [];
  readonly #keywords = new Set<string>();

  /** @throws FormatError `fits_header` for a keyword or value that cannot stand in a header, or one that stands there */
  add(keyword: string, value: CardValue, comment = ''): this {
    if (!commentary.has(keyword)) this.#claim(keyword);
    this.#lines.push(...cardLines(keyword, value, comment));
    return this;
  }

  /** Adds the cards of whoever has the header written. @throws FormatError `fits_header` also for those of the writer */
  addAll(cards: readonly WriteCard[]): this {
    for (const [keyword, value, comment] of cards) {
      if (structural.test(keyword))
        throw new FormatError('fits_header', `${keyword} is the writer's: it follows from the data`);
      this.add(keyword, value, comment);
    }
    return this;
  }

  #claim(keyword: string): void {
    if (this.#keywords.has(keyword)) throw new FormatError('fits_header', `${keyword} stands twice`);
    this.#keywords.add(keyword);
  }

  /** The header with its END card, filled up to whole blocks. */
  toBytes(): Buffer {
    const text = `${this.#lines.join('')}END`;
    return Buffer.from(text.padEnd(Math.ceil(text.length / BLOCK_BYTES) * BLOCK_BYTES), 'latin1');
  }
}

/**
 * One card, or several where a string or a commentary text is long (standard sections 4.1, 4.2).
 *
 * @returns lines of 80 characters
 * @throws FormatError `fits_header`
 */
export function cardLines(keyword: string, value: CardValue, comment = ''): string[] {
  if (commentary.has(keyword)) return commentaryLines(keyword, value);
  if (!/^[A-Z0-9_-]{1,8}$/.test(keyword) || keyword === 'END' || keyword === 'CONTINUE') {
    const expected = 'a keyword of 1 to 8 characters A-Z 0-9 _ -';
    throw new FormatError('fits_header', `expected ${expected}, found ${JSON.stringify(keyword)}`);
  }
  const start = `${keyword.padEnd(8)}= `;
  if (typeof value === 'string') return stringLines(start, keyword, value, comment);
  return [withComment(start + formatValue(keyword, value).padStart(20), comment)];
}

function formatValue(keyword: string, value: Exclude<CardValue, string>): string {
  if (value === undefined) return '';
  if (typeof value === 'boolean') return value ? 'T' : 'F';
  if (typeof value === 'bigint') return String(value);
  const number = typeof value === 'number' ? value : value.real;
  if (!Number.isFinite(number)) {
    throw new FormatError('fits_header', `${keyword} is ${number}, a header holds finite numbers`);
  }
  const isReal = typeof value !== 'number' || realKeyword.test(keyword);
  return isReal || !Number.isSafeInteger(number) || Object.is(number, -0)
    ? formatReal(number)
    : String(number);
}

/** The fewest digits that read back as the same double, with a decimal point. */
export function formatReal(number: number): string {
  if (Object.is(number, -0)) return '-0.0';
  const [mantissa, exponent] = String(number).split('e') as [string, string | undefined];
  const digits = mantissa.includes('.') ? mantissa : `${mantissa}.0`;
  return exponent === undefined ? digits : `${digits}E${exponent.replace('+', '')}`;
}

/** A string that is too long goes on in CONTINUE cards; a `&` at the end of a piece says so. */
function stringLines(start: string, keyword: string, value: string, comment: string): string[] {
  if (!/^[ -~]*$/.test(value)) {
    throw new FormatError('fits_header', `${keyword} is ${JSON.stringify(value)}, a header holds ASCII text`);
  }
  const quoted = value.trimEnd().replaceAll("'", "''");
  if (quoted.length <= STRING_CHARACTERS) {
    return [withComment(`${start}'${quoted.padEnd(8)}'`.padEnd(30), comment)];
  }
  const lines: string[] = [];
  let rest = quoted;
  while (rest.length > STRING_CHARACTERS) {
    let length = STRING_CHARACTERS - 1;
    // A doubled quote stays together: an odd number of quotes before the cut means that it would divide one.
    if ((/'*$/.exec(rest.slice(0, length))?.[0].length ?? 0) % 2 === 1) length--;
    lines.push(`'${rest.slice(0, length)}&'`);
    rest = rest.slice(length);
  }
  lines.push(`'${rest}'`);
  return lines.map((piece, index) => {
    const line = (index === 0 ? start : 'CONTINUE  ') + piece;
    return index === lines.length - 1 ? withComment(line, comment) : line.padEnd(CARD_CHARACTERS);
  });
}

function commentaryLines(keyword: string, value: CardValue): string[] {
  const words = toAscii(typeof value === 'string' ? value : formatValue(keyword, value));
  const width = CARD_CHARACTERS - 8;
  const lines: string[] = [];
  for (let rest = words; rest !== '' || lines.length === 0; ) {
    const length = rest.length <= width ? rest.length : cutLength(rest, width);
    lines.push((keyword.padEnd(8) + rest.slice(0, length)).padEnd(CARD_CHARACTERS));
    rest = rest.slice(length).trimStart();
  }
  return lines;
}

/** A comment that does not fit is cut, between words where it can be. */
function withComment(line: string, comment: string): string {
  const room = CARD_CHARACTERS - line.length - 3;
  const text = toAscii(comment).trim();
  if (text === '' || room < 4) return line.padEnd(CARD_CHARACTERS);
  const cut = text.length <= room ? text : text.slice(0, cutLength(text, room)).trimEnd();
  return `${line} / ${cut}`.padEnd(CARD_CHARACTERS);
}

/** Most characters, up to `width`, after which a text is cut at a blank; `width` where that would leave little. */
function cutLength(text: string, width: number): number {
  const blank = text.lastIndexOf(' ', width);
  return blank >= width / 2 ? blank : width;
}

/** Comments are for people: accents and signs beyond ASCII become their nearest letters, or `?`. */
function toAscii(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/\s+/g, ' ')
    .replaceAll('μ', 'u')
    .replace(/[^ -~]/gu, '?');
}
