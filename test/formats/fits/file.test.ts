import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hduAt, openFits, verifyChecksum } from '../../../src/formats/fits/file.js';
import { readPlane } from '../../../src/formats/fits/plane.js';
import { planPlane } from '../../../src/formats/fits/plane-plan.js';
import { closeRegion, openRegion } from '../../../src/formats/fits/source.js';
import { fixturePath, withFits } from './fixtures.js';

describe('a FITS file', () => {
  it('lists its HDUs with kind, name and version', () => {
    withFits(fixturePath('images/multi_hdu.fits'), ({ hdus, trailingBytes }) => {
      expect(hdus.map(({ index, kind, name, version }) => [index, kind, name, version])).toEqual([
        [0, 'empty', '', 1],
        [1, 'image', 'SCI', 1],
        [2, 'image', 'MSK', 1],
        [3, 'table', 'CAT', 1],
        [4, 'image', 'SCI', 2],
      ]);
      expect(trailingBytes).toBe(0);
    });
    withFits(fixturePath('images/des_sci_msk_wgt.fits.fz'), ({ hdus }) => {
      expect(hdus.map(({ kind }) => kind)).toEqual(['empty', ...Array(3).fill('compressed-image')]);
    });
    withFits(fixturePath('tables/ascii.fits'), ({ hdus }) => expect(hdus[1]?.kind).toBe('ascii-table'));
  });

  it('says which HDU is not there, and which are images', () => {
    withFits(fixturePath('images/multi_hdu.fits'), (fits) => {
      const place = { file: fixturePath('images/multi_hdu.fits'), hdu: 9 };
      expect(() => hduAt(fits, 9)).toThrow(expect.objectContaining({ code: 'fits_no_such_hdu', place }));
      expect(() => planPlane(fits, 3)).toThrow('HDU 3 holds no image (it is: table); images are in: 1, 2, 4');
    });
  });

  const whole = ['images', 'tables', 'headers', 'tiles/DES0001-0001'].flatMap((folder) =>
    readdirSync(fixturePath(folder)).map((name) => `${folder}/${name}`),
  );
  const unsigned = ['images/i16_bscale_blank.fits', 'tables/scaled_null.fits', 'headers/edge_cases.fits'];

  // astropy 5.2 pads the cells of a variable-length column one by one when it sums a table made in memory: cfitsio
  // finds the same sums as we do in these files, and calls their DATASUM wrong.
  const wronglySigned = ['images/rice_i32_uncompressed_rows.fits.fz', 'tables/columns.fits'];

  it.each(wronglySigned)('%s does not have the checksum that was written', (name) => {
    withFits(fixturePath(name), (fits) => {
      const cfitsio = name.startsWith('tables') ? 1938690116 : 2696777300;
      expect(() => verifyChecksum(fits, hduAt(fits, 1))).toThrow(`the sum of the data is ${cfitsio}`);
    });
  });

  it.each(whole.filter((name) => !wronglySigned.includes(name)))(
    '%s has the checksums that were written',
    (name) => {
      withFits(fixturePath(name), (fits) => {
        const expected = unsigned.includes(name) ? 'absent' : 'ok';
        expect(fits.hdus.map((hdu) => verifyChecksum(fits, hdu))).toEqual(fits.hdus.map(() => expected));
      });
    },
  );
});

describe('a changed file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fits-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const original = readFileSync(fixturePath('images/rice_f32_dither2.fits.fz'));

  function withBytes<T>(bytes: Buffer, use: (fits: ReturnType<typeof openFits>) => T): T {
    const path = join(folder, 'changed.fits.fz');
    writeFileSync(path, bytes);
    return withFits(path, use);
  }

  it('shows a changed header by CHECKSUM even though DATASUM matches', () => {
    const bytes = Buffer.from(original);
    bytes.write('ZDITHER0=                   42', bytes.indexOf('ZDITHER0='));
    withBytes(bytes, (fits) => {
      expect(() => fits.hdus.map((hdu) => verifyChecksum(fits, hdu))).toThrow(
        expect.objectContaining({ code: 'fits_checksum', message: expect.stringContaining('header') }),
      );
    });
  });

  it('shows any single changed byte of the data', () => {
    const dataOffset = withBytes(original, (fits) => hduAt(fits, 1).dataOffset);
    for (let at = dataOffset; at < original.length; at += 997) {
      const bytes = Buffer.from(original);
      bytes[at] = ((bytes[at] as number) + 1) % 256;
      withBytes(bytes, (fits) => {
        expect(() => verifyChecksum(fits, hduAt(fits, 1))).toThrow(
          expect.objectContaining({ code: 'fits_checksum' }),
        );
      });
    }
  });

  it('is an error, never a crash or a hang, wherever it is cut', () => {
    for (let length = 0; length < original.length - 2880; length += 611) {
      const read = () => withBytes(original.subarray(0, length), (fits) => readPlane(fits, 1));
      expect(read).toThrow(expect.objectContaining({ code: expect.stringMatching(/^fits_/) }));
    }
  });

  it('can lie inside another file', () => {
    const path = join(folder, 'archive');
    writeFileSync(path, Buffer.concat([Buffer.alloc(777, 1), original, Buffer.alloc(9999, 2)]));
    const region = openRegion(path);
    const entry = { ...region, name: `${path}/entry`, offset: 777, size: original.length };
    const pixels = readPlane(openFits(entry), 1);
    closeRegion(region);
    expect(pixels).toEqual(withBytes(original, (fits) => readPlane(fits, 1)));
  });
});
