/** Untrained encoders, built on the spot: `seeded:cluster-small?seed=7`. */
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { didYouMean } from '../config/nearest.js';
import { EngineError } from '../engine/errors.js';
import { partPath, writeWhole } from '../formats/durable.js';
import {
  cellSize,
  type FamilyName,
  families,
  familyBands,
  familyNames,
  type Plan,
  plans,
} from './families.js';
import type { Manifest } from './manifest.js';
import { seededWeights } from './network.js';

const PREFIX = 'seeded:';

export const isSeeded = (weights: string): boolean => weights.startsWith(PREFIX);

interface Recipe {
  readonly family: FamilyName;
  readonly seed: number;
  readonly plan: Plan;
}

/**
 * Builds an encoder folder under `buildDir`, or takes the one that is there when it is whole.
 *
 * @param weights `seeded:FAMILY?seed=N&plan=striped|whole`; the plan is for CPUs (striped) or accelerators (whole)
 * @returns the folder; its `encoder.onnx` has the same bytes on every machine
 * @throws EngineError `encoder_invalid` when there is no such family or option
 */
export async function buildSeeded(weights: string, buildDir: string): Promise<string> {
  const recipe = parseRecipe(weights);
  const folder = join(buildDir, `${recipe.family}-${recipe.seed}-${recipe.plan}`);
  if (await isWhole(folder, recipe)) return folder;
  const { bytes } = families[recipe.family].build(seededWeights(recipe.seed), recipe.plan);
  const manifest = manifestOf(recipe, createHash('sha256').update(bytes).digest('hex'));
  await mkdir(folder, { recursive: true });
  const files = { 'encoder.onnx': bytes, 'manifest.json': `${JSON.stringify(manifest, undefined, 2)}\n` };
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    // Several processes may build the same one at the same time.
    writeWhole(path, content, partPath(`${path}.${process.pid}`));
  }
  return folder;
}

function parseRecipe(weights: string): Recipe {
  const [family = '', query = ''] = weights.slice(PREFIX.length).split('?', 2);
  const options = new URLSearchParams(query);
  for (const key of options.keys()) choose(key, ['seed', 'plan'], 'option', weights);
  const seed = Number(options.get('seed') ?? '1');
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new EngineError('encoder_invalid', `the seed of ${weights} is not a whole number from 0 on`);
  }
  return {
    family: choose(family, familyNames, 'family of encoders', weights),
    seed,
    plan: choose(options.get('plan') ?? 'striped', plans, 'plan', weights),
  };
}

function choose<T extends string>(written: string, known: readonly T[], what: string, weights: string): T {
  const found = known.find((one) => one === written);
  if (found !== undefined) return found;
  const guess = didYouMean(written, known);
  throw new EngineError(
    'encoder_invalid',
    `${weights}: there is no ${what} "${written}"; there are ${known.join(', ')}`,
    {
      hint: guess ?? `write for example ${PREFIX}${familyNames[0]}?seed=1`,
    },
  );
}

function manifestOf({ family, seed, plan }: Recipe, sha256: string): Manifest {
  const { description, version, memory } = families[family];
  return {
    name: family,
    description: `${description} Untrained: random weights.`,
    version,
    trained: false,
    provenance: { weights: 'random', seed, plan },
    bands: [...familyBands],
    input: { name: 'image', layout: 'NCHW', window: { multiple_of: cellSize, min: cellSize, max: 16_384 } },
    tile_side: cellSize,
    output: { name: 'logits', kind: 'bernoulli-logits', map: true, labels: ['membership'] },
    stochastic: false,
    memory: memory[plan],
    sha256,
  };
}

/** Whether the folder holds what this recipe would build: written to the end, by the same version of the family. */
async function isWhole(folder: string, recipe: Recipe): Promise<boolean> {
  try {
    const [model, manifest] = await Promise.all(
      ['encoder.onnx', 'manifest.json'].map((file) => readFile(join(folder, file))),
    );
    const sha256 = createHash('sha256')
      .update(model as Buffer)
      .digest('hex');
    return JSON.stringify(JSON.parse(String(manifest))) === JSON.stringify(manifestOf(recipe, sha256));
  } catch {
    return false;
  }
}
