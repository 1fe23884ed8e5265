import { addOnesComplement, sumBytes } from '../checksum.js';
import type { CardList } from './card.js';

const CHECKSUM = 'CHECKSUM';

/** Adds the two cards that `sealedHeader` fills in. */
export function addSeal(cards: CardList, dataSum = 0): CardList {
  return cards
    .add(CHECKSUM, '0'.repeat(16), 'HDU checksum')
    .add('DATASUM', String(dataSum), 'data unit checksum');
}

/**
 * The header of an HDU whose data have the sum `dataSum`, with a CHECKSUM that makes the sum of the whole HDU
 * minus zero (standard 4.4.2.7 and appendix J).
 */
export function sealedHeader(cards: CardList, dataSum: number): Buffer {
  const header = addSeal(cards, dataSum).toBytes();
  const sum = addOnesComplement(sumBytes(header), dataSum);
  const card = header.lastIndexOf(`${CHECKSUM}= '`, -1, 'latin1');
  header.write(encodeChecksum(~sum >>> 0), card + CHECKSUM.length + 3, 'latin1');
  return header;
}

/**
 * 32 bits as 16 letters and digits whose sum, taken as four words, is those bits: each byte is the sum of four
 * characters, and what would be punctuation is moved in pairs until it is none. Rotated by one, because the string
 * begins at the twelfth column of its card.
 */
export function encodeChecksum(value: number): string {
  const characters = new Array<number>(16);
  for (let byte = 0; byte < 4; byte++) {
    const part = (value >>> (24 - 8 * byte)) & 0xff;
    const four = [0, 1, 2, 3].map((index) => (part >> 2) + 0x30 + (index === 0 ? part & 3 : 0));
    while (four.some(isPunctuation)) {
      for (const pair of [0, 2]) {
        if (four.slice(pair, pair + 2).some(isPunctuation)) {
          (four[pair] as number)++;
          (four[pair + 1] as number)--;
        }
      }
    }
    four.forEach((character, word) => {
      characters[(4 * word + byte + 1) % 16] = character;
    });
  }
  return String.fromCharCode(...characters);
}

/** Whether a code between '0' and 'r' is neither letter nor digit. */
const isPunctuation = (code: number) => (code > 0x39 && code < 0x41) || (code > 0x5a && code < 0x61);
