/** What can be said of a training, and what it comes to. */

import { field } from '../../../config/field.js';
import { deviceNames } from '../../../encoders/devices.js';
import { familyNames } from '../../../encoders/families.js';
import type { UpdateRule } from '../../../encoders/step/graphs.js';
import { parallelField } from '../parallel.js';
import { type NoiseOption, noiseField } from '../render/options.js';
import { transforms } from './augment.js';
import type { LearningRateRule } from './schedule.js';
import { splitsPattern } from './splits.js';

const noisePresets = ['none', 'bliss', 'des'] as const;

const optimizerField = field.group(
  {
    kind: field.choice(['adam', 'adamw'], {
      default: 'adam',
      doc: 'adam adds the decay of weights to the gradient, adamw takes it from the weights, as in torch.',
    }),
    learning_rate: field.number({ default: 1e-3, min: 0, doc: 'Learning rate after the warm-up.' }),
    betas: field.list(field.number({ min: 0, max: 0.999999, doc: 'Decay of a running mean.' }), {
      default: [0.9, 0.999],
      min: 2,
      max: 2,
      doc: 'Decay of the running means of the gradient and of its square.',
    }),
    epsilon: field.number({ default: 1e-8, min: 1e-30, doc: 'Added to the denominator.' }),
    weight_decay: field.number({ default: 0, min: 0, doc: 'Decay of weights.' }),
  },
  { doc: 'Adam as in torch.' },
);

const scheduleField = field.group(
  {
    kind: field.choice(['constant', 'cosine', 'step'], {
      default: 'constant',
      doc: 'cosine: falls along half a cosine, until the last step. step: falls at milestones.',
    }),
    warmup_steps: field.int({
      default: 0,
      min: 0,
      unit: 'steps',
      doc: 'Steps over which the learning rate rises linearly.',
    }),
    final: field.fraction({ default: 0, doc: 'cosine: the last learning rate, as a part of the first.' }),
    milestones: field.list(field.int({ min: 1, unit: 'epochs', doc: 'Epochs done.' }), {
      default: [],
      unit: 'epochs',
      doc: 'step: after how many epochs it falls.',
    }),
    gamma: field.number({ default: 0.1, min: 0, max: 1, doc: 'step: what it is multiplied by each time.' }),
  },
  { doc: 'Learning rate over the steps.' },
);

const augmentField = field.group(
  {
    transforms: field.list(field.choice(transforms, { doc: 'A transform.' }), {
      default: transforms,
      doc: 'What each visit of a window draws: flip mirrors one in two, turn turns by 0, 90, 180 or 270 degrees.',
    }),
    noise: field.list(
      field.oneOf([field.choice(noisePresets, { doc: 'A preset of render.noise.' }), noiseField], {
        doc: 'A preset, or noise as in render.noise.',
      }),
      {
        default: ['none'],
        min: 1,
        doc: 'Noise that is added to the images, one of these drawn at each visit; scores are taken with each. With any but none, images should come without noise of their own (render.noise.preset=none).',
        example: ['bliss', 'des'],
      },
    ),
  },
  { doc: 'What is done to a window each time it is trained on.' },
);

const cacheField = field.group(
  {
    dir: field.optional(
      field.path({
        doc: 'Folder of the cache; left out: cache in the folder of the encoder.',
        example: '/scratch/cache',
      }),
    ),
    size: field.bytes({
      default: '50GiB',
      doc: 'Most bytes of the windows in it, averaged as the encoder sees them. Those of the validation and test sets are all kept; of the others as many as fit, drawn by seed, and epochs after the first visit these.',
    }),
  },
  { doc: 'Windows that are seen again, on disk.' },
);

export const trainFields = {
  family: field.choice(familyNames, { default: 'cluster-small', doc: 'Which network is trained.' }),
  into: field.path({
    doc: 'Folder of checkpoints/, encoder/, scores.json, events/ and plots.',
    example: 'runs/train',
  }),
  seed: field.int({
    default: 1,
    doc: 'Of the first weights, the order of visits, and all that is drawn at them.',
  }),
  epochs: field.int({
    default: 10,
    min: 1,
    max: 1_000_000,
    unit: 'epochs',
    doc: 'Visits of every window. The first streams, later ones read the cache. A run that is over may be given more, unless the schedule is cosine.',
  }),
  splits: field.string({
    default: '0:60/60:90/90:100',
    pattern: splitsPattern,
    form: 'three ranges of percent such as 0:60/60:90/90:100',
    doc: 'Which items are trained on, validated with and tested with: percent of the items in their order. While the first epoch streams, scores are taken only if those to validate with come first, as in 10:90/0:10/90:100.',
  }),
  optimizer: optimizerField,
  schedule: scheduleField,
  accumulate_grad_batches: field.int({
    default: 1,
    min: 1,
    max: 10_000,
    unit: 'batches',
    doc: 'Batches whose gradients are summed for one update.',
  }),
  gradient_clip: field.optional(
    field.number({ min: 1e-12, doc: 'Longest gradient; longer ones are shortened to it.', example: 1 }),
  ),
  positive_weight: field.oneOf(
    [
      field.number({ min: 1e-6, max: 1e6, doc: 'Weight.' }),
      field.choice(['balanced'], { doc: 'As many times as other cells are more than those with members.' }),
    ],
    {
      default: 1,
      doc: 'Weight of cells with members in the loss; balanced: all of them weigh as much as all others.',
    },
  ),
  precision: field.choice(['32-true'], { default: '32-true', doc: 'Floats of the training.' }),
  augment: augmentField,
  origin: field.number({
    default: 1,
    unit: 'px',
    doc: 'X and Y of the centre of the first pixel, as in render.origin.',
  }),
  cache: cacheField,
  normaliser_updates: field.int({
    default: 100,
    min: 1,
    unit: 'batches',
    doc: 'Batches the quantiles of the normaliser are fitted to, while they are trained on.',
  }),
  validate_every: field.optional(
    field.int({
      min: 1,
      unit: 'steps',
      doc: 'Steps between scores of the validation set; at the end of each epoch in any case.',
      example: 200,
    }),
  ),
  checkpoint_every: field.int({
    default: 100,
    min: 1,
    unit: 'steps',
    doc: 'Steps between checkpoints; at the end of each epoch, and when the run is asked to stop, in any case.',
  }),
  threshold: field.fraction({
    default: 0.5,
    doc: 'Probability above which a cell is said to hold members.',
  }),
  pictures: field.int({
    default: 6,
    min: 0,
    max: 64,
    doc: 'Windows of the validation set that are drawn in examples.png.',
  }),
  device: field.choice(['auto', ...deviceNames], {
    default: 'auto',
    doc: 'Where the network runs; auto takes a GPU that works, else the CPU. Numbers of different devices differ in the last digits.',
  }),
  lanes: parallelField(
    'Lanes',
    'Windows trained on at once on a CPU, each in a thread of its own; auto takes as many as there are cores.',
  ),
  loaders: parallelField(
    'Loaders',
    'Threads that make windows ready; auto takes as many as there are cores.',
  ),
  micro_batch: field.oneOf(
    [
      field.choice(['auto'], { doc: '1 on a CPU, a whole batch elsewhere.' }),
      field.int({ min: 1, max: 4096, unit: 'windows', doc: 'Windows.' }),
    ],
    {
      default: 'auto',
      doc: 'Windows that go through the network at once; a GPU is faster with more, and needs more memory.',
    },
  ),
};

interface OptimizerOption {
  readonly kind: UpdateRule['optimizer'];
  readonly learning_rate: number;
  readonly betas: readonly number[];
  readonly epsilon: number;
  readonly weight_decay: number;
}

export const updateRule = (
  { kind, betas, epsilon, weight_decay }: OptimizerOption,
  clipNorm: number | undefined,
): UpdateRule => ({
  optimizer: kind,
  beta1: betas[0] as number,
  beta2: betas[1] as number,
  epsilon,
  weightDecay: weight_decay,
  clipNorm,
});

interface ScheduleOption {
  readonly kind: LearningRateRule['kind'];
  readonly warmup_steps: number;
  readonly final: number;
  readonly milestones: readonly number[];
  readonly gamma: number;
}

export const learningRateRule = (
  { warmup_steps, ...schedule }: ScheduleOption,
  { learning_rate }: OptimizerOption,
): LearningRateRule => ({ ...schedule, rate: learning_rate, warmupSteps: warmup_steps });

/** Presets by name as noise, and what each is called: kinds of the same preset are numbered. */
export function noiseKinds(
  list: readonly (NoiseOption['preset'] | NoiseOption)[],
): readonly { readonly name: string; readonly option: NoiseOption }[] {
  const options = list.map(
    (each): NoiseOption =>
      typeof each === 'string'
        ? { preset: each, variance: undefined, depth: undefined, shared: false }
        : each,
  );
  return options.map((option, i) => {
    const same = options.slice(0, i).filter(({ preset }) => preset === option.preset).length;
    return { name: same === 0 ? option.preset : `${option.preset}-${same + 1}`, option };
  });
}
