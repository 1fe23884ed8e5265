/**
 * One rule for each kind of layer: how it is applied, and how the gradient of its output becomes that of its input
 * and of its weights. Shapes are static, so that every size in the rules is a number.
 */
import type { GraphBuilder, Value } from '../graph.js';
import {
  type AveragePoolLayer,
  type ConvLayer,
  type GroupNormLayer,
  isPointwise,
  type Layer,
} from '../layers.js';

export type Shape = readonly [rows: number, channels: number, height: number, width: number];

/** A tensor whose shape is known. */
export interface Feature {
  readonly value: Value;
  readonly shape: Shape;
}

/** Layers that have been applied. */
export interface Applied {
  readonly output: Feature;
  /**
   * Adds the part of the graph that goes back.
   *
   * @param gradient that of the loss by the output
   * @param isWanted whether the gradient by the input is needed; it is not where no weight comes before
   * @returns the gradient by the input, undefined when it was not wanted
   */
  readonly backward: (gradient: Value, isWanted: boolean) => Value | undefined;
}

/** Weights by name, and where their gradients are put. */
export interface Weights {
  readonly of: (name: string) => Value;
  readonly gradients: Map<string, Value>;
}

const EPSILON = 1e-5;

export class Differentiator {
  constructor(
    private readonly graph: GraphBuilder,
    private readonly weights: Weights,
  ) {}

  /** Applies layers one after the other. */
  apply(input: Feature, layers: readonly Layer[]): Applied {
    const applied: Applied[] = [];
    let feature = input;
    for (const layer of layers) {
      const one = this.one(feature, layer);
      applied.push(one);
      feature = one.output;
    }
    const hasWeights = layers.map((_, i) => layers.slice(0, i).some(isTrained));
    const backward = (gradient: Value, isWanted: boolean): Value | undefined =>
      applied.reduceRight<Value | undefined>(
        (back, one, i) => back && one.backward(back, isWanted || hasWeights[i] === true),
        gradient,
      );
    return { output: feature, backward };
  }

  private one(input: Feature, layer: Layer): Applied {
    switch (layer.kind) {
      case 'conv':
        return isPointwise(layer) ? this.pointwise(input, layer) : this.conv(input, layer);
      case 'group-norm':
        return this.groupNorm(input, layer);
      case 'silu':
        return this.silu(input);
      case 'average-pool':
        return this.averagePool(input, layer);
      case 'residual':
        return this.residual(input, layer.layers);
    }
  }

  private conv(input: Feature, layer: ConvLayer): Applied {
    const { graph } = this;
    const { kernel, stride = 1 } = layer;
    const padding = (kernel - 1) / 2;
    const [rows, , height, width] = input.shape;
    const weight = this.weights.of(`${layer.name}.weight`);
    const bias = layer.bias === false ? undefined : this.weights.of(`${layer.name}.bias`);
    const value = graph.conv(input.value, weight, { ...(bias && { bias }), kernel, stride, padding });
    const lengths = [height, width].map((length) => strided(length, layer));
    const [down, across] = lengths as [Strided, Strided];
    const shape: Shape = [rows, layer.out, down.length, across.length];
    const backward = (gradient: Value, isWanted: boolean): Value | undefined => {
      this.gradient(layer, 'weight', this.weightGradient(input, { value: gradient, shape }, layer));
      if (bias !== undefined) this.gradient(layer, 'bias', this.sum(gradient, [0, 2, 3]));
      if (!isWanted) return undefined;
      return graph.node('ConvTranspose', [gradient, weight], {
        kernel_shape: { ints: [kernel, kernel] },
        strides: { ints: [stride, stride] },
        pads: { ints: [padding, padding, padding, padding] },
        output_padding: { ints: [down.remainder, across.remainder] },
      });
    };
    return { output: { value, shape }, backward };
  }

  /**
   * Correlates the input with the gradient of the output spread `stride` apart, channels of both in the place of rows.
   * Rows of the input that a stride leaves over would only widen the result; as far as they are padding it is left
   * out, the rest is cut off.
   */
  private weightGradient(input: Feature, gradient: Feature, layer: ConvLayer): Value {
    const { graph } = this;
    const { kernel, stride = 1 } = layer;
    const padding = (kernel - 1) / 2;
    const [, , height, width] = input.shape;
    const [, , down, across] = gradient.shape;
    const ends = [height, width].map((length) => padding - strided(length, layer).remainder);
    const [bottom, right] = ends.map((end) => Math.max(end, 0)) as [number, number];
    const wide = graph.node('Conv', [this.filledRows(input), this.filledRows(gradient)], {
      kernel_shape: { ints: [down, across] },
      dilations: { ints: [stride, stride] },
      pads: { ints: [padding, padding, bottom, right] },
    });
    const isWider = ends.some((end) => end < 0);
    const size = graph.integers([kernel, kernel]);
    const cut = isWider
      ? graph.node('Slice', [wide, graph.integers([0, 0]), size, graph.integers([2, 3])])
      : wide;
    return graph.node('Transpose', [cut], { perm: { ints: [1, 0, 2, 3] } });
  }

  /** A 1 × 1 convolution: a product of matrices, and so are its gradients. */
  private pointwise(input: Feature, layer: ConvLayer): Applied {
    const { graph } = this;
    const [rows, , height, width] = input.shape;
    const shape: Shape = [rows, layer.out, height, width];
    const weight = this.weights.of(`${layer.name}.weight`);
    const bias = layer.bias === false ? undefined : this.weights.of(`${layer.name}.bias`);
    const value = graph.conv(input.value, weight, { ...(bias && { bias }), kernel: 1 });
    const asMatrix = (feature: Feature): Value =>
      graph.reshape(this.channelsFirst(feature), [feature.shape[1], -1]);
    const backward = (gradient: Value, isWanted: boolean): Value | undefined => {
      const product = graph.node('Gemm', [asMatrix({ value: gradient, shape }), asMatrix(input)], {
        transB: { int: 1 },
      });
      this.gradient(layer, 'weight', product);
      if (bias !== undefined) this.gradient(layer, 'bias', this.sum(gradient, [0, 2, 3]));
      if (!isWanted) return undefined;
      const transposed = graph.node('Transpose', [weight], { perm: { ints: [1, 0, 2, 3] } });
      return graph.conv(gradient, transposed, { kernel: 1 });
    };
    return { output: { value, shape }, backward };
  }

  /**
   * With x − mean = d, inverse deviation r and scale γ: y = γ r d + β, and for the gradient g of y
   * dx = γ r g − r mean(γ g) − r³ d mean(γ g d), means over the group. All sums come from two per channel.
   */
  private groupNorm({ value, shape }: Feature, layer: GroupNormLayer): Applied {
    const { graph } = this;
    const [rows, channels, height, width] = shape;
    const { groups } = layer;
    const perGroup = channels / groups;
    const count = graph.scalar(perGroup * height * width);
    const scale = graph.reshape(this.weights.of(`${layer.name}.weight`), [1, channels, 1]);
    const shift = graph.reshape(this.weights.of(`${layer.name}.bias`), [1, channels, 1]);
    const ofChannels = (perGroupValue: Value): Value =>
      graph.reshape(graph.node('Expand', [perGroupValue, graph.integers([rows, groups, perGroup])]), [
        rows,
        channels,
        1,
      ]);
    const flat = (x: Value): Value => graph.reshape(x, [rows, channels, -1]);

    const grouped = graph.reshape(value, [rows, groups, -1]);
    const centred = graph.sub(grouped, graph.mean(grouped, [2]));
    const variance = graph.mean(graph.mul(centred, centred), [2]);
    const inverse = graph.node('Reciprocal', [graph.sqrt(graph.add(variance, graph.scalar(EPSILON)))]);
    const inverses = ofChannels(inverse);
    const slope = graph.mul(inverses, scale);
    const deviation = flat(centred);
    const output = graph.reshape(graph.add(graph.mul(deviation, slope), shift), shape);

    const backward = (gradient: Value): Value => {
      const g = flat(gradient);
      const sums = this.sum(g, [2], true);
      const products = graph.mul(this.sum(graph.mul(g, deviation), [2], true), inverses);
      this.gradient(layer, 'bias', this.sum(sums, [0]));
      this.gradient(layer, 'weight', this.sum(products, [0]));
      const meanOfGroup = (x: Value): Value =>
        graph.div(this.sum(graph.reshape(graph.mul(x, scale), [rows, groups, perGroup]), [2], true), count);
      const offset = ofChannels(graph.mul(inverse, meanOfGroup(sums)));
      const tilt = ofChannels(graph.mul(graph.mul(inverse, inverse), meanOfGroup(products)));
      const direct = graph.sub(graph.mul(g, slope), offset);
      return graph.reshape(graph.sub(direct, graph.mul(deviation, tilt)), shape);
    };
    return { output: { value: output, shape }, backward };
  }

  /** y = x σ(x), and dy/dx = σ + y − y σ. */
  private silu({ value, shape }: Feature): Applied {
    const { graph } = this;
    const sigmoid = graph.sigmoid(value);
    const output = graph.mul(value, sigmoid);
    const backward = (gradient: Value): Value => {
      const slope = graph.add(sigmoid, graph.sub(output, graph.mul(output, sigmoid)));
      return graph.mul(gradient, slope);
    };
    return { output: { value: output, shape }, backward };
  }

  private averagePool({ value, shape }: Feature, { size }: AveragePoolLayer): Applied {
    const { graph } = this;
    const [rows, channels, height, width] = shape;
    const [down, across] = [height / size, width / size];
    const share = graph.constant(new Float32Array(size).fill(1 / size ** 2), [1, size]);
    // Spread within lines as a product of matrices: broadcasting runs of a few elements takes six times as long.
    const backward = (gradient: Value): Value => {
      const spread = graph.node('MatMul', [graph.reshape(gradient, [-1, 1]), share]);
      const lines = graph.reshape(spread, [rows * channels * down, 1, width]);
      const copies = graph.integers([rows * channels * down, size, width]);
      return graph.reshape(graph.node('Expand', [lines, copies]), shape);
    };
    const output = { value: graph.averagePool(value, size), shape: [rows, channels, down, across] as const };
    return { output, backward };
  }

  private residual(input: Feature, layers: readonly Layer[]): Applied {
    const { output, backward } = this.apply(input, layers);
    const value = this.graph.add(input.value, output.value);
    return {
      output: { value, shape: input.shape },
      backward: (gradient, isWanted) => {
        const back = backward(gradient, isWanted);
        return back && this.graph.add(gradient, back);
      },
    };
  }

  private gradient(layer: ConvLayer | GroupNormLayer, part: 'weight' | 'bias', value: Value): void {
    this.weights.gradients.set(`${layer.name}.${part}`, value);
  }

  private sum(x: Value, axes: readonly number[], keepsAxes = false): Value {
    return this.graph.node('ReduceSum', [x, this.graph.integers(axes)], {
      keepdims: { int: keepsAxes ? 1 : 0 },
    });
  }

  /**
   * Channels before rows, and a row of zeros more where WebGPU would be wrong: onnxruntime's convolution is, for input
   * channels (which rows become) that are a multiple of 3 but neither 3 nor a multiple of 4.
   */
  private filledRows(feature: Feature): Value {
    const [rows] = feature.shape;
    const value = this.channelsFirst(feature);
    if (rows % 3 !== 0 || rows === 3 || rows % 4 === 0) return value;
    const { graph } = this;
    return graph.node('Pad', [value, graph.integers([0, 0, 0, 0, 0, 1, 0, 0])]);
  }

  /** (rows, channels, h, w) to (channels, rows, h, w): for one row only another name for the same numbers. */
  private channelsFirst({ value, shape }: Feature): Value {
    const [rows, channels, height, width] = shape;
    return rows === 1
      ? this.graph.reshape(value, [channels, 1, height, width])
      : this.graph.node('Transpose', [value], { perm: { ints: [1, 0, 2, 3] } });
  }
}

const isTrained = (layer: Layer): boolean =>
  layer.kind === 'residual'
    ? layer.layers.some(isTrained)
    : layer.kind === 'conv' || layer.kind === 'group-norm';

/**
 * How many rows (or columns) of the input the layers look at: a stride may leave some over at the end. Without them
 * the layers give the same, sooner.
 */
export function reached(layers: readonly Layer[], length: number): number {
  const first = layers.find((layer) => layer.kind !== 'silu' && !isPointwise(layer));
  if (first?.kind !== 'conv') return length;
  return length - Math.max(0, strided(length, first).remainder - Math.floor(first.kernel / 2));
}

interface Strided {
  /** Of the output. */
  readonly length: number;
  /** Rows or columns of the padded input, at its end, that no position of the kernel reaches. */
  readonly remainder: number;
}

function strided(length: number, { kernel, stride = 1 }: ConvLayer): Strided {
  const way = length + 2 * Math.floor(kernel / 2) - kernel;
  return { length: Math.floor(way / stride) + 1, remainder: way % stride };
}
