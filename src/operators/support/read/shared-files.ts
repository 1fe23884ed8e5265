/** Files that hold several items (archives of tiles, lists of images), opened once for as long as items are in use. */

/** A file that can be closed. */
interface Closable {
  close(): Promise<void>;
}

interface Entry<F> {
  readonly file: Promise<F>;
  users: number;
}

export class SharedFiles<F extends Closable> implements AsyncDisposable {
  readonly #open: (path: string) => Promise<F>;
  readonly #entries = new Map<string, Entry<F>>();
  /** Kept open without users: the next item is probably in it, too. */
  #latest: string | undefined;

  constructor(open: (path: string) => Promise<F>) {
    this.#open = open;
  }

  /** A file, until it is released. */
  async use(path: string): Promise<{ file: F; release: () => Promise<void> }> {
    const entry = this.#entries.get(path) ?? { file: this.#open(path), users: 0 };
    this.#entries.set(path, entry);
    entry.users += 1;
    let file: F;
    try {
      file = await entry.file;
    } catch (error) {
      this.#entries.delete(path);
      throw error;
    }
    const before = this.#latest;
    this.#latest = path;
    if (before !== undefined && before !== path) await this.#closeIfIdle(before);
    return {
      file,
      release: async () => {
        entry.users -= 1;
        await this.#closeIfIdle(path);
      },
    };
  }

  async close(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { file } of entries) await (await file).close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #closeIfIdle(path: string): Promise<void> {
    const entry = this.#entries.get(path);
    if (entry === undefined || entry.users > 0 || path === this.#latest) return;
    this.#entries.delete(path);
    await (await entry.file).close();
  }
}
