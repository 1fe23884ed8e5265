/** `render` in a run: the images it makes, that they are the same however they are made, and what it refuses. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkedOptions } from '../../src/config/options.js';
import type { OptionsInput } from '../../src/config/spec.js';
import { render, renderSpec } from '../../src/operators/render.js';
import type { Catalog, SkyImage } from '../../src/operators/support/nouns.js';
import { emptySources } from '../../src/science/catalog.js';
import { deriveSeed, Random } from '../../src/science/random.js';
import { sigmaOfDepth } from '../../src/science/render/noise.js';
import { difference, fieldSources, floats, json } from '../science/render/fixtures.js';
import { catalog, catalogFacts, fieldName } from '../support/fields.js';
import { testRun } from '../support/run.js';
import { Progress, produced } from '../support/stages.js';
import { takeAll } from '../support/take-all.js';

type Options = OptionsInput<typeof renderSpec>;

interface Drawn {
  readonly image: SkyImage;
  /** A copy, made before the image was closed. */
  readonly bands: readonly Float32Array[];
}

const psfFile = join(import.meta.dirname, '../fixtures/galsim/field.json');
const quiet = { noise: { preset: 'none' } } as const;

/** Draws these fields in a run of its own. */
async function draw(fields: readonly Catalog[], options: Options, memoryBytes = 256 << 20) {
  await using own = await testRun({ memoryBytes });
  const { run } = own;
  const side = Math.max(...fields.map(({ width }) => width));
  const stream = produced<Catalog>(run, new Progress(), {
    name: 'feed',
    count: fields.length,
    bytes: 100,
    facts: catalogFacts(fields.length, side),
    itemsOf: (i) => [(fields[i] as Catalog).id],
    value: (i) => fields[i] as Catalog,
  }).pipe(render(options, run));
  const { taken, summary } = await takeAll(run, stream, (image: SkyImage): Drawn => {
    if (image.pixels.kind !== 'memory') throw new TypeError('it is drawn in memory');
    const bands = image.pixels.pixels.map((band) => new Float32Array(band).slice());
    return { image, bands };
  });
  expect(run.memory.inUse).toBe(0);
  const causeOf = (index: number) => run.ledger.causeOf((fields[index] as Catalog).id);
  return {
    drawn: taken.toSorted((a, b) => (a.image.id < b.image.id ? -1 : 1)),
    order: taken.map(({ image }) => image.id),
    summary,
    causeOf,
  };
}

const withSources = (index: number, side: number, sources: Catalog['sources']): Catalog => ({
  ...catalog(index, side),
  sources,
  seed: deriveSeed('render.test', index),
});
const empty = (index: number, side: number): Catalog => withSources(index, side, emptySources(0));

const variance = (pixels: Float32Array): number =>
  pixels.reduce((sum, value) => sum + value * value, 0) / pixels.length;

function correlation(a: Float32Array, b: Float32Array): number {
  const product = a.reduce((sum, value, i) => sum + value * (b[i] as number), 0) / a.length;
  return product / Math.sqrt(variance(a) * variance(b));
}

describe('images', () => {
  it('are what GalSim draws of the same catalogue with the same PSF', async () => {
    const side = 256;
    const field = withSources(0, side, fieldSources());
    const { drawn, summary } = await draw([field], { psf: psfFile, ...quiet });
    expect(summary.end).toBe('complete');
    const [{ image, bands }] = drawn as [Drawn];
    const reference = floats('field_griz.f32');
    for (const [band, pixels] of bands.entries())
      expect(
        difference(pixels, reference.subarray(band * side * side, (band + 1) * side * side)),
      ).toBeLessThan(2e-6);
    expect(image).toMatchObject({
      id: field.id,
      bands: ['g', 'r', 'i', 'z'],
      width: side,
      height: side,
      wcs: field.wcs,
      areaSquareDegrees: field.areaSquareDegrees,
      truth: field,
    });
  });

  it('are the same whatever the threads, the order of the fields and the memory', async () => {
    const fields = [0, 1, 2, 3].map((index) => withSources(index, 256, fieldSources()));
    const [one, two, tight] = [
      await draw(fields, { threads: 1 }),
      await draw(fields.toReversed(), { threads: 2 }),
      await draw(fields, { threads: 2 }, 18 << 20),
    ];
    expect(one.drawn).toHaveLength(4);
    for (const other of [two, tight])
      for (const [i, { bands }] of other.drawn.entries())
        for (const [band, pixels] of bands.entries())
          expect(
            Buffer.compare(
              Buffer.from(pixels.buffer),
              Buffer.from((one.drawn[i] as Drawn).bands[band]?.buffer as ArrayBuffer),
            ),
          ).toBe(0);
  });

  it('come in the order of their catalogues, however long each takes to draw', async () => {
    const fields = [0, 1, 2, 3, 4, 5].map((index) =>
      index % 3 === 0 ? withSources(index, 256, fieldSources()) : empty(index, 256),
    );
    const { order } = await draw(fields, { threads: 3 });
    expect(order).toEqual(fields.map(({ id }) => id));
  });

  it('taller than what a thread draws at once have no seam', async () => {
    const random = new Random(deriveSeed('seam'));
    const sources = emptySources(300);
    for (let row = 0; row < 300; row++) {
      sources.columns.X[row] = 80 * random.uniform();
      sources.columns.Y[row] = 2500 + 120 * random.uniform();
      sources.columns.HLR[row] = 0.8;
      sources.columns.FLUX_R[row] = 1000;
    }
    const tall = { ...withSources(0, 80, sources), height: 2700 };
    const moved = emptySources(300);
    for (const name of ['X', 'HLR', 'FLUX_R'] as const) moved.columns[name].set(sources.columns[name]);
    // A multiple of the swaths in which sources are drawn.
    moved.columns.Y.set(sources.columns.Y.map((y) => y - 2432));
    const low = { ...withSources(1, 80, moved), height: 268 };
    const { drawn } = await draw([tall, low], { bands: ['r'], psf: psfFile, ...quiet, threads: 2 });
    const [whole, part] = drawn.map(({ bands }) => bands[0] as Float32Array) as [Float32Array, Float32Array];
    expect(difference(whole.subarray(2432 * 80), part)).toBeLessThan(1e-6);
  });

  it('of a field without sources are dark, and use again what others left', async () => {
    const { drawn } = await draw([withSources(0, 256, fieldSources()), empty(1, 256)], {
      threads: 1,
      ...quiet,
    });
    expect((drawn[0] as Drawn).bands[0]?.some((value) => value > 1)).toBe(true);
    expect((drawn[1] as Drawn).bands.every((pixels) => pixels.every((value) => value === 0))).toBe(true);
  });
});

describe('the PSF', () => {
  it('is drawn from the seed of the field', async () => {
    const field = withSources(0, 256, fieldSources());
    const { drawn } = await draw(
      [field, { ...field, id: fieldName(1) }, { ...field, id: fieldName(2), seed: deriveSeed('other') }],
      { bands: ['r'], ...quiet },
    );
    const [a, b, c] = drawn.map(({ bands }) => bands[0] as Float32Array) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    expect(difference(b, a)).toBe(0);
    expect(difference(c, a)).toBeGreaterThan(1e-3);
  });

  it('can be given value by value', async () => {
    const { psf } = json('field.json');
    const { beta, ...kolmogorov } = psf.kolmogorov;
    const field = withSources(0, 256, fieldSources());
    const { drawn } = await draw([field], {
      bands: ['g'],
      psf: { ...kolmogorov, beta, ...psf.optical },
      ...quiet,
    });
    const reference = floats('field_griz.f32').subarray(0, 256 * 256);
    expect(difference((drawn[0] as Drawn).bands[0] as Float32Array, reference)).toBeLessThan(2e-6);
  });

  it.each([
    ['is not there', join(import.meta.dirname, 'nowhere.json'), 'ENOENT'],
    ['is not JSON', join(import.meta.dirname, '../fixtures/galsim/README.md'), 'JSON'],
    ['is no PSF', join(import.meta.dirname, '../fixtures/galsim/psf.json'), 'expected kolmogorov or optical'],
  ])('ends the run before it starts when its file %s', async (_what, psf, message) => {
    const { summary } = await draw([empty(0, 64)], { psf });
    expect(summary).toMatchObject({
      end: 'failed',
      error: { code: 'config_invalid', message: expect.stringContaining(message), place: { file: psf } },
    });
  });
});

describe('noise', () => {
  const side = 512;
  const n = side * side;

  it('has the variance of the preset, and is independent from band to band', async () => {
    const { drawn } = await draw([empty(0, side)], { noise: { variance: 0.004 } });
    const [g, r] = (drawn[0] as Drawn).bands as [Float32Array, Float32Array];
    for (const pixels of [g, r])
      expect(Math.abs(variance(pixels) / 0.004 - 1)).toBeLessThan(3 * Math.sqrt(2 / n));
    expect(Math.abs(correlation(g, r))).toBeLessThan(4 / Math.sqrt(n));
  });

  it('is drawn once for all bands when it is that of BLISS', async () => {
    const { drawn } = await draw([empty(0, side), empty(1, side)], { noise: { shared: true } });
    const [first, second] = drawn.map(({ bands }) => bands) as [Float32Array[], Float32Array[]];
    expect(first[3]).toEqual(first[0]);
    for (const [g] of [first, second] as [Float32Array][]) {
      expect(variance(g)).toBeGreaterThan(0.00195);
      expect(variance(g)).toBeLessThan(0.00605);
    }
    expect(
      Math.abs(variance(first[0] as Float32Array) / variance(second[0] as Float32Array) - 1),
    ).toBeGreaterThan(0.02);
  });

  it('is as deep as the survey, or as asked for', async () => {
    const { drawn } = await draw([empty(0, side)], { noise: { preset: 'des' } });
    const [g, , , z] = (drawn[0] as Drawn).bands as Float32Array[];
    expect(Math.sqrt(variance(g as Float32Array)) / sigmaOfDepth(24.7)).toBeCloseTo(1, 2);
    expect(Math.sqrt(variance(z as Float32Array)) / sigmaOfDepth(23.1)).toBeCloseTo(1, 2);
    const asked = await draw([empty(0, side)], {
      bands: ['z', 'i'],
      noise: { preset: 'des', depth: [25, 22] },
    });
    const [deep, shallow] = (asked.drawn[0] as Drawn).bands as [Float32Array, Float32Array];
    expect(variance(shallow) / variance(deep)).toBeCloseTo(10 ** (0.8 * 3), -1);
  });
});

it('sets a field aside whose sources cannot be drawn, and goes on', async () => {
  const wrong = fieldSources();
  wrong.columns.HLR[7] = Number.NaN;
  const { drawn, summary, causeOf } = await draw(
    [withSources(0, 256, fieldSources()), withSources(1, 256, wrong), withSources(2, 256, fieldSources())],
    { bands: ['r'] },
  );
  expect(drawn.map(({ image }) => image.id)).toEqual([fieldName(0), fieldName(2)]);
  expect(summary).toMatchObject({ end: 'incomplete', items: { unprocessable: 1 } });
  expect(causeOf(1)).toMatchObject({
    code: 'catalog_values',
    stage: 'render',
    message: expect.stringContaining('row 7: HLR is NaN'),
  });
});

describe('options', () => {
  it.each([
    ['g is asked for twice', { bands: ['g', 'g'] }],
    ['there are 1 depths for 4 bands', { noise: { preset: 'des', depth: [24] } }],
  ] as const)('are refused together: %s', (message, options) => {
    expect(() => checkedOptions(renderSpec, options)).toThrowError(
      expect.objectContaining({ message: expect.stringContaining(message) }),
    );
  });

  it('that say how the PSF is drawn are the case study’s when left out', () => {
    expect(checkedOptions(renderSpec, {}).psf).toMatchObject({
      fwhm: { bins: [0.6, 0.7, 0.8, 0.9, 1, 1.1], probabilities: [0.05, 0.15, 0.3, 0.35, 0.15] },
      spher: { normal: [0, 0.03] },
    });
  });
});
