/** One process works in a run folder at a time: two would write the same shards. */
import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { EngineError } from './errors.js';

interface Holder {
  readonly host: string;
  readonly pid: number;
  /** Start time of the process in clock ticks since boot, where the system tells: a pid is used again, this is not. */
  readonly started: string;
}

async function startTimeOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

async function isAlive(holder: Holder): Promise<boolean> {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return holder.started === '' || holder.started === (await startTimeOf(holder.pid));
}

/**
 * Takes the lock of a folder. A lock left by a process that is gone is taken over.
 *
 * @throws `run_locked` when the holder lives, or cannot be seen because it runs on another host
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'run.lock');
  const self: Holder = { host: hostname(), pid: process.pid, started: await startTimeOf(process.pid) };
  for (;;) {
    if (await create(path, JSON.stringify(self))) return () => rm(path, { force: true });
    const text = await readFile(path, 'utf8').catch(() => '');
    let holder: Holder | undefined;
    try {
      holder = JSON.parse(text) as Holder;
    } catch {
      // Given back in the meantime, or emptied by a power cut.
    }
    if (holder !== undefined && (holder.host !== self.host || (await isAlive(holder)))) {
      throw new EngineError('run_locked', `process ${holder.pid} on ${holder.host} works in this folder`, {
        place: { file: path },
        hint: `wait for it, or delete ${path} if that process is gone`,
      });
    }
    await removeStale(path, text);
  }
}

const besides = (path: string): string => `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;

/** Makes the file, whole from its first moment; false when there is one. */
async function create(path: string, text: string): Promise<boolean> {
  const draft = besides(path);
  await writeFile(draft, text);
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Removes the lock that was read as `text`, and no other: somebody else may have taken it over by now. */
async function removeStale(path: string, text: string): Promise<void> {
  const aside = besides(path);
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) !== text) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}
