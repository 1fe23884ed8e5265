/**
 * The encoders this project builds itself: one logit per cell of 256 × 256 pixels, "does this cell hold a
 * member of a galaxy cluster".
 */
import { GraphBuilder, type Parameter, type Value } from './graph.js';
import { type Architecture, type ConvLayer, convBlock } from './layers.js';
import { Network, type WeightSource } from './network.js';
import { stripedStem } from './stripes.js';

export const familyNames = ['cluster-small', 'bliss'] as const;
export type FamilyName = (typeof familyNames)[number];

/**
 * How the layers at high resolution are laid out; the numbers are the same. `striped` keeps the working set in
 * cache and is for CPUs; `whole` runs every operator once over the whole image, as accelerators like it.
 */
export const plans = ['striped', 'whole'] as const;
export type Plan = (typeof plans)[number];

export interface BuiltModel {
  /** A `.onnx` file. */
  readonly bytes: Uint8Array;
  readonly parameters: ReadonlyMap<string, Parameter>;
}

/** `base_bytes` + `bytes_per_pixel` · window pixels · rows, without the window itself. */
export interface Memory {
  readonly base_bytes: number;
  readonly bytes_per_pixel: number;
}

export interface Family {
  readonly description: string;
  readonly architecture: Architecture;
  /** Builds the model: `image` (n, 4, h, w) float32, h and w multiples of 256, to `logits` (n, 1, h/256, w/256). */
  readonly build: (weights: WeightSource, plan: Plan) => BuiltModel;
  /** Raised when the same seed gives other bytes than before. */
  readonly version: string;
  /** Memory of one session at work, measured. */
  readonly memory: Readonly<Record<Plan, Memory>>;
}

const BANDS = 4;
const CELL = 256;

/** The 14 quantiles at which BLISS's encoder centres its asinh channels. */
const quantileLevels = [
  0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 0.999, 0.9999, 0.99999,
] as const;
const CHANNELS = BANDS * quantileLevels.length;

/**
 * Quantiles (of `quantileLevels`) of sky-subtracted DES coadds with zero point 30, in image units: where an
 * untrained encoder starts. Training replaces them.
 */
const desQuantiles = [-10, -4, -2.5, -1.2, -0.4, 0.2, 0.9, 1.8, 3.2, 6.5, 80, 600, 4000, 20000];

const normaliser = { name: 'image_normalizers.0.quantiles', bands: BANDS, levels: quantileLevels };

/**
 * The model of an architecture: `image` to `logits`, weights as the source gives them.
 *
 * @param head what makes logits of what the layers give, where that is not yet logits
 */
export function buildModel(
  name: string,
  { normaliser, layers, cell }: Architecture,
  weights: WeightSource,
  plan: Plan,
  head: (network: Network, features: Value) => Value = (_, features) => features,
): BuiltModel {
  const graph = new GraphBuilder(name);
  const network = new Network(graph, weights);
  const image = graph.input('image', ['n', normaliser.bands, 'h', 'w']);
  const contrast = network.contrast(normaliser);
  const stem =
    plan === 'striped'
      ? stripedStem(network, image, contrast, { pool: normaliser.pool, cell, layers })
      : undefined;
  const features =
    stem === undefined
      ? network.apply(graph.asinh(contrast(graph, image)), layers)
      : network.apply(stem.features, stem.rest);
  graph.output(head(network, features), 'logits', ['n', 1, 'rows', 'columns']);
  return { bytes: graph.build({ family: name, cell: String(cell) }), parameters: graph.parameters };
}

const family = (
  name: FamilyName,
  about: Pick<Family, 'description' | 'architecture' | 'version' | 'memory'>,
): Family => ({ ...about, build: (weights, plan) => buildModel(name, about.architecture, weights, plan) });

/** Levels of the small encoder's channels: below the sky, within it, and in galaxies up to bright ones. */
const fewLevels = [0.1, 0.5, 0.9, 0.97, 0.99, 0.999] as const;
const fewDesQuantiles = [-0.6, 0.1, 1.6, 6, 20, 160];

/** Channels of the small encoder at pooled pixels, what costs most; at galaxies; at cells. */
const COLOURS = 32;
const FEATURES = 64;
const CONTEXT = 96;

/** Blocks that halve the image's sides, one after the other. */
const halving = (...widths: readonly number[]) =>
  widths.flatMap((out, i) =>
    convBlock(`backbone.${i}`, { in: widths[i - 1] ?? FEATURES, out, kernel: 3, stride: 2 }),
  );

/**
 * 441 thousand parameters, made for CPUs. A cluster is many galaxies of one colour, so colours are told pixel by pixel,
 * before anything is blurred: average over 4 × 4 pixels, asinh at six quantiles per band, and two pointwise layers.
 * Averages over 4 × 4 of those hold one galaxy at most, mostly; two blocks tell galaxies from each other there, and four
 * more count them, cell by cell. Residual blocks then see three cells to every side.
 */
const clusterSmall = family('cluster-small', {
  description: 'Small CPU encoder of galaxy-cluster membership: one logit per 256 px cell.',
  version: '3',
  memory: {
    striped: { base_bytes: 40e6, bytes_per_pixel: 4 },
    whole: { base_bytes: 40e6, bytes_per_pixel: 72 },
  },
  architecture: {
    normaliser: { ...normaliser, levels: fewLevels, pool: 4, initial: fewDesQuantiles },
    cell: CELL,
    layers: [
      { kind: 'conv', name: 'colours.0', in: BANDS * fewLevels.length, out: COLOURS, kernel: 1 },
      { kind: 'silu' },
      { kind: 'conv', name: 'colours.1', in: COLOURS, out: COLOURS, kernel: 1 },
      { kind: 'silu' },
      { kind: 'average-pool', size: 4 },
      ...convBlock('galaxies.0', { in: COLOURS, out: FEATURES, kernel: 3 }),
      ...convBlock('galaxies.1', { in: FEATURES, out: FEATURES, kernel: 1 }),
      ...halving(FEATURES, FEATURES, FEATURES, CONTEXT),
      ...[0, 1, 2].map((i) => ({
        kind: 'residual' as const,
        layers: convBlock(`context.${i}`, { in: CONTEXT, out: CONTEXT, kernel: 3 }),
      })),
      { kind: 'conv', name: 'head', in: CONTEXT, out: 1, kernel: 1 },
    ],
  },
});

/** A block of BLISS's backbone: its convolutions have no bias. */
const blissBlock = (place: string, shape: Omit<ConvLayer, 'kind' | 'name' | 'bias'>) =>
  convBlock(`backbone.${place}`, { ...shape, bias: false });

const repeated = (times: number, place: string, channels: number, kernel: number) =>
  Array.from({ length: times }, (_, i) =>
    blissBlock(`${place}.${i}`, { in: channels, out: channels, kernel }),
  ).flat();

/**
 * BLISS's encoder of its galaxy-clustering case study (20.4 million parameters,
 * https://github.com/prob-ml/bliss), weights named as in its `state_dict`. Its first, three-dimensional
 * convolution spans all quantiles and is the same sum as a two-dimensional one over bands × quantiles. Its last
 * block would normalise over zero groups for a single output, so the head is a plain 1 × 1 convolution.
 */
const bliss = family('bliss', {
  description: "BLISS's galaxy-clustering encoder, full size: one logit per 256 px cell.",
  version: '1',
  memory: {
    striped: { base_bytes: 300e6, bytes_per_pixel: 330 },
    whole: { base_bytes: 300e6, bytes_per_pixel: 1200 },
  },
  architecture: {
    normaliser: { ...normaliser, pool: 1, initial: desQuantiles },
    cell: CELL,
    layers: [
      { kind: 'conv', name: 'preprocess3d.0', in: CHANNELS, out: 64, kernel: 5 },
      { kind: 'group-norm', name: 'preprocess3d.1', channels: 64, groups: 32 },
      { kind: 'silu' },
      ...blissBlock('0', { in: 64, out: 128, kernel: 5, stride: 4 }),
      ...blissBlock('1', { in: 128, out: 256, kernel: 5, stride: 4 }),
      ...blissBlock('2', { in: 256, out: 512, kernel: 5, stride: 4 }),
      ...blissBlock('3', { in: 512, out: 1024, kernel: 5, stride: 2 }),
      ...blissBlock('4', { in: 1024, out: 64, kernel: 5 }),
      ...repeated(4, '5', 64, 5),
      ...blissBlock('6', { in: 64, out: 128, kernel: 3, stride: 2 }),
      ...repeated(5, '7', 128, 3),
      { kind: 'conv', name: 'head', in: 128, out: 1, kernel: 1 },
    ],
  },
});

export const families: Readonly<Record<FamilyName, Family>> = { 'cluster-small': clusterSmall, bliss };

/** Side of a cell in pixels, and what windows must be multiples of. */
export const cellSize = CELL;
export const familyBands = ['g', 'r', 'i', 'z'] as const;
