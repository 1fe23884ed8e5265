import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { exit, finish, say } from '../output.js';

const folder = new URL('../../../bench/', import.meta.url);
const suffix = '.bench.mjs';

export function addBench(program: Command): void {
  program
    .command('bench')
    .description('Measure one claim, or all: ratios in one run, against the tools people use today.')
    .argument('[name]', 'such as decode; all when left out')
    .argument('[args...]', 'handed to the benchmark')
    .allowUnknownOption()
    .action(async (name: string | undefined, args: readonly string[]) => {
      await finish(async () => {
        const names = (await readdir(folder))
          .filter((file) => file.endsWith(suffix))
          .map((file) => file.slice(0, -suffix.length))
          .sort();
        if (name !== undefined && !names.includes(name)) {
          say(`there is no benchmark "${name}"; there are ${names.join(', ')}`);
          return exit.usage;
        }
        for (const each of name === undefined ? names : [name]) {
          const child = spawn(
            process.execPath,
            [fileURLToPath(new URL(`${each}${suffix}`, folder)), ...args],
            { stdio: 'inherit' },
          );
          const [code] = (await once(child, 'exit')) as [number | null];
          if (code !== 0) return exit.failed;
        }
        return exit.complete;
      });
    });
}
