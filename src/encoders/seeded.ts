/** Untrained encoders, built on the spot: `seeded:cluster-small?seed=7`. */
import { join } from 'node:path';
import { didYouMean } from '../config/nearest.js';
import { EngineError } from '../engine/errors.js';
import { type FamilyName, families, familyNames, type Plan, plans } from './families.js';
import { type BuiltFacts, isBuilt, writeEncoder } from './folder.js';
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
  const facts = factsOf(recipe);
  if (!(await isBuilt(folder, facts)))
    writeEncoder(folder, families[recipe.family].build(seededWeights(recipe.seed), recipe.plan).bytes, facts);
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

function factsOf({ family, seed, plan }: Recipe): BuiltFacts {
  const { description, version, memory } = families[family];
  return {
    name: family,
    description: `${description} Untrained: random weights.`,
    version,
    trained: false,
    provenance: { weights: 'random', seed, plan },
    memory: memory[plan],
  };
}
