// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are what is tested
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { formatLint, lintPipeline } from '../../src/config/lint.js';
import { loadPipeline } from '../../src/config/load.js';
import { parseOptions } from '../../src/config/options.js';
import { pipelineFile, registryOf, specs, workspace } from './workspace.js';

const registry = registryOf(specs);

/** A place to write many pipelines, one after the other. */
function scratch() {
  const root = workspace({ 'conf/survey/des.yaml': 'path: /data\n' });
  mkdirSync(join(root, 'conf/pipelines'), { recursive: true });
  return async (text: string | Uint8Array, overrides: readonly string[] = [], env = {}) => {
    writeFileSync(join(root, pipelineFile), text);
    const loaded = await loadPipeline(join(root, pipelineFile), { overrides, env });
    return { loaded, linted: lintPipeline(loaded, registry) };
  };
}

const key = fc
  .stringMatching(/^[a-z][a-z0-9_]{0,6}$/)
  .filter((word) => !['stages', 'defaults', 'name', 'memory'].includes(word));
const leaf = fc.oneof(
  fc.integer(),
  fc.boolean(),
  fc.string({ maxLength: 12 }),
  fc.constant(null),
  fc.double({ noNaN: true }),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(key, tie('any'), { maxKeys: 3 }),
  ),
})).any;
const flow = (written: unknown): string => JSON.stringify(written).replaceAll('${', '\\\\${');

describe('whatever is written', () => {
  it('random text never throws, and every lint has a place', async () => {
    const check = scratch();
    const words = [
      'stages',
      ':',
      ' ',
      '\n',
      '  ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      ',',
      '${',
      '}',
      'a',
      'tile',
      '&a',
      '*a',
      '"',
      "'",
      '#',
      '???',
      '|',
      '>',
      '!',
      '\t',
      'defaults',
      'survey: des',
      '~',
      '1',
      'é',
      '\u2028',
      '\r',
      '%',
      '@',
      '<<',
      '? ',
    ];
    const soup = fc.array(fc.constantFrom(...words), { maxLength: 30 }).map((parts) => parts.join(''));
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(soup, fc.string({ unit: 'binary' })),
        fc.array(soup, { maxLength: 2 }),
        async (text, overrides) => {
          const { loaded, linted } = await check(text, overrides);
          expect(loaded.files[0]).toContain('p.yaml');
          for (const lint of linted.lints) {
            expect(formatLint(lint)).toMatch(/^(?:<command line>: |.*p\.yaml|.*des\.yaml)/s);
            expect(lint.line >= 1 ? lint.column >= 1 : lint.column === 0).toBe(true);
          }
          expect(linted.stages === undefined).toBe(linted.lints.some(({ level }) => level === 'error'));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('random bytes never throw', async () => {
    const check = scratch();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
        const { linted } = await check(bytes);
        expect(linted.lints.length).toBeGreaterThan(0);
      }),
      { numRuns: 100 },
    );
  });

  it('random trees in place of stages and options never throw, and are never taken for right unless they are', async () => {
    const check = scratch();
    const options = fc.dictionary(
      fc.constantFrom('size', 'step', 'name', 'credit_items', 'credit_bytes', 'retries', 'x'),
      value,
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(value, fc.record({ tile: options })), { maxLength: 3 }),
        async (stages) => {
          const { linted } = await check(stringify({ stages }));
          for (const stage of linted.stages ?? []) expect(stage.options).toBeDefined();
          expect(linted.lints.length).toBeGreaterThan(0);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('random values as options never throw in the parser', () => {
    fc.assert(
      fc.property(fc.constantFrom(...specs), fc.anything(), (spec, raw) => {
        const { options, problems } = parseOptions(spec, raw);
        expect((options === undefined) !== (problems === undefined)).toBe(true);
      }),
    );
  });
});

describe('an override', () => {
  it('puts exactly its value at exactly its key, and changes nothing else', async () => {
    const check = scratch();
    const tree = fc.dictionary(key, fc.dictionary(key, value, { minKeys: 1, maxKeys: 3 }), {
      minKeys: 1,
      maxKeys: 3,
    });
    await fc.assert(
      fc.asyncProperty(tree, value, fc.nat(), fc.nat(), async (config, written, i, j) => {
        const outer = Object.keys(config)[i % Object.keys(config).length] ?? '';
        const inner = Object.keys(config[outer] ?? {})[j % Object.keys(config[outer] ?? {}).length] ?? '';
        const escaped = flow({ ...config, stages: ['aggregate'] });
        const plain = await check(escaped, [`${outer}.${inner}=${flow(written)}`]);
        const expected = {
          ...config,
          [outer]: { ...config[outer], [inner]: written },
          stages: [{ aggregate: {} }],
        };
        expect(
          plain.loaded.lints.filter(({ code }) => !['missing_value', 'unknown_key'].includes(code)),
        ).toEqual([]);
        expect(JSON.parse(JSON.stringify(plain.loaded.pipeline?.values))).toEqual(
          JSON.parse(JSON.stringify(expected)),
        );
      }),
      { numRuns: 150 },
    );
  });

  it('that adds a key is undone by removing it', async () => {
    const check = scratch();
    await fc.assert(
      fc.asyncProperty(key, key, value, async (outer, inner, written) => {
        const text = `other_${outer}: {}\nstages: [aggregate]`;
        const before = await check(text);
        const after = await check(text, [
          `+other_${outer}.${inner}=${flow(written)}`,
          `~other_${outer}.${inner}`,
        ]);
        expect(after.loaded.pipeline?.values).toEqual(before.loaded.pipeline?.values);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a reference', () => {
  it('gives what it refers to, unchanged, wherever it stands', async () => {
    const check = scratch();
    await fc.assert(
      fc.asyncProperty(value, async (written) => {
        const text = `source: ${flow(written)}\ncopies: [\${source}, { x: "\${source}" }]\nstages: [aggregate]`;
        const { values } = (await check(text)).loaded.pipeline ?? {};
        expect(values?.copies).toEqual([values?.source, { x: values?.source }]);
      }),
      { numRuns: 100 },
    );
  });

  it('to the environment gives text as text', async () => {
    const check = scratch();
    const words = fc
      .string({ maxLength: 20 })
      .filter(
        (text) =>
          !/^[\s\d.+\-[{"'~]|^(true|false|null|TRUE|FALSE|NULL|True|False|Null)$/.test(text) &&
          text.trim() === text,
      );
    await fc.assert(
      fc.asyncProperty(words, async (text) => {
        const { values } =
          (await check('a: ${env:X}\nstages: [aggregate]', [], { X: text })).loaded.pipeline ?? {};
        expect(values?.a).toBe(text);
      }),
      { numRuns: 100 },
    );
  });
});
