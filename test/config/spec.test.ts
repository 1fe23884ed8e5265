import { describe, expect, expectTypeOf, it } from 'vitest';
import { ConfigError, checkedOptions, type Problem, parseOptions } from '../../src/config/options.js';
import { field, type OptionsInput, type OptionsOf, stageSpec } from '../../src/config/spec.js';

const tileSpec = stageSpec(
  'tile',
  { takes: 'SkyImage', gives: 'Window' },
  'Cuts an image into windows.',
  {
    size: field.int({ min: 1, unit: 'px', doc: 'Side of a window.', example: 2560 }),
    step: field.optional(field.int({ min: 1, unit: 'px', doc: 'Distance between windows.' })),
    edge: field.choice(['align', 'drop'], { default: 'align', doc: 'What happens at the far edge.' }),
    max_masked: field.fraction({ default: 0.5, doc: 'Most masked pixels.' }),
    cache: field.bytes({ default: '64MiB', max: 2 ** 30, doc: 'Most bytes of decoded rows.' }),
    period: field.duration({ default: '2s', max: 60_000, doc: 'Longest wait.' }),
    bands: field.list(field.choice(['g', 'r', 'i', 'z'], { doc: 'A band.' }), {
      default: ['g', 'r'],
      min: 1,
      doc: 'Bands in order.',
    }),
    lazy: field.bool({ default: true, doc: 'Decode rows when they are asked for.' }),
    dir: field.path({ default: 'runs/a', doc: 'Output folder.' }),
    scale: field.number({ default: 1, doc: 'Factor.' }),
    rows: field.oneOf(
      [field.choice(['auto'], { doc: 'By memory.' }), field.int({ min: 1, doc: 'Exactly.', unit: 'rows' })],
      { default: 'auto', doc: 'Rows decoded at once.' },
    ),
  },
  {
    common: { credit_items: 8 },
    check: ({ size, step }) =>
      step !== undefined && step > size
        ? [{ path: 'step', message: 'tile.step leaves gaps', hint: `at most ${size}` }]
        : [],
  },
);

const problemsOf = (raw: unknown): readonly Problem[] => parseOptions(tileSpec, raw).problems ?? [];
const only = (raw: object): Problem => {
  const [problem, ...others] = problemsOf({ size: 4, ...raw });
  expect(others).toEqual([]);
  return problem as Problem;
};

describe('parseOptions', () => {
  it('fills defaults and converts units', () => {
    expect(
      parseOptions(tileSpec, { size: 2560, cache: '1.5 KiB', period: '1h30m'.replace('1h30', '0.5') })
        .options,
    ).toEqual({
      size: 2560,
      step: undefined,
      edge: 'align',
      max_masked: 0.5,
      cache: 1536,
      period: 30_000,
      bands: ['g', 'r'],
      lazy: true,
      dir: 'runs/a',
      scale: 1,
      rows: 'auto',
      name: undefined,
      credit_items: 8,
      credit_bytes: 256 * 2 ** 20,
      retries: 1,
    });
  });

  it('infers the options from the spec', () => {
    type Options = OptionsOf<typeof tileSpec>;
    expectTypeOf<Options['size']>().toEqualTypeOf<number>();
    expectTypeOf<Options['step']>().toEqualTypeOf<number | undefined>();
    expectTypeOf<Options['edge']>().toEqualTypeOf<'align' | 'drop'>();
    expectTypeOf<Options['bands']>().toEqualTypeOf<readonly ('g' | 'r' | 'i' | 'z')[]>();
    expectTypeOf<Options['rows']>().toEqualTypeOf<number | 'auto'>();
    expectTypeOf<Options['credit_items']>().toEqualTypeOf<number>();
    expectTypeOf<{ size: 1 }>().toExtend<OptionsInput<typeof tileSpec>>();
    expectTypeOf<{ step: 1 }>().not.toExtend<OptionsInput<typeof tileSpec>>();
    expectTypeOf<{ size: 1; cache: '1GiB'; edge: 'drop' }>().toExtend<OptionsInput<typeof tileSpec>>();
    expectTypeOf<{ size: 1; edge: 'mirror' }>().not.toExtend<OptionsInput<typeof tileSpec>>();
  });

  it('reports every problem at once', () => {
    const problems = problemsOf({ sise: 4, edge: 'alin', lazy: 'yes', max_masked: 2, bands: ['g', 'q', 7] });
    expect(problems).toEqual([
      {
        code: 'unknown_option',
        path: 'sise',
        message: 'tile has no option "sise"',
        hint: 'did you mean "size"?',
      },
      {
        code: 'missing_option',
        path: 'size',
        message: 'tile.size is missing: side of a window',
        hint: 'write size: 2560',
      },
      {
        code: 'wrong_value',
        path: 'edge',
        message: 'tile.edge should be one of align, drop, but is "alin" (text)',
        hint: 'did you mean "align"?',
      },
      {
        code: 'wrong_value',
        path: 'max_masked',
        message: 'tile.max_masked should be a fraction from 0 to 1, but is 2',
        hint: undefined,
      },
      {
        code: 'wrong_value',
        path: 'bands.1',
        message: 'tile.bands.1 should be one of g, r, i, z, but is "q" (text)',
        hint: 'known: g, r, i, z',
      },
      {
        code: 'wrong_value',
        path: 'bands.2',
        message: 'tile.bands.2 should be one of g, r, i, z, but is 7',
        hint: undefined,
      },
      {
        code: 'wrong_value',
        path: 'lazy',
        message: 'tile.lazy should be true or false, but is "yes" (text)',
        hint: 'write true',
      },
    ]);
  });

  it.each([
    [{ size: 0 }, 'tile.size should be a whole number of at least 1 (px), but is 0', 'for example 2560'],
    [{ size: 1.5 }, 'tile.size should be a whole number of at least 1 (px), but is 1.5', 'for example 2560'],
    [
      { size: '512' },
      'tile.size should be a whole number of at least 1 (px), but is "512" (text)',
      'write 512 without quotes',
    ],
    [{ scale: Number.NaN }, 'tile.scale should be a number, but is NaN', undefined],
    [{ scale: null }, 'tile.scale should be a number, but is empty', undefined],
    [
      { period: 2 },
      'tile.period should be a time such as 2s or 500ms, of at most 60000 ms, but is 2',
      'add its unit, as in 2s',
    ],
    [
      { period: '2h' },
      'tile.period should be a time such as 2s or 500ms, of at most 60000 ms, but is "2h" (text)',
      undefined,
    ],
    [
      { cache: '4G' },
      'tile.cache should be a size such as 256MiB, of at most 1073741824 bytes, but is "4G" (text)',
      undefined,
    ],
    [
      { cache: '2GiB' },
      'tile.cache should be a size such as 256MiB, of at most 1073741824 bytes, but is "2GiB" (text)',
      undefined,
    ],
    [
      { cache: -1 },
      'tile.cache should be a size such as 256MiB, of at most 1073741824 bytes, but is -1',
      undefined,
    ],
    [
      { bands: 'g' },
      'tile.bands should be a list of at least 1 entry, each one of g, r, i, z, but is "g" (text)',
      'write [g]',
    ],
    [
      { bands: [] },
      'tile.bands should be a list of at least 1 entry, each one of g, r, i, z, but is a list of 0',
      undefined,
    ],
    [{ dir: '' }, 'tile.dir should be a path, but is empty text', undefined],
    [{ dir: { a: 1 } }, 'tile.dir should be a path, but is a map', undefined],
    [{ rows: 0 }, 'tile.rows should be "auto", or a whole number of at least 1 (rows), but is 0', undefined],
    [
      { credit_items: 0 },
      'tile.credit_items should be a whole number of at least 1 (items), but is 0',
      undefined,
    ],
    [{ name: 3 }, 'tile.name should be a word of letters, digits, - and _, but is 3', undefined],
  ])('says what %j should be', (raw, message, hint) => {
    expect(only(raw)).toMatchObject({ code: 'wrong_value', message, hint });
  });

  it('suggests the words of an alternative only when one is near', () => {
    expect(only({ rows: 'atuo' }).hint).toBe('did you mean "auto"?');
    expect(only({ rows: 'many' }).hint).toBeUndefined();
  });

  it('takes an empty optional option as absent', () => {
    expect(parseOptions(tileSpec, { size: 4, step: null }).options).toMatchObject({ step: undefined });
  });

  it('checks across options once each is right', () => {
    expect(only({ step: 5 })).toEqual({
      code: 'impossible_options',
      path: 'step',
      message: 'tile.step leaves gaps',
      hint: 'at most 4',
    });
    expect(problemsOf({ size: 'x', step: 5 }).map(({ code }) => code)).toEqual(['wrong_value']);
  });

  it('refuses options that are no map', () => {
    expect(problemsOf([1])).toMatchObject([
      { path: '', message: 'the options of tile should be a map, but are a list of 1' },
    ]);
    expect(problemsOf('big')).toHaveLength(1);
  });

  it('does not take inherited names for options', () => {
    expect(
      problemsOf(JSON.parse('{"size": 4, "__proto__": 1, "constructor": 2}')).map(({ path }) => path),
    ).toEqual(['__proto__', 'constructor']);
  });

  it('lets a bare zero be a duration', () => {
    expect(parseOptions(tileSpec, { size: 4, period: 0 }).options).toMatchObject({ period: 0 });
  });
});

describe('stageSpec', () => {
  it('refuses an option that every stage has, and a default outside its bounds', () => {
    const flow = { takes: null, gives: null } as const;
    expect(() => stageSpec('x', flow, '', { retries: field.int({ doc: '' }) })).toThrow('x.retries');
    expect(() => stageSpec('x', flow, '', {}, { common: { credit_items: 0 } })).toThrow(TypeError);
    expect(() => field.int({ default: 0, min: 1, doc: '' })).toThrow(
      'default 0 is not a whole number of at least 1',
    );
  });

  it('normalises what it takes', () => {
    expect(tileSpec.takes).toEqual(['SkyImage']);
    expect(stageSpec('x', { takes: ['Window', 'Cutout'], gives: 'Batch' }, '', {}).takes).toEqual([
      'Window',
      'Cutout',
    ]);
  });
});

describe('checkedOptions', () => {
  it('throws one error that lists every problem', () => {
    expect(checkedOptions(tileSpec, { size: 4 }).size).toBe(4);
    let thrown: unknown;
    try {
      checkedOptions(tileSpec, { size: 0, max_masked: 3 });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ConfigError);
    expect(thrown).toMatchObject({
      code: 'config_invalid',
      problems: [{ path: 'size' }, { path: 'max_masked' }],
    });
  });
});
