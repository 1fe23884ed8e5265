/** One process works in a run folder at a time: two would write the same shards. */
import { open, readFile, rm } from 'node:fs/promises';
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
    try {
      const file = await open(path, 'wx');
      await file.writeFile(JSON.stringify(self));
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const text = await readFile(path, 'utf8').catch(() => '');
    let holder: Holder | undefined;
    try {
      holder = JSON.parse(text) as Holder;
    } catch {
      // Killed between creating the lock and filling it.
    }
    if (holder !== undefined && (holder.host !== self.host || (await isAlive(holder)))) {
      throw new EngineError('run_locked', `process ${holder.pid} on ${holder.host} works in this folder`, {
        place: { file: path },
        hint: `wait for it, or delete ${path} if that process is gone`,
      });
    }
    await rm(path, { force: true });
  }
}
