import { realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { EngineError } from '../../engine/errors.js';
import type { RunRecord } from '../../pipelines/execute.js';
import { load } from '../../pipelines/load.js';
import { planResume, resumeText } from '../../pipelines/resume.js';
import { exit, finish, loadOrSay, print } from '../output.js';
import { type RunFlags, runPipeline, withRunFlags } from './run.js';

/** The command a run was started with, from the record in its folder. */
async function commandOf(dir: string): Promise<{ file: string; overrides: readonly string[] }> {
  const path = join(dir, 'run.json');
  try {
    const { file, overrides, cwd } = JSON.parse(await readFile(path, 'utf8')) as RunRecord;
    process.chdir(cwd);
    return { file, overrides };
  } catch (cause) {
    throw new EngineError('config_invalid', `this is no folder of a run: ${(cause as Error).message}`, {
      place: { file: path },
      hint: 'name a run.dir, or the pipeline with its overrides',
      cause,
    });
  }
}

/**
 * A command goes on in the folder it names, wherever its record lies.
 *
 * @throws EngineError `config_invalid` when that is not the folder of the record: it was moved or copied
 */
async function refuseMoved(folder: string, file: string, overrides: readonly string[]): Promise<void> {
  const { pipeline } = await load(file, overrides);
  if (pipeline === undefined || real(pipeline.dir) === folder) return;
  throw new EngineError('config_invalid', `the run in this folder works in ${resolve(pipeline.dir)}`, {
    place: { file: folder },
    hint: `if it was moved or copied, say so: skypass resume ${folder} run.dir=${folder}`,
  });
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

export function addResume(program: Command): void {
  withRunFlags(
    program
      .command('resume')
      .description('Go on with a run where it ended.')
      .argument('<run>', 'folder of the run, or its pipeline file')
      .argument('[overrides...]', 'key=value, as at the first start')
      .option('--explain', 'only say why each item will or will not run'),
  ).action(
    async (target: string, given: readonly string[], flags: RunFlags & { readonly explain?: boolean }) => {
      await finish(async () => {
        const isFile = /\.ya?ml$/.test(target);
        const folder = real(target);
        const { file, overrides } = isFile ? { file: target, overrides: [] } : await commandOf(target);
        const all = [...overrides, ...given];
        if (!isFile) await refuseMoved(folder, file, all);
        if (!flags.explain) {
          await runPipeline(file, all, flags);
          return Number(process.exitCode ?? exit.complete);
        }
        const pipeline = await loadOrSay(file, all);
        if (pipeline === undefined) return exit.usage;
        const plan = await planResume(pipeline);
        print(resumeText(plan));
        return plan.changes.length > 0 && !plan.overwrite ? exit.usage : exit.complete;
      });
    },
  );
}
