/** The training step as ONNX graphs: loss and gradient, the forward pass alone, and the update of the weights. */
import { GraphBuilder, type Value } from '../graph.js';
import type { Architecture } from '../layers.js';
import { quantileContrast } from '../network.js';
import { Differentiator, type Feature, reached, type Shape } from './backward.js';
import { parameterCount, slotsOf } from './layout.js';

/** What one run of a graph takes: so many pooled images of this size. */
export interface StepShape {
  readonly rows: number;
  /** Of the pooled image, px. */
  readonly height: number;
  readonly width: number;
}

/** Shape of the logits, (rows, 1, ny, nx). */
export function logitsShape({ normaliser, cell }: Architecture, { rows, height, width }: StepShape): Shape {
  const [ny, nx] = [height, width].map((side) => (side * normaliser.pool) / cell);
  if (!Number.isInteger(ny) || !Number.isInteger(nx))
    throw new Error(`${height} × ${width} pooled pixels are not whole cells of ${cell / normaliser.pool}`);
  return [rows, 1, ny as number, nx as number];
}

/**
 * Loss and gradient.
 *
 * Inputs: `image` (rows, bands, height, width), pooled; `quantiles` (levels); `parameters` (P), as `slotsOf` lays them
 * out; `target` and `weight` (rows, 1, ny, nx). Outputs: `loss` (), the sum of weight · binary cross-entropy of logit
 * and target; `logits` (rows, 1, ny, nx); `gradient` (P) of the loss.
 */
export function gradientGraph(architecture: Architecture, shape: StepShape): Uint8Array {
  const graph = new GraphBuilder('gradient');
  const gradients = new Map<string, Value>();
  const { applied, cells } = forward(graph, architecture, shape, gradients);
  const logits = applied.output.value;
  const target = graph.input('target', cells);
  const weight = graph.input('weight', cells);
  // max(z, 0) − z t + log(1 + exp(−|z|)) does not overflow.
  const tail = graph.log(graph.add(graph.scalar(1), graph.node('Exp', [graph.neg(graph.abs(logits))])));
  const linear = graph.sub(graph.node('Relu', [logits]), graph.mul(logits, target));
  const losses = graph.mul(weight, graph.add(linear, tail));
  const loss = graph.node('ReduceSum', [losses, graph.integers([0, 1, 2, 3])], { keepdims: { int: 0 } });
  applied.backward(graph.mul(weight, graph.sub(graph.sigmoid(logits), target)), false);
  const flat = slotsOf(architecture).map(({ name }) => graph.reshape(gradients.get(name) as Value, [-1]));
  graph.output(loss, 'loss', []);
  graph.output(logits, 'logits', cells);
  graph.output(graph.concat(flat, 0), 'gradient', [parameterCount(architecture)]);
  return graph.build();
}

/** The forward pass: `image`, `quantiles` and `parameters` as in `gradientGraph` to `logits` (rows, 1, ny, nx). */
export function forwardGraph(architecture: Architecture, shape: StepShape): Uint8Array {
  const graph = new GraphBuilder('forward');
  const { applied, cells } = forward(graph, architecture, shape, new Map());
  graph.output(applied.output.value, 'logits', cells);
  return graph.build();
}

function forward(
  graph: GraphBuilder,
  architecture: Architecture,
  shape: StepShape,
  gradients: Map<string, Value>,
) {
  const { normaliser, layers } = architecture;
  const { bands, levels } = normaliser;
  const { rows, height, width } = shape;
  const cells = logitsShape(architecture, shape);
  const image = graph.input('image', [rows, bands, height, width]);
  const quantiles = graph.input('quantiles', [levels.length]);
  const parameters = graph.input('parameters', [parameterCount(architecture)]);
  const values = new Map(
    slotsOf(architecture).map(({ name, shape, offset, length }) => {
      const part = graph.slice(parameters, 0, graph.integers([offset]), graph.integers([offset + length]));
      return [name, graph.reshape(part, shape)];
    }),
  );
  const contrast = quantileContrast(graph, { bands, levels, pool: 1 }, quantiles);
  const [down, across] = [reached(layers, height), reached(layers, width)];
  const corner = graph.node('Slice', [
    image,
    graph.integers([0, 0]),
    graph.integers([down, across]),
    graph.integers([2, 3]),
  ]);
  const normal: Feature = {
    value: graph.asinh(contrast(graph, corner)),
    shape: [rows, bands * levels.length, down, across],
  };
  const weights = { of: (name: string) => values.get(name) as Value, gradients };
  const applied = new Differentiator(graph, weights).apply(normal, layers);
  if (applied.output.shape.join() !== cells.join())
    throw new Error(`the layers give ${applied.output.shape.join(' × ')} logits, not ${cells.join(' × ')}`);
  return { applied, cells };
}

/** How weights follow their gradient: torch's Adam or AdamW, after torch's clip_grad_norm_. */
export interface UpdateRule {
  readonly optimizer: 'adam' | 'adamw';
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Largest length of the gradient; longer ones are shortened to it. */
  readonly clipNorm: number | undefined;
}

/** torch's clip_grad_norm_ adds this to the length before it divides. */
const CLIP_EPSILON = 1e-6;

/**
 * One update of `size` weights.
 *
 * Inputs: `parameters`, `gradient`, `moment1`, `moment2` (P), and the scalars that depend on the step:
 * `step_size`, learning rate / (1 − β₁ᵗ); `moment2_scale`, 1 / sqrt(1 − β₂ᵗ); `shrink`, 1 − learning rate · weight
 * decay. Outputs: the new `parameters`, `moment1`, `moment2` (P) and `norm` (), the gradient's length before clipping.
 */
export function updateGraph(size: number, rule: UpdateRule): Uint8Array {
  const graph = new GraphBuilder('update');
  const [parameters, gradient, moment1, moment2] = ['parameters', 'gradient', 'moment1', 'moment2'].map(
    (name) => graph.input(name, [size]),
  ) as [Value, Value, Value, Value];
  const [stepSize, moment2Scale, shrink] = ['step_size', 'moment2_scale', 'shrink'].map((name) =>
    graph.input(name, []),
  ) as [Value, Value, Value];
  const times = (x: Value, factor: number): Value => graph.mul(x, graph.scalar(factor));

  const norm = graph.sqrt(
    graph.node('ReduceSum', [graph.mul(gradient, gradient), graph.integers([0])], { keepdims: { int: 0 } }),
  );
  let slope = gradient;
  if (rule.clipNorm !== undefined) {
    const ratio = graph.div(graph.scalar(rule.clipNorm), graph.add(norm, graph.scalar(CLIP_EPSILON)));
    slope = graph.mul(slope, graph.node('Min', [ratio, graph.scalar(1)]));
  }
  const isDecoupled = rule.optimizer === 'adamw';
  if (!isDecoupled && rule.weightDecay !== 0) slope = graph.add(slope, times(parameters, rule.weightDecay));
  const start = isDecoupled ? graph.mul(parameters, shrink) : parameters;
  const next1 = graph.add(times(moment1, rule.beta1), times(slope, 1 - rule.beta1));
  const next2 = graph.add(times(moment2, rule.beta2), times(graph.mul(slope, slope), 1 - rule.beta2));
  const size2 = graph.add(graph.mul(graph.sqrt(next2), moment2Scale), graph.scalar(rule.epsilon));
  const next = graph.sub(start, graph.mul(stepSize, graph.div(next1, size2)));
  graph.output(next, 'parameters_next', [size]);
  graph.output(next1, 'moment1_next', [size]);
  graph.output(next2, 'moment2_next', [size]);
  graph.output(norm, 'norm', []);
  return graph.build();
}
