/** Plans a pipeline without starting it: headers and manifests are read, nothing is written into the run's folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { RunMeters } from '../engine/meters.js';
import type { PlannedStage } from '../engine/plan.js';
import { Run } from '../engine/run.js';
import { version } from '../version.js';
import { compile } from './compile.js';
import type { Pipeline } from './load.js';

/** @throws EngineError what would keep the pipeline from starting, but for too little memory */
export async function inspect(pipeline: Pipeline): Promise<readonly PlannedStage[]> {
  const dir = await mkdtemp(join(tmpdir(), 'skypass-plan-'));
  try {
    await using run = await Run.open({
      dir,
      pipeline: pipeline.name,
      version,
      memoryBytes: pipeline.memoryBytes,
      meters: new RunMeters(pipeline.name),
      log: pino({ level: 'silent' }),
    });
    compile(pipeline.stages, run);
    return await run.plan();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
