/**
 * The first layers of an encoder, one stripe of rows at a time. The channels of the normaliser are many times the
 * image: as whole tensors they are written and read by eight operators and more (40 MB each for a 2560 px window
 * pooled by four, 1.5 GB unpooled), where a stripe stays in cache and only what is left of it comes out.
 */
import type { GraphBuilder, Value } from './graph.js';
import { type ConvLayer, type GroupNormLayer, isPointwise, type Layer } from './layers.js';
import { type Contrast, convolve, type Filter, type Network } from './network.js';

/** What the layers after the stripes go on with. */
export interface Stem {
  readonly features: Value;
  readonly rest: readonly Layer[];
}

interface Pyramid {
  /** Pixels averaged per side before the normaliser. */
  readonly pool: number;
  /** Pixels per side that image sizes are multiples of. */
  readonly cell: number;
  readonly layers: readonly Layer[];
}

/**
 * The normaliser and the first layers in stripes, where the layers begin in one of two ways: a convolution at full
 * resolution with GroupNorm and SiLU before a strided one, or any pointwise layers before an average over squares.
 *
 * @returns undefined when the layers begin otherwise
 */
export function stripedStem(
  network: Network,
  image: Value,
  contrast: Contrast,
  { pool, cell, layers }: Pyramid,
): Stem | undefined {
  const [first, norm, activation, second] = layers;
  const isNormed = isUnstrided(first) && norm?.kind === 'group-norm' && activation?.kind === 'silu';
  if (isNormed && second?.kind === 'conv' && rowsBelow(second) === 0 && pool === 1) {
    const features = normedStem(network, image, contrast, first, norm, second);
    return { features, rest: layers.slice(4) };
  }
  const spatial = layers.findIndex((layer) => layer.kind !== 'silu' && !isPointwise(layer));
  const end = layers[spatial];
  if (end?.kind !== 'average-pool') return undefined;
  const rows = end.size * Math.ceil(PIXEL_ROWS / pool / end.size);
  if ((cell / pool) % rows !== 0) return undefined;
  const features = pointwiseStem(network, image, contrast, {
    pool,
    rows,
    size: end.size,
    layers: layers.slice(0, spatial),
  });
  return { features, rest: layers.slice(spatial + 1) };
}

const isUnstrided = (layer: Layer | undefined): layer is ConvLayer =>
  layer?.kind === 'conv' && (layer.stride ?? 1) === 1;

/** Rows and columns of zeros around the image. */
const paddingOf = ({ kernel }: ConvLayer): number => (kernel - 1) / 2;

/** How many rows below its own a stripe needs: strides wider than half the kernel never look down. */
const rowsBelow = (conv: ConvLayer): number => Math.max(0, paddingOf(conv) + 1 - (conv.stride ?? 1));

/** Rows of the image per stripe of pointwise layers: 32 channels of a 2560 px window pooled by four fill a 1 MiB cache. */
const PIXEL_ROWS = 32;

interface PointwiseStem {
  readonly pool: number;
  /** Pooled rows per stripe. */
  readonly rows: number;
  /** Layers without neighbours or statistics, at the resolution of the normaliser. */
  readonly layers: readonly Layer[];
  /** Side of the squares that are averaged after them. */
  readonly size: number;
}

/**
 * Average over pool × pool, asinh normaliser, pointwise layers, and an average over size × size: (n, bands, h, w) to
 * (n, out, h / pool / size, w / pool / size).
 */
function pointwiseStem(
  network: Network,
  image: Value,
  contrast: Contrast,
  { pool, rows, layers, size }: PointwiseStem,
): Value {
  const { graph } = network;
  const filters = layers.map((layer) => (layer.kind === 'conv' ? network.filter(layer) : undefined));
  const step = graph.integers([rows * pool]);
  const stripes = graph.countTo(graph.div(graph.lengthOf(image, 2), step));
  const [averages] = graph.scan([stripes], [], (turn, [index]) => {
    const from = turn.mul(turn.reshape(index as Value, [1]), step);
    const normal = turn.asinh(contrast(turn, turn.slice(image, 2, from, turn.add(from, step))));
    const found = filters.reduce(
      (x, filter) => (filter === undefined ? turn.silu(x) : convolve(turn, x, filter)),
      normal,
    );
    return { carried: [], stacked: [turn.averagePool(found, size)] };
  });
  return unstacked(graph, averages as Value, image, pool * size);
}

/** Full-resolution rows per stripe; each is normalised again with the rows of both neighbours it looks at. */
const FULL_STRIPE = 16;

/**
 * asinh normaliser, convolution, GroupNorm, SiLU, and a strided convolution: (n, bands, h, w) to
 * (n, out, h / stride, w / stride). Only the first convolution's output stands whole; its mean and variance are
 * merged from those of the stripes.
 */
function normedStem(
  network: Network,
  image: Value,
  contrast: Contrast,
  firstLayer: ConvLayer,
  normLayer: GroupNormLayer,
  secondLayer: ConvLayer,
): Value {
  const { graph } = network;
  const first = network.filter(firstLayer);
  const [normScale, normShift] = network.declare(normLayer) as [Value, Value];
  const second = network.filter(secondLayer);
  const { groups } = normLayer;
  const height = graph.lengthOf(image, 2);
  const step = graph.integers([FULL_STRIPE]);
  const stripes = graph.countTo(graph.div(height, step));
  const padding = paddingOf(first);
  const [features, means, variances] = graph.scan([stripes], [], (turn, [index]) => {
    const from = turn.mul(turn.reshape(index as Value, [1]), step);
    const normal = turn.asinh(contrast(turn, haloed(turn, image, padding, from, step, height)));
    const y = convolve(turn, padRows(turn, normal, padding, from, step, height), first, [
      0,
      padding,
      0,
      padding,
    ]);
    const grouped = turn.reshape(y, [0, groups, -1]);
    const mean = turn.mean(grouped, [2]);
    const deviation = turn.sub(grouped, mean);
    return { carried: [], stacked: [y, mean, turn.mean(turn.mul(deviation, deviation), [2])] };
  }) as [Value, Value, Value];

  // Stripes are of equal size: the variance is the mean of variances plus the variance of means.
  const mean = graph.mean(means, [0]);
  const offset = graph.sub(means, mean);
  const variance = graph.mean(graph.add(variances, graph.mul(offset, offset)), [0]);
  const inverse = graph.div(graph.scalar(1), graph.sqrt(graph.add(variance, graph.scalar(1e-5))));
  const perChannel = (x: Value) => graph.reshape(x, [1, groups, -1]);
  const scale = graph.mul(graph.node('Squeeze', [inverse, graph.integers([0])]), perChannel(normScale));
  const shift = graph.sub(
    perChannel(normShift),
    graph.mul(graph.node('Squeeze', [mean, graph.integers([0])]), scale),
  );
  const [channelScale, channelShift] = [scale, shift].map((x) =>
    graph.node('Reshape', [x, graph.concat([graph.lengthOf(image, 0), graph.integers([-1, 1, 1])], 0)]),
  ) as [Value, Value];

  const carried = paddingOf(second);
  const above = zeroRows(graph, image, carried, graph.lengthOf(second.weight, 1), graph.lengthOf(image, 3));
  const [, rows] = graph.scan([{ value: features, type: 'float32' }], [above], (turn, [y], [above]) => {
    const active = turn.silu(turn.add(turn.mul(y as Value, channelScale), channelShift));
    return {
      carried: [turn.slice(active, 2, turn.integers([FULL_STRIPE - carried]), turn.integers([FULL_STRIPE]))],
      stacked: [convolveBelow(turn, above as Value, active, second)],
    };
  });
  return unstacked(graph, rows as Value, image, second.stride ?? 1);
}

/** Zeros of the padding above the first stripe: (n, channels, rows, width). */
const zeroRows = (graph: GraphBuilder, image: Value, rows: number, channels: Value, width: Value): Value =>
  graph.node('ConstantOfShape', [
    graph.concat([graph.lengthOf(image, 0), channels, graph.integers([rows]), width], 0),
  ]);

/** A convolution that finds the rows it looks up to above the stripe, and none below it. */
const convolveBelow = (turn: GraphBuilder, above: Value, stripe: Value, filter: Filter): Value =>
  convolve(turn, turn.concat([above, stripe], 2), filter, [0, paddingOf(filter), 0, paddingOf(filter)]);

/** The rows of a stripe and `padding` more on both sides, as far as the image has them. */
function haloed(
  turn: GraphBuilder,
  image: Value,
  padding: number,
  from: Value,
  step: Value,
  height: Value,
): Value {
  const halo = turn.integers([padding]);
  const first = turn.node('Max', [turn.sub(from, halo), turn.integers([0])]);
  return turn.slice(image, 2, first, turn.node('Min', [turn.add(turn.add(from, step), halo), height]));
}

/** Zeros for the rows of the halo that the image does not have. */
function padRows(
  turn: GraphBuilder,
  normal: Value,
  padding: number,
  from: Value,
  step: Value,
  height: Value,
): Value {
  const halo = turn.integers([padding]);
  const zero = turn.integers([0]);
  const top = turn.node('Max', [turn.sub(halo, from), zero]);
  const bottom = turn.node('Max', [turn.sub(turn.add(turn.add(from, step), halo), height), zero]);
  return turn.node('Pad', [normal, turn.concat([top, bottom], 0), turn.scalar(0), turn.integers([2])]);
}

/** (stripes, n, channels, rows, columns) to (n, channels, stripes · rows, columns), of an image so many times larger. */
function unstacked(graph: GraphBuilder, stacked: Value, image: Value, down: number): Value {
  const ordered = graph.node('Transpose', [stacked], { perm: { ints: [1, 2, 0, 3, 4] } });
  const side = (axis: number) => graph.div(graph.lengthOf(image, axis), graph.integers([down]));
  return graph.node('Reshape', [
    ordered,
    graph.concat([graph.lengthOf(image, 0), graph.lengthOf(stacked, 2), side(2), side(3)], 0),
  ]);
}
