// Claim: one band of a DES tile (10000 x 10000 float32, Rice, dithered) is decoded on one core at least 1.5 times as
// fast as cfitsio's funpack does it.
//
//     node bench/decode.bench.mjs [--rounds 5] [--side 10000] [--cpu 0]
//
// Needs taskset, funpack and fpack (libcfitsio-bin) and python3-astropy. All run in turn, each pinned to one core;
// the table gives medians. CPU seconds tell most on a machine that does other things too.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    side: { type: 'string', default: '10000' },
    cpu: { type: 'string', default: '0' },
  },
});
const python = '/usr/bin/python3';
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const folder = join(tmpdir(), 'skypass-bench');
const band = join(folder, `des-band-${values.side}.fits.fz`);
const unpacked = join(existsSync('/dev/shm') ? '/dev/shm' : folder, `skypass-unpacked-${process.pid}.fits`);

const pinned = (command, args) =>
  execFileSync('taskset', ['-c', values.cpu, command, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });

const checksums = new Set();
/** The second time in a process, as in a run of many bands; the first, with cold code, is told apart. */
function skypass(variant, which) {
  const { times, checksum } = JSON.parse(
    pinned(process.execPath, [here('support/decode-band.mjs'), band, '2', variant]),
  );
  checksums.add(checksum);
  return times[which];
}

function funpack(...args) {
  rmSync(unpacked, { force: true });
  const timed = 'exec 3>&1; TIMEFORMAT="%R %U %S"; { time funpack "$@" >/dev/null; } 2>&3';
  const [wall, user, system] = pinned('bash', ['-c', timed, 'bash', ...args])
    .trim()
    .split(' ')
    .map(Number);
  rmSync(unpacked, { force: true });
  return { wall, cpu: user + system };
}

function astropy() {
  const { wall_s, cpu_s } = JSON.parse(pinned(python, [here('baseline/decode_astropy.py'), band, '1', '1']));
  return { wall: wall_s, cpu: cpu_s };
}

const contestants = {
  skypass: () => skypass('simd', 1),
  'skypass, first band of a process': () => skypass('simd', 0),
  'skypass, dither and scale without SIMD': () => skypass('scalar', 1),
  'funpack to standard output': () => funpack('-S', band),
  'funpack to memory (/dev/shm)': () => funpack('-O', unpacked, band),
  astropy: astropy,
};

mkdirSync(folder, { recursive: true });
if (!existsSync(band)) pinned(python, [here('support/make-band.py'), band, values.side]);
const pixels = Number(values.side) ** 2;
const packedBytes = statSync(band).size;

const runs = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
for (let round = 0; round < Number(values.rounds); round++)
  for (const [name, measure] of Object.entries(contestants)) runs[name].push(measure());
if (checksums.size !== 1) throw new Error('the variants give different pixels');

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const results = Object.entries(runs).map(([name, times]) => ({
  name,
  wall: median(times.map(({ wall }) => wall)),
  cpu: median(times.map(({ cpu }) => cpu)),
}));
const bestFunpack = (key) =>
  Math.min(...results.filter(({ name }) => name.startsWith('funpack')).map((r) => r[key]));

console.log(
  `decode: ${values.side} x ${values.side} float32, ${(packedBytes / 1e6).toFixed(1)} MB packed ` +
    `(${((4 * pixels) / packedBytes).toFixed(1)} : 1), one core, medians of ${values.rounds}`,
);
console.log(`${''.padEnd(40)}   wall s    CPU s   Mpixel/CPU s   funpack's CPU s over this`);
for (const { name, wall, cpu } of results)
  console.log(
    name.padEnd(40) +
      wall.toFixed(3).padStart(9) +
      cpu.toFixed(3).padStart(9) +
      (pixels / 1e6 / cpu).toFixed(0).padStart(15) +
      (bestFunpack('cpu') / cpu).toFixed(2).padStart(14),
  );
const [ours] = results;
console.log(
  `skypass is ${(bestFunpack('cpu') / ours.cpu).toFixed(1)} times as fast as funpack in CPU time, ` +
    `${(bestFunpack('wall') / ours.wall).toFixed(1)} times on the clock`,
);
