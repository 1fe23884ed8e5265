/** Forward passes of an encoder, on one or several devices, in threads of their own. */
import { availableParallelism } from 'node:os';
import { builtUrl } from '../config/built.js';
import { asEngineError, EngineError } from '../engine/errors.js';
import { WorkerPool } from '../engine/workers.js';
import { checkDevice, type DeviceName, obstacle, unavailable } from './devices.js';
import type { Encoder } from './load.js';
import { checkFit } from './manifest.js';
import type { Answer, Job, SessionSpec } from './session-worker.js';

export { type DeviceName, deviceNames } from './devices.js';

export interface OpenOptions {
  /** `auto`, one device, or several that are used at once. */
  readonly device: string | readonly string[];
  /** Forward passes at once on the CPU, each in a thread of its own. Default: as many as cores. */
  readonly sessions?: number;
  /** Threads of one forward pass on the CPU. Default 1. */
  readonly threadsPerSession?: number;
  /** Side of the windows to come; checked against the manifest. */
  readonly windowPx?: number;
  readonly signal?: AbortSignal;
}

export interface RunRequest {
  /** One image for each row, channels × height × width float32, in shared memory. Read, never written. */
  readonly inputs: readonly SharedArrayBuffer[];
  readonly shape: readonly [channels: number, height: number, width: number];
  /** Forward passes over the same input; a deterministic encoder runs once and its answer is repeated. */
  readonly passes: number;
  /** Told when a device starts on this request; what it returns is called when the device is done. */
  readonly onStart?: (device: DeviceName) => () => void;
  /** Called when the session has its own copy of the inputs: from then on nobody reads them. */
  readonly onCopied?: () => void;
  readonly signal?: AbortSignal;
}

export interface RunReply extends Answer {
  readonly device: DeviceName;
}

/** One place where a forward pass can run. */
export interface Slot {
  readonly device: DeviceName;
}

interface Lane {
  readonly device: DeviceName;
  readonly pool: WorkerPool;
  readonly spec: SessionSpec;
  readonly close: () => Promise<void>;
}

/** Sessions of one encoder. Requests beyond the number of slots wait, first come, first served. */
export class EncoderSessions implements AsyncDisposable {
  /** How the devices were chosen, in words. */
  readonly choice: string;
  readonly slots: readonly Slot[];
  readonly #lanes: readonly Lane[];
  readonly #free: Lane[];
  readonly #waiting: ((lane: Lane) => void)[] = [];

  private constructor(lanes: readonly Lane[], choice: string) {
    this.#lanes = lanes;
    this.choice = choice;
    this.#free = lanes.flatMap((lane) => Array.from({ length: lane.pool.threads }, () => lane));
    this.slots = this.#free.map(({ device }) => ({ device }));
  }

  /**
   * Opens the sessions and proves that they work here.
   *
   * @throws EngineError `device_unavailable` with the command that mends it; `encoder_invalid` when the model cannot
   *   be run; `encoder_mismatch` when `windowPx` does not fit it
   */
  static async open(encoder: Encoder, options: OpenOptions): Promise<EncoderSessions> {
    const { windowPx } = options;
    if (windowPx !== undefined) checkFit(encoder.manifest, { bands: encoder.manifest.bands, windowPx });
    const wanted = typeof options.device === 'string' ? [options.device] : options.device;
    const devices = [...new Set(wanted.map(checkDevice))];
    const lanes: Lane[] = [];
    const said: string[] = [];
    try {
      for (const device of devices) {
        const { lane, why } =
          device === 'auto' ? await openBest(encoder, options) : await openOn(device, encoder, options);
        lanes.push(lane);
        said.push(why);
      }
    } catch (error) {
      await Promise.all(lanes.map((lane) => lane.close()));
      throw error;
    }
    return new EncoderSessions(lanes, said.join('; '));
  }

  /**
   * Runs one batch.
   *
   * @throws EngineError `encoder_run` when the forward pass fails, `encoder_mismatch` when it gives another shape than
   *   the manifest says, `worker_died`; AbortError
   */
  async run({ inputs, shape, passes, onStart, onCopied, signal }: RunRequest): Promise<RunReply> {
    const lane = await this.#acquire(signal);
    const end = onStart?.(lane.device);
    try {
      const copied = new Int32Array(new SharedArrayBuffer(4));
      if (onCopied !== undefined) void whenSet(copied).then(onCopied);
      const job: Job = { spec: lane.spec, inputs, copied, shape, passes };
      const answer = await lane.pool.run<Job, Answer>('run', job, { ...(signal && { signal }) });
      return { ...answer, device: lane.device };
    } finally {
      end?.();
      this.#release(lane);
    }
  }

  /** Ends all sessions and their threads. Runs still going on are rejected. */
  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #acquire(signal: AbortSignal | undefined): Promise<Lane> {
    signal?.throwIfAborted();
    const free = this.#free.shift();
    if (free !== undefined) return free;
    return new Promise((resolve, reject) => {
      const take = (lane: Lane): void => {
        signal?.removeEventListener('abort', leave);
        resolve(lane);
      };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', leave, { once: true });
      this.#waiting.push(take);
    });
  }

  #release(lane: Lane): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(lane);
    else next(lane);
  }
}

interface Opened {
  readonly lane: Lane;
  readonly why: string;
}

/** CUDA if it loads, else WebGPU on real hardware, else the CPU. */
async function openBest(encoder: Encoder, options: OpenOptions): Promise<Opened> {
  const reasons: string[] = [];
  for (const device of ['cuda', 'webgpu'] as const) {
    const reason =
      obstacle(device, true) ??
      (await openOn(device, encoder, options).catch((error: Error) => error.message));
    if (typeof reason !== 'string') return reason;
    reasons.push(`${device}: ${reason}`);
  }
  const { lane } = await openOn('cpu', encoder, options);
  return { lane, why: `cpu (${reasons.join('; ')})` };
}

async function openOn(device: DeviceName, encoder: Encoder, options: OpenOptions): Promise<Opened> {
  const reason = obstacle(device);
  if (reason !== undefined) throw unavailable(device, reason);
  const isCpu = device === 'cpu';
  const spec = specOf(encoder, device, isCpu ? (options.threadsPerSession ?? 1) : 1);
  const threads = isCpu ? (options.sessions ?? availableParallelism()) : 1;
  const { pool, close } = device === 'webgpu' ? await shareWebgpuThread() : ownThreads(device, threads);
  const lane = { device, pool, spec, close: () => close(spec) };
  const { signal } = options;
  try {
    await Promise.all(Array.from({ length: threads }, () => pool.run('open', spec, signal && { signal })));
    return { lane, why: device };
  } catch (error) {
    await lane.close();
    signal?.throwIfAborted();
    if (asEngineError(error).reach === 'run') throw error;
    const { message } = error as Error;
    if (!isCpu) throw unavailable(device, withoutSourceLine(message), error);
    throw new EngineError('encoder_invalid', `ONNX Runtime cannot open the model: ${message}`, {
      place: { file: encoder.modelPath },
      cause: error,
    });
  }
}

/** ONNX Runtime puts file, line, function and condition of its source before what it has to say. */
const withoutSourceLine = (message: string): string =>
  message.trim().replace(/^\/onnxruntime_src\/.* was (?:true|false)\. /, '');

let sessionCount = 0;
/** Encoders that need more than this are not given an arena. */
const LARGE_BYTES_PER_PIXEL = 100;

function specOf({ manifest, modelPath }: Encoder, device: DeviceName, threads: number): SessionSpec {
  const { input, output, stochastic, memory } = manifest;
  return {
    key: String(sessionCount++),
    modelPath,
    device,
    threads,
    input: input.name,
    output: output.name,
    kind: output.kind,
    answers: output.labels.length,
    isMap: output.map,
    isStochastic: stochastic,
    usesArena: memory.bytes_per_pixel < LARGE_BYTES_PER_PIXEL,
  };
}

const entry = builtUrl(import.meta.url, './session-worker.js');

interface Threads {
  readonly pool: WorkerPool;
  readonly close: (spec: SessionSpec) => Promise<void>;
}

function ownThreads(device: DeviceName, threads: number): Threads {
  const pool = new WorkerPool(entry, { name: `${device} encoder`, threads, isNative: true });
  return { pool, close: () => pool.close() };
}

/** Two threads with WebGPU sessions crash the process, so all encoders share one; the last to close ends it. */
let webgpuPool: WorkerPool | undefined;
let webgpuUsers = 0;
let webgpuEnded: Promise<void> = Promise.resolve();

async function shareWebgpuThread(): Promise<Threads> {
  webgpuUsers += 1;
  await webgpuEnded;
  webgpuPool ??= new WorkerPool(entry, { name: 'webgpu encoder', threads: 1, isNative: true });
  const pool = webgpuPool;
  let isOpen = true;
  const close = async (spec: SessionSpec): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    webgpuUsers -= 1;
    await pool.run('release', spec);
    if (webgpuUsers > 0) return;
    webgpuPool = undefined;
    webgpuEnded = pool.close();
    await webgpuEnded;
  };
  return { pool, close };
}

/** Resolves when another thread sets the flag. Never, when that thread ends before. */
async function whenSet(flag: Int32Array<SharedArrayBuffer>): Promise<void> {
  await Atomics.waitAsync(flag, 0, 0).value;
}
