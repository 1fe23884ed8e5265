import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WorkerPool } from '../../src/engine/workers.js';

const folder = mkdtempSync(join(tmpdir(), 'skypass-workers-'));
const entry = pathToFileURL(join(folder, 'entry.mjs'));
let pool: WorkerPool;

beforeAll(() => {
  const workers = pathToFileURL(join(import.meta.dirname, '../../dist/engine/workers.js')).href;
  writeFileSync(
    entry,
    `import { moved, task } from ${JSON.stringify(workers)};
     export const double = task((n) => n * 2);
     export const echo = task(({ buffer }) => moved({ buffer, sum: new Uint8Array(buffer).reduce((a, b) => a + b, 0) }, [buffer]));
     let kept;
     export const keep = task(({ buffer }) => { kept = buffer; return moved({ buffer }, [buffer]); });
     export const keptBytes = task(() => kept.byteLength);
     export const refuse = task(() => { throw Object.assign(new Error('row 3 ends early'), { code: 'fits_compressed', place: { row: 3 }, hint: 'look' }); });
     export const die = task(() => process.exit(7));
     export const spin = task(() => { for (;;); });`,
  );
  pool = new WorkerPool(entry, { name: 'test', threads: 1 });
});
afterAll(async () => {
  await pool.close();
  rmSync(folder, { recursive: true });
});

it('runs a task by the name of its export', async () => {
  expect(await pool.run('double', 21)).toBe(42);
});

it('hands buffers over and back without a copy', async () => {
  const buffer = new Uint8Array([1, 2, 3]).buffer;
  const reply = await pool.run<unknown, { buffer: ArrayBuffer; sum: number }>(
    'echo',
    { buffer },
    { transfer: [buffer] },
  );
  expect(buffer.byteLength).toBe(0);
  expect(reply.sum).toBe(6);
  expect([...new Uint8Array(reply.buffer)]).toEqual([1, 2, 3]);
});

it('leaves nothing behind in the worker: what is moved is not copied', async () => {
  const { buffer } = await pool.run<unknown, { buffer: ArrayBuffer }>('keep', { buffer: new ArrayBuffer(8) });
  expect(buffer.byteLength).toBe(8);
  expect(await pool.run('keptBytes', null)).toBe(0);
});

it('keeps code, place and hint of an error thrown in the worker', async () => {
  await expect(pool.run('refuse', null)).rejects.toMatchObject({
    message: 'row 3 ends early',
    code: 'fits_compressed',
    place: { row: 3 },
    hint: 'look',
  });
});

it('says that the thread died, and goes on with a new one', async () => {
  await expect(pool.run('die', null)).rejects.toMatchObject({ code: 'worker_died' });
  expect(await pool.run('double', 4)).toBe(8);
});

it('ends a task that never returns when its signal aborts', async () => {
  const controller = new AbortController();
  const spinning = pool.run('spin', null, { signal: controller.signal });
  setTimeout(() => controller.abort(), 50);
  await expect(spinning).rejects.toMatchObject({ name: 'AbortError' });
  expect(await pool.run('double', 5)).toBe(10);
});

// What it guards against ended the process at one in a hundred such closes: the test fails now and then without it, not always.
it('may be closed while its threads load their entry', async () => {
  const workers = pathToFileURL(join(import.meta.dirname, '../../dist/engine/workers.js')).href;
  const closes = `import { WorkerPool } from ${JSON.stringify(workers)};
    const entry = new URL('../operators/support/train/loader-worker.js', ${JSON.stringify(workers)});
    for (let i = 0; i < 30; i++) {
      const pool = new WorkerPool(entry, { name: 'short', threads: 4 });
      await new Promise((resolve) => setTimeout(resolve, 20 + 5 * i));
      await pool.close();
    }`;
  const ended = promisify(execFile)(process.execPath, ['--input-type=module', '-e', closes]);
  await expect(ended).resolves.toMatchObject({ stderr: '' });
}, 60_000);
