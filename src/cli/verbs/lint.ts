import type { Command } from 'commander';
import { loadOrSay, print } from '../output.js';

export function addLint(program: Command): void {
  program
    .command('lint')
    .description('Check a pipeline: every problem at once, as file:line:column.')
    .argument('<pipeline>', 'YAML file')
    .argument('[overrides...]', 'key=value')
    .action(async (file: string, overrides: readonly string[]) => {
      const pipeline = await loadOrSay(file, overrides);
      if (pipeline !== undefined) print(`${file}: ${pipeline.stages.length} stages, no problems`);
    });
}
