/**
 * Sessions that run the training step. `run` blocks its thread until the step is done: keep them in a worker thread.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { type DeviceName, obstacle, sessionOptions, unavailable } from '../devices.js';
import type { Architecture } from '../layers.js';
import {
  forwardGraph,
  gradientGraph,
  logitsShape,
  type StepShape,
  type UpdateRule,
  updateGraph,
} from './graphs.js';

export interface Place {
  readonly device: DeviceName;
  /** Threads of one run, on the CPU. */
  readonly threads: number;
}

/** What the forward pass of some images takes; lengths are those of the session's shapes. */
export interface ForwardFeeds {
  /** (rows, bands, height, width), pooled. */
  readonly image: Float32Array;
  readonly quantiles: Float32Array;
  readonly parameters: Float32Array;
}

export interface GradientFeeds extends ForwardFeeds {
  /** (rows, 1, ny, nx), 1 where a cell holds a member. */
  readonly target: Float32Array;
  /** (rows, 1, ny, nx), what each cell counts in the loss. */
  readonly weight: Float32Array;
}

export interface Gradient {
  readonly loss: number;
  readonly logits: Float32Array;
  readonly gradient: Float32Array;
}

export interface UpdateFeeds {
  readonly parameters: Float32Array;
  readonly gradient: Float32Array;
  readonly moment1: Float32Array;
  readonly moment2: Float32Array;
  readonly learningRate: number;
  /** Of this update, from 1 on. */
  readonly step: number;
}

export interface Updated {
  readonly parameters: Float32Array;
  readonly moment1: Float32Array;
  readonly moment2: Float32Array;
  /** Length of the gradient before clipping. */
  readonly norm: number;
}

type Inputs = Readonly<Record<string, { readonly data: Float32Array; readonly shape: readonly number[] }>>;

/** One ONNX session. */
class GraphSession {
  private constructor(private readonly session: InferenceSession) {}

  static async open(model: Uint8Array, { device, threads }: Place): Promise<GraphSession> {
    const reason = obstacle(device);
    if (reason !== undefined) throw unavailable(device, reason);
    try {
      const session = await InferenceSession.create(model, sessionOptions(device, threads));
      return new GraphSession(session);
    } catch (cause) {
      throw device === 'cpu' ? cause : unavailable(device, (cause as Error).message, cause);
    }
  }

  async run(inputs: Inputs): Promise<Readonly<Record<string, Float32Array>>> {
    const feeds = Object.entries(inputs).map(([name, { data, shape }]) => [
      name,
      new Tensor('float32', data, shape),
    ]);
    const results = await this.session.run(Object.fromEntries(feeds));
    return Object.fromEntries(
      Object.entries(results).map(([name, tensor]) => [name, tensor.data as Float32Array]),
    );
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

const vector = (data: Float32Array): { data: Float32Array; shape: readonly number[] } => ({
  data,
  shape: [data.length],
});
const scalar = (value: number): { data: Float32Array; shape: readonly number[] } => ({
  data: Float32Array.of(value),
  shape: [],
});

/** What the inputs of the forward pass are called and shaped. */
const forwardInputs = (
  { normaliser }: Architecture,
  { rows, height, width }: StepShape,
  { image, quantiles, parameters }: ForwardFeeds,
): Inputs => ({
  image: { data: image, shape: [rows, normaliser.bands, height, width] },
  quantiles: vector(quantiles),
  parameters: vector(parameters),
});

/** Loss and gradient of so many images of one size. */
export class GradientSession {
  private constructor(
    private readonly session: GraphSession,
    private readonly architecture: Architecture,
    private readonly shape: StepShape,
  ) {}

  /** @throws EngineError `device_unavailable` with the command that mends it */
  static async open(architecture: Architecture, shape: StepShape, place: Place): Promise<GradientSession> {
    const session = await GraphSession.open(gradientGraph(architecture, shape), place);
    return new GradientSession(session, architecture, shape);
  }

  async run(feeds: GradientFeeds): Promise<Gradient> {
    const cells = logitsShape(this.architecture, this.shape);
    const { loss, logits, gradient } = await this.session.run({
      ...forwardInputs(this.architecture, this.shape, feeds),
      target: { data: feeds.target, shape: cells },
      weight: { data: feeds.weight, shape: cells },
    });
    return {
      loss: (loss as Float32Array)[0] as number,
      logits: logits as Float32Array,
      gradient: gradient as Float32Array,
    };
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

/** Logits of so many images of one size, as the network in training gives them. */
export class ForwardSession {
  private constructor(
    private readonly session: GraphSession,
    private readonly architecture: Architecture,
    private readonly shape: StepShape,
  ) {}

  /** @throws EngineError `device_unavailable` with the command that mends it */
  static async open(architecture: Architecture, shape: StepShape, place: Place): Promise<ForwardSession> {
    const session = await GraphSession.open(forwardGraph(architecture, shape), place);
    return new ForwardSession(session, architecture, shape);
  }

  /** @returns (rows, 1, ny, nx) */
  async run(feeds: ForwardFeeds): Promise<Float32Array> {
    const { logits } = await this.session.run(forwardInputs(this.architecture, this.shape, feeds));
    return logits as Float32Array;
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

/** Updates of the weights by one rule. */
export class UpdateSession {
  private constructor(
    private readonly session: GraphSession,
    private readonly rule: UpdateRule,
  ) {}

  /**
   * @param size how many weights there are
   * @throws EngineError `device_unavailable` with the command that mends it
   */
  static async open(size: number, rule: UpdateRule, place: Place): Promise<UpdateSession> {
    return new UpdateSession(await GraphSession.open(updateGraph(size, rule), place), rule);
  }

  async run({ learningRate, step, ...vectors }: UpdateFeeds): Promise<Updated> {
    const { beta1, beta2, weightDecay } = this.rule;
    const { parameters, gradient, moment1, moment2 } = vectors;
    const updated = await this.session.run({
      parameters: vector(parameters),
      gradient: vector(gradient),
      moment1: vector(moment1),
      moment2: vector(moment2),
      step_size: scalar(learningRate / (1 - beta1 ** step)),
      moment2_scale: scalar(1 / Math.sqrt(1 - beta2 ** step)),
      shrink: scalar(1 - learningRate * weightDecay),
    });
    return {
      parameters: updated.parameters_next as Float32Array,
      moment1: updated.moment1_next as Float32Array,
      moment2: updated.moment2_next as Float32Array,
      norm: (updated.norm as Float32Array)[0] as number,
    };
  }

  release(): Promise<void> {
    return this.session.release();
  }
}
