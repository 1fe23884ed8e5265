import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlaneReader, readPlane } from '../../../src/formats/fits/plane.js';
import { planPlane } from '../../../src/formats/fits/plane-plan.js';
import { fixtureJson, fixturePath, withFits } from './fixtures.js';

interface ManifestHdu {
  readonly hdu: number;
  readonly dtype: 'f32' | 'f64';
  readonly shape: readonly number[];
  readonly sha256: string;
  readonly nan: number;
  readonly samples: readonly (readonly [index: number, value: number | null])[];
}
interface ManifestImage {
  readonly file: string;
  readonly what: string;
  readonly hdus: readonly ManifestHdu[];
}

const images = fixtureJson<{ images: ManifestImage[] }>('manifest.json').images.flatMap(
  ({ file, what, hdus }) => hdus.map((hdu) => ({ file, what, hdu })),
);
const [refused, readable] = [true, false].map((flag) =>
  images.filter(({ file }) => file.includes('hcompress') === flag),
) as [typeof images, typeof images];

const sha256 = (pixels: Float32Array | Float64Array) =>
  createHash('sha256').update(new Uint8Array(pixels.buffer)).digest('hex');

describe('images, bit for bit', () => {
  it.each(readable)('$file HDU $hdu.hdu: $what', ({ file, hdu }) => {
    withFits(fixturePath(file), (fits) => {
      const pixels = readPlane(fits, hdu.hdu);
      for (const [index, value] of hdu.samples)
        expect([index, pixels[index]]).toEqual([index, value ?? Number.NaN]);
      expect(pixels).toBeInstanceOf(hdu.dtype === 'f32' ? Float32Array : Float64Array);
      expect(sha256(pixels)).toBe(hdu.sha256);
    });
  });

  it.each(refused)('$file is refused by name', ({ file, hdu }) => {
    withFits(fixturePath(file), (fits) => {
      expect(() => planPlane(fits, hdu.hdu)).toThrow(
        expect.objectContaining({
          code: 'fits_unsupported',
          message: expect.stringContaining('HCOMPRESS_1'),
        }),
      );
    });
  });
});

describe('images that surveys rarely have', () => {
  interface Answer {
    readonly hdu: number;
    readonly pixels: readonly (number | null)[];
  }
  const answers = Object.entries(fixtureJson<Record<string, Answer>>('extra/pixels.json'));

  it.each(answers)('%s', (name, { hdu, pixels }) => {
    withFits(fixturePath(`extra/${name}`), (fits) => {
      expect(Array.from(readPlane(fits, hdu))).toEqual(pixels.map((pixel) => pixel ?? Number.NaN));
    });
  });
});

describe('rows', () => {
  const kinds = [
    ['images/i16_bscale_blank.fits', 0],
    ['images/f32_nan.fits', 0],
    ['images/cube.fits', 0],
    ['images/rice_f32_cube.fits.fz', 1],
    ['extra/rice_tiles3d.fits.fz', 1],
    ['images/rice_f32_tiles2d.fits.fz', 1],
    ['images/rice_f32_whole_image.fits.fz', 1],
    ['images/rice_f32_mixed_rows_dither2.fits.fz', 1],
    ['images/rice_f64_dither1.fits.fz', 1],
    ['images/gzip2_f32_dither2.fits.fz', 1],
    ['images/rice_i32_uncompressed_rows.fits.fz', 1],
    ['images/plio_i32_mask.fits.fz', 1],
    ['tiles/DES0001-0001/DES0001-0001_r4907p01_r_nobkg.fits.fz', 1],
  ] as const;

  it.each(kinds)('of %s HDU %i are the same in any split, at any stride', (name, hduIndex) => {
    withFits(fixturePath(name), (fits) => {
      const plan = structuredClone(planPlane(fits, hduIndex));
      const whole = readPlane(fits, hduIndex);
      const rows = plan.height * plan.depth;
      const reader = new PlaneReader(plan);
      const cuts = fc
        .uniqueArray(fc.nat(rows), { maxLength: 5 })
        .map((inner) => [0, ...inner, rows].sort((a, b) => a - b));
      fc.assert(
        fc.property(cuts, fc.nat(7), fc.nat(5), (bounds, gap, at) => {
          const stride = plan.width + gap;
          const into = (
            plan.dtype === 'f32' ? new Float32Array(rows * stride + at) : new Float64Array(rows * stride + at)
          ).fill(-7);
          let nans = 0;
          for (let i = 1; i < bounds.length; i++) {
            const [y0 = 0, y1 = 0] = bounds.slice(i - 1);
            nans += reader.readRows(y0, y1, into, at + y0 * stride, stride);
          }
          expect(nans).toBe(whole.filter(Number.isNaN).length);
          const expected = into.slice().fill(-7);
          for (let y = 0; y < rows; y++) {
            expected.set(whole.subarray(y * plan.width, (y + 1) * plan.width), at + y * stride);
          }
          expect(sha256(into)).toBe(sha256(expected));
        }),
        { numRuns: 12 },
      );
    });
  });

  it.each([
    ['images/plio_i16_mask.fits.fz', 1],
    ['images/des_sci_msk_wgt.fits.fz', 2],
    ['images/multi_hdu.fits', 2],
    ['images/f32_nan.fits', 0],
    ['images/rice_i32_uncompressed_rows.fits.fz', 1],
  ] as const)('of %s HDU %i that are not 0 set a bit of a mask', (name, hduIndex) => {
    withFits(fixturePath(name), (fits) => {
      const plan = planPlane(fits, hduIndex);
      const whole = readPlane(fits, hduIndex);
      const [y0, y1, at, stride] = [3, plan.height - 2, 5, plan.width + 4];
      const mask = new Uint8Array(at + (y1 - y0) * stride).fill(1);
      new PlaneReader(plan).orMask(y0, y1, mask, at, stride, 4);
      const expected = new Uint8Array(mask.length).fill(1);
      for (let y = y0; y < y1; y++) {
        for (let x = 0; x < plan.width; x++) {
          if (whole[y * plan.width + x] !== 0) expected[at + (y - y0) * stride + x] = 5;
        }
      }
      expect(mask).toEqual(expected);
      expect(mask).toContain(5);
    });
  });

  it('refuses rows and buffers that do not fit', () => {
    withFits(fixturePath('images/f32_nan.fits'), (fits) => {
      const reader = new PlaneReader(planPlane(fits, 0));
      expect(() => reader.readRows(0, 47, new Float32Array(9999))).toThrow(RangeError);
      expect(() => reader.readRows(0, 2, new Float32Array(199))).toThrow(RangeError);
      expect(() => reader.readRows(0, 1, new Float64Array(100))).toThrow(TypeError);
      expect(reader.readRows(4, 4, new Float32Array(0))).toBe(0);
    });
  });
});
