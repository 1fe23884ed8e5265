/** The plan of a pipeline, before anything runs: stages, what flows, credit, memory; as text and as Mermaid. */
import type { Flow } from '../config/spec.js';
import { formatBytes } from '../config/units.js';
import type { PlannedStage } from '../engine/plan.js';
import type { Pipeline } from './load.js';

/** The plan as a table, and the memory it needs at least. */
export function explainText(pipeline: Pipeline, plan: readonly PlannedStage[]): string {
  const rows = plan.map(({ declared, needs, reservedWork, reservedResults }) => [
    declared.name,
    `${words(declared.flow.takes)} → ${words(declared.flow.gives)}`,
    String(needs.slots),
    needs.itemBytes === 0 ? 'as taken' : formatBytes(needs.itemBytes),
    `${declared.limits.items} / ${formatBytes(declared.limits.bytes)}`,
    formatBytes(reservedWork),
    formatBytes(reservedResults),
  ]);
  const least = leastMemory(plan);
  return [
    `${pipeline.name} (${pipeline.file})`,
    '',
    table([
      [
        'stage',
        'takes → gives',
        'slots',
        'one result',
        'credit (items / bytes)',
        'works in',
        'reserved results',
      ],
      ...rows,
    ]),
    '',
    `memory: ${formatBytes(pipeline.memoryBytes)}; at least ${formatBytes(least)} ${least > pipeline.memoryBytes ? 'is needed: raise memory=' : 'is needed, the rest is shared, downstream first'}`,
    '',
    'As a diagram (Mermaid):',
    '',
    mermaid(plan),
    '',
  ].join('\n');
}

/** The smallest `memory` the plan runs in. */
export const leastMemory = (plan: readonly PlannedStage[]): number =>
  plan.reduce((sum, { reservedWork, reservedResults }) => sum + reservedWork + reservedResults, 0);

/** The chain as a Mermaid flowchart: edges carry what flows and how much of it may wait. */
export function mermaid(plan: readonly PlannedStage[]): string {
  const nodes = plan.map(
    ({ declared, needs }) =>
      `  ${declared.name}["${declared.name}<br/>${needs.slots} slot${needs.slots === 1 ? '' : 's'}, ${formatBytes(needs.workingBytes)}"]`,
  );
  const edges = plan.slice(1).map(({ declared }, i) => {
    const before = plan[i] as PlannedStage;
    const { limits, name, flow } = before.declared;
    return `  ${name} -->|"${words(flow.gives)}, up to ${limits.items} × ${before.needs.itemBytes === 0 ? 'as taken' : formatBytes(before.needs.itemBytes)}"| ${declared.name}`;
  });
  return ['flowchart LR', ...nodes, ...edges].join('\n');
}

const words = (nouns: Flow['takes']): string => nouns?.join('|') ?? '·';

/** Columns aligned by spaces. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
