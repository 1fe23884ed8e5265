// Claim: planning the resume of a whole DES pass (10,169 tiles of 16 windows) takes seconds and little memory.
//
//     node bench/ledger.bench.mjs [--tiles 10169] [--windows 16] [--rounds 3]
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Ledger } from '../dist/engine/ledger.js';
import { median, table } from './support/report.mjs';

const { values } = parseArgs({
  options: {
    tiles: { type: 'string', default: '10169' },
    windows: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '3' },
    plan: { type: 'string' },
  },
});
const tiles = Number(values.tiles);
const windows = Number(values.windows);
const name = (tile) => `DES${String(tile).padStart(4, '0')}-0541`;

/** In a process of its own: reads the ledger and asks for every tile whether it is done. */
async function plan(path) {
  const before = process.memoryUsage().rss;
  const begun = performance.now();
  const ledger = await Ledger.open(path);
  let left = 0;
  for (let tile = 0; tile < tiles; tile++) if (!ledger.isDone(name(tile))) left += 1;
  const seconds = (performance.now() - begun) / 1000;
  const { rss } = process.memoryUsage();
  await ledger.close();
  process.stdout.write(JSON.stringify({ seconds, left, rss, grown: rss - before }));
}

async function write(path) {
  const ledger = await Ledger.open(path);
  const identity = {};
  await ledger.append({
    type: 'start',
    run: 'bench',
    pipeline: 'des-pass',
    version: '0',
    time: '',
    identity_hash: '',
    identity,
  });
  const begun = performance.now();
  for (let tile = 0; tile < tiles; tile++) {
    const item = name(tile);
    const detail = {
      ra: 0,
      dec: 0,
      area_square_degrees: 0.53,
      inputs: ['g', 'r', 'i', 'z'].map((band) => ({
        name: `/data/${item}_${band}.fits.fz`,
        bytes: 98208000,
        checksum: 'datasum:1234567890',
      })),
    };
    const shard = `shard-${String(Math.floor(tile / 8)).padStart(6, '0')}`;
    // All but the last hundred tiles are done; one record a window, as one batch is one window.
    const done = tile < tiles - 100 ? windows : 0;
    const records = Array.from({ length: done }, (_, window) => ({
      type: 'outcome',
      items: [`${item}/r${window >> 2}c${window & 3}`],
      outcome: 'ok',
      shard,
    }));
    await ledger.append({ type: 'parent', item, children: windows, detail }, ...records);
  }
  const seconds = (performance.now() - begun) / 1000;
  await ledger.close();
  return seconds;
}

if (values.plan !== undefined) {
  await plan(values.plan);
} else {
  const folder = mkdtempSync(join(tmpdir(), 'skypass-ledger-'));
  try {
    const path = join(folder, 'ledger.jsonl');
    const written = await write(path);
    const rounds = Array.from({ length: Number(values.rounds) }, () =>
      JSON.parse(
        execFileSync(
          process.execPath,
          [
            fileURLToPath(import.meta.url),
            '--tiles',
            values.tiles,
            '--windows',
            values.windows,
            '--plan',
            path,
          ],
          { encoding: 'utf8' },
        ),
      ),
    );
    if (rounds.some(({ left }) => left !== Math.min(100, tiles)))
      throw new Error(`${rounds[0].left} tiles are left, expected 100`);
    process.stdout.write(
      table(
        'ledger: planning a resume',
        ['what', 'figure'],
        [
          ['items', `${tiles} tiles × ${windows} windows = ${(tiles * windows).toLocaleString('en-US')}`],
          ['size on disk', `${(statSync(path).size / 2 ** 20).toFixed(1)} MiB`],
          ['written, one sync a tile', `${written.toFixed(1)} s`],
          ['planned, median', `${median(rounds.map(({ seconds }) => seconds)).toFixed(2)} s`],
          [
            'RSS of the process, median',
            `${(median(rounds.map(({ rss }) => rss)) / 2 ** 20).toFixed(0)} MiB`,
          ],
          ['of which the ledger', `${(median(rounds.map(({ grown }) => grown)) / 2 ** 20).toFixed(0)} MiB`],
        ],
      ),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}
