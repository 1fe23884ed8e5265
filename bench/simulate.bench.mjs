// Claim: simulated fields go through the chain as fast as they are drawn: sampling, cutting, encoding and writing take
// next to nothing beside drawing, and every core draws.
//
//     node bench/simulate.bench.mjs [--fields 12] [--rounds 3] [--sides 1280,2560]
//
// The encoder looks at one pixel of each field. `fields/s` is of the whole chain, from priors to synced predictions.
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compile } from '../dist/pipelines/compile.js';
import { load } from '../dist/pipelines/load.js';
import { inRun, nothing } from './support/in-run.mjs';
import { median, table } from './support/report.mjs';

const { values } = parseArgs({
  options: {
    fields: { type: 'string', default: '12' },
    rounds: { type: 'string', default: '3' },
    sides: { type: 'string', default: '1280,2560' },
  },
});
const rounds = Number(values.rounds);
const pipelineFile = fileURLToPath(new URL('../conf/pipelines/simulate.yaml', import.meta.url));

async function simulate(side, threads, encoder) {
  const { snapshot } = await inRun(async (run, dir) => {
    const { pipeline, lints } = await load(pipelineFile, [
      `run.dir=${dir}`,
      `fields=${values.fields}`,
      `image_size=${side}`,
      `encoder.weights=${encoder}`,
      `machine.decode_threads=${threads}`,
      'encode.sessions=1',
    ]);
    if (pipeline === undefined) throw new Error(JSON.stringify(lints));
    return compile(pipeline.stages, run);
  });
  return snapshot;
}

const rows = [];
for (const side of values.sides.split(',').map(Number)) {
  const folder = mkdtempSync(join(tmpdir(), 'skypass-nothing-'));
  try {
    nothing(folder, side);
    const cores = availableParallelism();
    const [one, all] = [[], []];
    for (let round = 0; round < rounds; round++) {
      one.push(await simulate(side, 1, folder));
      all.push(await simulate(side, cores, folder));
    }
    for (const [threads, snapshots] of [
      [1, one],
      [cores, all],
    ]) {
      const seconds = median(snapshots.map(({ elapsedSeconds }) => elapsedSeconds));
      const drawing = median(
        snapshots.map(({ stages }) => stages.find(({ name }) => name === 'render').busySeconds),
      );
      rows.push([
        `${side}²`,
        threads,
        (Number(values.fields) / seconds).toFixed(2),
        (drawing / Number(values.fields)).toFixed(2),
        `${Math.round((100 * drawing) / (seconds * threads))} %`,
      ]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
process.stdout.write(
  table(
    `simulate: priors to predictions, ${values.fields} fields of four bands, an encoder that does nothing`,
    ['field', 'threads', 'fields/s', 'drawing, s a field and thread', 'of all time drawing'],
    rows,
  ),
);
