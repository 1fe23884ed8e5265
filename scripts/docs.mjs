// Writes the parts of docs/ that are made from the code: the stages, the errors, the metrics, the editor schema.
// `--check` writes nothing and fails when a page is not what the code says.
import { readFileSync, writeFileSync } from 'node:fs';
import { contractTags, referencePage } from '../dist/config/reference.js';
import { pipelineSchema } from '../dist/config/schema.js';
import { errorCodes } from '../dist/engine/errors.js';
import { metrics } from '../dist/engine/metrics.js';
import { specs } from '../dist/pipelines/registry.js';

const at = (path) => new URL(`../${path}`, import.meta.url);

/** The six contract tags of an operator, from the comment above it. */
function contractOf(operator) {
  const source = readFileSync(at(`src/operators/${operator}.ts`), 'utf8');
  return Object.fromEntries(
    contractTags.map((tag) => {
      const text = new RegExp(`@${tag}((?:(?!\\n \\* @|\\*/)[\\s\\S])*)`).exec(source)?.[1] ?? '';
      return [tag, text.replaceAll(/\s*\n \*\s*/g, ' ').trim()];
    }),
  );
}

const reach = { item: 'sets the item aside', run: 'ends the run, exit 1', usage: 'nothing starts, exit 2' };
const cell = (text) => String(text).replaceAll('|', '\\|');
const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

const errorsPage = () => `# Errors

Every error has a code from this list. The code is in the log, in the ledger and in \`skypass_stage_errors_total\`.

${table(
  ['code', 'outcome of the item', 'what it does', 'what to do'],
  Object.entries(errorCodes).map(([code, { outcome, reach: how, hint }]) => [
    `\`${code}\``,
    outcome,
    reach[how],
    hint,
  ]),
)}
`;

const metricsPage = () => `# Metrics

Served at \`/metrics\` while a run lasts, and written to \`metrics.prom\` when it ends.

${table(
  ['metric', 'type', 'labels', 'meaning'],
  Object.values(metrics).map(({ name, type, labels, help }) => [
    `\`${name}\``,
    type,
    labels.join(', '),
    help,
  ]),
)}
`;

const pages = {
  'docs/stages.md': referencePage(
    specs,
    new Map(specs.map(({ operator }) => [operator, contractOf(operator)])),
  ),
  'docs/errors.md': errorsPage(),
  'docs/metrics.md': metricsPage(),
  'docs/pipeline.schema.json': `${JSON.stringify(pipelineSchema(specs), null, 2)}\n`,
};

const isCheck = process.argv.includes('--check');
const stale = [];
for (const [path, text] of Object.entries(pages)) {
  let before = '';
  try {
    before = readFileSync(at(path), 'utf8');
  } catch {}
  if (before === text) continue;
  if (isCheck) stale.push(path);
  else writeFileSync(at(path), text);
}
if (stale.length > 0) {
  console.error(`not what the code says: ${stale.join(', ')}; run npm run docs`);
  process.exit(1);
}
