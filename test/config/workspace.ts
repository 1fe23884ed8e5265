import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach } from 'vitest';
import { formatLint, lintPipeline, type StagesCheck } from '../../src/config/lint.js';
import { type Loaded, loadPipeline } from '../../src/config/load.js';
import { field, type StageSpec, stageSpec } from '../../src/config/spec.js';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A folder with these files, removed after the test. */
export function workspace(files: Readonly<Record<string, string | Uint8Array>>): string {
  const root = mkdtempSync(join(tmpdir(), 'config-'));
  folders.push(root);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}

export const pipelineFile = 'conf/pipelines/p.yaml';

/** Loads `p.yaml` (or the files given), with messages that name files relative to the folder. */
export async function load(
  files: string | Uint8Array | Readonly<Record<string, string | Uint8Array>>,
  overrides: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Loaded & { readonly messages: readonly string[] }> {
  const isOne = typeof files === 'string' || files instanceof Uint8Array;
  const root = workspace(isOne ? { [pipelineFile]: files } : files);
  const loaded = await loadPipeline(join(root, pipelineFile), {
    overrides,
    env,
    confRoots: [join(root, 'package/conf')],
  });
  return { ...loaded, messages: loaded.lints.map(formatLint).map((text) => text.replaceAll(`${root}/`, '')) };
}

/** Loads and lints; messages as above. */
export async function lint(
  files: Parameters<typeof load>[0],
  overrides: readonly string[] = [],
  checks: readonly StagesCheck[] = [],
  stages: readonly StageSpec[] = specs,
) {
  const loaded = await load(files, overrides);
  const linted = lintPipeline(loaded, registryOf(stages), checks);
  const root = dirname(dirname(dirname(loaded.files[0] ?? '')));
  return { ...linted, messages: linted.lints.map((each) => formatLint(each).replaceAll(`${root}/`, '')) };
}

export const registryOf = (stages: readonly StageSpec[]): ReadonlyMap<string, StageSpec> =>
  new Map(stages.map((spec) => [spec.operator, spec]));

const band = field.choice(['g', 'r', 'i', 'z'], { doc: 'A band.' });

/** Stand-ins for the stages of a survey pass. */
export const specs: readonly StageSpec[] = [
  stageSpec('read', { takes: null, gives: 'SkyImage' }, 'Reads tiles.', {
    path: field.path({ doc: 'Folder of tiles.', example: '/data/tiles' }),
    bands: field.list(band, { default: ['g', 'r'], min: 1, doc: 'Bands in order.' }),
  }),
  stageSpec(
    'tile',
    { takes: 'SkyImage', gives: 'Window' },
    'Cuts windows.',
    {
      size: field.int({ default: 2560, min: 1, unit: 'px', doc: 'Side of a window.' }),
      step: field.optional(field.int({ min: 1, unit: 'px', doc: 'Distance | between windows.' })),
    },
    {
      common: { credit_items: 8 },
      check: ({ size, step }) =>
        step !== undefined && step > size ? [{ path: 'step', message: 'tile.step leaves gaps' }] : [],
    },
  ),
  stageSpec('batch', { takes: ['Window', 'Cutout'], gives: 'Batch' }, 'Stacks windows.', {
    items: field.int({ default: 1, min: 1, doc: 'Rows.' }),
    period: field.duration({ default: '2s', doc: 'Longest wait.' }),
  }),
  stageSpec('encode', { takes: 'Batch', gives: 'Prediction' }, 'Runs the encoder.', {
    weights: field.path({ doc: 'Folder of the encoder.' }),
    device: field.oneOf(
      [field.choice(['auto'], { doc: '' }), field.list(field.string({ doc: '' }), { doc: '' })],
      {
        default: 'auto',
        doc: 'Where it runs.',
      },
    ),
  }),
  stageSpec('write', { takes: 'Prediction', gives: 'Shard' }, 'Writes shards.', {
    dir: field.path({ doc: 'Folder of shards.' }),
  }),
  stageSpec('aggregate', { takes: 'Shard', gives: 'Table' }, 'Groups shards.', {}),
];
