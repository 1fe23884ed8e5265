import { describe, expect, it } from 'vitest';
import type { FormatErrorCode } from '../../../src/formats/errors.js';
import { type FitsFile, verifyChecksum } from '../../../src/formats/fits/file.js';
import { readPlane } from '../../../src/formats/fits/plane.js';
import { fixtureJson, fixturePath, withFits } from './fixtures.js';

interface Case {
  readonly file: string;
  readonly what: string;
  readonly expect: 'error' | 'checksum_error' | 'ok_or_warning';
}

const { cases } = fixtureJson<{ cases: Case[] }>('expected/corrupt.json');

/** What each damaged file must be called, and where the damage is: HDU, and row where one is known. */
const named: Readonly<Record<string, readonly [FormatErrorCode, hdu: number, row?: number]>> = {
  'truncated_in_heap.fits.fz': ['fits_truncated', 1],
  'truncated_last_block.fits.fz': ['fits_truncated', 1],
  'truncated_in_header.fits.fz': ['fits_truncated', 1, 0],
  'truncated_in_table.fits.fz': ['fits_truncated', 1, 15],
  'descriptor_past_heap.fits.fz': ['fits_compressed', 1, 5],
  'descriptor_negative.fits.fz': ['fits_compressed', 1, 5],
  'descriptor_too_short.fits.fz': ['fits_compressed', 1, 5],
  'znaxis2_too_large.fits.fz': ['fits_header', 1],
  'znaxis1_too_large.fits.fz': ['fits_header', 1],
  'ztile_zero.fits.fz': ['fits_header', 1],
  'zcmptype_unknown.fits.fz': ['fits_unsupported', 1],
  'blocksize_zero.fits.fz': ['fits_header', 1],
  'bytepix_bad.fits.fz': ['fits_header', 1],
  'znaxis_huge.fits.fz': ['fits_too_large', 1],
  'no_end.fits.fz': ['fits_header', 0],
  'no_end_plain.fits': ['fits_header', 0],
  'naxis2_too_large.fits': ['fits_truncated', 0, 50],
  'naxis_negative.fits': ['fits_header', 0],
  'naxis_missing.fits': ['fits_header', 0],
  'bitpix_bad.fits': ['fits_header', 0],
  'no_simple.fits': ['fits_not_fits', 0],
  'empty.fits.fz': ['fits_truncated', 0],
  'not_fits.fits.fz': ['fits_not_fits', 0],
  'short.fits': ['fits_truncated', 0],
  'gzip_stream_broken.fits.fz': ['fits_compressed', 1, 0],
};

function readAll(fits: FitsFile): number {
  let pixels = 0;
  for (const { index, kind } of fits.hdus) {
    if (kind === 'image' || kind === 'compressed-image') pixels += readPlane(fits, index).length;
  }
  return pixels;
}

describe('a damaged file', () => {
  it('has a name for every case', () => {
    const errors = cases.filter(({ expect: wanted }) => wanted === 'error').map(({ file }) => file.slice(8));
    expect(errors.sort()).toEqual(Object.keys(named).sort());
  });

  it.each(cases.filter((one) => one.expect === 'error'))('$file is refused: $what', ({ file }) => {
    const [code, hdu, row] = named[file.slice(8)] as [FormatErrorCode, number, number?];
    const path = fixturePath(file);
    const place = { file: path, hdu, ...(row === undefined ? {} : { row }) };
    expect(() => withFits(path, readAll)).toThrow(expect.objectContaining({ code, place }));
  });

  it.each(cases.filter((one) => one.expect === 'checksum_error'))(
    '$file is found by its checksum: $what',
    ({ file }) => {
      withFits(fixturePath(file), (fits) => {
        const check = () => fits.hdus.map((hdu) => verifyChecksum(fits, hdu));
        expect(check).toThrow(expect.objectContaining({ code: 'fits_checksum' }));
        // without the check it may be wrong, but it ends, and only in the one way
        try {
          expect(readAll(fits)).toBe(4600);
        } catch (error) {
          expect(error).toMatchObject({
            code: 'fits_compressed',
            place: { file: fixturePath(file), hdu: 1 },
          });
        }
      });
    },
  );

  it('may lack the padding at its end', () => {
    withFits(fixturePath('corrupt/padding_missing.fits.fz'), (fits) => {
      expect(fits.hdus.map((hdu) => verifyChecksum(fits, hdu))).toEqual(['ok', 'ok']);
      const whole = withFits(fixturePath('images/rice_f32_dither2_nan_zero.fits.fz'), (other) =>
        readPlane(other, 1),
      );
      expect(readPlane(fits, 1)).toEqual(whole);
    });
  });

  it('may hold bytes after its last HDU', () => {
    withFits(fixturePath('corrupt/naxis2_too_small.fits'), (fits) => {
      const whole = withFits(fixturePath('images/f32_nan.fits'), (other) => readPlane(other, 0));
      expect(readPlane(fits, 0)).toEqual(whole.subarray(0, whole.length / 2));
      expect(fits.trailingBytes).toBeGreaterThan(0);
    });
  });
});
