/** Archives that tiles lie in, opened once for as long as tiles of theirs are in use. */
import { openZip, type ZipArchive } from '../../formats/zip.js';

interface Entry {
  readonly archive: Promise<ZipArchive>;
  users: number;
}

export class Archives implements AsyncDisposable {
  readonly #entries = new Map<string, Entry>();
  /** Kept open without users: the next tile is probably in it, too. */
  #latest: string | undefined;

  /** An archive, until it is released. */
  async use(path: string): Promise<{ archive: ZipArchive; release: () => Promise<void> }> {
    const entry = this.#entries.get(path) ?? { archive: openZip(path), users: 0 };
    this.#entries.set(path, entry);
    entry.users += 1;
    let archive: ZipArchive;
    try {
      archive = await entry.archive;
    } catch (error) {
      this.#entries.delete(path);
      throw error;
    }
    const before = this.#latest;
    this.#latest = path;
    if (before !== undefined && before !== path) await this.#closeIfIdle(before);
    return {
      archive,
      release: async () => {
        entry.users -= 1;
        await this.#closeIfIdle(path);
      },
    };
  }

  async close(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { archive } of entries) await (await archive).close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #closeIfIdle(path: string): Promise<void> {
    const entry = this.#entries.get(path);
    if (entry === undefined || entry.users > 0 || path === this.#latest) return;
    this.#entries.delete(path);
    await (await entry.archive).close();
  }
}
