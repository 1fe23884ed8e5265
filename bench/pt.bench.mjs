// Claim: a .pt file of cached fields (4 x 2560 x 2560 float32 each) is written as fast as by torch, in the memory of one
// field, and read nearly as fast; with its checksums compared, which torch leaves out, at more than half the speed.
//
//     node bench/pt.bench.mjs [--fields 3] [--side 2560] [--rounds 5] [--folder /dev/shm]
//
// Each measurement is a process of its own; all run in turn, and read each other's files. In memory (/dev/shm) neither
// waits for a disk, nor for the fsync that torch.save does without. Torch is left out where python3 has none.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openPt } from '../dist/formats/pt/read.js';
import { denseTensor, ptDict } from '../dist/formats/pt/value.js';
import { PtWriter } from '../dist/formats/pt/write.js';
import { median, table } from './support/report.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    fields: { type: 'string', default: '3' },
    side: { type: 'string', default: '2560' },
    rounds: { type: 'string', default: '5' },
    folder: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : tmpdir() },
  },
});
const python = '/usr/bin/python3';
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const fields = Number(values.fields);
const side = Number(values.side);

function write(path) {
  const image = new Float32Array(4 * side * side);
  for (let index = 0; index < image.length; index++) image[index] = index;
  const begun = performance.now();
  const writer = PtWriter.create(path);
  const value = [];
  for (let field = 0; field < fields; field++) {
    // As a renderer does, which draws the next field into the same memory.
    image[1] = 1 + field;
    const { key } = writer.addStorage([new Uint8Array(image.buffer)]);
    value.push(ptDict({ images: denseTensor(key, 'float32', [4, side, side]) }));
  }
  writer.finish(value);
  return (performance.now() - begun) / 1000;
}

async function read(path, verify) {
  const begun = performance.now();
  const file = await openPt(path, { verify });
  const images = await Promise.all(file.value.map((entry) => file.read(entry.get('images'))));
  const seconds = (performance.now() - begun) / 1000;
  await file.close();
  if (images.some((image, field) => image[1] !== 1 + field)) throw new Error('the file has other pixels');
  return seconds;
}

async function measure(verb, path) {
  const wall_s = await (verb === 'write' ? write(path) : read(path, verb === 'read'));
  const peak_bytes = process.resourceUsage().maxRSS * 1024;
  process.stdout.write(JSON.stringify({ wall_s, peak_bytes }));
}

function compare() {
  const folder = mkdtempSync(join(values.folder, 'skypass-bench-pt-'));
  const counts = [String(fields), String(side)];
  const run = (command, args) => JSON.parse(execFileSync(command, args, { encoding: 'utf8' }));
  const skypass = (verb, file) =>
    run(process.execPath, [here('pt.bench.mjs'), verb, file, '--fields', counts[0], '--side', counts[1]]);
  const torch = (verb, file) => run(python, [here('baseline/torch_files.py'), verb, file, ...counts]);
  const hasTorch = spawnSync(python, ['-c', 'import torch']).status === 0;
  const [ours, theirs] = [join(folder, 'skypass.pt'), join(folder, 'torch.pt')];
  const contestants = {
    'skypass writes': () => skypass('write', ours),
    'skypass reads it': () => skypass('read', ours),
    'skypass reads it, checksums left out': () => skypass('read-unverified', ours),
    ...(hasTorch
      ? {
          'torch.save': () => torch('write', theirs),
          'torch.load': () => torch('read', theirs),
          "skypass reads torch's": () => skypass('read', theirs),
          "torch.load of skypass's": () => torch('read', ours),
        }
      : {}),
  };
  try {
    const runs = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
    for (let round = 0; round < Number(values.rounds); round++)
      for (const [name, measured] of Object.entries(contestants)) runs[name].push(measured());
    const megabytes = statSync(ours).size / 1e6;
    const rows = Object.entries(runs).map(([name, results]) => {
      const seconds = median(results.map(({ wall_s }) => wall_s));
      const peak = median(results.map(({ peak_bytes }) => peak_bytes));
      return [name, seconds.toFixed(3), (megabytes / seconds).toFixed(0), (peak / 2 ** 20).toFixed(0)];
    });
    const title = `${fields} fields of 4 x ${side} x ${side} float32 in one .pt file, ${megabytes.toFixed(0)} MB, medians of ${values.rounds}`;
    console.log(table(title, ['', 'wall s', 'MB/s', 'peak MiB'], rows));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (positionals.length > 0) await measure(...positionals);
else compare();
