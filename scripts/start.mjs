// `npm start`: simulates a small survey in the form of the Dark Energy Survey, and passes over it.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(fileURLToPath(import.meta.url), '../..');

function skypass(...args) {
  process.stdout.write(`\n$ skypass ${args.join(' ')}\n\n`);
  const { status } = spawnSync(process.execPath, [join(root, 'dist/cli/main.js'), ...args], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}

const survey = ['survey_dir=runs/sample/survey', 'tiles=4', 'image_size=1536', 'clusters=2'];
skypass('run', 'conf/pipelines/make-survey.yaml', ...survey);
skypass(
  'run',
  'conf/pipelines/des-pass.yaml',
  'survey=sample',
  'run.dir=runs/sample',
  'tile.size=1536',
  'tile.step=1536',
);
skypass('show', 'runs/sample', '--tile', 'DES0002-5040', '-o', 'runs/sample/DES0002-5040.png');
