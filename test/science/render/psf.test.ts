import { describe, expect, it } from 'vitest';
import { latticeOtf, latticeStep, quintic, refineOtf } from '../../../src/science/render/otf.js';
import { atmosphereForm, kolmogorovK0, parsePsf, shearSquared } from '../../../src/science/render/psf.js';
import { isIlluminated, pupilReach, wavefront } from '../../../src/science/render/pupil.js';
import { difference, drawn, floats, json, psfOf, sourcesOf } from './fixtures.js';

const cases: readonly { name: string; psf: object; image: string; k_file: string }[] = json('psf.json').cases;
const perfect = parsePsf(cases.find(({ name }) => name === 'optical_perfect')).optical;
const aberrated = parsePsf(cases.find(({ name }) => name === 'optical_aberrated')).optical;
if (perfect === undefined || aberrated === undefined) throw new Error('the fixtures have optics');

describe('the pupil', () => {
  it('lets light through 42200 points of its lattice', () => {
    let count = 0;
    for (let i = -pupilReach; i <= pupilReach; i++)
      for (let j = -pupilReach; j <= pupilReach; j++) if (isIlluminated(i, j)) count++;
    expect(count).toBe(42_200);
  });

  it('is covered by Zernike polynomials that are one wave of rms each, were the disc whole', () => {
    for (const name of Object.keys(perfect) as (keyof typeof perfect)[]) {
      let sum = 0;
      let count = 0;
      for (let i = -128; i <= 128; i++)
        for (let j = -128; j <= 128; j++) {
          if (i * i + j * j >= 128 ** 2) continue;
          sum += wavefront({ ...perfect, [name]: 1 }, i, j) ** 2;
          count++;
        }
      expect(sum / count, name).toBeCloseTo(1, 1);
    }
  });
});

describe('the optical transfer function', () => {
  const side = 511;
  const middle = 255 * side + 255;

  it.each([
    ['perfect', perfect],
    ['aberrated', aberrated],
  ])('is 1 at 0, Hermitian and at most 1 for %s optics', (_name, optics) => {
    const { re, im } = latticeOtf(optics);
    expect(re[middle]).toBeCloseTo(1, 12);
    expect(im[middle]).toBeCloseTo(0, 12);
    let largest = 0;
    let asymmetry = 0;
    for (let at = 0; at < re.length; at++) {
      const mirror = re.length - 1 - at;
      largest = Math.max(largest, Math.hypot(re[at] as number, im[at] as number));
      asymmetry = Math.max(
        asymmetry,
        Math.abs((re[at] as number) - (re[mirror] as number)),
        Math.abs((im[at] as number) + (im[mirror] as number)),
      );
    }
    expect(largest).toBeLessThanOrEqual(1 + 1e-12);
    expect(asymmetry).toBe(0);
  });

  it('is refined to what the definition gives halfway between lattice points', () => {
    const otf = latticeOtf(aberrated);
    const reach = 9;
    const fine = refineOtf(otf, reach);
    // Σ O(m) D(kx - mx) D(ky - my) of the image of 768 points a side, at (2.5, -1.5) lattice steps.
    const weights = (k: number) =>
      Array.from({ length: side }, (_, j) => {
        const t = k - (j - 255);
        const size = Math.sin(Math.PI * t) / (768 * Math.sin((Math.PI * t) / 768));
        return [size * Math.cos((Math.PI * t) / 768), size * Math.sin((Math.PI * t) / 768)] as const;
      });
    const [alongX, alongY] = [weights(2.5), weights(-1.5)];
    let re = 0;
    let im = 0;
    for (const [j, [yr, yi]] of alongY.entries())
      for (const [i, [xr, xi]] of alongX.entries()) {
        const [wr, wi] = [xr * yr - xi * yi, xr * yi + xi * yr];
        const [or, oi] = [otf.re[j * side + i] as number, otf.im[j * side + i] as number];
        re += or * wr - oi * wi;
        im += or * wi + oi * wr;
      }
    const at = 2 * ((5 + reach) * fine.side + (-3 + reach));
    expect(fine.values[at]).toBeCloseTo(re, 6);
    expect(fine.values[at + 1]).toBeCloseTo(im, 6);
  });

  it.each(cases.map((one) => [one.name, one] as const))(
    'agrees with GalSim out to 16 rad/arcsec, with the atmosphere: %s',
    (_name, one) => {
      const { optics, atmosphere, params } = psfOf(one);
      const reference = floats(one.k_file);
      const fineStep = latticeStep / 2;
      let largest = 0;
      for (let ky = -16; ky <= 16; ky++)
        for (let kx = -16; kx <= 16; kx++) {
          const [x, y] = [kx / fineStep, ky / fineStep];
          let re = 0;
          let im = 0;
          for (let i = Math.floor(x) - 2; i <= Math.floor(x) + 3; i++)
            for (let j = Math.floor(y) - 2; j <= Math.floor(y) + 3; j++) {
              const weight = quintic(x - i) * quintic(y - j);
              const at = 2 * ((i + optics.reach) * optics.side + j + optics.reach);
              re += weight * (optics.values[at] as number);
              im += weight * (optics.values[at + 1] as number);
            }
          const { xx, xy, yy } = atmosphere;
          const size = Math.exp(-((xx * kx * kx + 2 * xy * kx * ky + yy * ky * ky) ** (5 / 6)));
          const at = (ky + 16) * 33 + kx + 16;
          largest = Math.max(
            largest,
            Math.abs(size * re - (reference[at] as number)),
            Math.abs(size * im - (reference[33 * 33 + at] as number)),
          );
        }
      expect(largest).toBeLessThan(params.optical === undefined ? 1e-7 : 5e-5);
    },
  );
});

describe('images of the PSF', () => {
  // Optics alone need wavenumbers up to 152 rad/arcsec, which GalSim's table of them leaves out in part.
  const limits = { optical_perfect: 1e-4, optical_aberrated: 1e-4 } as Record<string, number>;

  it.each(cases.map((one) => [one.name, one] as const))('agree with GalSim: %s', (name, one) => {
    const point = sourcesOf([{ X: 33, Y: 33, HLR: 1e-9, FLUX_R: 1 }]);
    const [image] = drawn(
      psfOf(one),
      point,
      { width: 64, height: 64, bands: ['r'] },
      {
        origin: 1,
        truncate: 'none',
      },
    );
    expect(difference(image as Float32Array, floats(one.image))).toBeLessThan(limits[name] ?? 1e-5);
  });
});

describe('shears', () => {
  it('keep the area, and stretch by (1 + g) / (1 - g)', () => {
    const [g1, g2] = [0.3, -0.4];
    const { xx, xy, yy } = shearSquared(g1, g2);
    const [half, root] = [(xx + yy) / 2, Math.hypot((xx - yy) / 2, xy)];
    expect(half + root).toBeCloseTo(3, 12); // (1 + 0.5) / (1 - 0.5)
    expect(half - root).toBeCloseTo(1 / 3, 12);
    expect(shearSquared(-g1, g2)).toMatchObject({ xx: expect.closeTo(yy, 12), yy: expect.closeTo(xx, 12) });
  });

  it('of the atmosphere narrow its transform where they widen its image', () => {
    const { xx, yy } = atmosphereForm({ fwhm: 0.8, e: 0.2, beta: 0 });
    expect(Math.sqrt(xx * yy)).toBeCloseTo(kolmogorovK0(0.8) ** -2, 12);
    expect(xx / yy).toBeCloseTo(1.2 / 0.8, 12); // a² / b² = (1 + e) / (1 - e)
  });
});

describe('records of a PSF', () => {
  const kolmogorov = { fwhm: 0.9, e: 0.02, beta: 1 };

  it('are taken as they are, or from under the key psf', () => {
    expect(parsePsf({ kolmogorov })).toEqual({ kolmogorov });
    expect(parsePsf({ name: 'one of many', psf: { kolmogorov } })).toEqual({ kolmogorov });
    expect(parsePsf({ kolmogorov, optical: null })).toEqual({ kolmogorov });
  });

  it.each([
    ['null, expected an object', null],
    ['neither', {}],
    ['a part "moffat", expected kolmogorov or optical', { moffat: {} }],
    ['kolmogorov.beta is missing, expected a number', { kolmogorov: { fwhm: 0.9, e: 0 } }],
    ['kolmogorov.fwhm is 0, expected 0.05 to 20', { kolmogorov: { ...kolmogorov, fwhm: 0 } }],
    ['kolmogorov.e is 1, expected 0 to below 1', { kolmogorov: { ...kolmogorov, e: 1 } }],
    ['optical.coma1 is "x", expected a number', { optical: { ...perfect, coma1: 'x' } }],
    ['optical has a value "tip"', { optical: { ...perfect, tip: 0 } }],
  ])('are refused: %s', (message, record) => {
    expect(() => parsePsf(record)).toThrowError(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining(message) }),
    );
  });
});
