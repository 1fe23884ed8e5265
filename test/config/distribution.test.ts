import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Distribution } from '../../src/config/distribution.js';
import { checkedOptions, parseOptions } from '../../src/config/options.js';
import { referencePage } from '../../src/config/reference.js';
import { pipelineSchema } from '../../src/config/schema.js';
import { field, type OptionsOf, stageSpec } from '../../src/config/spec.js';

const spec = stageSpec('render', { takes: null, gives: 'Table' }, 'Draws.', {
  fwhm: field.distribution({
    default: { uniform: [0.6, 1.1] },
    min: 0.1,
    max: 5,
    unit: 'arcsec',
    doc: 'Seeing.',
  }),
  free: field.distribution({ default: 0, doc: 'Any number.' }),
  psf: field.optional(
    field.oneOf(
      [
        field.path({ doc: 'A file.' }),
        field.group(
          { e: field.distribution({ default: 0.02, min: 0, max: 1, doc: 'Ellipticity.' }) },
          { doc: 'Drawn.' },
        ),
      ],
      { doc: 'Fixed or drawn.' },
    ),
  ),
});

const messages = (raw: unknown): readonly string[] =>
  (parseOptions(spec, raw).problems ?? []).map(
    ({ path, message, hint }) => `${path} | ${message}${hint === undefined ? '' : ` (${hint})`}`,
  );

const expected =
  'a number from 0.1 to 5 (arcsec), or {uniform: [low, high]}, {normal: [mean, sigma]} or {bins: [edges], probabilities: [weights]}';

describe('field.distribution', () => {
  it.each<Distribution>([
    0.9,
    { uniform: [0.6, 0.6] },
    { normal: [0.9, 4] },
    { bins: [0.6, 0.7, 1.1], probabilities: [0, 3] },
  ])('lets the stage see %j as it was written', (fwhm) => {
    expect(checkedOptions(spec, { fwhm }).fwhm).toEqual(fwhm);
  });

  it('has a type that can be told apart', () => {
    expectTypeOf<OptionsOf<typeof spec>['fwhm']>().toEqualTypeOf<Distribution>();
    expect(checkedOptions(spec, {}).fwhm).toEqual({ uniform: [0.6, 1.1] });
    expect(() => field.distribution({ default: { uniform: [2, 1] }, doc: '' })).toThrow(TypeError);
  });

  it.each([
    [9, `fwhm | render.fwhm should be ${expected}, but is 9`],
    ['0.9', `fwhm | render.fwhm should be ${expected}, but is "0.9" (text) (write 0.9 without quotes)`],
    [{ unifrom: [1, 2] }, `fwhm | render.fwhm should be ${expected}, but is a map (did you mean "uniform"?)`],
    [{ uniform: [1, 2], seed: 1 }, 'fwhm.seed | render.fwhm has no option "seed" (known: uniform)'],
    [
      { uniform: [0, 1] },
      'fwhm.uniform.0 | render.fwhm.uniform.0 should be a number from 0.1 to 5 (arcsec), but is 0',
    ],
    [{ uniform: [2, 1] }, 'fwhm.uniform | render.fwhm.uniform: the lowest value 2 is above the highest, 1'],
    [
      { uniform: 1 },
      'fwhm.uniform | render.fwhm.uniform should be a list of 2 entries, each a number from 0.1 to 5 (arcsec), but is 1',
    ],
    [
      { normal: [6, 1] },
      'fwhm.normal.0 | render.fwhm.normal.0: the mean should be a number from 0.1 to 5 (arcsec), but is 6',
    ],
    [{ normal: [1, -1] }, 'fwhm.normal.1 | render.fwhm.normal.1: sigma should be at least 0, but is -1'],
    [
      { bins: [1, 2] },
      'fwhm.probabilities | render.fwhm.probabilities is missing: weight of each bin; their sum is taken as 1 (write probabilities: <a list of at least 1 entry, each a number of at least 0>)',
    ],
    [
      { bins: [1, 1], probabilities: [1] },
      'fwhm.bins.1 | render.fwhm.bins.1: edges should ascend, but 1 follows 1',
    ],
    [
      { bins: [1, 2, 3], probabilities: [1] },
      'fwhm.probabilities | render.fwhm.probabilities: 3 edges make 2 bins, but there are 1 probabilities',
    ],
    [
      { bins: [1, 2, 3], probabilities: [0, 0] },
      'fwhm.probabilities | render.fwhm.probabilities: at least one bin should have a probability above 0',
    ],
    [
      { bins: [1, 2, 3], probabilities: [1, -1] },
      'fwhm.probabilities.1 | render.fwhm.probabilities.1 should be a number of at least 0, but is -1',
    ],
    [
      { bins: [1, 9], probabilities: [1] },
      'fwhm.bins.1 | render.fwhm.bins.1 should be a number from 0.1 to 5 (arcsec), but is 9',
    ],
  ])('says what is wrong with %j', (fwhm, message) => {
    expect(messages({ fwhm })).toEqual([message]);
  });

  it('has no limits when none are given, and takes only finite numbers', () => {
    expect(messages({ free: { uniform: [-1e9, 1e9] } })).toEqual([]);
    expect(messages({ free: Number.POSITIVE_INFINITY })).toHaveLength(1);
    expect(messages({ free: { normal: [0, Number.NaN] } })).toHaveLength(1);
  });

  it('reports what is wrong inside a group that stands beside a path', () => {
    expect(checkedOptions(spec, { psf: 'psf.json' }).psf).toBe('psf.json');
    expect(messages({ psf: { e: { normal: [2, 1] } } })).toEqual([
      'psf.e.normal.0 | render.psf.e.normal.0: the mean should be a number from 0 to 1, but is 2',
    ]);
  });

  it('is one row of the reference page, and a choice of forms in the editor schema', () => {
    const page = referencePage([spec]);
    expect(page).toContain(
      '| `fwhm` | distribution | arcsec | `{ uniform: [0.6, 1.1] }` | 0.1 to 5 | Seeing. |',
    );
    expect(page).not.toContain('fwhm.uniform');
    const schema = JSON.parse(JSON.stringify(pipelineSchema([spec]))).$defs.stage_render.properties.fwhm;
    expect(schema.anyOf[0].anyOf.map(({ type }: { type: string }) => type)).toEqual([
      'number',
      'object',
      'object',
      'object',
    ]);
  });
});
