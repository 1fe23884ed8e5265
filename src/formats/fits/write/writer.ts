/**
 * Writes FITS files: images, tile-compressed images as DES and fpack make them, and binary tables, each HDU with
 * DATASUM and CHECKSUM. What is written depends on nothing but what is given: no dates, no names of machines.
 */
import { NewFile } from '../../durable.js';
import { FormatError } from '../../errors.js';
import { compressedBody } from './compressed.js';
import type { FitsHdu, HduBody } from './hdu.js';
import { emptyBody, imageBody } from './image.js';
import { FitsOutput } from './output.js';
import { addSeal, sealedHeader } from './seal.js';
import { tableBody } from './table.js';

/**
 * Writes a FITS file that is whole or absent, and on disk when the call returns; a file already there is replaced.
 * Where the first HDU cannot be primary, an empty one is put before it. Holds about 10 MiB besides what `rows` give,
 * and 32 bytes for each row of a compressed image. Synchronous: call it from a worker thread.
 *
 * @throws FormatError `fits_header` for cards and columns that cannot be written, `fits_unsupported` for pixels and
 * text that the form does not hold, both with file and HDU; RangeError and TypeError for rows that are not as
 * declared; system errors (ENOSPC …)
 */
export function writeFits(path: string, hdus: readonly FitsHdu[]): void {
  const [first] = hdus;
  const needsPrimary = first === undefined || first.kind === 'compressed' || first.kind === 'table';
  const all: readonly FitsHdu[] = needsPrimary ? [{ kind: 'empty' }, ...hdus] : hdus;
  using file = new NewFile(path);
  const output = new FitsOutput(file.fd);
  all.forEach((hdu, index) => {
    located(path, index, () => writeHdu(output, bodyOf(hdu, index === 0)));
  });
  file.commit();
}

function bodyOf(hdu: FitsHdu, isPrimary: boolean): HduBody {
  switch (hdu.kind) {
    case 'empty':
      if (!isPrimary) throw new FormatError('fits_header', 'only the first HDU may be empty');
      return emptyBody(hdu.cards);
    case 'table':
      return tableBody(hdu);
    default:
      for (const side of ['width', 'height'] as const) {
        if (Number.isSafeInteger(hdu[side]) && hdu[side] >= 1) continue;
        throw new RangeError(`${side} is ${hdu[side]}, expected an integer of 1 or more`);
      }
      return hdu.kind === 'image' ? imageBody(hdu, isPrimary) : compressedBody(hdu);
  }
}

/** The header comes last: it says what became of the data. */
function writeHdu(output: FitsOutput, body: HduBody): void {
  const start = output.position;
  output.skip(addSeal(body.header()).toBytes().length);
  const sum = body.write(output);
  output.writeAt(start, sealedHeader(body.header(), sum));
}

/** Adds to an error where it happened. */
function located(file: string, hdu: number, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const { code, message, place, cause } = error;
    throw new FormatError(code, message, { place: { file, hdu, ...place }, cause });
  }
}
