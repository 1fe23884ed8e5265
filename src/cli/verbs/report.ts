import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { EngineError } from '../../engine/errors.js';
import { Ledger } from '../../engine/ledger.js';
import { describeRun, type RunRecord } from '../../pipelines/execute.js';
import { exit, finish, print } from '../output.js';

export function addReport(program: Command): void {
  program
    .command('report')
    .description('Say what a run did and found.')
    .argument('<run>', 'folder of the run')
    .option('--json', 'the record of the run as JSON')
    .action(async (dir: string, flags: { readonly json?: boolean }) => {
      await finish(async () => {
        const path = join(dir, 'run.json');
        const text = await readFile(path, 'utf8').catch((cause: unknown) => {
          throw new EngineError('config_invalid', 'this is no folder of a run', {
            place: { file: path },
            hint: 'name the run.dir of a run',
            cause,
          });
        });
        if (flags.json) print(text);
        else
          print(
            await describeRun(
              JSON.parse(text) as RunRecord,
              dir,
              await Ledger.read(join(dir, 'ledger.jsonl')),
            ),
          );
        return exit.complete;
      });
    });
}
