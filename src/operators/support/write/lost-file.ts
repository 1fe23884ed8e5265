/** Files that the ledger calls finished. */
import { rename, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Why a finished file does not count any more; undefined while it is whole to the byte. One that has changed is moved
 * aside.
 *
 * @param file relative to `dir`
 */
export async function lostFile(dir: string, file: string, bytes: number): Promise<string | undefined> {
  const path = join(dir, file);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return `${file} is gone`;
  if (found.size === bytes) return undefined;
  // Under another name nobody takes it for a result, and its bytes are still there to look at.
  await rename(path, `${path}.damaged`);
  return `${file} has ${found.size} bytes instead of ${bytes}`;
}
