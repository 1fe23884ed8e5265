import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SkyPosition, TanWcs } from '../../src/science/wcs.js';

interface Golden {
  readonly cases: readonly {
    readonly name: string;
    readonly header: Readonly<Record<string, unknown>>;
    readonly points: readonly { readonly pix1: [number, number]; readonly radec: [number, number] }[];
  }[];
}

const golden = JSON.parse(
  readFileSync(new URL('../fixtures/fits/wcs/tan.json', import.meta.url), 'utf8'),
) as Golden;
const fullTile = golden.cases.find(({ name }) => name === 'full_tile_rotated')?.header ?? {};
const parse = (header: Readonly<Record<string, unknown>>) => TanWcs.fromHeader((keyword) => header[keyword]);

const milliarcsec = 1 / 3.6e6;

/** Angle between two near directions, degrees. */
function separation(a: SkyPosition, b: SkyPosition): number {
  const deltaRa = ((a[0] - b[0] + 540) % 360) - 180;
  return Math.hypot(deltaRa * Math.cos((a[1] * Math.PI) / 180), a[1] - b[1]);
}

describe('TAN coordinates', () => {
  it.each(golden.cases)('agree with wcslib both ways: $name', ({ header, points }) => {
    const wcs = parse(header);
    for (const { pix1, radec } of points) {
      const pixel = [pix1[0] - 1, pix1[1] - 1] as const;
      expect(separation(wcs.toSky(pixel), radec)).toBeLessThan(1e-6 * milliarcsec);
      const back = wcs.toPixel(radec);
      expect(Math.hypot(back[0] - pixel[0], back[1] - pixel[1])).toBeLessThan(1e-8);
    }
  });

  it('come back to the same pixel from anywhere in a tile', () => {
    const wcs = parse(fullTile);
    const coordinate = fc.double({ min: -1e4, max: 2e4, noNaN: true });
    fc.assert(
      fc.property(coordinate, coordinate, (x, y) => {
        const back = wcs.toPixel(wcs.toSky([x, y]));
        expect(Math.hypot(back[0] - x, back[1] - y)).toBeLessThan(1e-8);
      }),
    );
  });

  it('of a window are those of its parent', () => {
    const parent = parse(fullTile);
    const window = parent.shifted(2480, 7440);
    expect(separation(window.toSky([10, 20]), parent.toSky([2490, 7460]))).toBeLessThan(1e-6 * milliarcsec);
    expect(window.terms).toEqual({ ...parent.terms, crpix: [5000.5 - 2480, 5000.5 - 7440] });
    expect(window.pixelAreaSquareDegrees).toBeCloseTo((0.263 / 3600) ** 2, 15);
  });

  it('survive a header, JSON and structured clone', () => {
    const wcs = parse({ ...fullTile, RADESYS: 'ICRS', EQUINOX: 2000 });
    const cards = Object.fromEntries(wcs.cards().map(([keyword, value]) => [keyword, value]));
    expect(parse(cards).terms).toEqual(wcs.terms);
    expect(new TanWcs(JSON.parse(JSON.stringify(wcs))).terms).toEqual(wcs.terms);
    expect(new TanWcs(structuredClone(wcs.terms)).toSky([1, 2])).toEqual(wcs.toSky([1, 2]));
  });

  it('do not exist behind the observer', () => {
    expect(parse(fullTile).toPixel([214, 22])).toEqual([Number.NaN, Number.NaN]);
  });
});

describe('a header without usable coordinates', () => {
  it.each([
    ['wcs_missing', 'CTYPE1', { CTYPE1: undefined }],
    ['wcs_missing', 'CRVAL1', { CRVAL1: undefined }],
    ['wcs_missing', 'CRPIX2', { CRPIX2: 'five' }],
    ['wcs_missing', 'CRVAL2', { CRVAL2: -123 }],
    ['wcs_missing', 'CDELT1', { CD1_1: undefined, CD1_2: undefined, CD2_1: undefined, CD2_2: undefined }],
    ['wcs_singular', 'no inverse', { CD1_1: 1e-4, CD1_2: 1e-4, CD2_1: 1e-4, CD2_2: 1e-4 }],
    ['wcs_singular', 'no inverse', { CD1_1: 0, CD1_2: 0, CD2_1: 0, CD2_2: 0 }],
    ['wcs_unsupported', 'RA---TPV', { CTYPE1: 'RA---TPV', CTYPE2: 'DEC--TPV' }],
    ['wcs_unsupported', 'RA---TAN-SIP', { CTYPE1: 'RA---TAN-SIP', CTYPE2: 'DEC--TAN-SIP' }],
    ['wcs_unsupported', 'SIP', { A_ORDER: 3, B_ORDER: 3 }],
    ['wcs_unsupported', 'PV polynomial', { PV2_10: 0.1 }],
    ['wcs_unsupported', 'GLON-TAN', { CTYPE1: 'GLON-TAN', CTYPE2: 'GLAT-TAN' }],
    ['wcs_unsupported', 'arcsec', { CUNIT1: 'arcsec' }],
    ['wcs_unsupported', 'LONPOLE', { LONPOLE: 90 }],
    ['wcs_unsupported', 'LONPOLE', { CRVAL2: 90 }],
  ] as const)('is refused as %s, naming %s', (code, named, change) => {
    expect(() => parse({ ...fullTile, ...change })).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(named) }),
    );
  });
});
