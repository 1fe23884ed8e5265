// Claim: a pass over a DES tile of 4 × 10000² pixels is at least four times as fast as the same work done with astropy
// and torch's DataLoader, in a third of its memory, and keeps the encoder busy.
//
//     node bench/pass.bench.mjs [--rounds 3] [--side 10000] [--workers 2] [--tiles FOLDER]
//
// Needs python3-astropy and python3-torch. The two run in turn; the table gives medians. The
// encoders are the same network with random weights. A second pass over eight tiles shows the steady state.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median, table } from './support/report.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    side: { type: 'string', default: '10000' },
    workers: { type: 'string', default: String(availableParallelism()) },
    tiles: { type: 'string' },
  },
});
const python = '/usr/bin/python3';
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(tmpdir(), 'skypass-bench');
const one = values.tiles ?? join(folder, `tiles-${values.side}`);
const eight = join(folder, `eight-${values.side}`);

/** One simulated tile as deep as the survey, made once and kept. */
function makeTile() {
  if (existsSync(one)) return;
  process.stderr.write(`making a tile of 4 × ${values.side}² in ${one}\n`);
  const keys = [`survey_dir=${one}`, 'tiles=1', `image_size=${values.side}`];
  execFileSync(
    process.execPath,
    [join(root, 'dist/cli/main.js'), 'run', join(root, 'conf/pipelines/make-survey.yaml'), ...keys],
    { stdio: 'inherit' },
  );
}

/** The same tile under eight names: links, so that it stays in the page cache. */
function linkEight() {
  rmSync(eight, { recursive: true, force: true });
  const [tile] = readdirSync(one).filter((name) => name.startsWith('DES'));
  for (let i = 0; i < 8; i++) {
    const name = `DES000${i}-0541`;
    mkdirSync(join(eight, name), { recursive: true });
    for (const file of readdirSync(join(one, tile)))
      linkSync(join(one, tile, file), join(eight, name, file.replace(tile, name)));
  }
}

/** RSS of a process tree, sampled from /proc: the same measure for both contestants. */
function memoryOf(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean);
  const resident =
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  return resident + children.reduce((sum, child) => sum + memoryOf(child), 0);
}

async function watched(command, args) {
  const begun = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (text) => {
    output += text;
  });
  let peak = 0;
  const timer = setInterval(() => {
    try {
      peak = Math.max(peak, memoryOf(child.pid));
    } catch {
      // A process ended between being listed and being looked at.
    }
  }, 50);
  const [code] = await once(child, 'close');
  clearInterval(timer);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`);
  return { wall: (performance.now() - begun) / 1000, peak, output };
}

async function skypass(tiles) {
  const dir = mkdtempSync(join(tmpdir(), 'skypass-pass-'));
  try {
    const overrides = [`survey.path=${tiles}`, `run.dir=${dir}`];
    const pipeline = join(root, 'conf/pipelines/des-pass.yaml');
    const result = await watched(process.execPath, [
      join(root, 'dist/cli/main.js'),
      'run',
      pipeline,
      ...overrides,
      '--metrics-port',
      '0',
      '--log-level',
      'error',
    ]);
    const { meters } = JSON.parse(readFileSync(join(dir, 'run.json'), 'utf8'));
    const windows = Object.values(meters.windows).reduce((sum, count) => sum + count, 0);
    return {
      ...result,
      windows,
      squareDegrees: meters.squareDegrees,
      busy: meters.encoderBusySeconds / meters.elapsedSeconds,
    };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function blissWay() {
  const result = await watched(python, [
    join(root, 'bench/baseline/bliss_way.py'),
    one,
    '--workers',
    values.workers,
  ]);
  return { ...result, cpu: JSON.parse(result.output.trim().split('\n').at(-1)).cpu_s };
}

const gigabytes = (bytes) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
const of = (results, pick) => median(results.map(pick));

makeTile();
linkEight();
const ours = [];
const theirs = [];
const steady = [];
await skypass(one);
for (let round = 0; round < Number(values.rounds); round++) {
  ours.push(await skypass(one));
  theirs.push(await blissWay());
  steady.push(await skypass(eight));
}
const row = (name, results) => [
  name,
  `${of(results, ({ wall }) => wall).toFixed(1)} s`,
  gigabytes(of(results, ({ peak }) => peak)),
  results[0].windows === undefined ? '' : (results[0].windows / of(results, ({ wall }) => wall)).toFixed(2),
  results[0].windows === undefined
    ? ''
    : Math.round((3600 * results[0].squareDegrees) / of(results, ({ wall }) => wall)),
  results[0].busy === undefined ? '' : `${Math.round(100 * of(results, ({ busy }) => busy))} %`,
];
const ratio = (pick) => median(ours.map((each, i) => pick(theirs[i]) / pick(each))).toFixed(1);
process.stdout.write(
  table(
    `pass: 4 × ${values.side}² through cluster-small, whole processes, ${availableParallelism()} cores`,
    ['what', 'wall', 'peak memory of the tree', 'windows/s', 'deg²/h', 'encoder busy'],
    [
      row('skypass, one tile', ours),
      row('skypass, eight tiles', steady),
      row(`astropy + torch DataLoader, ${values.workers} workers, one tile`, theirs),
    ],
  ),
);
process.stdout.write(
  `\nskypass is ${ratio(({ wall }) => wall)} times as fast, in ${((100 * of(ours, ({ peak }) => peak)) / of(theirs, ({ peak }) => peak)).toFixed(0)} % of the memory (pair by pair, median)\n`,
);
