// Runs in this process, in folders that are gone afterwards; and an encoder that does nothing.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { GraphBuilder } from '../../dist/encoders/graph.js';
import { RunMeters } from '../../dist/engine/meters.js';
import { Run } from '../../dist/engine/run.js';

/** A run in a folder of its own, from its first stage to its end. */
export async function inRun(makeChain) {
  const dir = mkdtempSync(join(tmpdir(), 'skypass-bench-run-'));
  const meters = new RunMeters('bench');
  const settings = {
    dir,
    pipeline: 'bench',
    version: '0',
    memoryBytes: 3 * 2 ** 30,
    meters,
    log: pino({ level: 'silent' }),
  };
  const run = await Run.open(settings);
  try {
    const begun = performance.now();
    const summary = await run.execute(await makeChain(run, dir));
    if (summary.error !== undefined) throw summary.error;
    return { seconds: (performance.now() - begun) / 1000, snapshot: meters.snapshot() };
  } finally {
    await run[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true });
  }
}

/** Writes an encoder that looks at one pixel of each window: a forward pass that costs nothing. */
export function nothing(folder, side) {
  const graph = new GraphBuilder('nothing');
  const image = graph.input('image', [1, 4, side, side]);
  const corner = [1, 2, 3].reduce(
    (x, axis) => graph.slice(x, axis, graph.integers([0]), graph.integers([1])),
    image,
  );
  graph.output(corner, 'logits', [1, 1, 1, 1]);
  writeFileSync(join(folder, 'encoder.onnx'), graph.build());
  const manifest = {
    name: 'nothing',
    trained: false,
    bands: ['g', 'r', 'i', 'z'],
    input: { name: 'image', layout: 'NCHW', window: { exact: side } },
    tile_side: side,
    output: { name: 'logits', kind: 'probabilities', map: true, labels: ['nothing'] },
    memory: { base_bytes: 1e6, bytes_per_pixel: 0 },
  };
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
}
