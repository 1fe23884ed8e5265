/** The networks of test/fixtures/encoders/step/make_golden.py. */
import { type Architecture, type ConvLayer, convBlock, type Layer } from '../../../src/encoders/layers.js';
import type { StepShape } from '../../../src/encoders/step/graphs.js';
import type { GradientFeeds } from '../../../src/encoders/step/sessions.js';
import { formula, golden } from './golden.js';

let count = 0;
const conv = (from: number, to: number, kernel: number, stride = 1, bias = true): ConvLayer => ({
  kind: 'conv',
  name: `conv${count++}`,
  in: from,
  out: to,
  kernel,
  stride,
  bias,
});
const block = (from: number, to: number, kernel: number, stride = 1): readonly Layer[] =>
  convBlock(`block${count++}`, { in: from, out: to, kernel, stride });
const silu: Layer = { kind: 'silu' };
const pool: Layer = { kind: 'average-pool', size: 2 };
const residual = (...layers: Layer[]): Layer => ({ kind: 'residual', layers });
const norm: Layer = { kind: 'group-norm', name: 'norm', channels: 8, groups: 2 };

type Case = readonly [shape: readonly [number, number, number], cell: number, layers: readonly Layer[]];

const cases: Record<string, Case> = {
  'conv-bias': [[1, 8, 8], 8, [conv(8, 1, 3, 8)]],
  'conv-no-bias': [[2, 8, 12], 4, [conv(8, 1, 5, 4, false)]],
  k1: [[2, 4, 4], 4, [conv(8, 6, 1), conv(6, 5, 1, 1, false), conv(5, 1, 3, 4)]],
  'k3-s1': [[2, 8, 8], 4, [conv(8, 6, 3), conv(6, 1, 3, 4)]],
  'k3-s2': [[1, 8, 12], 4, [conv(8, 6, 3, 2), conv(6, 5, 3, 2), conv(5, 1, 3)]],
  'k5-s1': [[1, 8, 8], 4, [conv(8, 6, 5), conv(6, 1, 3, 4)]],
  'k5-s2': [[2, 8, 8], 4, [conv(8, 6, 5, 2), conv(6, 1, 5, 2)]],
  'k5-s4': [[2, 16, 16], 4, [conv(8, 6, 1), conv(6, 6, 5, 4), conv(6, 1, 1)]],
  'k1-s2': [[1, 8, 8], 4, [conv(8, 6, 1, 2), conv(6, 1, 1, 2)]],
  'k7-s4': [[1, 16, 8], 4, [conv(8, 4, 3), conv(4, 4, 7, 4), conv(4, 1, 1)]],
  'group-norm': [[2, 8, 8], 4, [conv(8, 8, 3, 2), norm, conv(8, 1, 3, 2)]],
  silu: [[1, 8, 8], 4, [conv(8, 6, 3, 2), silu, conv(6, 1, 3, 2)]],
  'average-pool': [[2, 8, 8], 4, [conv(8, 6, 3), pool, conv(6, 6, 1), pool, conv(6, 1, 1)]],
  residual: [
    [2, 8, 8],
    4,
    [conv(8, 8, 3, 2), residual(...block(8, 8, 3), residual(conv(8, 8, 3))), conv(8, 1, 3, 2)],
  ],
  'six-rows': [[6, 4, 4], 4, [conv(8, 4, 3, 2), conv(4, 1, 3, 2)]],
  'pointwise-first': [
    [1, 8, 8],
    4,
    [conv(8, 5, 1), silu, conv(5, 5, 1), silu, ...block(5, 8, 5, 2), conv(8, 1, 3, 2)],
  ],
  'cluster-small': [
    [2, 64, 128],
    64,
    [
      ...block(8, 8, 5, 4),
      ...block(8, 16, 5, 4),
      ...block(16, 16, 3, 2),
      ...block(16, 16, 3),
      ...block(16, 16, 3, 2),
      ...block(16, 16, 3),
      residual(...block(16, 16, 3)),
      conv(16, 1, 1),
    ],
  ],
};

export interface GoldenNetwork {
  readonly architecture: Architecture;
  readonly shape: StepShape;
  readonly feeds: GradientFeeds;
}

export const goldenNetworks: ReadonlyMap<string, GoldenNetwork> = new Map(
  Object.entries(cases).map(([name, [[rows, height, width], cell, layers]]) => {
    const normaliser = { name: 'quantiles', bands: 4, pool: 1, levels: [0.1, 0.9], initial: [-0.5, 0.25] };
    const cells = (rows * height * width) / cell ** 2;
    const feeds = {
      image: formula(rows * 4 * height * width, 11).map((value) => 3 * value),
      quantiles: Float32Array.of(-0.5, 0.25),
      parameters: golden(`${name}/parameters`),
      target: formula(cells, 12).map((value) => (value > 0 ? 1 : 0)),
      weight: formula(cells, 13).map((value) => value + 1.5),
    };
    return [name, { architecture: { normaliser, layers, cell }, shape: { rows, height, width }, feeds }];
  }),
);
