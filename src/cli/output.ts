/** How verbs speak: results on standard output, everything else on standard error; and how they end. */
import { formatLint, type Lint } from '../config/lint.js';
import { asEngineError } from '../engine/errors.js';
import { load, type Pipeline } from '../pipelines/load.js';

export const print = (text: string): void =>
  void process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
export const say = (text: string): void =>
  void process.stderr.write(text.endsWith('\n') ? text : `${text}\n`);

/** Exit codes of the verbs. */
export const exit = { complete: 0, failed: 1, usage: 2 } as const;

/** Shows lints, and the count of what keeps the pipeline from running. */
export function sayLints(lints: readonly Lint[]): void {
  for (const lint of lints) say(formatLint(lint));
  const errors = lints.filter(({ level }) => level === 'error').length;
  if (errors > 0) say(`${errors} ${errors === 1 ? 'problem' : 'problems'}; nothing was started`);
}

/** A pipeline fit to run; else its problems are shown, the exit code is set and nothing is returned. */
export async function loadOrSay(file: string, overrides: readonly string[]): Promise<Pipeline | undefined> {
  const { pipeline, lints } = await load(file, overrides);
  sayLints(lints);
  if (pipeline === undefined) process.exitCode = exit.usage;
  return pipeline;
}

/** Runs a verb's work; an error is shown as one line, and decides the exit code. */
export async function finish(work: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await work();
  } catch (thrown) {
    const error = asEngineError(thrown);
    say(error.code === 'internal' ? ((thrown as Error).stack ?? error.describe()) : error.describe());
    process.exitCode = error.reach === 'usage' ? exit.usage : exit.failed;
  }
}
