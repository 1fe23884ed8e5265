/**
 * Worker threads for native and CPU-bound work: a blocked event loop is a stopped pipeline that looks healthy.
 *
 * A worker entry is a module whose named exports are tasks. An error keeps its `code`, `place` and `hint` on
 * the way back (structured clone would drop them), and buffers can be handed over instead of copied.
 */

import { setFlagsFromString } from 'node:v8';
import type { TransferListItem } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { EngineError, type Place } from './errors.js';

/** An error as plain data, on its way between threads. */
export interface FlatError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: unknown;
  readonly place: Place | undefined;
  readonly hint: string | undefined;
}

export type Reply<R> = { readonly value: R } | { readonly error: FlatError };

class Moved<R> {
  constructor(
    readonly value: R,
    readonly buffers: readonly ArrayBuffer[],
  ) {}
}

/** In a worker: returns `value` and hands `buffers` over to the caller's thread, without a copy. */
export function moved<R>(value: R, buffers: readonly ArrayBuffer[]): R {
  // The wrapper is undone by `task` before the value leaves the thread, so callers only ever see R.
  return new Moved(value, buffers) as unknown as R;
}

/** In a worker: makes an exported function a task that `WorkerPool.run` can call by its export name. */
export function task<I, R>(work: (input: I) => R | Promise<R>): (input: I) => Promise<Reply<R>> {
  return async (input) => {
    try {
      const result = await work(input);
      if (!(result instanceof Moved)) return { value: result };
      // Only what Piscina has marked itself is handed over; anything else it copies, without a word.
      return Piscina.move({
        get [Piscina.transferableSymbol]() {
          return [...result.buffers];
        },
        get [Piscina.valueSymbol]() {
          return { value: result.value };
        },
      } as never) as unknown as Reply<R>;
    } catch (thrown) {
      return { error: flatten(thrown) };
    }
  };
}

function flatten(thrown: unknown): FlatError {
  const error = thrown as Partial<FlatError> | undefined;
  return {
    name: error?.name ?? 'Error',
    message: error?.message ?? String(thrown),
    stack: error?.stack,
    code: error?.code,
    place: error?.place,
    hint: error?.hint,
  };
}

function revive(flat: FlatError): Error {
  const error = new Error(flat.message);
  error.name = flat.name;
  if (flat.stack !== undefined) error.stack = flat.stack;
  const { code, place, hint } = flat;
  return Object.assign(error, { code, ...(place && { place }), ...(hint !== undefined && { hint }) });
}

export interface WorkerPoolOptions {
  readonly name: string;
  readonly threads: number;
  /**
   * Tasks are in native code, which ends the whole process when its thread is ended under it. An abort leaves such a
   * task behind, and `close` waits for it.
   */
  readonly isNative?: boolean;
}

export interface WorkOptions {
  /** Buffers handed over to the worker; they are detached in this thread. */
  readonly transfer?: readonly ArrayBuffer[];
  /** Ends the wait. A task already running is ended by ending its thread, unless it is native; the pool starts another. */
  readonly signal?: AbortSignal;
}

/**
 * Piscina tries to `require` an entry before it imports it. Where Node can require a module, ending the thread meanwhile
 * aborts the whole process (Node 20: `IsGraphAsync must be used on an instantiated module`); imports may be ended.
 */
const loadsByImport: readonly string[] = ['--no-experimental-require-module'].filter((flag) =>
  process.allowedNodeEnvironmentFlags.has(flag),
);

/** An error of a thread itself, not of its task. */
function threadError(what: string, thrown: unknown): EngineError {
  const message = String((thrown as Error | undefined)?.message ?? thrown);
  const code = /\bE[MN]FILE\b/.test(message) ? 'out_of_files' : 'worker_died';
  return new EngineError(code, `${what}: ${message}`, { cause: thrown });
}

/** A fixed number of threads that run the tasks of one entry module, first come, first served. */
export class WorkerPool implements AsyncDisposable {
  readonly threads: number;
  readonly #pool: Piscina;
  readonly #name: string;
  readonly #isNative: boolean;
  readonly #running = new Set<Promise<unknown>>();
  /** Tasks that have not ended, by what rejects them. */
  readonly #waiting = new Set<(error: Error) => void>();
  /** Why no thread can be started any more. */
  #failure: EngineError | undefined;
  #onEmpty = (): void => {};
  /** Resolves when the last thread is lost. */
  readonly #isEmpty = new Promise<void>((resolve) => {
    this.#onEmpty = resolve;
  });

  constructor(entry: URL, options: WorkerPoolOptions) {
    this.threads = options.threads;
    this.#name = options.name;
    this.#isNative = options.isNative ?? false;
    // V8 compiling for a thread in the background while the thread is ended aborts the whole process (Node 20:
    // `data.first != nullptr` in NodePlatform::ForIsolate). Threads started from now on compile in the foreground.
    setFlagsFromString('--no-concurrent-recompilation');
    this.#pool = new Piscina({
      filename: entry.href,
      minThreads: options.threads,
      maxThreads: options.threads,
      concurrentTasksPerWorker: 1,
      // Callers hold credit before they ask, so the queue is bounded by the plan, not by the pool.
      maxQueue: Number.POSITIVE_INFINITY,
      // Waiting in Atomics.wait would keep finalizers and timers of native modules from running.
      atomics: 'disabled',
      recordTiming: false,
      ...(loadsByImport.length > 0 && { execArgv: [...loadsByImport] }),
    });
    this.#pool.on('error', (error: Error) => this.#lostThread(error));
  }

  /** A thread ended without a task whose error this could be. Tasks that no thread is left for would wait for ever. */
  #lostThread(error: Error): void {
    const hasStarted = (error as NodeJS.ErrnoException).code !== 'ERR_WORKER_INIT_FAILED';
    if (this.#pool.threads.length === 0) this.#onEmpty();
    else if (hasStarted) return;
    this.#failure ??= threadError(`a ${this.#name} thread cannot be started`, error);
    for (const reject of this.#waiting) reject(this.#failure);
  }

  /**
   * Runs the task exported under `name`.
   *
   * @throws the task's own error, with its `code`; `worker_died` when the thread ended under it; `out_of_files` when
   *   there were no file descriptors for it; `AbortError`
   */
  async run<I, R>(name: string, input: I, options: WorkOptions = {}): Promise<R> {
    if (this.#failure !== undefined) throw this.#failure;
    const { signal } = options;
    signal?.throwIfAborted();
    let leave = (_error: Error): void => {};
    const abort = (): void => leave(signal?.reason);
    let reply: Reply<R>;
    try {
      reply = await new Promise<Reply<R>>((resolve, reject) => {
        leave = reject;
        this.#waiting.add(leave);
        if (this.#isNative) signal?.addEventListener('abort', abort, { once: true });
        this.#start<I, Reply<R>>(name, input, options).then(resolve, reject);
      });
    } catch (thrown) {
      signal?.throwIfAborted();
      if (thrown === this.#failure) throw thrown;
      throw threadError(`a ${this.#name} thread ended while it ran ${name}`, thrown);
    } finally {
      this.#waiting.delete(leave);
      signal?.removeEventListener('abort', abort);
    }
    if ('error' in reply) throw revive(reply.error);
    return reply.value;
  }

  async #start<I, R>(name: string, input: I, { transfer = [], signal }: WorkOptions): Promise<R> {
    const running = this.#pool.run(input, {
      name,
      transferList: [...transfer] as TransferListItem[] as never,
      signal: this.#isNative ? null : (signal ?? null),
    });
    this.#running.add(running);
    try {
      return (await running) as R;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Ends all threads, at once unless native tasks are running. Tasks still running are rejected. */
  async close(): Promise<void> {
    if (this.#isNative) await Promise.race([Promise.allSettled(this.#running), this.#isEmpty]);
    await this.#pool.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
