/** The log: JSON lines for machines, coloured lines for people at a terminal; always written before the call returns. */
import type { Logger } from 'pino';
import { pino, stdSerializers } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { EngineError } from './errors.js';
import type { Terminal } from './terminal.js';

export type { Logger } from 'pino';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogOptions {
  readonly terminal: Terminal;
  readonly level?: LogLevel;
}

/** An error as one line for people, unless the fault is ours and its stack is wanted. */
const errorLine = (error: unknown): unknown =>
  error instanceof EngineError && error.code !== 'internal' ? error.describe() : describeError(error);

/** An error as a record: what the ledger and the metrics say of it, under the same names. */
function describeError(error: unknown, isKnown = false): unknown {
  if (!(error instanceof EngineError)) {
    if (!(error instanceof Error)) return error;
    return isKnown ? { type: error.name, message: error.message } : stdSerializers.err(error);
  }
  const { code, outcome, message, hint, place, stage, item, attempt, stack, cause } = error;
  const isOurFault = code === 'internal';
  return {
    type: error.name,
    code,
    outcome,
    message,
    hint,
    place,
    stage,
    item,
    attempt,
    ...(cause === undefined ? {} : { cause: describeError(cause, !isOurFault) }),
    // A stack helps to mend Skypass, not a truncated file.
    ...(isOurFault ? { stack } : {}),
  };
}

/**
 * A logger to the terminal, above its progress block. No thread and no buffer stand between the call and the
 * stream, so that the last line before an exit is never lost. `log.child({ stage })` makes the one of a stage.
 */
export function createLog({ terminal, level = 'info' }: LogOptions): Logger {
  const pretty = prettyFactory({
    colorize: terminal.hasColour,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname,stage',
    singleLine: true,
    messageFormat: '{if stage}{stage}: {end}{msg}',
  });
  const format = terminal.isTty ? (line: string) => pretty(line) : (line: string) => line;
  const serializer = terminal.isTty ? errorLine : (error: unknown) => describeError(error);
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: serializer, error: serializer },
    },
    { write: (line: string) => terminal.print(format(line)) },
  );
}
