/**
 * The encoders this project builds itself: one logit per cell of 256 × 256 pixels, "does this cell hold a
 * member of a galaxy cluster".
 */
import { GraphBuilder, type Parameter, type Value } from './graph.js';
import { Network, quantileLevels, type WeightSource } from './network.js';
import { POOL, stripedFullStem, stripedPooledStem } from './stripes.js';

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
  /** Builds the model: `image` (n, 4, h, w) float32, h and w multiples of 256, to `logits` (n, 1, h/256, w/256). */
  readonly build: (weights: WeightSource, plan: Plan) => BuiltModel;
  /** Raised when the same seed gives other bytes than before. */
  readonly version: string;
  /** Memory of one session at work, measured. */
  readonly memory: Readonly<Record<Plan, Memory>>;
}

const BANDS = 4;
const CELL = 256;
const CHANNELS = BANDS * quantileLevels.length;

/**
 * Quantiles (of `quantileLevels`) of sky-subtracted DES coadds with zero point 30, in image units: where an
 * untrained encoder starts. Training replaces them.
 */
const desQuantiles = [-10, -4, -2.5, -1.2, -0.4, 0.2, 0.9, 1.8, 3.2, 6.5, 80, 600, 4000, 20000];
const desQuantilesPooledBy4 = [-5, -1.8, -1, -0.45, -0.1, 0.15, 0.55, 1, 1.8, 4, 60, 400, 2500, 10000];

function logits(
  name: string,
  weights: WeightSource,
  body: (network: Network, image: Value) => Value,
): BuiltModel {
  const graph = new GraphBuilder(name);
  const image = graph.input('image', ['n', BANDS, 'h', 'w']);
  graph.output(body(new Network(graph, weights), image), 'logits', ['n', 1, 'rows', 'columns']);
  return { bytes: graph.build({ family: name, cell: String(CELL) }), parameters: graph.parameters };
}

/**
 * 245 thousand parameters, made for CPUs: average over 4 × 4 pixels, asinh at 14 quantiles per band, then
 * convolutions of stride 4, 4, 2, 1, 2, 1 with GroupNorm and SiLU.
 */
const clusterSmall: Family = {
  description: 'Small CPU encoder of galaxy-cluster membership: one logit per 256 px cell.',
  version: '1',
  memory: {
    striped: { base_bytes: 40e6, bytes_per_pixel: 4 },
    whole: { base_bytes: 40e6, bytes_per_pixel: 140 },
  },
  build: (weights, plan) =>
    logits('cluster-small', weights, (network, image) => {
      const contrast = network.quantileContrast(
        'image_normalizers.0.quantiles',
        BANDS,
        desQuantilesPooledBy4,
        POOL,
      );
      const first = network.convWeights('backbone.0.conv', { in: CHANNELS, out: 32, kernel: 5 });
      let x =
        plan === 'striped'
          ? stripedPooledStem(network.graph, image, contrast, first)
          : network.graph.conv(network.graph.asinh(contrast(network.graph, image)), first.weight, {
              ...first,
              kernel: 5,
              stride: 4,
              padding: 2,
            });
      x = network.normActivation(x, 'backbone.0.gn', 32);
      x = network.convBlock(x, 'backbone.1', { in: 32, out: 64, kernel: 5, stride: 4 });
      x = network.convBlock(x, 'backbone.2', { in: 64, out: 64, kernel: 3, stride: 2 });
      x = network.convBlock(x, 'backbone.3', { in: 64, out: 64, kernel: 3 });
      x = network.convBlock(x, 'backbone.4', { in: 64, out: 64, kernel: 3, stride: 2 });
      x = network.convBlock(x, 'backbone.5', { in: 64, out: 64, kernel: 3 });
      return network.conv(x, 'head', { in: 64, out: 1, kernel: 1 });
    }),
};

/**
 * BLISS's encoder of its galaxy-clustering case study (20.4 million parameters,
 * https://github.com/prob-ml/bliss), weights named as in its `state_dict`. Its first, three-dimensional
 * convolution spans all quantiles and is the same sum as a two-dimensional one over bands × quantiles. Its last
 * block would normalise over zero groups for a single output, so the head is a plain 1 × 1 convolution.
 */
const bliss: Family = {
  description: "BLISS's galaxy-clustering encoder, full size: one logit per 256 px cell.",
  version: '1',
  memory: {
    striped: { base_bytes: 300e6, bytes_per_pixel: 330 },
    whole: { base_bytes: 300e6, bytes_per_pixel: 1200 },
  },
  build: (weights, plan) =>
    logits('bliss', weights, (network, image) => {
      const { graph } = network;
      const contrast = network.quantileContrast('image_normalizers.0.quantiles', BANDS, desQuantiles, 1);
      const first = network.convWeights('preprocess3d.0', { in: CHANNELS, out: 64, kernel: 5 });
      const norm = network.normWeights('preprocess3d.1', 64);
      const second = network.convWeights('backbone.0.conv', { in: 64, out: 128, kernel: 5, bias: false });
      let x: Value;
      if (plan === 'striped') x = stripedFullStem(graph, image, contrast, first, norm, second);
      else {
        x = graph.conv(graph.asinh(contrast(graph, image)), first.weight, {
          ...first,
          kernel: 5,
          padding: 2,
        });
        x = graph.silu(graph.groupNorm(x, norm.scale, norm.shift, 32));
        x = graph.conv(x, second.weight, { kernel: 5, stride: 4, padding: 2 });
      }
      x = network.normActivation(x, 'backbone.0.gn', 128);
      const block = (name: string, from: number, to: number, kernel: number, stride = 1) => {
        x = network.convBlock(x, `backbone.${name}`, { in: from, out: to, kernel, stride, bias: false });
      };
      block('1', 128, 256, 5, 4);
      block('2', 256, 512, 5, 4);
      block('3', 512, 1024, 5, 2);
      block('4', 1024, 64, 5);
      for (let i = 0; i < 4; i++) block(`5.${i}`, 64, 64, 5);
      block('6', 64, 128, 3, 2);
      for (let i = 0; i < 5; i++) block(`7.${i}`, 128, 128, 3);
      return network.conv(x, 'head', { in: 128, out: 1, kernel: 1 });
    }),
};

export const families: Readonly<Record<FamilyName, Family>> = { 'cluster-small': clusterSmall, bliss };

/** Side of a cell in pixels, and what windows must be multiples of. */
export const cellSize = CELL;
export const familyBands = ['g', 'r', 'i', 'z'] as const;
