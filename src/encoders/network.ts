/**
 * The graph that runs an encoder: its normaliser and its layers, weight by weight, on top of the graph builder.
 */
import { createHash } from 'node:crypto';
import { Random } from '../science/random.js';
import type { GraphBuilder, Value } from './graph.js';
import { type ConvLayer, type Initial, type Layer, type Normaliser, parametersOf } from './layers.js';

/** Gives the values of the weight called `name`: seeded ones, or those of a checkpoint. */
export type WeightSource = (name: string, shape: readonly number[], initial: Initial) => Float32Array;

/** Untrained weights. The same seed gives the same bytes on every machine. */
export function seededWeights(seed: number): WeightSource {
  return (name, shape, initial) => {
    const data = new Float32Array(shape.reduce((product, length) => product * length, 1));
    if ('constant' in initial) return data.fill(initial.constant);
    if ('values' in initial) return Float32Array.from(initial.values);
    const random = new Random(weightSeed(seed, name));
    return data.map(() => (2 * ((random.uint32() >>> 8) / 2 ** 24) - 1) * initial.uniform);
  };
}

/**
 * Each weight has a stream of its own. Its state is the first 16 bytes of SHA-256 of "seed/name", as four numbers of 32
 * bits, little endian: older than `deriveSeed`, and kept, because the bytes of seeded encoders must never change.
 */
const weightSeed = (seed: number, name: string): string =>
  createHash('sha256').update(`${seed}/${name}`).digest().subarray(0, 16).swap32().toString('hex');

/** asinh saturates beyond about 5: a pixel at zero lies that far from its quantile. */
const ASINH_RANGE = 5;
const SMALLEST_QUANTILE = 1e-6;

/** From an (n, bands, h, w) image to (n, bands · quantiles, h / pool, w / pool); on the builder of any scope. */
export type Contrast = (on: GraphBuilder, image: Value) => Value;

/**
 * The linear part of the asinh quantile normaliser, (x − q) · 5 / |q| for every band x and quantile q, as a
 * convolution; averaging squares of `pool` × `pool` pixels first costs nothing more. Most of its weights are zero,
 * but a grouped convolution is no faster here and wrong on WebGPU for groups of 14.
 *
 * @param quantiles a vector of as many as the normaliser has levels
 * @returns a function of the (n, bands, h, w) image giving (n, bands · quantiles, h / pool, w / pool), to be
 *   followed by asinh. It may be called in the body of a loop.
 */
export function quantileContrast(
  graph: GraphBuilder,
  { bands, levels, pool }: Pick<Normaliser, 'bands' | 'levels' | 'pool'>,
  quantiles: Value,
): Contrast {
  const channels = bands * levels.length;
  const range = graph.scalar(ASINH_RANGE);
  const scale = graph.div(range, graph.node('Max', [graph.abs(quantiles), graph.scalar(SMALLEST_QUANTILE)]));
  const acrossBands = (perQuantile: Value) => graph.node('Tile', [perQuantile, graph.integers([bands])]);
  const area = pool ** 2;
  const means = new Float32Array(channels * bands * area);
  for (let channel = 0; channel < channels; channel++) {
    const start = (channel * bands + Math.floor(channel / levels.length)) * area;
    means.fill(1 / area, start, start + area);
  }
  const ownBandMean = graph.constant(means, [channels, bands, pool, pool]);
  const weight = graph.mul(graph.reshape(acrossBands(scale), [channels, 1, 1, 1]), ownBandMean);
  const bias = acrossBands(graph.neg(graph.mul(quantiles, scale)));
  return (on, image) => on.conv(image, weight, { bias, kernel: pool, stride: pool });
}

/** A convolution with the weights it has in a graph. */
export interface Filter extends ConvLayer {
  readonly weight: Value;
  readonly shift: Value | undefined;
}

/** Correlates; by default with as many zeros around as keep the image's size but for the stride. */
export function convolve(
  on: GraphBuilder,
  x: Value,
  { weight, shift, kernel, stride = 1 }: Filter,
  padding: number | readonly [number, number, number, number] = (kernel - 1) / 2,
): Value {
  return on.conv(x, weight, { ...(shift && { bias: shift }), kernel, stride, padding });
}

/** Declares weights in a graph and applies layers that use them. */
export class Network {
  constructor(
    readonly graph: GraphBuilder,
    private readonly weights: WeightSource,
  ) {}

  parameter(name: string, shape: readonly number[], initial: Initial): Value {
    return this.graph.parameter(name, shape, this.weights(name, shape, initial));
  }

  /** The weights of one layer. */
  declare(layer: Layer): Value[] {
    return parametersOf([layer]).map(({ name, shape, initial }) => this.parameter(name, shape, initial));
  }

  filter(layer: ConvLayer): Filter {
    const [weight, shift] = this.declare(layer) as [Value, Value | undefined];
    return { ...layer, weight, shift };
  }

  /** The normaliser up to its asinh. */
  contrast(normaliser: Normaliser): Contrast {
    const { name, levels, initial } = normaliser;
    const quantiles = this.parameter(name, [levels.length], { values: initial });
    return quantileContrast(this.graph, normaliser, quantiles);
  }

  /** Applies layers to the whole of x, (n, channels, h, w). */
  apply(x: Value, layers: readonly Layer[]): Value {
    return layers.reduce((value, layer) => this.applyOne(value, layer), x);
  }

  private applyOne(x: Value, layer: Layer): Value {
    const { graph } = this;
    switch (layer.kind) {
      case 'conv':
        return convolve(graph, x, this.filter(layer));
      case 'group-norm': {
        const [scale, shift] = this.declare(layer) as [Value, Value];
        return graph.groupNorm(x, scale, shift, layer.groups);
      }
      case 'silu':
        return graph.silu(x);
      case 'average-pool':
        return graph.averagePool(x, layer.size);
      case 'residual':
        return graph.add(x, this.apply(x, layer.layers));
    }
  }
}
