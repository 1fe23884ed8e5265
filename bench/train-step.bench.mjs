// Claim: a training step (forward, backward, Adam) as ONNX graphs takes no longer than the same step in torch.
//
//     node bench/train-step.bench.mjs [--family cluster-small] [--side 1536] [--rows 1] [--steps 2] [--rounds 9]
//
// Both train the same network on so many windows of so many pixels a side; torch runs in a process of its own, and they
// take turns. Both are given one thread, then two. The image is already averaged, as `train` keeps it.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { families } from '../dist/encoders/families.js';
import { seededWeights } from '../dist/encoders/network.js';
import { initialParameters } from '../dist/encoders/step/layout.js';
import { GradientSession, UpdateSession } from '../dist/encoders/step/sessions.js';
import { median, table } from './support/report.mjs';

const { values } = parseArgs({
  options: {
    family: { type: 'string', default: 'cluster-small' },
    side: { type: 'string', default: '1536' },
    rows: { type: 'string', default: '1' },
    steps: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '9' },
  },
});
const { architecture } = families[values.family];
const { normaliser, cell } = architecture;
const rows = Number(values.rows);
const pooled = Number(values.side) / normaliser.pool;
const steps = Number(values.steps);

/** A function that makes steps in torch and says how many seconds they took. */
function torch(threads, description) {
  const script = fileURLToPath(new URL('baseline/train_step.py', import.meta.url));
  const child = spawn('/usr/bin/python3', [script, threads, description, rows, pooled].map(String), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const run = async (count) => {
    child.stdin.write(`${count}\n`);
    const { value, done } = await answers.next();
    if (done) throw new Error('torch ended: is python3-torch installed?');
    return Number(value);
  };
  return { run, close: async () => child.stdin.end() };
}

async function skypass(threads) {
  const place = { device: 'cpu', threads };
  const shape = { rows, height: pooled, width: pooled };
  const rule = {
    optimizer: 'adam',
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
    clipNorm: undefined,
  };
  let parameters = initialParameters(architecture, seededWeights(1));
  let moment1 = new Float32Array(parameters.length);
  let moment2 = new Float32Array(parameters.length);
  let step = 0;
  const gradients = await GradientSession.open(architecture, shape, place);
  const updates = await UpdateSession.open(parameters.length, rule, place);
  const cells = rows * ((pooled * normaliser.pool) / cell) ** 2;
  const feeds = {
    image: Float32Array.from({ length: rows * normaliser.bands * pooled ** 2 }, () => 4 * Math.random() - 2),
    quantiles: Float32Array.from(normaliser.initial),
    target: Float32Array.from({ length: cells }, () => (Math.random() < 0.1 ? 1 : 0)),
    weight: new Float32Array(cells).fill(1 / cells),
  };
  const run = async (count) => {
    const start = performance.now();
    for (let i = 0; i < count; i++) {
      const { gradient } = await gradients.run({ ...feeds, parameters });
      step += 1;
      ({ parameters, moment1, moment2 } = await updates.run({
        parameters,
        gradient,
        moment1,
        moment2,
        learningRate: 1e-4,
        step,
      }));
    }
    return (performance.now() - start) / 1000;
  };
  const close = async () => {
    await gradients.release();
    await updates.release();
  };
  return { run, close };
}

const folder = mkdtempSync(join(tmpdir(), 'skypass-bench-'));
const description = join(folder, 'architecture.json');
writeFileSync(description, JSON.stringify(architecture));
const report = [];
try {
  for (const threads of [1, 2]) {
    const sides = { torch: torch(threads, description), skypass: await skypass(threads) };
    const seconds = { torch: [], skypass: [] };
    for (let round = 0; round <= Number(values.rounds); round++) {
      for (const [name, { run }] of Object.entries(sides)) seconds[name].push((await run(steps)) / steps);
    }
    for (const { close } of Object.values(sides)) await close();
    // The first round warms up.
    const rates = Object.fromEntries(
      Object.entries(seconds).map(([name, all]) => [name, 1 / median(all.slice(1))]),
    );
    const ratio = median(seconds.torch.slice(1).map((each, i) => each / seconds.skypass[i + 1]));
    report.push([threads, rates.torch.toFixed(2), rates.skypass.toFixed(2), ratio.toFixed(2)]);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(
  table(
    `Training ${values.family} on ${rows} × ${values.side}² pixels, medians of ${values.rounds} rounds`,
    ['threads', 'torch steps/s', 'Skypass steps/s', 'Skypass / torch'],
    report,
  ),
);
