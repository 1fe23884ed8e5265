/**
 * Layers with weights, on top of the graph builder: convolutions initialised as torch initialises them, the
 * GroupNorm + SiLU block of BLISS, and its asinh quantile normaliser.
 */
import type { GraphBuilder, Value } from './graph.js';
import { RandomStream } from './random.js';

/** How a weight starts when there is no trained one. */
export type Initial =
  | { readonly uniform: number }
  | { readonly constant: number }
  | { readonly values: readonly number[] };

/** Gives the values of the weight called `name`: seeded ones, or those of a checkpoint. */
export type WeightSource = (name: string, shape: readonly number[], initial: Initial) => Float32Array;

/** Untrained weights. The same seed gives the same bytes on every machine. */
export function seededWeights(seed: number): WeightSource {
  return (name, shape, initial) => {
    const data = new Float32Array(shape.reduce((product, length) => product * length, 1));
    if ('constant' in initial) return data.fill(initial.constant);
    if ('values' in initial) return Float32Array.from(initial.values);
    const stream = new RandomStream(seed, name);
    return data.map(() => (2 * stream.uniform() - 1) * initial.uniform);
  };
}

export interface ConvShape {
  readonly in: number;
  readonly out: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly bias?: boolean;
}

/** The 14 quantiles at which BLISS's encoder centres its asinh channels. */
export const quantileLevels = [
  0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 0.999, 0.9999, 0.99999,
] as const;

/** asinh saturates beyond about 5: a pixel at zero lies that far from its quantile. */
const ASINH_RANGE = 5;
const SMALLEST_QUANTILE = 1e-6;

/** From an (n, bands, h, w) image to (n, bands · quantiles, h / pool, w / pool); on the builder of any scope. */
export type Contrast = (on: GraphBuilder, image: Value) => Value;

/** Weights of a convolution. */
export interface ConvWeights {
  readonly weight: Value;
  readonly bias?: Value;
}

export class Network {
  constructor(
    readonly graph: GraphBuilder,
    private readonly weights: WeightSource,
  ) {}

  parameter(name: string, shape: readonly number[], initial: Initial): Value {
    return this.graph.parameter(name, shape, this.weights(name, shape, initial));
  }

  /** Weight and bias of a convolution, drawn as torch does: uniform within ±1/sqrt(fan in) (Kaiming, a = √5). */
  convWeights(name: string, shape: ConvShape): ConvWeights {
    const bound = 1 / Math.sqrt(shape.in * shape.kernel ** 2);
    const weight = this.parameter(`${name}.weight`, [shape.out, shape.in, shape.kernel, shape.kernel], {
      uniform: bound,
    });
    if (shape.bias === false) return { weight };
    return { weight, bias: this.parameter(`${name}.bias`, [shape.out], { uniform: bound }) };
  }

  /** A convolution that keeps the image's size but for its stride. */
  conv(x: Value, name: string, shape: ConvShape): Value {
    const { weight, ...bias } = this.convWeights(name, shape);
    const { kernel, stride = 1 } = shape;
    return this.graph.conv(x, weight, { ...bias, kernel, stride, padding: (kernel - 1) / 2 });
  }

  /** Scale and shift of a GroupNorm, one and zero at first. */
  normWeights(name: string, channels: number): { scale: Value; shift: Value } {
    const scale = this.parameter(`${name}.weight`, [channels], { constant: 1 });
    return { scale, shift: this.parameter(`${name}.bias`, [channels], { constant: 0 }) };
  }

  /** GroupNorm (groups of four channels, at most 32 groups) and SiLU. */
  normActivation(x: Value, name: string, channels: number): Value {
    const { scale, shift } = this.normWeights(name, channels);
    return this.graph.silu(this.graph.groupNorm(x, scale, shift, Math.min(32, channels / 4)));
  }

  /** Convolution, GroupNorm, SiLU: BLISS's ConvBlock. */
  convBlock(x: Value, name: string, shape: ConvShape): Value {
    return this.normActivation(this.conv(x, `${name}.conv`, shape), `${name}.gn`, shape.out);
  }

  /**
   * The linear part of the asinh quantile normaliser, (x − q) · 5 / |q| for every band x and quantile q, as a
   * convolution; averaging squares of `pool` × `pool` pixels first costs nothing more. Most of its weights are zero,
   * but a grouped convolution is no faster here and wrong on WebGPU for groups of 14.
   *
   * @returns a function of the (n, bands, h, w) image giving (n, bands · quantiles, h / pool, w / pool), to be
   *   followed by asinh. It may be called in the body of a loop.
   */
  quantileContrast(name: string, bands: number, quantiles: readonly number[], pool: number): Contrast {
    const { graph } = this;
    const channels = bands * quantiles.length;
    const q = this.parameter(name, [quantiles.length], { values: quantiles });
    const range = graph.scalar(ASINH_RANGE);
    const scale = graph.div(range, graph.node('Max', [graph.abs(q), graph.scalar(SMALLEST_QUANTILE)]));
    const acrossBands = (perQuantile: Value) => graph.node('Tile', [perQuantile, graph.integers([bands])]);
    const area = pool ** 2;
    const means = new Float32Array(channels * bands * area);
    for (let channel = 0; channel < channels; channel++) {
      const start = (channel * bands + Math.floor(channel / quantiles.length)) * area;
      means.fill(1 / area, start, start + area);
    }
    const ownBandMean = graph.constant(means, [channels, bands, pool, pool]);
    const weight = graph.mul(graph.reshape(acrossBands(scale), [channels, 1, 1, 1]), ownBandMean);
    const bias = acrossBands(graph.neg(graph.mul(q, scale)));
    return (on: GraphBuilder, image: Value): Value =>
      on.conv(image, weight, { bias, kernel: pool, stride: pool });
  }
}
