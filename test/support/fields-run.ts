/** Pipelines that make fields, started as people start them, and what they leave on disk. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Cli, type Ended, root, skypass } from './cli.js';

const pipelineFile = (name: string): string => join(root, 'conf', 'pipelines', `${name}.yaml`);

export const runArgs = (pipeline: string, ...overrides: readonly string[]): readonly string[] => [
  'run',
  pipelineFile(pipeline),
  '--metrics-port',
  '0',
  ...overrides,
];

/** Runs one of the pipelines of `conf` to its end. */
export const runPipeline = (pipeline: string, ...overrides: readonly string[]): Promise<Ended> =>
  skypass(runArgs(pipeline, ...overrides));

/** SHA-256 of every file below a folder, by path; those of the run itself, which hold times, are left out. */
export async function digestsOf(
  folder: string,
  leaveOut = ['run', 'dataset.json'],
): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !leaveOut.includes(relative(folder, path).split('/')[0] as string))
    .sort();
  const digests = paths.map(
    async (path): Promise<[string, string]> => [
      relative(folder, path),
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    ],
  );
  return Object.fromEntries(await Promise.all(digests));
}

/**
 * Starts a pipeline again and again, and kills it each time a little later, until it ends by itself.
 *
 * @returns how often it was killed
 */
export async function runKilled(
  args: readonly string[],
  random: () => number,
  stepMs: number,
): Promise<number> {
  for (let kills = 0; ; kills++) {
    const cli = new Cli(args);
    const timer = setTimeout(() => cli.kill('SIGKILL'), 250 + random() * stepMs * (kills + 1));
    const { code, signal, err } = await cli.ended;
    clearTimeout(timer);
    if (signal === 'SIGKILL') continue;
    if (code !== 0) throw new Error(`it ended by itself with ${code}: ${err}`);
    return kills;
  }
}
