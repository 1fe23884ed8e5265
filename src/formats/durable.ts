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
export function commitPart(path: string): void {
  syncPath(partPath(path));
  renameSync(partPath(path), path);
  syncFolderOf(path);
}
