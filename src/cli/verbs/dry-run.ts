import type { Command } from 'commander';
import { dryRun } from '../../pipelines/dry-run.js';
import { exit, finish, loadOrSay, print } from '../output.js';

export function addDryRun(program: Command): void {
  program
    .command('dry-run')
    .description(
      'Count the items of a pipeline and predict memory, time and output size, from its first windows.',
    )
    .argument('<pipeline>', 'YAML file')
    .argument('[overrides...]', 'key=value')
    .action(async (file: string, overrides: readonly string[]) => {
      const pipeline = await loadOrSay(file, overrides);
      if (pipeline === undefined) return;
      await finish(async () => {
        print(await dryRun(pipeline, overrides));
        return exit.complete;
      });
    });
}
