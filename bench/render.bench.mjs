// Claim: a field of four bands is drawn on one core at least 15 times as fast as GalSim draws it, PSF and noise
// included, and two cores draw two fields in the time of one.
//
//     node bench/render.bench.mjs [--rounds 7] [--fields 6]
//
// GalSim's times are CPU seconds of GalSim 2.8.4 in one process, the best of several, drawing the four-band
// configuration of BLISS's galaxy clustering case study on an idle machine of two cores. Every field here is drawn by
// the code that runs in a pixel thread: sources of the default priors at 0.00067 a pixel, cut to GalSim's number; a
// PSF and noise of its own. CPU seconds of the whole process, compiler and garbage collector included, tell most.
import { parseArgs } from 'node:util';
import { builtUrl } from '../dist/config/built.js';
import { checkedOptions } from '../dist/config/options.js';
import { WorkerPool } from '../dist/engine/workers.js';
import { renderSpec } from '../dist/operators/render.js';
import { noiseOf, psfOf } from '../dist/operators/support/render/options.js';
import { drawRows } from '../dist/operators/support/render/task.js';
import { catalogBands } from '../dist/science/catalog.js';
import { fieldDefaults, sampleField } from '../dist/science/priors/field.js';
import { deriveSeed } from '../dist/science/random.js';
import { median, table } from './support/report.mjs';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '7' }, fields: { type: 'string', default: '6' } },
});
const rounds = Number(values.rounds);
const fields = Number(values.fields);
const galsim = [
  { side: 256, count: 59, seconds: 0.7 },
  { side: 512, count: 226, seconds: 1.49 },
  { side: 1280, count: 1165, seconds: 5.87 },
  { side: 2560, count: 4365, seconds: 30.1 },
];

const options = checkedOptions(renderSpec, {});
const prior = {
  ...fieldDefaults,
  // Denser, so that there are never fewer than GalSim had; what is too much is cut.
  background: { ...fieldDefaults.background, density: 0.002 },
  clusters: { ...fieldDefaults.clusters, probability: 0 },
};

function job(side, count, index, truncate = 'galsim') {
  const seed = deriveSeed('render.bench', side, index);
  const wcs = { crval: [50, -40], crpix: [side / 2, side / 2], cd: [-7.3e-5, 0, 0, 7.3e-5] };
  const { sources } = sampleField(prior, { seed, width: side, height: side, wcs, origin: 1 });
  const columns = Object.fromEntries(
    Object.entries(sources.columns).map(([name, column]) => [name, column.slice(0, count)]),
  );
  if (sources.count < count) throw new Error(`${sources.count} sources, expected ${count}`);
  return {
    psf: psfOf(options.psf, seed),
    noise: noiseOf(options.noise, catalogBands, seed),
    sources: { count, columns },
    width: side,
    y0: 0,
    y1: side,
    bands: catalogBands,
    pixels: catalogBands.map(() => new SharedArrayBuffer(4 * side * side)),
    options: { origin: 1, truncate },
  };
}

/** CPU and wall seconds of one field, drawn in this thread. */
async function timed(work) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const { error } = await drawRows(work);
  if (error !== undefined) throw new Error(error.message);
  const { user, system } = process.cpuUsage(cpu);
  return { cpu: (user + system) / 1e6, wall: (performance.now() - start) / 1e3 };
}

const rows = [];
for (const truncate of ['galsim', 'none']) {
  for (const { side, count, seconds } of galsim) {
    const times = [];
    for (let round = 0; round <= rounds; round++) times.push(await timed(job(side, count, round, truncate)));
    const cpu = times.slice(1).map((time) => time.cpu);
    const middle = median(cpu);
    rows.push([
      `${side}²${truncate === 'galsim' ? '' : ', not truncated'}`,
      count,
      median(times.slice(1).map(({ wall }) => wall)).toFixed(3),
      middle.toFixed(3),
      Math.min(...cpu).toFixed(3),
      Math.round(count / middle),
      seconds.toFixed(2),
      (seconds / middle).toFixed(1),
      (seconds / Math.min(...cpu)).toFixed(1),
    ]);
  }
}
console.log(
  table(
    `Four bands of a field, one thread, ${rounds} fields after a first one`,
    [
      'field',
      'sources',
      'wall s',
      'CPU s',
      'best CPU s',
      'sources/CPU s',
      'GalSim CPU s',
      'GalSim / CPU',
      'GalSim / best',
    ],
    rows,
  ),
);

/** Wall seconds of all fields on so many threads, as a run draws them. */
async function together(jobs, threads) {
  const entry = builtUrl(import.meta.url, '../dist/operators/support/pixels-worker.js');
  const pool = new WorkerPool(entry, { name: 'pixel', threads });
  try {
    await Promise.all(Array.from({ length: threads }, () => pool.run('drawRows', jobs[0])));
    const start = performance.now();
    await Promise.all(jobs.map((each) => pool.run('drawRows', each)));
    return (performance.now() - start) / 1e3;
  } finally {
    await pool.close();
  }
}

const { side, count } = galsim[3];
const jobs = Array.from({ length: fields }, (_, index) => job(side, count, index));
const walls = { one: [], two: [] };
for (let round = 0; round < 3; round++) {
  walls.one.push(await together(jobs, 1));
  walls.two.push(await together(jobs, 2));
}
const [one, two] = [median(walls.one), median(walls.two)];
console.log(
  table(
    `${fields} fields of ${side}², medians of 3`,
    ['threads', 'wall s', 'fields/s', 'sources/s', 'speed-up'],
    [
      [1, one.toFixed(2), (fields / one).toFixed(2), Math.round((fields * count) / one), '1.00'],
      [
        2,
        two.toFixed(2),
        (fields / two).toFixed(2),
        Math.round((fields * count) / two),
        (one / two).toFixed(2),
      ],
    ],
  ),
);
