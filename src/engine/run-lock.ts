/** One process works in a run folder at a time: two would write the same shards. */
import { randomBytes } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
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
 * @returns gives the lock back
 * @throws `run_locked` when the holder lives, or cannot be seen because it runs on another host
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const self: Holder = { host: hostname(), pid: process.pid, started: await startTimeOf(process.pid) };
  return lockFile(join(folder, 'run.lock'), self);
}

async function lockFile(path: string, self: Holder): Promise<() => Promise<void>> {
  for (;;) {
    if (await create(path, JSON.stringify(self))) return () => rm(path, { force: true });
    const text = await textOf(path);
    if (text === undefined) continue;
    const holder = holderIn(text);
    if (holder !== undefined && (holder.host !== self.host || (await isAlive(holder)))) {
      throw new EngineError('run_locked', `process ${holder.pid} on ${holder.host} works in this folder`, {
        place: { file: path },
        hint: `wait for it, or delete ${path} if that process is gone`,
      });
    }
    // Of all who find it stale, only who holds the next lock may remove it, and only as it was found.
    const giveBack = await lockFile(`${path}.next`, self);
    try {
      if ((await textOf(path)) === text) await rm(path);
    } finally {
      await giveBack();
    }
  }
}

/** Undefined when there is no file: its lock has been given back. */
async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Undefined when a power cut left nothing to read. */
function holderIn(text: string): Holder | undefined {
  try {
    return JSON.parse(text) as Holder;
  } catch {
    return undefined;
  }
}

/** Makes the file, whole from its first moment; false when there is one. */
async function create(path: string, text: string): Promise<boolean> {
  const draft = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
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
