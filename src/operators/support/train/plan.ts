/** What a training comes to, from its options and from what the stage before says. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { canonicalJson } from '../../../config/canonical.js';
import type { OptionsOf, StageSpec } from '../../../config/spec.js';
import { obstacle } from '../../../encoders/devices.js';
import { families, familyBands } from '../../../encoders/families.js';
import type { Architecture } from '../../../encoders/layers.js';
import { asEngineError, EngineError } from '../../../engine/errors.js';
import type { BatchFacts } from '../facts.js';
import { parallelism } from '../parallel.js';
import type { AugmentRules } from './augment.js';
import type { Sizes } from './needs.js';
import { noiseKinds, type trainFields } from './options.js';
import { type EpochSizes, stepsOf } from './schedule.js';
import { type Splits, sizeOf, splitItems } from './splits.js';
import { keptItems } from './window-cache.js';

export type TrainOptions = OptionsOf<StageSpec<typeof trainFields>>;

export interface TrainPlan extends Sizes {
  readonly options: TrainOptions;
  readonly bands: readonly string[];
  /** Side of a window, pixels. */
  readonly size: number;
  /** Names of the items, in their order. */
  readonly names: readonly string[];
  readonly splits: Splits;
  readonly rules: AugmentRules;
  readonly noiseNames: readonly string[];
  /** Items whose windows are kept. */
  readonly kept: ReadonlySet<string>;
  readonly cacheDir: string;
  readonly epochSizes: EpochSizes;
  /** Of the whole training, if no window has to be set aside. */
  readonly steps: number;
}

/**
 * @throws EngineError `encoder_mismatch` `truth_missing` `splits_invalid` `config_invalid`
 *   `no_input`, with the problem of the first image, when none can be read
 */
export function planTraining(options: TrainOptions, facts: BatchFacts): TrainPlan {
  const { architecture } = families[options.family];
  refuseOnlyProblems(facts);
  checkFit(options.family, architecture, facts);
  if (!facts.hasTruth) throw new EngineError('truth_missing', 'nobody knows what is in any of these images');
  const { rows, size, perImage } = facts;
  const names = facts.announced.map(({ name }) => name);
  const splits = splitItems(options.splits, names.length);
  const kinds = noiseKinds(options.augment.noise);
  const shape = {
    bands: facts.bands.length,
    side: size / architecture.normaliser.pool,
    cells: size / architecture.cell,
  };
  const kept = keptItems({
    splits,
    seed: options.seed,
    names,
    perImage,
    shape,
    bytes: options.cache.size,
    isRevisited: options.epochs > 1,
  });
  const isOnCpu = runsOnCpu(options.device);
  const trained = names.slice(splits.train.from, splits.train.to);
  const epochSizes = {
    first: perImage * trained.length,
    later: perImage * trained.filter((name) => kept.has(name)).length,
    perStep: rows * options.accumulate_grad_batches,
  };
  if (options.epochs > 1 && epochSizes.later === 0) {
    throw new EngineError(
      'config_invalid',
      'the cache has no place for a window of the training set, so that there is nothing to visit again',
      { hint: 'raise train.cache.size, or use train.epochs=1' },
    );
  }
  return {
    options,
    architecture,
    bands: facts.bands,
    size,
    names,
    splits,
    shape,
    rows,
    microBatch: Math.min(rows, options.micro_batch === 'auto' ? (isOnCpu ? 1 : rows) : options.micro_batch),
    lanes: isOnCpu ? parallelism(options.lanes) : 1,
    loaders: parallelism(options.loaders),
    isOnCpu,
    rules: {
      seed: options.seed,
      transforms: options.augment.transforms,
      noise: kinds.map(({ option }) => option),
    },
    noiseNames: kinds.map(({ name }) => name),
    kept,
    cacheDir: options.cache.dir ?? join(options.into, 'cache'),
    epochSizes,
    steps: stepsOf(epochSizes, options.epochs),
  };
}

/** What decides the numbers of a training besides the options as they are written. */
export function identityOf({
  options,
  architecture,
  names,
  epochSizes,
}: TrainPlan): Readonly<Record<string, string>> {
  const { schedule, epochs, cache } = options;
  const hash = (value: unknown) =>
    createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 16);
  return {
    architecture: hash(architecture),
    items: `${names.length} (${hash(names)})`,
    'cache.size': String(cache.size),
    // A cosine ends with the last epoch; other schedules do not know how many there will be.
    epochs: schedule.kind === 'cosine' ? String(epochs) : epochs > 1 ? 'several' : '1',
    windows: String(epochSizes.later),
  };
}

/** Where an item stands in the list of all. */
export const numbersOf = (names: readonly string[]): ReadonlyMap<string, number> =>
  new Map(names.map((name, number) => [name, number]));

/** Windows of a set that there should be. */
export const expected = ({ splits, epochSizes }: TrainPlan, set: keyof Splits): number =>
  (sizeOf(splits[set]) * epochSizes.first) / sizeOf(splits.train);

const runsOnCpu = (device: TrainOptions['device']): boolean =>
  device === 'cpu' ||
  (device === 'auto' && (['cuda', 'webgpu'] as const).every((gpu) => obstacle(gpu, true) !== undefined));

/** Where no image can be read, nothing is known of their windows either: what is wrong with the first says more. */
function refuseOnlyProblems({ announced }: BatchFacts): void {
  const [first] = announced;
  if (first?.problem === undefined || announced.some(({ problem }) => problem === undefined)) return;
  const { message, place, hint } = asEngineError(first.problem);
  throw new EngineError('no_input', `none of ${announced.length} images can be read: ${message}`, {
    place,
    item: first.name,
    ...(hint !== undefined && { hint }),
  });
}

function checkFit(family: string, { cell, normaliser }: Architecture, { bands, size }: BatchFacts): void {
  if (bands.join() !== familyBands.join() || bands.length !== normaliser.bands) {
    throw new EngineError(
      'encoder_mismatch',
      `the pipeline gives bands ${bands.join(', ')}; ${family} is trained on ${familyBands.join(', ')}, in this order`,
      { hint: `set read.bands, or render.bands where the images are drawn, to [${familyBands.join(', ')}]` },
    );
  }
  if (size % cell !== 0) {
    throw new EngineError(
      'encoder_mismatch',
      `windows are ${size} px; ${family} is trained on multiples of its cells of ${cell} px`,
      { hint: `set tile.size=${Math.max(1, Math.round(size / cell)) * cell}` },
    );
  }
}
