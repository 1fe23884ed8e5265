/**
 * The first layers of an encoder, one stripe of rows at a time. The 56 channels of the normaliser are many times the
 * image: as whole tensors they are written and read by eight operators (92 MB each for a 2560 px window pooled
 * by four, 1.5 GB unpooled), where a stripe stays in cache and only the convolution's output comes out.
 */
import type { GraphBuilder, Value } from './graph.js';
import type { Contrast, ConvWeights } from './network.js';

/** Pixels averaged per side before the small encoder's normaliser. */
export const POOL = 4;
const KERNEL = 5;
const STRIDE = 4;
/** Rows and columns of zeros around the input of a 5 × 5 convolution. */
const PADDING = 2;

/** Pooled rows per stripe: 56 channels of one stripe of a 2560 px window fill a 1 MiB cache. */
const POOLED_STRIPE = 8;
/** Full-resolution rows per stripe; each is normalised again with two rows of both neighbours. */
const FULL_STRIPE = 16;

/** Average over 4 × 4, asinh normaliser, and a 5 × 5 convolution of stride 4: (n, 4, h, w) to (n, out, h/16, w/16). */
export function stripedPooledStem(
  graph: GraphBuilder,
  image: Value,
  contrast: Contrast,
  first: ConvWeights,
): Value {
  const step = graph.integers([POOLED_STRIPE * POOL]);
  const stripes = graph.countTo(graph.div(graph.lengthOf(image, 2), step));
  const above = zeroRows(
    graph,
    image,
    graph.lengthOf(first.weight, 1),
    graph.div(graph.lengthOf(image, 3), graph.integers([POOL])),
  );
  const [, rows] = graph.scan([stripes], [above], (turn, [index], [above]) => {
    const from = turn.mul(turn.reshape(index as Value, [1]), step);
    const normal = turn.asinh(contrast(turn, turn.slice(image, 2, from, turn.add(from, step))));
    return {
      carried: [lastRows(turn, normal, POOLED_STRIPE)],
      stacked: [stridedConv(turn, above as Value, normal, first)],
    };
  });
  return unstacked(graph, rows as Value, image, POOL * STRIDE, graph.lengthOf(first.weight, 0));
}

/**
 * asinh normaliser, 5 × 5 convolution, GroupNorm over 32 groups, SiLU, and a 5 × 5 convolution of stride 4:
 * (n, 4, h, w) to (n, out, h/4, w/4). Only the first convolution's output stands whole; its mean and variance are
 * merged from those of the stripes.
 */
export function stripedFullStem(
  graph: GraphBuilder,
  image: Value,
  contrast: Contrast,
  first: ConvWeights,
  norm: { readonly scale: Value; readonly shift: Value },
  second: ConvWeights,
): Value {
  const groups = 32;
  const height = graph.lengthOf(image, 2);
  const step = graph.integers([FULL_STRIPE]);
  const stripes = graph.countTo(graph.div(height, step));
  const [features, means, variances] = graph.scan([stripes], [], (turn, [index]) => {
    const from = turn.mul(turn.reshape(index as Value, [1]), step);
    const normal = turn.asinh(contrast(turn, haloed(turn, image, from, step, height)));
    const y = turn.conv(padRows(turn, normal, from, step, height), first.weight, {
      ...first,
      kernel: KERNEL,
      padding: [0, PADDING, 0, PADDING],
    });
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
  const scale = graph.mul(graph.node('Squeeze', [inverse, graph.integers([0])]), perChannel(norm.scale));
  const shift = graph.sub(
    perChannel(norm.shift),
    graph.mul(graph.node('Squeeze', [mean, graph.integers([0])]), scale),
  );
  const [channelScale, channelShift] = [scale, shift].map((x) =>
    graph.node('Reshape', [x, graph.concat([graph.lengthOf(image, 0), graph.integers([-1, 1, 1])], 0)]),
  ) as [Value, Value];

  const above = zeroRows(graph, image, graph.lengthOf(second.weight, 1), graph.lengthOf(image, 3));
  const [, rows] = graph.scan([{ value: features, type: 'float32' }], [above], (turn, [y], [above]) => {
    const active = turn.silu(turn.add(turn.mul(y as Value, channelScale), channelShift));
    return {
      carried: [lastRows(turn, active, FULL_STRIPE)],
      stacked: [stridedConv(turn, above as Value, active, second)],
    };
  });
  return unstacked(graph, rows as Value, image, STRIDE, graph.lengthOf(second.weight, 0));
}

/** Zeros of the padding above the first stripe: (n, channels, 2, width). */
function zeroRows(graph: GraphBuilder, image: Value, channels: Value, width: Value): Value {
  return graph.node('ConstantOfShape', [
    graph.concat([graph.lengthOf(image, 0), channels, graph.integers([PADDING]), width], 0),
  ]);
}

/** What the next stripe's convolution still needs of this one. */
const lastRows = (turn: GraphBuilder, stripe: Value, rows: number): Value =>
  turn.slice(stripe, 2, turn.integers([rows - PADDING]), turn.integers([rows]));

/** 5 × 5, stride 4: looks two rows up, and never below the stripe. */
const stridedConv = (turn: GraphBuilder, above: Value, stripe: Value, weights: ConvWeights): Value =>
  turn.conv(turn.concat([above, stripe], 2), weights.weight, {
    ...weights,
    kernel: KERNEL,
    stride: STRIDE,
    padding: [0, PADDING, 0, PADDING],
  });

/** Rows from two above the stripe to two below it, as far as the image has them. */
function haloed(turn: GraphBuilder, image: Value, from: Value, step: Value, height: Value): Value {
  const halo = turn.integers([PADDING]);
  const first = turn.node('Max', [turn.sub(from, halo), turn.integers([0])]);
  return turn.slice(image, 2, first, turn.node('Min', [turn.add(turn.add(from, step), halo), height]));
}

/** Zeros for the rows of the halo that the image does not have. */
function padRows(turn: GraphBuilder, normal: Value, from: Value, step: Value, height: Value): Value {
  const halo = turn.integers([PADDING]);
  const zero = turn.integers([0]);
  const top = turn.node('Max', [turn.sub(halo, from), zero]);
  const bottom = turn.node('Max', [turn.sub(turn.add(turn.add(from, step), halo), height), zero]);
  return turn.node('Pad', [normal, turn.concat([top, bottom], 0), turn.scalar(0), turn.integers([2])]);
}

/** (stripes, n, channels, rows, columns) to (n, channels, stripes · rows, columns). */
function unstacked(graph: GraphBuilder, stacked: Value, image: Value, down: number, channels: Value): Value {
  const ordered = graph.node('Transpose', [stacked], { perm: { ints: [1, 2, 0, 3, 4] } });
  const side = (axis: number) => graph.div(graph.lengthOf(image, axis), graph.integers([down]));
  return graph.node('Reshape', [
    ordered,
    graph.concat([graph.lengthOf(image, 0), channels, side(2), side(3)], 0),
  ]);
}
