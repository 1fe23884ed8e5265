import type { Command } from 'commander';
import { explainText, leastMemory, mermaid } from '../../pipelines/explain.js';
import { inspect } from '../../pipelines/inspect.js';
import { exit, finish, loadOrSay, print } from '../output.js';

export function addExplain(program: Command): void {
  program
    .command('explain')
    .description('Show the plan of a pipeline: stages, types, credit and memory.')
    .argument('<pipeline>', 'YAML file')
    .argument('[overrides...]', 'key=value')
    .option('--mermaid', 'the diagram alone')
    .action(async (file: string, overrides: readonly string[], flags: { readonly mermaid?: boolean }) => {
      const pipeline = await loadOrSay(file, overrides);
      if (pipeline === undefined) return;
      await finish(async () => {
        const plan = await inspect(pipeline);
        print(flags.mermaid ? mermaid(plan) : explainText(pipeline, plan));
        return leastMemory(plan) > pipeline.memoryBytes ? exit.usage : exit.complete;
      });
    });
}
