/** Encoders from checkpoints: the weights of a `.ckpt` are placed into the graph of the family they fit. */
import { basename, join } from 'node:path';
import { EngineError } from '../../engine/errors.js';
import { type Plan, plans } from '../families.js';
import { type BuiltFacts, isBuilt, writeEncoder } from '../folder.js';
import { invalid } from '../model-check.js';
import { type Comparison, listing } from './compare.js';
import { type Checkpoint, openCheckpoint } from './foreign.js';
import { type Layout, nearestLayout, place } from './layouts.js';

const CHECKPOINT = /^(.*\.(?:ckpt|pt|pth))(?:\?plan=(.*))?$/;

export const isCheckpoint = (weights: string): boolean => CHECKPOINT.test(weights);

/**
 * Builds the encoder folder of a checkpoint under `buildDir`, or takes the one that is there when it is whole. Every name
 * and shape is checked.
 *
 * @param weights `X.ckpt`, `X.pt` or `X.pth`, after it `?plan=whole` for accelerators; the default plan is for CPUs
 * @throws EngineError `encoder_mismatch` when it is of another architecture, with every missing, extra and mis-shaped
 *   tensor; `encoder_invalid` when it is no whole checkpoint, or holds NaN
 */
export async function buildFromCheckpoint(weights: string, buildDir: string): Promise<string> {
  const [, path = '', written = 'striped'] = CHECKPOINT.exec(weights) ?? [];
  const plan = plans.find((one) => one === written);
  if (plan === undefined) throw invalid(path, `there is no plan "${written}"; there are ${plans.join(', ')}`);
  await using checkpoint = await openCheckpoint(path);
  const { tensors, sources } = place(checkpoint.tensors);
  const { layout, comparison } = nearestLayout(tensors);
  if (comparison.faults.length > 0) throw otherArchitecture(path, layout, comparison, sources);
  const folder = join(buildDir, `${layout.name}-${checkpoint.sha256.slice(0, 16)}-${plan}`);
  const facts = factsOf(checkpoint, layout, plan);
  if (await isBuilt(folder, facts)) return folder;

  const sourceOf = (name: string): string => sources.get(name) as string;
  const names = layout.wanted.map(({ name }) => sourceOf(name));
  const values = await checkpoint.read(names);
  const model = layout.build((name) => values.get(sourceOf(name)) as Float32Array, plan);
  writeEncoder(folder, model.bytes, facts);
  return folder;
}

function factsOf({ path, sha256, facts }: Checkpoint, layout: Layout, plan: Plan): BuiltFacts {
  const { name, description, version, memory } = layout;
  return {
    name,
    description: `${description} Weights of ${basename(path)}.`,
    version,
    trained: true,
    provenance: { weights: 'checkpoint', file: basename(path), sha256, plan, ...facts },
    memory: memory[plan],
  };
}

function otherArchitecture(
  file: string,
  { name }: Layout,
  { faults, fitting, wanted }: Comparison,
  sources: ReadonlyMap<string, string>,
): EngineError {
  const count = (of: string): number => faults.filter(({ kind }) => kind === of).length;
  const summary =
    `${fitting} of the ${wanted} tensors of ${name} fit, ` +
    `${count('missing')} missing, ${count('mis-shaped')} mis-shaped, ${count('extra')} extra`;
  // Names as they stand in the file, of those that are there.
  const named = faults.map((fault) => ({ ...fault, name: sources.get(fault.name) ?? fault.name }));
  return new EngineError(
    'encoder_mismatch',
    `the checkpoint is of another architecture; it comes nearest to ${name}: ${summary}\n${listing(named)}`,
    {
      place: { file },
      hint: 'docs/encoders.md says which networks, and which heads, can be placed; export any other model as .onnx',
    },
  );
}
