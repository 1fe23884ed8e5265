/** Folders of a run. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EngineError } from './errors.js';

/**
 * Makes a folder and those above it. Node's own recursive mkdir never returns where folders cannot be made at all,
 * such as below /proc.
 *
 * @throws EngineError `config_invalid` naming the folder that could not be made
 */
export async function makeFolder(path: string): Promise<void> {
  const attempt = () => mkdir(path).catch((error: NodeJS.ErrnoException) => error);
  let failure = await attempt();
  if (failure?.code === 'ENOENT' && dirname(path) !== path) {
    await makeFolder(dirname(path));
    failure = await attempt();
  }
  if (failure === undefined) return;
  if (failure.code === 'EEXIST' && (await stat(path)).isDirectory()) return;
  const { code } = failure;
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EMFILE' || code === 'ENFILE') throw failure;
  throw new EngineError('config_invalid', `the folder cannot be made: ${failure.message}`, {
    place: { file: path },
    hint: 'choose a folder that can be written, with run.dir=',
    cause: failure,
  });
}
