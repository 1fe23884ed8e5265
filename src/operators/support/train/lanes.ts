/** The network that is trained, and the threads that push windows through it. */
import { builtUrl } from '../../../config/built.js';
import { checkDevice, type DeviceName, obstacle, unavailable } from '../../../encoders/devices.js';
import { families } from '../../../encoders/families.js';
import type { QuantileFitState } from '../../../encoders/quantiles.js';
import { parameterCount } from '../../../encoders/step/layout.js';
import { EngineError } from '../../../engine/errors.js';
import { WorkerPool } from '../../../engine/workers.js';
import { Places } from './places.js';
import type { FitJob, ForwardJob, GradientJob, LaneSpec, SharedNetwork, UpdateJob } from './step-worker.js';

/** Float32 vectors of a network, in the order of `slotsOf`. */
export interface NetworkVectors {
  readonly quantiles: Float32Array;
  readonly parameters: Float32Array;
  readonly moment1: Float32Array;
  readonly moment2: Float32Array;
}

/** Windows that go through the network together. */
export interface Group {
  readonly images: readonly SharedArrayBuffer[];
  readonly target: Float32Array;
  readonly weight: Float32Array;
}

export interface LanesOptions extends Omit<LaneSpec, 'device'> {
  readonly device: DeviceName | 'auto';
  /** Threads, each with a network of its own in native memory; a GPU has one. */
  readonly lanes: number;
  readonly signal: AbortSignal;
}

const entry = builtUrl(import.meta.url, './step-worker.js');
const vectorNames = ['quantiles', 'parameters', 'moment1', 'moment2'] as const;

/**
 * Gradients are summed in the order in which they were asked for, whatever lane is done first: the sum does not depend
 * on how many lanes there are.
 */
export class Lanes {
  readonly device: DeviceName;
  readonly count: number;
  readonly #pool: WorkerPool;
  readonly #spec: LaneSpec;
  readonly #network: SharedNetwork;
  readonly #signal: AbortSignal;
  /** Where lanes put gradients until their turn to be summed. */
  readonly #gradients: Places<SharedArrayBuffer>;
  #summed: Promise<void> = Promise.resolve();
  #running = 0;
  #idleSince = performance.now();

  private constructor(pool: WorkerPool, spec: LaneSpec, signal: AbortSignal) {
    const { architecture } = families[spec.family];
    const shared = (length: number) => new SharedArrayBuffer(4 * length);
    const size = parameterCount(architecture);
    this.device = spec.device;
    this.count = pool.threads;
    this.#pool = pool;
    this.#spec = spec;
    this.#signal = signal;
    this.#network = {
      quantiles: shared(architecture.normaliser.levels.length),
      parameters: shared(size),
      moment1: shared(size),
      moment2: shared(size),
      gradient: shared(size),
    };
    this.#gradients = new Places(Array.from({ length: pool.threads }, () => shared(size)));
  }

  /**
   * Opens the sessions, and so proves that they work here.
   *
   * @throws EngineError `device_unavailable` with the command that mends it
   */
  static async open({ device, lanes, signal, ...rest }: LanesOptions): Promise<Lanes> {
    const wanted = checkDevice(device);
    if (wanted !== 'auto') return Lanes.#openOn({ ...rest, device: wanted }, lanes, signal);
    for (const gpu of ['cuda', 'webgpu'] as const) {
      if (obstacle(gpu, true) !== undefined) continue;
      try {
        return await Lanes.#openOn({ ...rest, device: gpu }, lanes, signal);
      } catch {
        signal.throwIfAborted();
      }
    }
    return Lanes.#openOn({ ...rest, device: 'cpu' }, lanes, signal);
  }

  static async #openOn(spec: LaneSpec, lanes: number, signal: AbortSignal): Promise<Lanes> {
    const reason = obstacle(spec.device);
    if (reason !== undefined) throw unavailable(spec.device, reason);
    const threads = spec.device === 'cpu' ? lanes : 1;
    const pool = new WorkerPool(entry, { name: 'training', threads, isNative: true });
    try {
      // One task for each thread: none is done before all have begun.
      await Promise.all(Array.from({ length: threads }, () => pool.run('open', spec, { signal })));
      return new Lanes(pool, spec, signal);
    } catch (error) {
      await pool.close();
      if (spec.device === 'cpu' || error instanceof EngineError) throw error;
      throw unavailable(spec.device, (error as Error).message, error);
    }
  }

  /** The network is this from now on. */
  set(vectors: NetworkVectors): void {
    for (const name of vectorNames) new Float32Array(this.#network[name]).set(vectors[name]);
  }

  /** A copy of the network as it is. */
  get(): NetworkVectors {
    const copy = (name: (typeof vectorNames)[number]) => new Float32Array(this.#network[name]).slice();
    return {
      quantiles: copy('quantiles'),
      parameters: copy('parameters'),
      moment1: copy('moment1'),
      moment2: copy('moment2'),
    };
  }

  /** Takes only parameters and quantiles from elsewhere for `during`, then goes back. */
  async borrowing<T>(
    vectors: Pick<NetworkVectors, 'quantiles' | 'parameters'>,
    during: () => Promise<T>,
  ): Promise<T> {
    const own = this.get();
    this.set({ ...own, ...vectors });
    try {
      return await during();
    } finally {
      this.set(own);
    }
  }

  /** Fits the normaliser to one batch more. */
  fit(images: readonly SharedArrayBuffer[], state: QuantileFitState | undefined): Promise<QuantileFitState> {
    return this.#run<FitJob, QuantileFitState>('fit', { ...this.#job, images, state });
  }

  /** Begins a new sum of gradients. */
  clearGradient(): void {
    new Float32Array(this.#network.gradient).fill(0);
  }

  /**
   * Runs windows forth and back, once there is a lane for them, and adds their gradient to the sum.
   *
   * @returns the weighted sum of the cross-entropies of their cells, as soon as it is known
   */
  addGradient(group: Group): Promise<number> {
    const [placed, before] = [this.#gradients.take(), this.#summed];
    const loss = placed.then((into) => {
      if (into === undefined) throw new DOMException('the lanes are closed', 'AbortError');
      return this.#run<GradientJob, number>('gradient', { ...this.#job, ...group, into });
    });
    this.#summed = (async () => {
      const place = await placed;
      try {
        await loss;
        await before;
        if (place !== undefined) addTo(new Float32Array(this.#network.gradient), new Float32Array(place));
      } finally {
        if (place !== undefined) this.#gradients.give(place);
      }
    })();
    // Whoever waits for the sum hears of it; until then it is not unhandled.
    this.#summed.catch(() => {});
    return loss;
  }

  /** Returns when all gradients that were asked for are in the sum. */
  summed(): Promise<void> {
    return this.#summed;
  }

  /** Changes the network by the sum of gradients, times `scale`. @returns its norm before it is clipped */
  async update({
    scale,
    ...how
  }: Pick<UpdateJob, 'learningRate' | 'step'> & { readonly scale: number }): Promise<number> {
    const gradient = new Float32Array(this.#network.gradient);
    for (let i = 0; i < gradient.length; i++) gradient[i] = (gradient[i] as number) * scale;
    return this.#run<UpdateJob, number>('update', { ...this.#job, ...how });
  }

  /** Logits of the images, image by image. */
  forward(images: readonly SharedArrayBuffer[]): Promise<Float32Array> {
    return this.#run<ForwardJob, Float32Array>('forward', { ...this.#job, images });
  }

  /** Seconds that no lane has had anything to do since a moment (`performance.now()`), up to now. */
  idleSecondsSince(moment: number): number {
    if (this.#running > 0) return 0;
    return Math.max(0, performance.now() - Math.max(moment, this.#idleSince)) / 1000;
  }

  async close(): Promise<void> {
    this.#gradients.close();
    await Promise.allSettled(Array.from({ length: this.count }, () => this.#pool.run('release', null)));
    await this.#pool.close();
  }

  get #job() {
    return { spec: this.#spec, network: this.#network };
  }

  async #run<I, R>(name: string, job: I): Promise<R> {
    this.#running += 1;
    try {
      return await this.#pool.run<I, R>(name, job, { signal: this.#signal });
    } catch (error) {
      throw outOfMemory(error, this.#spec) ?? error;
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#idleSince = performance.now();
    }
  }
}

/** ONNX Runtime and its devices say in words that memory did not suffice. */
const memoryWords = /out of memory|bad_alloc|failed to allocate|allocat\w* (?:of|memory)|ENOMEM/i;

function outOfMemory(error: unknown, { rows, side, device }: LaneSpec): EngineError | undefined {
  const { message } = error as Error;
  if (!memoryWords.test(message)) return undefined;
  const smaller = rows > 1 ? `train.micro_batch=${rows >> 1}, or ` : '';
  return new EngineError(
    'out_of_memory',
    `memory of ${device} does not suffice for ${rows} windows of ${side} × ${side} averaged pixels at once: ${message}`,
    {
      hint: `use ${smaller}${device === 'cpu' ? 'fewer train.lanes, or ' : ''}a smaller tile.size`,
      cause: error,
    },
  );
}

function addTo(sum: Float32Array, values: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (values[i] as number);
}
