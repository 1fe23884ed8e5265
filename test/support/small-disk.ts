/** A disk that is soon full: a real one where it can be mounted, else writes that are refused. */
import { spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './cli.js';

export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  /** For the processes that are to find it full. */
  readonly env: Readonly<Record<string, string>>;
  grow(bytes: number): void;
}

const mount = (...args: readonly string[]): boolean => spawnSync('mount', args).status === 0;

export async function smallDisk(path: string, bytes: number): Promise<SmallDisk> {
  await mkdir(path);
  if (mount('-t', 'tmpfs', '-o', `size=${bytes}`, 'none', path)) {
    return {
      path,
      env: {},
      grow: (to) => void mount('-o', `remount,size=${to}`, path),
      [Symbol.asyncDispose]: async () => void spawnSync('umount', [path]),
    };
  }
  const env = {
    NODE_OPTIONS: `--import ${join(root, 'test', 'support', 'full-disk.mjs')}`,
    SKYPASS_TEST_DISK: path,
    SKYPASS_TEST_ROOM: String(bytes),
  };
  return { path, env, grow: () => {}, [Symbol.asyncDispose]: async () => {} };
}
