/** Windows on their way to the network, in their order. */
import type { SeenWindow } from './loaders.js';

export interface Coming {
  readonly id: string;
  /** Number of its item. */
  readonly item: number;
  /** Undefined for a window that had to be set aside. */
  readonly seen: Promise<SeenWindow | undefined>;
}

/** A window that has come. */
export type Visited = Omit<Coming, 'seen'> & SeenWindow;

/** Bounded by the memory that windows are made ready in: who has none waits before pushing. */
export class Visits {
  #coming: Coming[] = [];
  #wake: () => void = () => {};
  #ending: { readonly error?: unknown } | undefined;

  push(coming: Coming): void {
    // Heard of when its turn comes, if it does.
    coming.seen.catch(() => {});
    this.#coming.push(coming);
    this.#wake();
  }

  end(): void {
    this.#ending ??= {};
    this.#wake();
  }

  /** Whoever waits for windows gets this error, once those before are gone. */
  fail(error: unknown): void {
    this.#ending ??= { error };
    this.#wake();
  }

  /** Returns when the first window is on its way, or none will be. */
  async hasBegun(): Promise<void> {
    while (this.#coming.length === 0 && this.#ending === undefined) await this.#change();
  }

  /** The next window that need not be set aside; undefined at the end. */
  async next(): Promise<Visited | undefined> {
    for (;;) {
      const coming = this.#coming.shift();
      if (coming !== undefined) {
        const seen = await coming.seen;
        if (seen !== undefined) return { id: coming.id, item: coming.item, ...seen };
      } else if (this.#ending !== undefined) {
        if ('error' in this.#ending) throw this.#ending.error;
        return undefined;
      } else await this.#change();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
