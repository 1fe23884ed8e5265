// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are what is tested
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { pipelineSchema } from '../../src/config/schema.js';
import { specs } from './workspace.js';

type Json = { readonly [key: string]: Json };

describe('pipelineSchema', () => {
  const schema = pipelineSchema(specs) as Json;
  const validator = z.fromJSONSchema(schema as never);
  const accepts = (pipeline: unknown): boolean => validator.safeParse(pipeline).success;
  const withTile = (options: unknown): boolean => accepts({ stages: [{ tile: options }] });

  it('is draft 2020-12 and plain JSON', () => {
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
    expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
  });

  it('carries meaning, unit, default and example of every option', () => {
    const optionsOf = (operator: string): Json | undefined => schema.$defs?.[`stage_${operator}`];
    expect(optionsOf('tile')?.properties).toMatchObject({
      size: { description: 'Side of a window. (px)', default: 2560 },
      credit_items: { default: 8 },
    });
    expect(optionsOf('read')?.properties).toMatchObject({ path: { examples: ['/data/tiles'] } });
    expect(optionsOf('read')?.required).toEqual(['path']);
    expect(optionsOf('tile')).not.toHaveProperty('required');
  });

  it('takes what the linter takes', () => {
    expect(
      accepts({
        name: 'p',
        defaults: [{ survey: 'des' }, '_self_', { machine: null }],
        memory: '3GiB',
        run: { dir: 'a' },
        stages: [
          { read: { path: '/x', bands: ['g', '${b}'] } },
          { tile: { size: 512, step: null, credit_bytes: '64MiB', name: 'coarse' } },
          { batch: { items: '${n}', period: '1h30m' } },
          { encode: '${encoder}' },
          { write: { dir: '${run.dir}/predictions' } },
          'aggregate',
          { aggregate: null },
        ],
      }),
    ).toBe(true);
  });

  it.each([
    ['an option nobody knows', { sise: 1 }],
    ['a wrong type', { size: 'big' }],
    ['a number out of bounds', { size: 0 }],
    ['a size without unit', { credit_bytes: '4G' }],
    ['a fraction for an integer', { size: 1.5 }],
  ])('refuses %s', (_what, options) => {
    expect(withTile({})).toBe(true);
    expect(withTile(options)).toBe(false);
  });

  it('refuses unknown operators, two operators in one stage, and a missing mandatory option', () => {
    expect(accepts({ stages: [{ tiel: {} }] })).toBe(false);
    expect(accepts({ stages: ['tiel'] })).toBe(false);
    expect(accepts({ stages: [{ tile: {}, batch: {} }] })).toBe(false);
    expect(accepts({ stages: [{ read: { bands: ['g'] } }] })).toBe(false);
    expect(accepts({ stages: [] })).toBe(false);
    expect(accepts({})).toBe(false);
  });
});
