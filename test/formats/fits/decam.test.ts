import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { hduAt } from '../../../src/formats/fits/file.js';
import { readPlane } from '../../../src/formats/fits/plane.js';
import { TanWcs } from '../../../src/science/wcs.js';
import { withFits } from './fixtures.js';

const decam = (product: string) =>
  fileURLToPath(
    new URL(`../../fixtures/decam/testcase9_c4d_141029_043225_${product}_g_ls9.N26.fits`, import.meta.url),
  );

describe('a real DECam exposure', () => {
  // the sums are those of the pixels that astropy 5.2 reads
  it.each([
    ['ooi', 'the image', '4cdfda7d398e2c1e3bd1be5015fd2bc3246edc88d4e59cf4c2be198322f10f40'],
    ['ood', 'the mask', 'a397c9dc6b6e458178000bcf1b8a347f4632e1c5ec62d8a19bc937c3cc647e5f'],
  ])('has the pixels astropy reads: %s, %s', (product, _what, sha256) => {
    const pixels = withFits(decam(product), (fits) => readPlane(fits, 1));
    expect(createHash('sha256').update(new Uint8Array(pixels.buffer)).digest('hex')).toBe(sha256);
  });

  it('has a header that people wrote', () => {
    withFits(decam('ooi'), ({ hdus: [primary] }) => {
      expect(primary?.header.get('OBSERVER')).toBe('Simon Birrer, Liz Buckley-Geer, Brian Nord');
      expect(primary?.header.get('TIME_RECORDED')).toBe('2014-10-29T04:31:57.242738');
      expect(primary?.header.get('EXPREQ')).toBe(90);
    });
  });

  it('has coordinates that are refused by name', () => {
    withFits(decam('ooi'), (fits) => {
      const { header } = hduAt(fits, 1);
      expect(() => TanWcs.fromHeader((keyword) => header.get(keyword))).toThrow(
        'CTYPE1 is RA---TPV, only RA---TAN is read',
      );
    });
  });
});
