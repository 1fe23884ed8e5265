// Claim: simulation and training overlap, and with the cache a step waits for its windows less than 10 % of the time.
//
//     node bench/train.bench.mjs [--fields 64] [--size 1536] [--epochs 4] [--sizes 512,1024,1536,2560] [--batches 1,4] [--quick]
//
// One run of conf/pipelines/train.yaml, which draws the fields of its first epoch while it learns from them and takes those of
// later epochs from its cache; then short ones, for the peak memory of the process. Samples a second, and shares of time, are of
// the steps and their waits: taking scores is left out. --quick is a check that all of this works, not a measurement.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { table } from './support/report.mjs';

const { values: given } = parseArgs({
  options: {
    fields: { type: 'string' },
    size: { type: 'string' },
    epochs: { type: 'string' },
    sizes: { type: 'string' },
    batches: { type: 'string', default: '1,4' },
    quick: { type: 'boolean', default: false },
  },
});
const defaults = given.quick
  ? { fields: '20', size: '512', epochs: '3', sizes: '256,512' }
  : { fields: '64', size: '1536', epochs: '4', sizes: '512,1024,1536,2560' };
const { fields, size, epochs, sizes, batches } = { ...defaults, ...given };
const root = fileURLToPath(new URL('..', import.meta.url));

/** Samples, seconds of steps and seconds of waits until now, by what a run says at /metrics; undefined before it trains. */
async function readMeters(url) {
  const text = await fetch(url).then(
    (answer) => answer.text(),
    () => '',
  );
  const read = (name) => Number(new RegExp(`^skypass_training_${name}{.*} (.*)$`, 'm').exec(text)?.[1]);
  const meters = {
    epoch: read('epoch'),
    samples: read('samples_total'),
    seconds: read('step_seconds_sum'),
    waitSeconds: read('data_wait_seconds_total'),
  };
  return Object.values(meters).every(Number.isFinite) ? meters : undefined;
}

/** Trains in a process and a folder of its own. Gives the record of the run, and the meters at the end of its first epoch. */
async function train(overrides) {
  const dir = mkdtempSync(join(tmpdir(), 'skypass-bench-train-'));
  try {
    const all = [
      `run.dir=${dir}`,
      'cache_size=8GiB',
      'train.splits=10:90/0:10/90:100',
      'train.pictures=0',
      ...overrides,
    ];
    const child = spawn(
      process.execPath,
      [
        ...[join(root, 'dist/cli/main.js'), 'run', join(root, 'conf/pipelines/train.yaml'), ...all],
        ...['--metrics-port', '0'],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    let firstEpoch;
    const ended = once(child, 'close');
    while (child.exitCode === null && child.signalCode === null) {
      const url = /http:\/\/\S+?\/metrics/.exec(said)?.[0];
      const meters = url === undefined ? undefined : await readMeters(url);
      if (meters?.epoch === 1) firstEpoch = meters;
      await sleep(200);
    }
    const [code] = await ended;
    if (code !== 0) throw new Error(`the training ended with ${code}:\n${said}`);
    return { record: JSON.parse(readFileSync(join(dir, 'run.json'), 'utf8')), firstEpoch };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const row = (what, { samples, seconds, waitSeconds }) => [
  what,
  samples,
  (samples / (seconds + waitSeconds)).toFixed(2),
  `${((100 * waitSeconds) / (seconds + waitSeconds)).toFixed(1)} %`,
];
const difference = (after, before) =>
  Object.fromEntries(['samples', 'seconds', 'waitSeconds'].map((name) => [name, after[name] - before[name]]));

const { record, firstEpoch } = await train([`fields=${fields}`, `image_size=${size}`, `epochs=${epochs}`]);
if (firstEpoch === undefined)
  throw new Error('the first epoch was over before it was seen: use more --fields');
process.stdout.write(
  table(
    `train: cluster-small, batches of 4 windows of ${size}², ${fields} fields, ${availableParallelism()} cores`,
    ['epochs', 'samples', 'samples/s', 'steps wait for data'],
    [
      row('first, drawn meanwhile', firstEpoch),
      row(`${epochs - 1} from the cache`, difference(record.meters.training.done, firstEpoch)),
    ],
  ),
);

const batchSizes = batches.split(',');
const rows = [];
for (const side of sizes.split(',')) {
  const peaks = [];
  for (const batch of batchSizes) {
    const { record } = await train([
      ...['fields=12', 'epochs=2', 'train.splits=20:80/0:20/80:100'],
      ...[`image_size=${side}`, `batch_size=${batch}`],
    ]);
    peaks.push(`${(record.rss_peak_bytes / 2 ** 30).toFixed(2)} GiB`);
  }
  rows.push([`${side}²`, ...peaks]);
}
process.stdout.write(
  table(
    'peak memory of the process, by window and batch',
    ['window', ...batchSizes.map((batch) => `batch of ${batch}`)],
    rows,
  ),
);
