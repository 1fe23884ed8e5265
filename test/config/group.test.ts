import { describe, expect, expectTypeOf, it } from 'vitest';
import { checkedOptions, type Problem, parseOptions } from '../../src/config/options.js';
import { referencePage, stageText } from '../../src/config/reference.js';
import { pipelineSchema } from '../../src/config/schema.js';
import { field, type OptionsInput, type OptionsOf, stageSpec } from '../../src/config/spec.js';
import { lint, pipelineFile } from './workspace.js';

const psf = field.group(
  {
    fwhm: field.number({ default: 0.9, min: 0.1, max: 5, unit: 'arcsec', doc: 'Seeing.' }),
    beta: field.optional(field.number({ doc: 'Position angle.', unit: 'rad' })),
    wings: field.group(
      { kind: field.choice(['none', 'kolmogorov'], { default: 'none', doc: 'Shape.' }) },
      { doc: 'Far from the centre.' },
    ),
    shear: field.list(field.number({ doc: 'g.', max: 1 }), {
      default: [0, 0],
      min: 2,
      max: 2,
      doc: 'g1, g2.',
    }),
  },
  {
    doc: 'Point spread function.',
    check: ({ fwhm, beta }) =>
      beta !== undefined && fwhm > 4
        ? [{ path: 'beta', message: 'too wide to turn', hint: 'leave it out' }]
        : [],
  },
);
const spec = stageSpec('render', { takes: null, gives: 'Table' }, 'Draws.', {
  psf,
  noise: field.optional(
    field.group({ sigma: field.number({ default: 1, doc: 'Of a pixel.' }) }, { doc: 'Noise.' }),
  ),
  prior: field.oneOf(
    [
      field.path({ doc: 'A file.' }),
      field.group({ density: field.number({ default: 35, min: 0, doc: 'Per arcmin².' }) }, { doc: 'Drawn.' }),
    ],
    { default: {}, doc: 'Where sources come from.' },
  ),
});
const needy = stageSpec('read', { takes: null, gives: 'Table' }, 'Reads.', {
  catalog: field.group(
    {
      path: field.path({ doc: 'The file.', example: 'a.dat' }),
      rows: field.int({ default: 3, doc: 'Rows.' }),
    },
    { doc: 'What is read.' },
  ),
});

const problemsOf = (raw: unknown): readonly Problem[] => parseOptions(spec, raw).problems ?? [];
const messages = (raw: unknown): readonly string[] =>
  problemsOf(raw).map(
    ({ path, message, hint }) => `${path} | ${message}${hint === undefined ? '' : ` (${hint})`}`,
  );

describe('field.group', () => {
  it('fills in what is left out, at any depth, and freezes what the stage sees', () => {
    const options = checkedOptions(spec, { psf: { beta: 1 } });
    expect(options.psf).toEqual({ fwhm: 0.9, beta: 1, wings: { kind: 'none' }, shear: [0, 0] });
    expect(Object.isFrozen(options.psf)).toBe(true);
    expect(Object.isFrozen(options.psf.wings)).toBe(true);
    expect(checkedOptions(spec, {}).psf.wings.kind).toBe('none');
  });

  it('is undefined when it is optional and left out, whatever defaults it has inside', () => {
    expect(checkedOptions(spec, {}).noise).toBeUndefined();
    expect(checkedOptions(spec, { noise: {} }).noise).toEqual({ sigma: 1 });
  });

  it('infers what the stage sees and what may be written', () => {
    type Options = OptionsOf<typeof spec>;
    expectTypeOf<Options['psf']['fwhm']>().toEqualTypeOf<number>();
    expectTypeOf<Options['psf']['beta']>().toEqualTypeOf<number | undefined>();
    expectTypeOf<Options['psf']['wings']['kind']>().toEqualTypeOf<'none' | 'kolmogorov'>();
    expectTypeOf<Options['prior']>().toEqualTypeOf<string | { readonly density: number }>();
    expectTypeOf<{ psf: { fwhm: 1 } }>().toExtend<OptionsInput<typeof spec>>();
    expectTypeOf<{ psf: { fwhm: 'wide' } }>().not.toExtend<OptionsInput<typeof spec>>();
    expectTypeOf<object>().not.toExtend<OptionsInput<typeof needy>>();
    expectTypeOf<{ catalog: { path: 'x' } }>().toExtend<OptionsInput<typeof needy>>();
  });

  it('reports every problem inside, with its path', () => {
    expect(
      messages({ psf: { fwhn: 1, fwhm: 9, wings: { kind: 'kolmogorof', far: 1 }, shear: [0, 2] }, noise: 3 }),
    ).toEqual([
      'psf.fwhn | render.psf has no option "fwhn" (did you mean "fwhm"?)',
      'psf.fwhm | render.psf.fwhm should be a number from 0.1 to 5 (arcsec), but is 9',
      'psf.wings.far | render.psf.wings has no option "far" (known: kind)',
      'psf.wings.kind | render.psf.wings.kind should be one of none, kolmogorov, but is "kolmogorof" (text) (did you mean "kolmogorov"?)',
      'psf.shear.1 | render.psf.shear.1 should be a number of at most 1, but is 2',
      'noise | render.noise should be a map of sigma, but is 3',
    ]);
    expect(messages({ psf: null })).toEqual([
      'psf | render.psf should be a map of fwhm, beta, wings, shear, but is empty',
    ]);
    expect(messages({ psf: JSON.parse('{"__proto__": 1}') })).toEqual([
      'psf.__proto__ | render.psf has no option "__proto__" (known: fwhm, beta, wings, shear)',
    ]);
  });

  it('checks across its options once each is right', () => {
    expect(problemsOf({ psf: { fwhm: 4.5, beta: 1 } })).toEqual([
      {
        code: 'impossible_options',
        path: 'psf.beta',
        message: 'render.psf.beta: too wide to turn',
        hint: 'leave it out',
      },
    ]);
    expect(problemsOf({ psf: { fwhm: 6, beta: 1 } }).map(({ code }) => code)).toEqual(['wrong_value']);
  });

  it('asks for what must be written inside it', () => {
    const missing = [
      {
        code: 'missing_option',
        path: 'catalog.path',
        message: 'read.catalog.path is missing: the file',
        hint: 'write path: a.dat',
      },
    ];
    expect(parseOptions(needy, {}).problems).toEqual(missing);
    expect(parseOptions(needy, { catalog: { rows: 4 } }).problems).toEqual(missing);
  });

  it('stands beside a path: text is the path, a map is the group', () => {
    expect(checkedOptions(spec, { prior: 'a.dat' }).prior).toBe('a.dat');
    expect(checkedOptions(spec, {}).prior).toEqual({ density: 35 });
    expect(messages({ prior: { density: -1, rows: 2 } })).toEqual([
      'prior.rows | render.prior has no option "rows" (known: density)',
      'prior.density | render.prior.density should be a number of at least 0, but is -1',
    ]);
    expect(messages({ prior: 3 })).toEqual([
      'prior | render.prior should be a path, or a map of density, but is 3',
    ]);
  });
});

describe('nested options in a pipeline', () => {
  const specs = [spec, needy];
  const at = async (text: string, overrides: readonly string[] = []) => {
    const linted = await lint(text, overrides, [], specs);
    return { ...linted, messages: linted.messages.map((message) => message.replace(`${pipelineFile}:`, '')) };
  };

  it('are reported where they are written', async () => {
    const { messages } = await at(`stages:
  - render:
      psf:
        fwhn: 1
        wings: { kind: 3 }
      prior: { density: x }
`);
    expect(messages).toEqual([
      '4:9: render.psf has no option "fwhn" (did you mean "fwhm"?)',
      '5:24: render.psf.wings.kind should be one of none, kolmogorov, but is 3',
      '6:25: render.prior.density should be a number of at least 0, but is "x" (text)',
    ]);
    expect((await at('stages: [{ read: { catalog: { rows: 2 } } }]')).messages).toEqual([
      '1:29: read.catalog.path is missing: the file (write path: a.dat)',
    ]);
    expect((await at('stages: [{ read: { catalog: { path: ??? } } }]')).messages).toEqual([
      '1:37: read.catalog.path has no value (add read.catalog.path=… to the command)',
    ]);
  });

  it('can be overridden, written before or not', async () => {
    const { messages, stages } = await at('stages: [{ render: { psf: { fwhm: 1 } } }]', [
      'render.psf.fwhm=0.7',
      'render.psf.wings.kind=kolmogorov',
      'render.prior.density=20',
      'render.noise.sigma=2',
    ]);
    expect(messages).toEqual([]);
    expect(stages?.[0]?.options).toMatchObject({
      psf: { fwhm: 0.7, wings: { kind: 'kolmogorov' } },
      prior: { density: 20 },
      noise: { sigma: 2 },
    });
    expect((await at('stages: [render]', ['render.psf.fwhn=0.7', 'render.psf.fwhm=7'])).messages).toEqual([
      '<command line>: render.psf.fwhn=0.7: render.psf has no option "fwhn" (did you mean "fwhm"?)',
      '<command line>: render.psf.fwhm=7: render.psf.fwhm should be a number from 0.1 to 5 (arcsec), but is 7',
    ]);
  });

  it('take a number for the text it was written as, where text is asked for', async () => {
    const { stages } = await at('stages: [{ read: { catalog: { path: 007 } } }]');
    expect(stages?.[0]?.options).toMatchObject({ catalog: { path: '007' } });
    const other = await at('stages: [{ render: { prior: 2026 } }]');
    expect(other.stages?.[0]?.options).toMatchObject({ prior: '2026' });
  });

  it('are in the editor schema and on the reference page', () => {
    const schema = JSON.parse(JSON.stringify(pipelineSchema(specs))).$defs;
    expect(schema.stage_read.required).toEqual(['catalog']);
    expect(schema.stage_read.properties.catalog.anyOf[0]).toMatchObject({
      required: ['path'],
      additionalProperties: false,
      properties: { rows: { default: 3 } },
    });
    expect(schema.stage_render.properties.prior.anyOf[0].anyOf).toMatchObject([
      { type: 'string' },
      { properties: { density: { default: 35 } } },
    ]);
    const page = referencePage(specs);
    expect(page).toContain('| `psf` | group |  |  |  | Point spread function. |');
    expect(page).toContain('| `psf.fwhm` | number | arcsec | `0.9` | 0.1 to 5 | Seeing. |');
    expect(page).toContain('| `psf.wings.kind` | choice |  | `none` | none, kolmogorov | Shape. |');
    expect(page).toContain('| `prior` | path or group |  |  |  | Where sources come from. |');
    expect(page).toContain('| `prior.density` | number |');
    expect(stageText(spec)).toContain('  psf.wings.kind');
  });
});
