/**
 * Files that are whole or absent: written under another name, forced to disk, then renamed.
 */
import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** The name a file has until it is whole. */
export const partPath = (path: string): string => `${path}.part`;

/** Deletes a file; one that is not there is fine. */
export function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Writes all of `bytes` at `position`, however many calls the system needs. Throws the system's error. */
export function writeFully(fd: number, bytes: Uint8Array, position: number): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}

function syncPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes the entry of a file in its folder survive a power cut (the file's own bytes are not touched). */
export const syncFolderOf = (path: string): void => syncPath(dirname(path));

/**
 * Gives a closed part file its name, in one step and for good: a reader sees the file of before or the whole new
 * one, and so does whoever looks after a power cut. A file already at `path` is replaced.
 */
export function commitPart(path: string, part = partPath(path)): void {
  syncPath(part);
  renameSync(part, path);
  syncFolderOf(path);
}

/**
 * A file while it is being written: `commit` closes it, forces it to disk and gives it its name. Disposed of without, or
 * when that fails, it leaves nothing behind but the file that was there before.
 *
 *     using file = new NewFile(path);
 *     writeFully(file.fd, bytes, 0);
 *     file.commit();
 */
export class NewFile implements Disposable {
  readonly fd: number;
  #isOpen = true;
  #isCommitted = false;

  /** @param part the name until then; one of its own where several processes may make the same file */
  constructor(
    readonly path: string,
    private readonly part = partPath(path),
  ) {
    this.fd = openSync(part, 'w');
  }

  commit(): void {
    this.#close();
    commitPart(this.path, this.part);
    this.#isCommitted = true;
  }

  [Symbol.dispose](): void {
    if (this.#isCommitted) return;
    try {
      this.#close();
      removeIfThere(this.part);
    } catch {
      // The error that led here is the one to tell; the next writer of this file starts its part anew.
    }
  }

  #close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.fd);
  }
}

/** Puts a file on disk that is whole or absent; one already there is replaced. Throws the system's error. */
export function writeWhole(path: string, content: Uint8Array | string, part = partPath(path)): void {
  using file = new NewFile(path, part);
  writeFully(file.fd, typeof content === 'string' ? Buffer.from(content) : content, 0);
  file.commit();
}
