/** A run in a folder of its own, quiet, closed and deleted at the end of its scope. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { RunMeters } from '../../src/engine/meters.js';
import { Run } from '../../src/engine/run.js';

export interface TestRunOptions {
  readonly memoryBytes?: number;
  readonly drainMs?: number;
  readonly overwrite?: boolean;
  /** A folder that is kept, to open the same run twice; else a temporary one. */
  readonly dir?: string;
}

export interface TestRun extends AsyncDisposable {
  readonly run: Run;
  readonly dir: string;
  readonly meters: RunMeters;
}

export const silent = pino({ level: 'silent' });

export async function testRun(options: TestRunOptions = {}): Promise<TestRun> {
  const folder = options.dir === undefined ? await tempFolder() : undefined;
  const dir = options.dir ?? (folder as TempFolder).path;
  const meters = new RunMeters('test');
  const run = await Run.open({
    dir,
    pipeline: 'test',
    version: '0.0.0',
    memoryBytes: options.memoryBytes ?? 1 << 20,
    meters,
    log: silent,
    overwrite: options.overwrite ?? false,
    ...(options.drainMs === undefined ? {} : { drainMs: options.drainMs }),
  });
  return {
    run,
    dir,
    meters,
    [Symbol.asyncDispose]: async () => {
      await run[Symbol.asyncDispose]();
      await folder?.[Symbol.asyncDispose]();
    },
  };
}

export interface TempFolder extends AsyncDisposable {
  readonly path: string;
}

export async function tempFolder(): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), 'skypass-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Lets everything happen that can happen without anybody outside doing something. */
export async function settle(turns = 20): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits for a condition as long as the test may last. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
