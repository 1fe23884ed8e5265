import { type FilePlace, FormatError } from '../errors.js';
import { type ByteRegion, readExactly } from './source.js';

/** FITS files are made of blocks of this many bytes. */
export const BLOCK_BYTES = 2880;
const CARD_BYTES = 80;
const CARDS_PER_BLOCK = BLOCK_BYTES / CARD_BYTES;
const BLOCKS_PER_READ = 8;
/** A header of 8 MB is no header: the END card has been lost. */
const MAX_CARDS = 100_000;

/** Integers beyond 2^53 are bigint; a complex number is [re, im]; a card without a value is undefined. */
export type HeaderValue = string | number | bigint | boolean | readonly [number, number] | undefined;

export interface Card {
  /** Up to 8 characters, or the long name after HIERARCH; empty for a card without keyword. */
  readonly keyword: string;
  /** For COMMENT, HISTORY and blank keywords, the text of the card. */
  readonly value: HeaderValue;
  readonly comment: string;
}

/** The cards of one header, in order. Where a keyword stands twice, the first card counts. */
export class Header {
  readonly cards: readonly Card[];
  readonly place: FilePlace;
  private readonly byKeyword = new Map<string, Card>();

  constructor(cards: readonly Card[], place: FilePlace) {
    this.cards = cards;
    this.place = place;
    for (const card of cards) {
      if (!this.byKeyword.has(card.keyword)) this.byKeyword.set(card.keyword, card);
    }
  }

  has(keyword: string): boolean {
    return this.byKeyword.has(keyword);
  }

  /** The value of a keyword; undefined when it is absent or has no value. */
  get(keyword: string): HeaderValue {
    return this.byKeyword.get(keyword)?.value;
  }

  comment(keyword: string): string {
    return this.byKeyword.get(keyword)?.comment ?? '';
  }

  /** All texts of a commentary keyword: COMMENT, HISTORY or ''. */
  texts(keyword: string): string[] {
    return this.cards.filter((card) => card.keyword === keyword).map((card) => String(card.value));
  }

  /** A safe integer. @throws FormatError `fits_header` when it is something else, or absent without `fallback` */
  integer(keyword: string, fallback?: number): number {
    const value = this.get(keyword) ?? fallback;
    if (!Number.isSafeInteger(value)) throw this.unexpected(keyword, 'an integer');
    return value as number;
  }

  /** A finite number. @throws FormatError `fits_header` when it is something else, or absent without `fallback` */
  number(keyword: string, fallback?: number): number {
    const value = this.get(keyword) ?? fallback;
    const number = typeof value === 'bigint' ? Number(value) : value;
    if (!Number.isFinite(number)) throw this.unexpected(keyword, 'a number');
    return number as number;
  }

  /** A string. @throws FormatError `fits_header` when it is something else, or absent without `fallback` */
  text(keyword: string, fallback?: string): string {
    const value = this.get(keyword) ?? fallback;
    if (typeof value !== 'string') throw this.unexpected(keyword, 'a string');
    return value;
  }

  /** BITPIX or ZBITPIX: 8, 16, 32, 64, -32 or -64. @throws FormatError `fits_header` */
  bitpix(keyword: 'BITPIX' | 'ZBITPIX'): number {
    const value = this.integer(keyword);
    if (![8, 16, 32, 64, -32, -64].includes(value)) {
      throw this.unexpected(keyword, '8, 16, 32, 64, -32 or -64');
    }
    return value;
  }

  /** The axes that NAXIS or ZNAXIS counts, x first. @throws FormatError `fits_header` when one is absent or negative */
  axes(keyword: 'NAXIS' | 'ZNAXIS'): number[] {
    const count = this.integer(keyword);
    if (count < 0 || count > 999) throw this.unexpected(keyword, '0 to 999');
    return Array.from({ length: count }, (_, index) => {
      const length = this.integer(`${keyword}${index + 1}`);
      if (length < 0) throw this.unexpected(`${keyword}${index + 1}`, 'an integer of 0 or more');
      return length;
    });
  }

  /** An error about one keyword, for the caller to throw. */
  unexpected(keyword: string, expected: string): FormatError {
    const value = this.get(keyword);
    const found = this.has(keyword)
      ? `is ${value === undefined ? 'empty' : JSON.stringify(String(value))}`
      : 'is missing';
    return new FormatError('fits_header', `${keyword} ${found}, expected ${expected}`, { place: this.place });
  }
}

/**
 * Reads the header that begins at `offset` of the region; stops at the END card or at the end of the region.
 *
 * @returns the header, and where its data begins
 * @throws FormatError `fits_truncated` when the file ends inside the header, `fits_header` when what follows is not text
 */
export function readHeader(
  region: ByteRegion,
  offset: number,
  place: FilePlace,
): { header: Header; end: number } {
  const block = Buffer.allocUnsafe(BLOCK_BYTES * BLOCKS_PER_READ);
  const lines: string[] = [];
  for (let position = offset; ; position += block.length) {
    const available = Math.min(block.length, region.size - position);
    const cards = Math.max(0, Math.floor(available / CARD_BYTES));
    readExactly(region, position, cards * CARD_BYTES, block);
    for (let index = 0; index < cards; index++) {
      const line = block.toString('latin1', index * CARD_BYTES, (index + 1) * CARD_BYTES);
      if (line.startsWith('END     ')) {
        const blocks = Math.floor(lines.length / CARDS_PER_BLOCK) + 1;
        return { header: new Header(parseCards(lines), place), end: offset + blocks * BLOCK_BYTES };
      }
      // Comments in the wild hold accents and tabs, but a keyword that is not ASCII means that these are data.
      if (!/^[ -~]{8}/.test(line) || lines.length >= MAX_CARDS) {
        throw new FormatError('fits_header', `no END card in the ${lines.length} cards of the header`, {
          place,
        });
      }
      lines.push(line);
    }
    if (available < block.length) {
      throw new FormatError(
        'fits_truncated',
        `the file ends in the header, after ${lines.length} cards without END`,
        { place },
      );
    }
  }
}

/** The cards of 80-character lines, with CONTINUE joined to the string it continues. */
export function parseCards(lines: readonly string[]): Card[] {
  const cards: Card[] = [];
  for (const line of lines) {
    const card = parseCard(line);
    const previous = cards.at(-1);
    if (card.keyword === 'CONTINUE' && typeof previous?.value === 'string' && previous.value.endsWith('&')) {
      cards[cards.length - 1] = {
        keyword: previous.keyword,
        value: previous.value.slice(0, -1) + String(card.value ?? ''),
        comment: [previous.comment, card.comment].filter((text) => text !== '').join(' '),
      };
    } else {
      cards.push(card);
    }
  }
  return cards;
}

function parseCard(line: string): Card {
  const keyword = line.slice(0, 8).trimEnd();
  if (line.slice(8, 10) === '= ') return { keyword, ...parseValue(line.slice(10)) };
  if (keyword === 'CONTINUE') return { keyword, ...parseValue(line.slice(8)) };
  const equals = line.indexOf('=');
  if (keyword === 'HIERARCH' && equals > 0) {
    return { keyword: line.slice(8, equals).trim(), ...parseValue(line.slice(equals + 1)) };
  }
  return { keyword, value: line.slice(8).trimEnd(), comment: '' };
}

const STRING = /^\s*'((?:[^']|'')*)'\s*(?:\/\s*(.*))?/;
const INTEGER = /^[+-]?\d+$/;
const REAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][+-]?\d+)?$/;
const COMPLEX = /^\(\s*([^,\s]+)\s*,\s*([^,\s]+)\s*\)$/;

/** A value and its comment. What follows no rule of the standard is kept as text: unused cards stop nobody. */
function parseValue(field: string): { value: HeaderValue; comment: string } {
  const string = STRING.exec(field);
  if (string !== null) {
    const text = (string[1] ?? '').replaceAll("''", "'").trimEnd();
    return { value: text, comment: (string[2] ?? '').trimEnd() };
  }
  const slash = field.indexOf('/');
  const token = (slash < 0 ? field : field.slice(0, slash)).trim();
  return { value: parseToken(token), comment: slash < 0 ? '' : field.slice(slash + 1).trim() };
}

function parseToken(token: string): HeaderValue {
  if (token === '') return undefined;
  if (token === 'T') return true;
  if (token === 'F') return false;
  if (INTEGER.test(token)) {
    const number = Number(token);
    return Number.isSafeInteger(number) ? number : BigInt(token.replace(/^\+/, ''));
  }
  if (REAL.test(token)) return parseReal(token);
  const [, re, im] = COMPLEX.exec(token) ?? [];
  if (re !== undefined && im !== undefined && REAL.test(re) && REAL.test(im))
    return [parseReal(re), parseReal(im)];
  return token;
}

/** FITS writes double precision exponents with D, as Fortran does. */
export function parseReal(text: string): number {
  return Number(text.replace(/[Dd]/, 'E'));
}
