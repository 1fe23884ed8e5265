/**
 * An encoder as data: which layers it has, in order, and which weights they need. The graph that runs it
 * (`network.ts`) and the graph that trains it (`step/`) are both built from this.
 */

/** How a weight starts when there is no trained one. */
export type Initial =
  | { readonly uniform: number }
  | { readonly constant: number }
  | { readonly values: readonly number[] };

/** A weight: its name as in a torch `state_dict`, and its shape. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initial: Initial;
}

/** Correlation with an (out, in, kernel, kernel) weight, with (kernel − 1) / 2 zeros around; torch's Conv2d. */
export interface ConvLayer {
  readonly kind: 'conv';
  readonly name: string;
  readonly in: number;
  readonly out: number;
  readonly kernel: number;
  /** Default 1. */
  readonly stride?: number;
  /** Default true. */
  readonly bias?: boolean;
}

/** Per row and group, (x − mean) / sqrt(variance + 1e-5), then scale and shift per channel; torch's GroupNorm. */
export interface GroupNormLayer {
  readonly kind: 'group-norm';
  readonly name: string;
  readonly channels: number;
  readonly groups: number;
}

/** x · sigmoid(x). */
export interface SiluLayer {
  readonly kind: 'silu';
}

/** Mean over squares of `size` × `size`, side by side. */
export interface AveragePoolLayer {
  readonly kind: 'average-pool';
  readonly size: number;
}

/** x + layers(x); the layers keep the shape. */
export interface ResidualLayer {
  readonly kind: 'residual';
  readonly layers: readonly Layer[];
}

export type Layer = ConvLayer | GroupNormLayer | SiluLayer | AveragePoolLayer | ResidualLayer;

/** BLISS's asinh quantile normaliser, before it the mean over `pool` × `pool` pixels. It is fitted, not trained. */
export interface Normaliser {
  /** Name of its quantiles. */
  readonly name: string;
  readonly bands: number;
  readonly pool: number;
  readonly levels: readonly number[];
  /** Quantiles of `levels` before any image has been seen, in image units. */
  readonly initial: readonly number[];
}

/** Normaliser, layers, and how many pixels one cell of the output spans. */
export interface Architecture {
  readonly normaliser: Normaliser;
  readonly layers: readonly Layer[];
  readonly cell: number;
}

/** Whether it looks at one pixel at a time: a 1 × 1 convolution without stride. */
export const isPointwise = (layer: Layer): boolean =>
  layer.kind === 'conv' && layer.kernel === 1 && (layer.stride ?? 1) === 1;

/** The weights of some layers, in the order in which they are used. Convolutions start as torch starts them. */
export function parametersOf(layers: readonly Layer[]): readonly ParameterSpec[] {
  return layers.flatMap((layer): readonly ParameterSpec[] => {
    switch (layer.kind) {
      case 'conv': {
        // Kaiming uniform with a = √5, as torch's Conv2d: weight and bias within ±1/sqrt(fan in).
        const initial = { uniform: 1 / Math.sqrt(layer.in * layer.kernel ** 2) };
        const shape = [layer.out, layer.in, layer.kernel, layer.kernel];
        const weight = { name: `${layer.name}.weight`, shape, initial };
        return layer.bias === false
          ? [weight]
          : [weight, { name: `${layer.name}.bias`, shape: [layer.out], initial }];
      }
      case 'group-norm':
        return [
          { name: `${layer.name}.weight`, shape: [layer.channels], initial: { constant: 1 } },
          { name: `${layer.name}.bias`, shape: [layer.channels], initial: { constant: 0 } },
        ];
      case 'residual':
        return parametersOf(layer.layers);
      default:
        return [];
    }
  });
}

/** Convolution, GroupNorm (groups of four channels, at most 32 groups), SiLU: BLISS's ConvBlock. */
export const convBlock = (
  name: string,
  shape: Omit<ConvLayer, 'kind' | 'name'>,
): readonly [ConvLayer, GroupNormLayer, SiluLayer] => [
  { kind: 'conv', name: `${name}.conv`, ...shape },
  { kind: 'group-norm', name: `${name}.gn`, channels: shape.out, groups: Math.min(32, shape.out / 4) },
  { kind: 'silu' },
];
