#!/usr/bin/env node
/** argv → verb. */
import { Command, CommanderError } from 'commander';
import { version } from '../version.js';
import { say } from './output.js';
import { addBench } from './verbs/bench.js';
import { addDryRun } from './verbs/dry-run.js';
import { addExplain } from './verbs/explain.js';
import { addLint } from './verbs/lint.js';
import { addList } from './verbs/list.js';
import { addReport } from './verbs/report.js';
import { addResume } from './verbs/resume.js';
import { addRun } from './verbs/run.js';
import { addShow } from './verbs/show.js';

const program = new Command('skypass')
  .description('Streams a whole sky survey through a neural encoder.')
  .version(version)
  .showHelpAfterError('(see skypass --help)')
  .exitOverride()
  .addHelpText(
    'after',
    `
Exit codes: 0 complete; 1 failed; 2 wrong usage or configuration, nothing started; 3 complete, but some items
could not be processed; 130 or 143 interrupted, the same command goes on.

Overrides, as in Hydra: key=value changes, +key=value adds, ~key removes, group=name chooses conf/group/name.yaml.`,
  );

for (const add of [addRun, addLint, addExplain, addDryRun, addResume, addReport, addShow, addList, addBench])
  add(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    say((error as Error).stack ?? String(error));
    process.exitCode = 1;
  }
}
