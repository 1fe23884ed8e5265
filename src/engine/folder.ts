/** Folders of a run. */
import { mkdir, rmdir, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EngineError } from './errors.js';

/**
 * Makes a folder and those above it. Node's own recursive mkdir never returns where folders cannot be made at all,
 * such as below /proc.
 *
 * @returns the folders that were not there, the innermost first
 * @throws EngineError `config_invalid` naming the folder that could not be made
 */
export async function makeFolder(path: string): Promise<readonly string[]> {
  const attempt = () => mkdir(path).catch((error: NodeJS.ErrnoException) => error);
  let above: readonly string[] = [];
  let failure = await attempt();
  if (failure?.code === 'ENOENT' && dirname(path) !== path) {
    above = await makeFolder(dirname(path));
    failure = await attempt();
  }
  if (failure === undefined) return [path, ...above];
  if (failure.code === 'EEXIST' && (await stat(path)).isDirectory()) return above;
  const { code } = failure;
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EMFILE' || code === 'ENFILE') throw failure;
  throw new EngineError('config_invalid', `the folder cannot be made: ${failure.message}`, {
    place: { file: path },
    hint: 'choose a folder that can be written',
    cause: failure,
  });
}

/** Removes those of the folders, the innermost first, that are still empty. */
export async function removeEmptyFolders(paths: readonly string[]): Promise<void> {
  try {
    for (const path of paths) await rmdir(path);
  } catch {
    // Something is in it, and so in those above.
  }
}

/** Whether less than a mebibyte is left on the disk of a folder; false when nobody can say. */
export async function isFull(dir: string): Promise<boolean> {
  const space = await statfs(dir).catch(() => undefined);
  return space !== undefined && space.bavail * space.bsize <= 1 << 20;
}
