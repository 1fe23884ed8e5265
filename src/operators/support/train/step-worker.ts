/** The tasks of the lanes: gradients, forward passes and updates, each native and blocking its thread. */
import type { DeviceName } from '../../../encoders/devices.js';
import { type FamilyName, families } from '../../../encoders/families.js';
import { QuantileFit, type QuantileFitState, sampledPixels } from '../../../encoders/quantiles.js';
import type { UpdateRule } from '../../../encoders/step/graphs.js';
import { parameterCount } from '../../../encoders/step/layout.js';
import { ForwardSession, GradientSession, UpdateSession } from '../../../encoders/step/sessions.js';
import { task } from '../../../engine/workers.js';

/** What a lane needs to open its sessions. */
export interface LaneSpec {
  readonly family: FamilyName;
  /** Windows that go through the network at once. */
  readonly rows: number;
  /** Side of an averaged image, pixels. */
  readonly side: number;
  readonly device: DeviceName;
  readonly rule: UpdateRule;
}

/** The network as it is being trained, float32 in shared memory. */
export interface SharedNetwork {
  readonly quantiles: SharedArrayBuffer;
  readonly parameters: SharedArrayBuffer;
  readonly moment1: SharedArrayBuffer;
  readonly moment2: SharedArrayBuffer;
  /** Of the step that is being made: the sum over its windows. */
  readonly gradient: SharedArrayBuffer;
}

interface LaneJob {
  readonly spec: LaneSpec;
  readonly network: SharedNetwork;
}

export interface ForwardJob extends LaneJob {
  /** Averaged images, at most as many as the lane has rows. */
  readonly images: readonly SharedArrayBuffer[];
}

export interface GradientJob extends ForwardJob {
  /** Truth and weight of all cells, image by image. */
  readonly target: Float32Array;
  readonly weight: Float32Array;
  /** Where the gradient is put. */
  readonly into: SharedArrayBuffer;
}

export interface UpdateJob extends LaneJob {
  readonly learningRate: number;
  /** Counted from 1. */
  readonly step: number;
}

export interface FitJob extends LaneJob {
  readonly images: readonly SharedArrayBuffer[];
  readonly state: QuantileFitState | undefined;
}

/** Sessions of this thread, and the memory tensors stand on: they cannot stand on shared memory. */
interface Lane {
  readonly gradient: GradientSession;
  readonly forward: ForwardSession;
  readonly image: Float32Array;
  readonly quantiles: Float32Array;
  readonly parameters: Float32Array;
}
let opening: Promise<Lane> | undefined;
let updating: Promise<UpdateSession> | undefined;

/** Opens the sessions of this thread. A thread is a lane of one training only. */
export const open = task(async (spec: LaneSpec): Promise<void> => {
  await laneOf(spec);
});

/** Ends the sessions of this thread. */
export const release = task(async (): Promise<void> => {
  const lane = await opening?.catch(() => undefined);
  await lane?.gradient.release();
  await lane?.forward.release();
  await (await updating?.catch(() => undefined))?.release();
  opening = undefined;
  updating = undefined;
});

const laneOf = (spec: LaneSpec): Promise<Lane> => {
  opening ??= openLane(spec);
  return opening;
};

async function openLane({ family, rows, side, device }: LaneSpec): Promise<Lane> {
  const { architecture } = families[family];
  const { bands, levels } = architecture.normaliser;
  const shape = { rows, height: side, width: side };
  return {
    gradient: await GradientSession.open(architecture, shape, { device, threads: 1 }),
    forward: await ForwardSession.open(architecture, shape, { device, threads: 1 }),
    image: new Float32Array(rows * bands * side * side),
    quantiles: new Float32Array(levels.length),
    parameters: new Float32Array(parameterCount(architecture)),
  };
}

/** Copies what a pass takes out of shared memory. Rows without an image are 0. */
function feedsOf(lane: Lane, { network, images }: ForwardJob) {
  const { image, quantiles, parameters } = lane;
  let offset = 0;
  for (const each of images) {
    image.set(new Float32Array(each), offset);
    offset += each.byteLength / 4;
  }
  image.fill(0, offset);
  quantiles.set(new Float32Array(network.quantiles));
  parameters.set(new Float32Array(network.parameters));
  return { image, quantiles, parameters };
}

/** @returns the logits of the images, image by image */
export const forward = task(async (job: ForwardJob): Promise<Float32Array> => {
  const lane = await laneOf(job.spec);
  const logits = await lane.forward.run(feedsOf(lane, job));
  return logits.slice(0, (logits.length / job.spec.rows) * job.images.length);
});

/**
 * Puts the gradient of the weighted sum of the cross-entropies of all cells where it is asked for. Rows without an image
 * weigh nothing.
 *
 * @returns that sum
 */
export const gradient = task(async (job: GradientJob): Promise<number> => {
  const lane = await laneOf(job.spec);
  const cells = (job.target.length / job.images.length) * job.spec.rows;
  const padded = (values: Float32Array): Float32Array => {
    const all = new Float32Array(cells);
    all.set(values);
    return all;
  };
  const { loss, gradient } = await lane.gradient.run({
    ...feedsOf(lane, job),
    target: padded(job.target),
    weight: padded(job.weight),
  });
  new Float32Array(job.into).set(gradient);
  return loss;
});

/** Changes the network by its gradient. @returns the norm of the gradient before it is clipped */
export const update = task(async ({ spec, network, learningRate, step }: UpdateJob): Promise<number> => {
  const own = (shared: SharedArrayBuffer): Float32Array => new Float32Array(shared).slice();
  const gradient = own(network.gradient);
  updating ??= UpdateSession.open(gradient.length, spec.rule, { device: spec.device, threads: 1 });
  const session = await updating;
  const { parameters, moment1, moment2, norm } = await session.run({
    parameters: own(network.parameters),
    gradient,
    moment1: own(network.moment1),
    moment2: own(network.moment2),
    learningRate,
    step,
  });
  // What is not finite is not let into the network: its last good state is what the checkpoint keeps.
  if (!Number.isFinite(norm)) return norm;
  new Float32Array(network.parameters).set(parameters);
  new Float32Array(network.moment1).set(moment1);
  new Float32Array(network.moment2).set(moment2);
  return norm;
});

/** Adds a batch to the fit of the normaliser, and puts its quantiles into the network. */
export const fit = task(({ spec, network, images, state }: FitJob): QuantileFitState => {
  const quantiles = new QuantileFit(families[spec.family].architecture.normaliser.levels, state);
  const size = { height: spec.side, width: spec.side };
  const samples = images.map((image) => sampledPixels(new Float32Array(image), size));
  const batch = new Float32Array(samples.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const sample of samples) {
    batch.set(sample, offset);
    offset += sample.length;
  }
  quantiles.update(batch);
  new Float32Array(network.quantiles).set(quantiles.quantiles);
  return quantiles.state;
});
