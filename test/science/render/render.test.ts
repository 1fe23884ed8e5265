import { describe, expect, it } from 'vitest';
import { catalogBands, fluxColumn, type SourceTable } from '../../../src/science/catalog.js';
import { deriveSeed, Random } from '../../../src/science/random.js';
import { stampBounds, stampSide } from '../../../src/science/render/stamp-size.js';
import {
  difference,
  drawn,
  fieldSources,
  floats,
  isSame,
  json,
  parity,
  psfOf,
  sourcesOf,
} from './fixtures.js';

interface Stamp {
  readonly name: string;
  readonly half_light_radius: number;
  readonly g1: number;
  readonly g2: number;
  readonly flux: number;
  readonly x: number;
  readonly y: number;
  readonly bounds_1based: readonly [number, number, number, number];
  readonly shape: readonly [number, number];
  readonly offset_floats: number;
}

const field = json('field.json');
const psf = psfOf(field);
const side = field.image_size as number;
const canvas = { width: side, height: side, bands: catalogBands };

describe('stamps', () => {
  const file = json('stamps.json');
  const stampPsf = psfOf(file);
  const pixels = floats('stamps.f32');

  it.each((file.stamps as Stamp[]).map((stamp) => [stamp.name, stamp] as const))(
    'have the bounds and the pixels that GalSim gives them: %s',
    (_name, stamp) => {
      const { half_light_radius: hlr, g1, g2, flux, x, y, bounds_1based: bounds } = stamp;
      const size = stampSide(stampPsf, { x, y, hlr, g1, g2, flux }, 'galsim');
      const { xMin, xMax, yMin, yMax } = stampBounds({ x, y }, size);
      expect([xMin, xMax, yMin, yMax]).toEqual(bounds);

      const [height, width] = stamp.shape;
      const shifted = { X: x + 1 - bounds[0], Y: y + 1 - bounds[2] };
      const source = sourcesOf([{ ...shifted, HLR: hlr, G1: g1, G2: g2, FLUX_R: flux }]);
      const [image] = drawn(stampPsf, source, { width, height, bands: ['r'] });
      const reference = pixels.subarray(stamp.offset_floats, stamp.offset_floats + width * height);
      expect(difference(image as Float32Array, reference)).toBeLessThan(1e-5);
    },
  );
});

describe('a field', () => {
  const sources = fieldSources();
  const reference = floats('field_griz.f32');
  const image = drawn(psf, sources, canvas);

  it('agrees with GalSim to 2e-6 of the peak in every band', () => {
    for (const [band, pixels] of image.entries()) {
      const ours = reference.subarray(band * side * side, (band + 1) * side * side);
      expect(difference(pixels, ours), catalogBands[band] as string).toBeLessThan(2e-6);
    }
  });

  it('agrees with GalSim to a hundredth of the noise away from stars', () => {
    const sigma = Math.sqrt(field.noisy.variance);
    const r = image[1] as Float32Array;
    const ours = reference.subarray(side * side, 2 * side * side);
    let largest = 0;
    for (let i = 0; i < r.length; i++)
      if ((ours[i] as number) < 20)
        largest = Math.max(largest, Math.abs((r[i] as number) - (ours[i] as number)));
    expect(largest).toBeLessThan(0.01 * sigma);
  });

  it('agrees with stamps of 640 pixels to 1e-5 of the peak when nothing is truncated', () => {
    const [r] = drawn(psf, sources, { ...canvas, bands: ['r'] }, { origin: 1, truncate: 'none' });
    expect(difference(r as Float32Array, floats('field_r_untruncated.f32'))).toBeLessThan(1e-5);
  });

  it('is the same, bit by bit, drawn in any parts and in any order', () => {
    for (const parts of [[1, 77, 100, 78], [128, 128], Array(64).fill(4)])
      expect(isSame(drawn(psf, sources, canvas, parity, parts), image)).toBe(true);
    const other = psfOf(json('stamps.json'));
    drawn(other, sources, canvas);
    expect(isSame(drawn(psf, sources, canvas), image)).toBe(true);
  });

  it('is the same in a band whichever bands are drawn with it', () => {
    const z = drawn(psf, sources, { ...canvas, bands: ['z'] });
    expect(isSame(z, image.slice(3))).toBe(true);
    const two = drawn(psf, sources, { ...canvas, bands: ['i', 'g'] });
    expect(isSame(two.toReversed(), [image[0], image[2]] as Float32Array[])).toBe(true);
  });

  it('doubles with the fluxes, exactly', () => {
    const doubled = fieldSources();
    for (const band of catalogBands) {
      const column = doubled.columns[fluxColumn(band)];
      column.set(column.map((flux) => 2 * flux));
    }
    const twice = image.map((pixels) => pixels.map((value) => 2 * value));
    expect(isSame(drawn(psf, doubled, canvas), twice)).toBe(true);
  });

  it('is the same in bands of equal flux', () => {
    const equal = fieldSources();
    for (const band of ['FLUX_G', 'FLUX_I', 'FLUX_Z'] as const) equal.columns[band].set(equal.columns.FLUX_R);
    const [g, r, i, z] = drawn(psf, equal, canvas);
    expect(isSame([g, i, z] as Float32Array[], [r, r, r] as Float32Array[])).toBe(true);
  });

  it('lies half a pixel lower and more to the left where pixels span [0, 1)', () => {
    const moved = fieldSources();
    for (const axis of ['X', 'Y'] as const)
      moved.columns[axis].set(moved.columns[axis].map((at) => at - 0.5));
    // The corner of the first pixel is 0 there and 0.5 in GalSim's convention.
    const [g] = drawn(psf, moved, { ...canvas, bands: ['g'] }, { ...parity, origin: 0.5 });
    expect(difference(g as Float32Array, image[0] as Float32Array)).toBeLessThan(1e-6);
  });
});

describe('a source', () => {
  const small = { width: 48, height: 40, bands: ['r'] as const };
  const one = { X: 24, Y: 20, HLR: 0.6, G1: 0.1, G2: 0.05, FLUX_R: 1000 };
  const isEmpty = (sources: SourceTable) =>
    drawn(psf, sources, small).every((pixels) => pixels.every((value) => value === 0));

  it('without flux is nothing, whatever its other values', () => {
    expect(isEmpty(sourcesOf([{}, { X: Number.NaN, HLR: -1, G1: 5 }]))).toBe(true);
  });

  it('whose stamp lies outside is nothing, however far and large', () => {
    expect(
      isEmpty(
        sourcesOf([
          { ...one, X: -40 },
          { ...one, X: 1e300, Y: -1e300 },
        ]),
      ),
    ).toBe(true);
  });

  it('far outside still reaches in when it is large', () => {
    expect(isEmpty(sourcesOf([{ ...one, X: -100, HLR: 20 }]))).toBe(false);
  });

  it('swaps its axes with the sign of g1', () => {
    // Without a PSF that has axes of its own.
    const round = psfOf({ kolmogorov: { fwhm: 0.9, e: 0, beta: 0 } });
    const square = { width: 41, height: 41, bands: ['r'] as const };
    const at = { ...one, X: 21, Y: 21, G2: 0 };
    const [wide] = drawn(round, sourcesOf([{ ...at, G1: 0.3 }]), square);
    const [high] = drawn(round, sourcesOf([{ ...at, G1: -0.3 }]), square);
    const turned = Float32Array.from(
      high as Float32Array,
      (_, i) => (high as Float32Array)[(i % 41) * 41 + Math.floor(i / 41)] as number,
    );
    expect(difference(turned, wide as Float32Array)).toBeLessThan(1e-6);
  });

  it('of 55″, or sheared to 0.999, is drawn whole', () => {
    const wide = { width: 1200, height: 1200, bands: ['r'] as const };
    const round = psfOf({ kolmogorov: { fwhm: 0.9, e: 0, beta: 0 } });
    const huge = sourcesOf([{ X: 600.5, Y: 600.5, HLR: 55, FLUX_R: 1e6 }]);
    const [image] = drawn(round, huge, wide);
    // Half of the light lies within the half-light radius of 209 pixels; the seeing moves little of it.
    let within = 0;
    for (let y = 0; y < 1200; y++)
      for (let x = 0; x < 1200; x++)
        if (Math.hypot(x - 599.5, y - 599.5) < 55 / 0.263)
          within += (image as Float32Array)[y * 1200 + x] as number;
    expect(within / 1e6).toBeCloseTo(0.5, 3);

    const needle = sourcesOf([{ X: 600, Y: 600, HLR: 0.5, G1: 0.6, G2: 0.799, FLUX_R: 1e6 }]);
    const [thin] = drawn(round, needle, wide);
    const sum = (thin as Float32Array).reduce((total, value) => total + value, 0);
    expect(sum / 1e6).toBeCloseTo(1, 2);
    const peak = (thin as Float32Array).reduce((largest, value) => Math.max(largest, value), 0);
    expect((thin as Float32Array).every((value) => value > -1e-6 * peak)).toBe(true);
  });

  it('that needs more than 16384 pixels is refused by name', () => {
    const sources = sourcesOf([one, { ...one, HLR: 400, G1: 0.9 }]);
    expect(() => drawn(psf, sources, small)).toThrowError(
      expect.objectContaining({
        code: 'catalog_values',
        place: { row: 1 },
        message: expect.stringContaining('HLR 400'),
      }),
    );
  });

  it.each([
    ['X is NaN', { X: Number.NaN }],
    ['HLR is -1', { HLR: -1 }],
    ['HLR is Infinity', { HLR: Number.POSITIVE_INFINITY }],
    ['G1 is 0.8 and G2 is 0.8', { G1: 0.8, G2: 0.8 }],
    ['G1 is NaN', { G1: Number.NaN }],
    ['fluxes are -5', { FLUX_R: -5 }],
    ['fluxes are NaN', { FLUX_R: Number.NaN }],
  ])('is refused, with its row: %s', (message, wrong) => {
    expect(() => drawn(psf, sourcesOf([one, one, { ...one, ...wrong }]), small)).toThrowError(
      expect.objectContaining({
        code: 'catalog_values',
        place: { row: 2 },
        message: expect.stringContaining(message),
      }),
    );
  });

  it('of any shape anywhere is drawn the same in parts, and loses no light', () => {
    const random = new Random(deriveSeed('sources of any shape'));
    const many = sourcesOf(
      Array.from({ length: 60 }, () => {
        const g = random.uniform() ** 3;
        const angle = 2 * Math.PI * random.uniform();
        return {
          X: -30 + 190 * random.uniform(),
          Y: -30 + 190 * random.uniform(),
          HLR: 10 ** (-4 + 4.6 * random.uniform()),
          G1: 0.999 * g * Math.cos(angle),
          G2: 0.999 * g * Math.sin(angle),
          FLUX_R: 10 ** (1 + 4 * random.uniform()),
        };
      }),
    );
    const size = { width: 130, height: 130, bands: ['r'] as const };
    const whole = drawn(psf, many, size);
    expect(isSame(drawn(psf, many, size, parity, [3, 60, 1, 66]), whole)).toBe(true);
    expect((whole[0] as Float32Array).every(Number.isFinite)).toBe(true);
  });
});
