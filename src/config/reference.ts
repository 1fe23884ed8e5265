/** What people read about stages: a page of Markdown and the text of `skypass list`; made from the specs. */
import type { Field, Fields } from './field.js';
import { show } from './options.js';
import { commonFields, type Flow, type StageSpec } from './spec.js';

/** The six lines in which an operator states how it flows. */
export const contractTags = ['emits', 'waits', 'completes', 'fails', 'order', 'memory'] as const;
export type Contract = Readonly<Record<(typeof contractTags)[number], string>>;

/** One declared option as people read it. */
interface Row {
  readonly key: string;
  readonly type: string;
  readonly unit: string;
  readonly fallback: string;
  readonly bounds: string;
  readonly doc: string;
}

/**
 * The reference page of these stages.
 *
 * @param contracts the contract of each operator that has one to show
 */
export function referencePage(
  specs: readonly StageSpec[],
  contracts: ReadonlyMap<string, Contract> = new Map(),
): string {
  const parts = [
    '# Stages',
    'A pipeline is a list of these. Sizes are written with their unit (`256MiB`, `2GB`), times as well (`500ms`, `2s`, `1h30m`).',
    ...specs.flatMap((spec) => stagePart(spec, contracts.get(spec.operator))),
    '## Options of every stage',
    'A stage whose own default differs lists the option in its table.',
    table(rowsOf(Object.entries(commonFields))),
  ];
  return `${parts.join('\n\n')}\n`;
}

function stagePart(spec: StageSpec, contract: Contract | undefined): string[] {
  const rows = ownRows(spec);
  const tags = contractTags.map((tag) => `- **${tag}** ${contract?.[tag] ?? ''}`);
  return [
    `## ${spec.operator}`,
    spec.doc,
    `Takes ${nounsOf(spec.takes)}, gives ${nounsOf(spec.gives)}.`,
    ...(contract === undefined ? [] : [tags.join('\n')]),
    rows.length > 0 ? table(rows) : 'No options of its own.',
  ];
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ key, type, unit, fallback, bounds, doc }) => {
    const written = fallback === 'required' || fallback === '' ? fallback : `\`${fallback}\``;
    return `| \`${key}\` | ${[type, unit, written, bounds, doc].map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return [
    '| option | type | unit | default | bounds | meaning |',
    '| --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}

/** One line for each stage: what it takes and gives, and what it does. */
export function listText(specs: readonly StageSpec[]): string {
  return columns(specs.map((spec) => [spec.operator, `${arrowOf(spec)}`, spec.doc]));
}

/** One stage with its options, its own first. */
export function stageText(spec: StageSpec): string {
  const rows = rowsOf(Object.entries<Field>(spec.fields));
  const lines = rows.map(({ key, type, unit, fallback, bounds, doc }) => {
    const limits = [bounds === '' ? '' : bounds, unit].filter((text) => text !== '').join(' ');
    const written = fallback === 'required' || fallback === '' ? fallback : `= ${fallback}`;
    return [`  ${key}`, type, written, limits, doc];
  });
  return `${spec.operator}: ${arrowOf(spec)}\n${spec.doc}\n\n${columns(lines)}`;
}

/** The stage's own options, and those common ones to which it gives another default. */
function ownRows({ fields }: StageSpec): readonly Row[] {
  const common: Readonly<Record<string, Field>> = commonFields;
  return rowsOf(
    Object.entries<Field>(fields).filter(
      ([key, each]) => !Object.hasOwn(common, key) || common[key]?.default !== each.default,
    ),
  );
}

/** A row for each option, and below a group one for each option inside: `psf`, `psf.fwhm`. */
const rowsOf = (options: readonly (readonly [key: string, declared: Field])[]): readonly Row[] =>
  options.flatMap(([key, declared]) => [
    rowOf(key, declared),
    ...groupsOf(declared).flatMap((fields) =>
      rowsOf(Object.entries(fields).map(([inner, each]) => [`${key}.${inner}`, each])),
    ),
  ]);

/** What is inside a group, or inside the groups that may be written; a distribution is shown as one thing. */
function groupsOf({ kind, fields, alternatives }: Field): readonly Fields[] {
  if (fields !== undefined) return [fields];
  return kind === 'distribution' ? [] : alternatives.flatMap(groupsOf);
}

function rowOf(key: string, { kind, type, unit, bounds, doc, presence, default: fallback }: Field): Row {
  const written = { required: 'required', optional: '', defaulted: show(fallback) }[presence];
  // The options of a group say what it is by default, each in a row of its own.
  return { key, type, unit, fallback: kind === 'group' || written === '{}' ? '' : written, bounds, doc };
}

const nounsOf = (nouns: Flow['takes']): string => (nouns === null ? 'nothing' : nouns.join(' or '));

const arrowOf = ({ takes, gives }: Flow): string =>
  [takes === null ? '' : nounsOf(takes), '→', gives === null ? '' : nounsOf(gives)]
    .filter((text) => text !== '')
    .join(' ');

/** Text in columns, each as wide as its widest cell, the last one ragged. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, i) => Math.max(widest[i] ?? 0, cell.length)),
    [],
  );
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
