/** Buffers of windows, used again: a pass over ten thousand tiles allocates like a pass over ten. */
import type { Run } from '../../engine/run.js';

const pools = new WeakMap<Run, BufferPool>();

/**
 * A window's buffer wanders: to a cutting thread, to the encoder's, and back here. It holds no credit while it is
 * idle, so only as many are kept as were in use at once, and only of the size asked for last.
 */
export class BufferPool {
  #idle: ArrayBuffer[] = [];

  static of(run: Run): BufferPool {
    const pool = pools.get(run) ?? new BufferPool();
    pools.set(run, pool);
    return pool;
  }

  take(bytes: number): ArrayBuffer {
    if (this.#idle[0]?.byteLength !== bytes) this.#idle = [];
    return this.#idle.pop() ?? new ArrayBuffer(bytes);
  }

  give(buffer: ArrayBuffer): void {
    // A detached buffer is still in another thread, or lost with it.
    if (buffer.byteLength > 0) this.#idle.push(buffer);
  }
}
