/** One start of a pipeline, as people run it: with signals, metrics, progress and a summary on disk. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { asEngineError, canGoOnAfter, type ErrorCode } from '../engine/errors.js';
import { type MetricsServer, serveMetrics } from '../engine/http.js';
import type { Ledger } from '../engine/ledger.js';
import type { Logger } from '../engine/log.js';
import { RunMeters } from '../engine/meters.js';
import { type Progress, startProgress } from '../engine/progress.js';
import { Run, type RunSummary } from '../engine/run.js';
import type { RunSnapshot, Units } from '../engine/snapshot.js';
import type { Terminal } from '../engine/terminal.js';
import { writeWhole } from '../formats/durable.js';
import type { PredictionFacts } from '../operators/support/facts.js';
import { version } from '../version.js';
import { compile } from './compile.js';
import type { Pipeline } from './load.js';
import { summaryText } from './summary.js';

export interface ExecuteOptions {
  readonly terminal: Terminal;
  readonly log: Logger;
  /** 0 takes any free port. */
  readonly metricsPort: number;
  readonly drainMs: number;
  /** The command, for `resume` and for the record. */
  readonly overrides: readonly string[];
}

/** What `run.json` holds. What a run that goes on, or was killed, cannot say is absent. */
export interface RunRecord {
  readonly run: string;
  readonly pipeline: string;
  readonly file: string;
  readonly overrides: readonly string[];
  readonly cwd: string;
  readonly version: string;
  readonly node: string;
  readonly config_sha256: string;
  readonly config: unknown;
  readonly started: string;
  readonly ended?: string;
  readonly end: RunSummary['end'] | 'running';
  readonly exit_code?: number;
  readonly seconds?: number;
  /** What the source makes, and the parts it is divided into; absent in the records of older versions. */
  readonly units?: Units;
  /** Folder of what `write`, `train` or `evaluate` writes. */
  readonly output?: string;
  /** Outcomes of everything that has one of its own: parts, and what was not divided. */
  readonly items?: RunSummary['items'];
  /** Outcomes of what the source makes, whatever its unit. */
  readonly tiles?: RunSummary['parents'];
  readonly error?: string;
  /** Its code; absent in the records of older versions. */
  readonly error_code?: ErrorCode;
  /** Most bytes of leases, and of the process, in this start. */
  readonly memory_peak_bytes?: number;
  readonly rss_peak_bytes?: number;
  readonly encoder_untrained: boolean;
  readonly meters?: RunSnapshot;
}

export interface Executed {
  readonly summary: RunSummary;
  readonly exitCode: number;
  readonly text: string;
}

/**
 * Runs a pipeline to its end, or to a signal.
 *
 * @throws EngineError of reach `usage`: nothing was started
 */
export async function execute(pipeline: Pipeline, options: ExecuteOptions): Promise<Executed> {
  const { terminal, log } = options;
  const meters = new RunMeters(pipeline.name);
  const output = outputOf(pipeline);
  let progress: Progress | undefined;
  const started = new Date().toISOString();
  const record = (rest: Partial<RunRecord>): RunRecord =>
    recordOf(pipeline, run, options, started, {
      units: meters.snapshot().units,
      ...(output !== undefined && { output }),
      encoder_untrained: isUntrained,
      ...rest,
    });
  let takeBack = (): void => {};
  let isPlanned = false;
  let isUntrained = false;
  let signal: 'SIGINT' | 'SIGTERM' | undefined;
  const run = await Run.open({
    dir: pipeline.dir,
    pipeline: pipeline.name,
    version,
    memoryBytes: pipeline.memoryBytes,
    meters,
    log,
    overwrite: pipeline.overwrite,
    drainMs: options.drainMs,
    onPlan: (plan) => {
      isPlanned = true;
      isUntrained = plan.some(
        ({ needs }) => (needs.facts as Partial<PredictionFacts>).encoder?.isTrained === false,
      );
      takeBack = announce(join(pipeline.dir, 'run.json'), jsonOf(record({})));
      progress = startProgress({ meters, terminal });
    },
  });
  let server: MetricsServer | undefined;
  const onSignal = (name: 'SIGINT' | 'SIGTERM') => {
    log.warn(
      signal === undefined
        ? `${name}: finishing what is in flight; once more ends at once`
        : `${name} again: ending now`,
    );
    // A forward pass cannot be ended midway; a third signal ends the process as it stands, and loses nothing either.
    if (signal !== undefined) process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    signal ??= name;
    run.stop(name);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    server = await serveMetrics(meters, {
      port: options.metricsPort,
      isReady: () => isPlanned && !run.stopping.aborted,
      isLive: () => !run.signal.aborted,
    });
    log.info(
      `metrics at ${server.url}metrics${server.port === options.metricsPort || options.metricsPort === 0 ? '' : ` (port ${options.metricsPort} is busy)`}`,
    );
    const summary = await run.execute(compile(pipeline.stages, run));
    progress?.stop(summary.error?.reach !== 'usage');
    if (summary.error?.reach === 'usage') {
      takeBack();
      throw summary.error;
    }
    const exitCode = exitCodeOf(summary, signal);
    const snapshot = meters.snapshot();
    const ended = record({ ...endOf(summary), exit_code: exitCode, meters: snapshot });
    const text = await describeRun(ended, pipeline.dir, run.ledger);
    const metrics = await meters.text();
    try {
      writeSummary(pipeline.dir, ended, text, metrics);
    } catch (error) {
      log.error({ error: asEngineError(error) }, 'the summary could not be written');
    }
    return { summary, exitCode, text };
  } finally {
    progress?.stop();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await server?.close();
    await run[Symbol.asyncDispose]();
  }
}

/** Folder of what the pipeline writes one by one, or of what a training or a scoring leaves. */
function outputOf({ stages }: Pipeline): string | undefined {
  const last = stages.find(({ operator }) => ['write', 'train', 'evaluate'].includes(operator));
  const dir = last?.options.dir ?? last?.options.into;
  return typeof dir === 'string' ? dir : undefined;
}

const exitCodeOf = (summary: RunSummary, signal: 'SIGINT' | 'SIGTERM' | undefined): number =>
  summary.end === 'interrupted'
    ? signal === 'SIGTERM'
      ? 143
      : 130
    : { complete: 0, incomplete: 3, failed: 1 }[summary.end];

function endOf({ end, seconds, items, parents, error, memoryPeakBytes }: RunSummary): Partial<RunRecord> {
  return {
    ended: new Date().toISOString(),
    end,
    seconds,
    items,
    tiles: parents,
    ...(error !== undefined && { error: error.describe(), error_code: error.code }),
    memory_peak_bytes: memoryPeakBytes,
    rss_peak_bytes: process.resourceUsage().maxRSS * 1024,
  };
}

function recordOf(
  pipeline: Pipeline,
  run: Run,
  options: ExecuteOptions,
  started: string,
  rest: Partial<RunRecord> & Pick<RunRecord, 'encoder_untrained'>,
): RunRecord {
  return {
    run: run.id,
    pipeline: pipeline.name,
    file: pipeline.file,
    overrides: options.overrides,
    cwd: process.cwd(),
    version,
    node: process.version,
    config_sha256: run.identityHash,
    config: pipeline.values,
    started,
    end: 'running',
    ...rest,
  };
}

/** Says in the folder that the run has begun. Returns how to unsay it: a start that is refused leaves no trace. */
function announce(path: string, text: string): () => void {
  const before = existsSync(path) ? readFileSync(path) : undefined;
  writeWhole(path, text);
  return () => (before === undefined ? rmSync(path) : writeWhole(path, before));
}

const jsonOf = (record: RunRecord): string => `${JSON.stringify(record, null, 2)}\n`;

/** The summary of a run from its record and ledger, whether it has just ended or long ago. */
export function describeRun(record: RunRecord, dir: string, ledger: Ledger): Promise<string> {
  const { parts, parents } = ledger.tally();
  const canGoOn = record.error_code === undefined || canGoOnAfter(record.error_code);
  return summaryText({
    name: record.pipeline,
    dir,
    end: record.end,
    run: record.run,
    seconds: record.seconds,
    units: record.units ?? { whole: 'tiles', part: 'windows' },
    parts,
    wholes: parents,
    output: record.output,
    error: record.error,
    snapshot: record.meters,
    rssPeakBytes: record.rss_peak_bytes,
    ledger,
    isUntrained: record.encoder_untrained,
    command: canGoOn ? `skypass run ${[record.file, ...record.overrides].map(quoted).join(' ')}` : undefined,
  });
}

const quoted = (word: string): string =>
  /^[\w./=:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

function writeSummary(dir: string, record: RunRecord, text: string, metrics: string): void {
  writeWhole(join(dir, 'run.json'), jsonOf(record));
  writeWhole(join(dir, 'metrics.prom'), metrics);
  writeWhole(join(dir, 'summary.txt'), text);
}
