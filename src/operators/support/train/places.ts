/** A fixed number of things that are lent to whoever asks first. */
export class Places<T> {
  readonly #free: T[];
  #waiting: ((place: T | undefined) => void)[] = [];
  #isClosed = false;

  constructor(places: readonly T[]) {
    this.#free = [...places];
  }

  /** A free one, as soon as there is; undefined once they are closed. */
  async take(): Promise<T | undefined> {
    if (this.#isClosed) return undefined;
    const free = this.#free.shift();
    if (free !== undefined) return free;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(place: T): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(place);
    else next(place);
  }

  /** Lends nothing any more: who waits gets undefined. */
  close(): void {
    this.#isClosed = true;
    for (const leave of this.#waiting.splice(0)) leave(undefined);
  }
}
