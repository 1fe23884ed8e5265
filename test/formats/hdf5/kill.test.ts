import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { readShardIndex } from '../../../src/formats/hdf5/read-shard.js';
import { decodeRows } from '../../../src/formats/hdf5/rows-codec.js';
import { Journal } from '../../../src/formats/journal.js';
import { readAll, temporaryFolder } from './rows.js';

const folder = temporaryFolder();
const writer = fileURLToPath(new URL('./kill-writer.mjs', import.meta.url));
const dist = fileURLToPath(new URL('../../../dist', import.meta.url));
const kills = 6;

/** Runs the writer until it ends, or until `batches` of its batches are safe and `delayMs` have passed. */
async function write(path: string, batches = Number.POSITIVE_INFINITY, delayMs = 0) {
  const child: ChildProcess = spawn(process.execPath, [writer, dist, path], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let errors = '';
  child.stderr?.on('data', (text) => {
    errors += text;
  });
  child.stdout?.on('data', (text) => {
    const before = said;
    said += text;
    const isDue = said.split('\n').length > batches && before.split('\n').length <= batches;
    if (isDue) setTimeout(() => child.kill('SIGKILL'), delayMs);
  });
  await once(child, 'close');
  return { errors, safe: said.split('\n').slice(0, -1).map(Number), signal: child.signalCode };
}

it('loses nothing that was synced when killed, and rebuilds the shard an undisturbed run writes', async () => {
  const [undisturbed, path] = [join(folder, 'undisturbed.h5'), join(folder, 'killed.h5')];
  expect(await write(undisturbed)).toMatchObject({ errors: '', signal: null });

  let killed = 0;
  for (let round = 0; round < kills && !existsSync(path); round++) {
    const { errors, safe, signal } = await write(path, 1 + Math.floor(Math.random() * 8), Math.random() * 12);
    expect(errors).toBe('');
    if (signal === null) break;
    killed++;
    if (existsSync(path)) break;
    const journal = Journal.open(`${path}.journal`, {});
    const firstIds = [...journal.replay()].map((payload) => decodeRows(payload).ids[0]);
    journal.close();
    expect(firstIds).toEqual(firstIds.map((_, n) => `tile-${n}/window-0`));
    const last = safe.at(-1) ?? -1;
    expect([last + 1, last + 2]).toContain(firstIds.length);
  }
  expect(killed).toBeGreaterThan(1);

  if (!existsSync(path)) expect(await write(path)).toMatchObject({ errors: '', signal: null });
  expect(readShardIndex(path)).toEqual(readShardIndex(undisturbed));
  expect(readAll(path)).toEqual(readAll(undisturbed));
  expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
});
