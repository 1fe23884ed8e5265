/** What a pipeline would do: counted from headers, and measured on its first windows. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Noun } from '../config/spec.js';
import { formatBytes } from '../config/units.js';
import { EngineError } from '../engine/errors.js';
import { type Ledger, parentOf } from '../engine/ledger.js';
import { RunMeters } from '../engine/meters.js';
import type { PlannedStage } from '../engine/plan.js';
import { amount, duration } from '../engine/progress.js';
import { Run } from '../engine/run.js';
import type { PredictionFacts } from '../operators/support/facts.js';
import { bytesOfRows } from '../operators/write.js';
import { version } from '../version.js';
import { compile } from './compile.js';
import { leastMemory } from './explain.js';
import { itemsOf } from './items.js';
import { load, type Pipeline } from './load.js';

/** Items measured for each slot of the busiest stage: the first of each warms it up. */
const itemsPerSlot = 3;

interface Trial {
  readonly plan: readonly PlannedStage[];
  /** Windows, or what is made where nothing is divided. Undefined when there are too few to tell. */
  readonly perSecond: number | undefined;
  readonly measured: number;
  /** Bytes written for each item that is not divided; undefined when that cannot be told. */
  readonly bytesPerWhole: number | undefined;
  readonly memoryPeakBytes: number;
}

/**
 * Runs the first windows of a pipeline in a temporary folder and says what the whole would take.
 *
 * @throws EngineError what would keep the pipeline from starting
 */
export async function dryRun(pipeline: Pipeline, overrides: readonly string[]): Promise<string> {
  const trial = await tryOut(pipeline, overrides);
  const { plan, perSecond, measured, memoryPeakBytes } = trial;
  const items = itemsOf(plan);
  const { unit, part, perWhole, unusable } = items;
  const wholes = items.names.length - unusable;
  const count = perWhole * wholes;
  const area = items.areaSquareDegrees * wholes;
  const seconds = perSecond === undefined ? undefined : count / perSecond;
  const prediction = plan.find(({ needs }) => needs.facts.kind === 'Prediction')?.needs.facts as
    | PredictionFacts
    | undefined;
  const announced = `${amount(items.names.length)} ${unit}${unusable > 0 ? `, of which ${unusable} cannot be read` : ''}`;
  const divided = part === undefined ? '' : `; ${amount(count)} ${part} of ${amount(perWhole)} each`;
  const time =
    perSecond === undefined
      ? ` (too few ${part ?? unit} to measure)`
      : ` at ${amount(perSecond)} ${part ?? unit}/s and ${amount((area / (seconds ?? 1)) * 3600)} deg²/h, measured on ${measured} ${part ?? unit}`;
  return `${[
    `${pipeline.name}: dry run of ${pipeline.file}`,
    `  items    ${announced}${divided}; ${amount(area)} deg²`,
    `  memory   at least ${formatBytes(leastMemory(plan))} of memory=${formatBytes(pipeline.memoryBytes)}; ${formatBytes(memoryPeakBytes)} held in the trial`,
    `  time     ${duration(seconds)}${time}`,
    `  output   ${outputText(prediction, count, wholes, trial)}`,
    ...(prediction?.encoder.isTrained === false
      ? [`  encoder  ${prediction.encoder.name} is UNTRAINED: its predictions mean nothing`]
      : []),
  ].join('\n')}\n`;
}

function outputText(
  prediction: PredictionFacts | undefined,
  windows: number,
  wholes: number,
  { plan, bytesPerWhole }: Trial,
): string {
  if (prediction !== undefined) {
    const bytes = bytesOfRows(prediction, windows);
    return `${formatBytes(2 * bytes)}: shards ${formatBytes(bytes)}, and grouped.hdf5 the same again`;
  }
  if (bytesPerWhole === undefined) return 'not known: the trial finished no file';
  return `${formatBytes(bytesPerWhole * wholes)}: ${formatBytes(bytesPerWhole)} for each of ${amount(wholes)} ${itemsOf(plan).unit}`;
}

async function tryOut(pipeline: Pipeline, overrides: readonly string[]): Promise<Trial> {
  const dir = await mkdtemp(join(tmpdir(), 'skypass-dry-run-'));
  try {
    const elsewhere = [`run.dir=${JSON.stringify(dir)}`, ...outputsIn(dir, pipeline)];
    const trial = (await load(pipeline.file, [...overrides, ...elsewhere])).pipeline as Pipeline;
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
        wanted = itemsPerSlot * Math.max(...planned.map(({ needs }) => needs.slots));
      },
    });
    const times: number[] = [];
    const timer = setInterval(() => {
      const { units, tiles, windows } = meters.snapshot();
      const counts = Object.values(units.part === undefined ? tiles : windows);
      const done = counts.reduce((sum, count) => sum + count, 0);
      while (times.length < done) times.push(performance.now());
      if (done >= wanted && !run.stopping.aborted) run.stop('enough was measured');
    }, 5);
    const summary = await run.execute(compile(trial.stages, run)).finally(() => clearInterval(timer));
    if (summary.error !== undefined) throw summary.error;
    return {
      plan,
      perSecond: rateOf(times),
      measured: times.length,
      bytesPerWhole: bytesPerWhole(run.ledger),
      memoryPeakBytes: summary.memoryPeakBytes,
    };
  } catch (error) {
    throw error instanceof EngineError
      ? error
      : new EngineError('internal', String((error as Error).message), { cause: error });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Overrides that put what the stages write into a folder that is removed again. */
const outputsIn = (dir: string, { stages }: Pipeline): readonly string[] =>
  stages.flatMap(({ name, spec }) =>
    ['dir', 'into']
      .filter((key) => Object.hasOwn(spec.fields, key) && spec.gives?.some((noun) => kept.includes(noun)))
      .map((key) => `${name}.${key}=${JSON.stringify(join(dir, name))}`),
  );

const kept: readonly Noun[] = ['Shard', 'Table'];

/** Bytes on disk for each item that is done, when all of them are in finished files. */
function bytesPerWhole({ items, shards }: Ledger): number | undefined {
  const done = [...items].filter(([item, { outcome }]) => outcome === 'ok' && parentOf(item) === undefined);
  if (done.length === 0 || !done.every(([, { shard }]) => shard !== undefined && shards.has(shard)))
    return undefined;
  return [...shards.values()].reduce((sum, { bytes }) => sum + bytes, 0) / done.length;
}

/** Items a second between the first and the last; the wait for the first belongs to the start. */
function rateOf(times: readonly number[]): number | undefined {
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined || last - first < 10) return undefined;
  return (1000 * (times.length - 1)) / (last - first);
}
