import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { EngineError } from '../../engine/errors.js';
import type { RunRecord } from '../../pipelines/execute.js';
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
        const { file, overrides } = isFile ? { file: target, overrides: [] } : await commandOf(target);
        const all = [...overrides, ...given];
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
