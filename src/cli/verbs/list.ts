import type { Command } from 'commander';
import { didYouMean } from '../../config/nearest.js';
import { listText, stageText } from '../../config/reference.js';
import { pipelineSchema } from '../../config/schema.js';
import { specs, specsByName } from '../../pipelines/registry.js';
import { exit, print, say } from '../output.js';

export function addList(program: Command): void {
  program
    .command('list')
    .description('List the operators, or the options of one.')
    .argument('[operator]', 'such as tile')
    .option('--schema', 'print the JSON Schema of pipeline files, for editors')
    .action((operator: string | undefined, flags: { readonly schema?: boolean }) => {
      if (flags.schema) return print(JSON.stringify(pipelineSchema(specs), null, 2));
      if (operator === undefined) return print(listText(specs));
      const spec = specsByName.get(operator);
      if (spec !== undefined) return print(stageText(spec));
      say(
        `there is no operator "${operator}" (${didYouMean(operator, [...specsByName.keys()]) ?? 'see skypass list'})`,
      );
      process.exitCode = exit.usage;
    });
}
