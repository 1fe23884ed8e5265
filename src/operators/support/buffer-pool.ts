/** Buffers of windows, used again: a pass over ten thousand tiles allocates like a pass over ten. */
import type { Run } from '../../engine/run.js';

const pools = new WeakMap<Run, BufferPool>();

/**
 * They are shared memory: an ordinary buffer that is handed from thread to thread makes each of them collect garbage,
 * a second of work for every tile. A buffer holds no credit while it is idle, so only as many are kept as were in use
 * at once, and only of the size asked for last.
 */
export class BufferPool {
  #idle: SharedArrayBuffer[] = [];

  static of(run: Run): BufferPool {
    const pool = pools.get(run) ?? new BufferPool();
    pools.set(run, pool);
    return pool;
  }

  take(bytes: number): SharedArrayBuffer {
    if (this.#idle[0]?.byteLength !== bytes) this.#idle = [];
    return this.#idle.pop() ?? new SharedArrayBuffer(bytes);
  }

  give(buffer: SharedArrayBuffer): void {
    this.#idle.push(buffer);
  }
}
