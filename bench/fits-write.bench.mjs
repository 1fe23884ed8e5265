// Claim: a band of a DES tile (float32, Rice, dithered) is written on one core faster than cfitsio's fpack compresses
// it, to the same size; a plain image is written as fast as the disk takes it.
//
//     node bench/fits-write.bench.mjs [--rounds 5] [--side 4000] [--cpu 0]
//
// Needs taskset, fpack (libcfitsio-bin) and python3-astropy, and a build. All run in turn, each pinned to one core and
// writing to memory (/dev/shm) where there is one; the table gives medians. MB are of pixels, 4 bytes each.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median, table } from './support/report.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    side: { type: 'string', default: '4000' },
    cpu: { type: 'string', default: '0' },
  },
});
const { side } = values;
const python = '/usr/bin/python3';
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const folder = join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), `skypass-bench-${process.pid}`);
const at = (name) => join(folder, name);

const pinned = (command, args) =>
  execFileSync('taskset', ['-c', values.cpu, command, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });

/** The second time in a process, as in a run of many bands. */
function skypass(form) {
  const args = [here('support/write-band.mjs'), at('band.f32'), side, at('out.fits'), form, '2'];
  const { times, bytes } = JSON.parse(pinned(process.execPath, args));
  return { ...times[1], bytes };
}

const astropy = (form) =>
  JSON.parse(pinned(python, [here('baseline/write_astropy.py'), at('band.f32'), side, at('out.fits'), form]));

/** Reads the plain file, which lies in memory, too. */
function fpack() {
  rmSync(at('packed.fits.fz'), { force: true });
  const timed = 'exec 3>&1; TIMEFORMAT="%R %U %S"; { time fpack "$@" >/dev/null; } 2>&3';
  const args = ['-c', timed, 'bash', '-O', at('packed.fits.fz'), at('band.fits')];
  const [wall, user, system] = pinned('bash', args).trim().split(' ').map(Number);
  return { wall, cpu: user + system, bytes: statSync(at('packed.fits.fz')).size };
}

const contestants = {
  'skypass, .fits.fz': () => skypass('rice'),
  'fpack, .fits.fz': fpack,
  'astropy, .fits.fz': () => astropy('rice'),
  'skypass, .fits': () => skypass('image'),
  'astropy, .fits': () => astropy('image'),
};

mkdirSync(folder, { recursive: true });
try {
  pinned(python, [here('support/make-band.py'), at('made.fits.fz'), side]);
  const unpack =
    'import sys; from astropy.io import fits; h = fits.open(sys.argv[1])[1]; ' +
    'h.data.astype("<f4").tofile(sys.argv[2]); ' +
    'h.header.update(FZALGOR="RICE_1", FZQMETHD="SUBTRACTIVE_DITHER_2", FZQVALUE=16, FZDTHRSD="CHECKSUM"); ' +
    'fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(h.data, h.header)]).writeto(sys.argv[3])';
  pinned(python, ['-c', unpack, at('made.fits.fz'), at('band.f32'), at('band.fits')]);

  const runs = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [name, measure] of Object.entries(contestants)) runs[name].push(measure());

  const megabytes = (4 * Number(side) ** 2) / 1e6;
  const rows = Object.entries(runs).map(([name, results]) => {
    const [wall, cpu] = ['wall', 'cpu'].map((key) => median(results.map((result) => result[key])));
    const speeds = [wall, cpu].map((seconds) => (megabytes / seconds).toFixed(0));
    return [name, wall.toFixed(2), cpu.toFixed(2), ...speeds, (results[0].bytes / 1e6).toFixed(2)];
  });
  const head = ['writer', 'wall s', 'CPU s', 'MB/s', 'MB/CPU s', 'MB written'];
  console.log(table(`write: ${side} x ${side} float32, one core, medians of ${values.rounds}`, head, rows));
} finally {
  rmSync(folder, { recursive: true });
}
