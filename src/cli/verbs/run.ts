import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../../config/units.js';
import { createLog, type LogLevel, logLevels } from '../../engine/log.js';
import { Terminal } from '../../engine/terminal.js';
import { execute } from '../../pipelines/execute.js';
import { finish, loadOrSay, print } from '../output.js';

/** Options of the verbs that run a pipeline. */
export interface RunFlags {
  readonly metricsPort: number;
  readonly logLevel: LogLevel;
  readonly drain: number;
}

function port(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw new InvalidArgumentError('expected a whole number from 0 to 65535.');
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError('expected a time such as 30s or 2min.');
}

/** Adds the options that `run` and `resume` share. */
export const withRunFlags = (command: Command): Command =>
  command
    .option(
      '--metrics-port <port>',
      'first port tried for /metrics, /live and /ready; 0 takes any',
      port,
      9464,
    )
    .addOption(
      new Option('--log-level <level>', 'least level of log lines').choices([...logLevels]).default('info'),
    )
    .option('--drain <time>', 'how long SIGTERM and SIGINT wait for what is in flight', duration, 60_000);

/** Loads and runs a pipeline, and ends the process with its exit code. */
export async function runPipeline(
  file: string,
  overrides: readonly string[],
  flags: RunFlags,
): Promise<void> {
  const pipeline = await loadOrSay(file, overrides);
  if (pipeline === undefined) return;
  await finish(async () => {
    const terminal = new Terminal(process.stderr);
    const log = createLog({ terminal, level: flags.logLevel });
    const { exitCode, text } = await execute(pipeline, {
      terminal,
      log,
      metricsPort: flags.metricsPort,
      drainMs: flags.drain,
      overrides,
    });
    print(text);
    return exitCode;
  });
}

export function addRun(program: Command): void {
  withRunFlags(
    program
      .command('run')
      .description('Run a pipeline; the same command again goes on where it ended.')
      .argument('<pipeline>', 'YAML file')
      .argument('[overrides...]', 'key=value'),
  ).action(runPipeline);
}
