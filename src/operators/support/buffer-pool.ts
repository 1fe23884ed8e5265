/** Buffers of windows and images, used again: a pass over ten thousand tiles allocates like a pass over ten. */
import type { Run } from '../../engine/run.js';

const pools = new WeakMap<Run, Map<string, BufferPool>>();

/**
 * They are shared memory: an ordinary buffer that is handed from thread to thread makes each of them collect garbage,
 * a second of work for every tile. A buffer holds no credit while it is idle, so only as many are kept as were in use
 * at once, and only of the size asked for last.
 */
export class BufferPool {
  #bytes = 0;
  #idle: SharedArrayBuffer[] = [];

  /** The pool of a run for one use: windows and bands of images have different sizes. */
  static of(run: Run, use: 'windows' | 'images' = 'windows'): BufferPool {
    const known = pools.get(run) ?? new Map<string, BufferPool>();
    pools.set(run, known);
    const pool = known.get(use) ?? new BufferPool();
    known.set(use, pool);
    return pool;
  }

  /** A buffer of so many bytes, which holds what it held before. */
  take(bytes: number): SharedArrayBuffer {
    if (this.#bytes !== bytes) this.#idle = [];
    this.#bytes = bytes;
    return this.#idle.pop() ?? new SharedArrayBuffer(bytes);
  }

  give(buffer: SharedArrayBuffer): void {
    if (buffer.byteLength === this.#bytes) this.#idle.push(buffer);
  }
}
