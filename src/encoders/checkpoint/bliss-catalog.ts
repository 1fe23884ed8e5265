/**
 * The encoder as BLISS trains it: the layers of the family `bliss` up to 256 features for each cell, then a network that
 * reads them beside a context of catalogues sampled before, which is empty in this case study.
 *
 * GalaxyClusterFeaturesNet and GalaxyClusterCatalogNet of case_studies/galaxy_clustering/encoder/convnet.py, C3 of
 * bliss/encoder/convnet_layers.py, CatalogNet of bliss/encoder/convnets.py (https://github.com/prob-ml/bliss). Over the
 * years their blocks were normalised in several ways; the names of the tensors tell which.
 */
import { type BuiltModel, buildModel, families, type Plan } from '../families.js';
import { GraphBuilder, type Value } from '../graph.js';
import { type Architecture, convBlock } from '../layers.js';
import { Network, type WeightSource } from '../network.js';
import type { WantedTensor } from './compare.js';

/** How a block normalises what its convolution gives; both kinds of `norm` bear one name in BLISS. */
export type BlockNorm = 'gn' | 'bn' | 'norm-batch' | 'norm-group' | 'norm-wide';

/** Norms of the blocks in sequence, and of those within C3. */
export interface HeadStyle {
  readonly block: BlockNorm;
  readonly c3: BlockNorm;
}

/** Every combination that BLISS had. */
export const headStyles: readonly HeadStyle[] = [
  { block: 'gn', c3: 'norm-wide' },
  { block: 'gn', c3: 'norm-group' },
  { block: 'gn', c3: 'norm-batch' },
  { block: 'gn', c3: 'bn' },
  { block: 'norm-group', c3: 'norm-group' },
  { block: 'norm-batch', c3: 'norm-batch' },
  { block: 'bn', c3: 'bn' },
];

export interface HeadShape {
  /** Channels that come in, of the context, and within. */
  readonly features: number;
  readonly context: number;
  readonly hidden: number;
  /** Bottlenecks of a C3. */
  readonly repeats: number;
}

const blissHead: HeadShape = { features: 256, context: 128, hidden: 256, repeats: 4 };
/** Detections, flux and place of sources sampled before: all zero. */
const CONTEXT_CHANNELS = 6;
/** torch's BatchNorm2d as BLISS sets it. */
const BATCH_NORM_EPSILON = 1e-3;
/** Narrower blocks than this go without `norm-wide`. */
const WIDE = 128;

const { architecture } = families.bliss;
/** What comes before the head. */
export const trunk: Architecture = {
  ...architecture,
  layers: [
    ...architecture.layers.slice(0, -1),
    ...convBlock('backbone.8', { in: 128, out: blissHead.features, kernel: 3, bias: false }),
  ],
};

/** The model of a checkpoint; logits as every family gives them. */
export const buildBlissCatalog = (style: HeadStyle, weights: WeightSource, plan: Plan): BuiltModel =>
  buildModel('bliss-catalog', trunk, weights, plan, (network, features) =>
    applyHead(network, features, style),
  );

/** The tensors a head needs. */
export function headTensors(style: HeadStyle, shape = blissHead): readonly WantedTensor[] {
  const graph = new GraphBuilder('head');
  // Names and shapes are all that is wanted of this graph.
  const network = new Network(graph, () => new Float32Array());
  applyHead(network, { name: 'features' }, style, shape);
  return [...graph.parameters].map(([name, parameter]) => ({ name, shape: parameter.shape }));
}

/** From (n, features, ny, nx) to logits (n, 1, ny, nx). */
export function applyHead(network: Network, features: Value, style: HeadStyle, shape = blissHead): Value {
  const { graph } = network;
  const block = (x: Value, name: string, from: number, to: number, kernel: number, norm: BlockNorm) => {
    const conv = { kind: 'conv', name: `${name}.conv`, in: from, out: to, kernel, bias: false } as const;
    return graph.silu(normalise(network, network.apply(x, [conv]), name, to, norm));
  };
  /** YOLOv5's C3: bottlenecks with shortcuts beside a way around them. */
  const c3 = (x: Value, name: string, channels: number): Value => {
    const half = channels / 2;
    const inner = (y: Value, place: string, from: number, to: number, kernel = 1) =>
      block(y, `${name}.${place}`, from, to, kernel, style.c3);
    let through = inner(x, 'cv1', channels, half);
    const around = inner(x, 'cv2', channels, half);
    for (let i = 0; i < shape.repeats; i++) {
      const narrowed = inner(through, `m.${i}.cv1`, half, half);
      through = graph.add(through, inner(narrowed, `m.${i}.cv2`, half, half, 3));
    }
    return inner(graph.concat([through, around], 1), 'cv3', channels, channels);
  };
  const sequence = (x: Value, name: string, from: number, to: number): Value => {
    const first = block(x, `${name}.0`, from, to, 3, style.block);
    const second = block(first, `${name}.1`, to, to, 3, style.block);
    return block(c3(second, `${name}.2`, to), `${name}.3`, to, to, 3, style.block);
  };
  const some = graph.slice(features, 1, graph.integers([0]), graph.integers([CONTEXT_CHANNELS]));
  const nothing = graph.mul(some, graph.scalar(0));
  const context = sequence(nothing, 'catalog_net.context_net', CONTEXT_CHANNELS, shape.context);
  const seen = graph.concat([features, context], 1);
  const x = sequence(seen, 'catalog_net.detection_net', shape.features + shape.context, shape.hidden);
  const last = { name: 'catalog_net.detection_net.4.conv', in: shape.hidden, out: 1, kernel: 1 };
  return network.apply(x, [{ kind: 'conv', ...last }]);
}

function normalise(network: Network, x: Value, name: string, channels: number, norm: BlockNorm): Value {
  const grouped = (key: string, groups: number): Value =>
    network.apply(x, [{ kind: 'group-norm', name: `${name}.${key}`, channels, groups }]);
  const batched = (key: string): Value => {
    const parts = ['weight', 'bias', 'running_mean', 'running_var'].map((part) =>
      network.parameter(`${name}.${key}.${part}`, [channels], { constant: 1 }),
    );
    return network.graph.node('BatchNormalization', [x, ...parts], {
      epsilon: { float: BATCH_NORM_EPSILON },
    });
  };
  switch (norm) {
    case 'gn':
      return grouped('gn', Math.min(32, Math.floor(channels / 4)));
    case 'bn':
      return batched('bn');
    case 'norm-batch':
      return batched('norm');
    case 'norm-group':
      return grouped('norm', Math.floor(channels / 8));
    case 'norm-wide':
      return channels < WIDE ? x : grouped('norm', Math.floor(channels / 8));
  }
}
