// Claim: the machinery costs microseconds an item. First the flow alone, items of nothing through stages of nothing;
// then the whole chain on a small survey, with an encoder that looks at one pixel of each window.
//
//     node bench/overhead.bench.mjs [--items 200000] [--rounds 3]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { stageSpec } from '../dist/config/spec.js';
import { operator, source } from '../dist/engine/stage.js';
import { compile } from '../dist/pipelines/compile.js';
import { load } from '../dist/pipelines/load.js';
import { inRun, nothing } from './support/in-run.mjs';
import { median, table } from './support/report.mjs';

const { values } = parseArgs({
  options: { items: { type: 'string', default: '200000' }, rounds: { type: 'string', default: '3' } },
});
const items = Number(values.items);
const rounds = Number(values.rounds);
const needs = { facts: {}, itemBytes: 8, workingBytes: 0, slots: 1 };
const common = { common: { credit_items: 16 } };

const numbers = source({
  spec: stageSpec('numbers', { takes: null, gives: 'Catalog' }, 'Counts.', {}, common),
  operational: [],
  inspect: async () => needs,
  open:
    async () =>
    async ({ outlet }) => {
      for (let i = 0; i < items; i++) (await outlet.reserve(8)).emit(i, []);
    },
});
const pass = operator({
  spec: stageSpec('pass', { takes: 'Catalog', gives: 'Catalog' }, 'Passes on.', {}, common),
  operational: [],
  inspect: async () => needs,
  open: async (stage) => (ports) =>
    stage.each(ports, 1, async ({ value }, slot) => {
      (await slot.reserve(8)).emit(value, []);
    }),
});

async function flow(stages) {
  const { seconds } = await inRun((run) => {
    let stream = numbers({}, run);
    for (let i = 0; i < stages; i++) stream = stream.pipe(pass({ name: `pass${i}` }, run));
    return stream;
  });
  return seconds;
}

async function chain(folder) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const { snapshot } = await inRun(async (run, dir) => {
    const overrides = [
      `survey.path=${join(root, 'test/fixtures/survey/tiles')}`,
      `encoder.weights=${folder}`,
      `run.dir=${dir}`,
      'tile.size=256',
      'tile.step=8',
    ];
    const { pipeline, lints } = await load(join(root, 'conf/pipelines/des-pass.yaml'), overrides);
    if (pipeline === undefined) throw new Error(JSON.stringify(lints));
    return compile(pipeline.stages, run);
  });
  return snapshot;
}

const repeat = async (work) => {
  const results = [];
  for (let i = 0; i < rounds; i++) results.push(await work());
  return results;
};

await flow(1);
const few = median(await repeat(() => flow(1)));
const many = median(await repeat(() => flow(6)));
const perStage = ((many - few) / 5 / items) * 1e6;
process.stdout.write(
  table(
    'overhead: the flow alone, metrics on',
    ['chain', 'items/s', 'µs per item'],
    [
      [
        'source and 1 stage',
        Math.round(items / few).toLocaleString('en-US'),
        ((few / items) * 1e6).toFixed(2),
      ],
      [
        'source and 6 stages',
        Math.round(items / many).toLocaleString('en-US'),
        ((many / items) * 1e6).toFixed(2),
      ],
      ['each further stage', Math.round(1e6 / perStage).toLocaleString('en-US'), perStage.toFixed(2)],
    ],
  ),
);

const folder = mkdtempSync(join(tmpdir(), 'skypass-nothing-'));
try {
  nothing(folder, 256);
  const snapshots = await repeat(() => chain(folder));
  const snapshot = snapshots.sort((a, b) => a.elapsedSeconds - b.elapsedSeconds)[rounds >> 1];
  const rows = snapshot.stages.map(({ name, sent, busySeconds }) => [
    name,
    sent.items.toLocaleString('en-US'),
    Math.round(sent.items / snapshot.elapsedSeconds).toLocaleString('en-US'),
    sent.items === 0 ? '' : ((busySeconds / sent.items) * 1e6).toFixed(0),
  ]);
  process.stdout.write(
    table(
      `overhead: the whole chain, windows of 256 px, an encoder that does nothing (${snapshot.elapsedSeconds.toFixed(1)} s)`,
      ['stage', 'out', 'items/s', 'busy µs per item'],
      rows,
    ),
  );
} finally {
  rmSync(folder, { recursive: true });
}
