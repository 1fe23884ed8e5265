/** What a pipeline would do: counted from headers, and measured on its first windows. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { formatBytes } from '../config/units.js';
import { EngineError } from '../engine/errors.js';
import { RunMeters } from '../engine/meters.js';
import type { PlannedStage } from '../engine/plan.js';
import { amount, duration } from '../engine/progress.js';
import { Run } from '../engine/run.js';
import type { ImageFacts, PredictionFacts } from '../operators/support/facts.js';
import { bytesOfRows } from '../operators/write.js';
import { version } from '../version.js';
import { compile } from './compile.js';
import { leastMemory } from './explain.js';
import { load, type Pipeline } from './load.js';

/** Windows measured for each slot of the encoder: the first of each warms it up. */
const windowsPerSlot = 3;

interface Trial {
  readonly plan: readonly PlannedStage[];
  /** Undefined when the survey is too small to tell. */
  readonly windowsPerSecond: number | undefined;
  readonly memoryPeakBytes: number;
  readonly measured: number;
}

/**
 * Runs the first windows of a pipeline in a temporary folder and says what the whole would take.
 *
 * @throws EngineError what would keep the pipeline from starting
 */
export async function dryRun(pipeline: Pipeline, overrides: readonly string[]): Promise<string> {
  const { plan, windowsPerSecond, memoryPeakBytes, measured } = await tryOut(pipeline, overrides);
  const image = plan.find(({ needs }) => needs.facts.kind === 'SkyImage')?.needs.facts as
    | ImageFacts
    | undefined;
  const prediction = plan.find(({ needs }) => needs.facts.kind === 'Prediction')?.needs.facts as
    | PredictionFacts
    | undefined;
  const tiles = image?.announced.length ?? 0;
  const unusable = image?.announced.filter(({ problem }) => problem !== undefined).length ?? 0;
  const windows = (prediction?.perImage ?? 0) * (tiles - unusable);
  const bytes = prediction === undefined ? 0 : bytesOfRows(prediction, windows);
  const seconds = windowsPerSecond === undefined ? undefined : windows / windowsPerSecond;
  const area = (image?.areaSquareDegrees ?? 0) * (tiles - unusable);
  return `${[
    `${pipeline.name}: dry run of ${pipeline.file}`,
    `  items    ${amount(tiles)} tiles${unusable > 0 ? `, of which ${unusable} cannot be read` : ''}; ${amount(windows)} windows of ${prediction === undefined ? '–' : `${amount(prediction.perImage)} each`}; ${amount(area)} deg²`,
    `  memory   at least ${formatBytes(leastMemory(plan))} of memory=${formatBytes(pipeline.memoryBytes)}; ${formatBytes(memoryPeakBytes)} held in the trial`,
    `  time     ${duration(seconds)}${windowsPerSecond === undefined ? ' (too few windows to measure)' : ` at ${amount(windowsPerSecond)} windows/s and ${amount((area / (seconds ?? 1)) * 3600)} deg²/h, measured on ${measured} windows`}`,
    `  output   ${formatBytes(2 * bytes)}: shards ${formatBytes(bytes)}, and grouped.hdf5 the same again`,
    ...(prediction?.encoder.isTrained === false
      ? [`  encoder  ${prediction.encoder.name} is UNTRAINED: its predictions mean nothing`]
      : []),
  ].join('\n')}\n`;
}

async function tryOut(pipeline: Pipeline, overrides: readonly string[]): Promise<Trial> {
  const dir = await mkdtemp(join(tmpdir(), 'skypass-dry-run-'));
  try {
    const trial = (await load(pipeline.file, [...overrides, `run.dir=${JSON.stringify(dir)}`]))
      .pipeline as Pipeline;
    const meters = new RunMeters(pipeline.name);
    let plan: readonly PlannedStage[] = [];
    let wanted = Number.POSITIVE_INFINITY;
    await using run = await Run.open({
      dir,
      pipeline: trial.name,
      version,
      memoryBytes: trial.memoryBytes,
      meters,
      log: pino({ level: 'silent' }),
      onPlan: (planned) => {
        plan = planned;
        wanted = windowsPerSlot * Math.max(...planned.map(({ needs }) => needs.slots));
      },
    });
    const times: number[] = [];
    const timer = setInterval(() => {
      const done = Object.values(meters.snapshot().windows).reduce((sum, count) => sum + count, 0);
      while (times.length < done) times.push(performance.now());
      if (done >= wanted && !run.stopping.aborted) run.stop('enough was measured');
    }, 5);
    const summary = await run.execute(compile(trial.stages, run)).finally(() => clearInterval(timer));
    if (summary.error !== undefined) throw summary.error;
    return {
      plan,
      windowsPerSecond: rateOf(times),
      memoryPeakBytes: summary.memoryPeakBytes,
      measured: times.length,
    };
  } catch (error) {
    throw error instanceof EngineError
      ? error
      : new EngineError('internal', String((error as Error).message), { cause: error });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Windows a second between the first and the last; the wait for the first belongs to the start. */
function rateOf(times: readonly number[]): number | undefined {
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined || last - first < 10) return undefined;
  return (1000 * (times.length - 1)) / (last - first);
}
