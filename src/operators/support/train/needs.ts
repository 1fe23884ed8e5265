/** Memory of a training, before it starts. */

import { formatBytes } from '../../../config/units.js';
import type { Architecture, Layer } from '../../../encoders/layers.js';
import { parameterCount } from '../../../encoders/step/layout.js';
import { EngineError } from '../../../engine/errors.js';
import { scoringLoops } from './scoring.js';
import { imageLength, type WindowShape } from './window-file.js';

export interface Sizes {
  readonly architecture: Architecture;
  readonly shape: WindowShape;
  /** Windows of a batch, and of what goes through the network at once. */
  readonly rows: number;
  readonly microBatch: number;
  readonly lanes: number;
  readonly loaders: number;
  /** Whether sessions are in the memory of the machine, not of a GPU. */
  readonly isOnCpu: boolean;
}

/** Windows that are ready, or being made ready, at once: a batch, and what keeps the lanes busy meanwhile. */
export const readyPlaces = ({
  rows,
  microBatch,
  lanes,
}: Pick<Sizes, 'rows' | 'microBatch' | 'lanes'>): number => rows + microBatch * lanes;

/** Bytes a training holds: windows on their way, the network and its gradients, and a session in each lane. */
export function trainingBytes(sizes: Sizes): number {
  const { architecture, shape, microBatch, lanes, loaders, isOnCpu } = sizes;
  const image = 4 * imageLength(shape);
  const vector = 4 * parameterCount(architecture);
  const images = readyPlaces(sizes) + scoringLoops(lanes) * microBatch + 2 * loaders;
  // Network, moments, gradient and what an update makes of them; in each lane copies of the network and of its gradient.
  const vectors = 12 + 10 * lanes;
  const session = isOnCpu ? sessionBytes(architecture, shape, microBatch) : sessionBase + microBatch * image;
  return images * image + vectors * vector + lanes * session;
}

/**
 * Measured: what ONNX Runtime holds for each byte of the normalised image, and of the values between the layers, to go
 * forth and back, and forth alone.
 */
const bytesPerNormalByte = 8.6;
const bytesPerValueByte = 5.5;
const sessionBase = 48e6;

function sessionBytes(
  { normaliser, layers }: Architecture,
  { bands, side }: WindowShape,
  rows: number,
): number {
  const channels = bands * normaliser.levels.length;
  const normal = channels * side * side;
  const { values } = valuesOf(layers, { channels, side });
  return Math.ceil(sessionBase + 4 * rows * (bytesPerNormalByte * normal + bytesPerValueByte * values));
}

interface Passed {
  readonly channels: number;
  readonly side: number;
}

/** How many values all layers give for one image, and the shape of the last. */
function valuesOf(layers: readonly Layer[], from: Passed): Passed & { readonly values: number } {
  let { channels, side } = from;
  let values = 0;
  for (const layer of layers) {
    if (layer.kind === 'conv') {
      channels = layer.out;
      side = Math.ceil(side / (layer.stride ?? 1));
    } else if (layer.kind === 'average-pool') side = Math.floor(side / layer.size);
    else if (layer.kind === 'residual') values += valuesOf(layer.layers, { channels, side }).values;
    values += channels * side * side;
  }
  return { channels, side, values };
}

/**
 * @param memory of the run
 * @throws EngineError `memory_too_small`, with a batch, a number of lanes or a window that would fit
 */
export function requireMemory(sizes: Sizes, memory: number, cell: number): void {
  const needed = trainingBytes(sizes);
  if (needed <= memory) return;
  const fits = (change: Partial<Sizes>): boolean => trainingBytes({ ...sizes, ...change }) <= memory;
  const { rows, microBatch, lanes, shape } = sizes;
  const below = (most: number, change: (n: number) => Partial<Sizes>): number | undefined =>
    Array.from({ length: most - 1 }, (_, i) => most - 1 - i).find((n) => fits(change(n)));
  const micro = below(microBatch, (n) => ({ microBatch: n }));
  const fewer = below(lanes, (n) => ({ lanes: n }));
  const smaller = below(rows, (n) => ({ rows: n, microBatch: Math.min(microBatch, n) }));
  const cells = below(shape.cells, (n) => ({
    shape: { ...shape, cells: n, side: (shape.side / shape.cells) * n },
  }));
  const ways = [
    micro === undefined ? undefined : `train.micro_batch=${micro}`,
    fewer === undefined ? undefined : `train.lanes=${fewer}`,
    smaller === undefined ? undefined : `batch.items=${smaller}`,
    cells === undefined ? undefined : `tile.size=${cells * cell}`,
  ].filter((way) => way !== undefined);
  throw new EngineError(
    'memory_too_small',
    `training needs ${formatBytes(needed)} for batches of ${rows} windows in ${lanes} lanes, but memory is ${formatBytes(memory)}`,
    {
      hint: [`use memory=${Math.ceil(needed / 2 ** 20)}MiB or more`, ...ways.map((way) => `or ${way}`)].join(
        ', ',
      ),
    },
  );
}
