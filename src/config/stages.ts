/** The `stages` list of a pipeline, in its several ways of writing, as one form. */
import { type Entry, emptyMap, type Hole, type Located, type LocatedMap, withEntry } from './located.js';
import { type Lint, lintAt, type Place } from './place.js';
import { isTemplate } from './template.js';

/** A stage as written: its operator, its name and its options with positions. */
export interface LoadedStage {
  readonly operator: string;
  /** What overrides, metrics and messages call it: its `name` option, or else its operator. */
  readonly name: string;
  /** A hole when they could not be read and that has been reported. */
  readonly options: LocatedMap | Hole;
  readonly at: Place;
}

/** Writes `- aggregate` and `- aggregate:` as `- aggregate: {}`; all else stays as it is. */
export function normaliseStages(root: LocatedMap): LocatedMap {
  const stages = root.entries.get('stages');
  if (stages?.value.kind !== 'list') return root;
  const items = stages.value.items.map((item): Located => {
    if (item.kind === 'scalar' && typeof item.value === 'string' && !isTemplate(item.value)) {
      return withEntry(emptyMap(item.at), item.value, { keyAt: item.at, value: emptyMap(item.at) });
    }
    const only = onlyEntry(item);
    if (item.kind !== 'map' || only?.[1].value.kind !== 'scalar' || only[1].value.value !== null) return item;
    return withEntry(item, only[0], { keyAt: only[1].keyAt, value: emptyMap(only[1].value.at) });
  });
  return withEntry(root, 'stages', { ...stages, value: { ...stages.value, items } });
}

/** Where the stages of a normalised tree stand, by position in the list; undefined for what is no stage. */
export function outlineStages(root: LocatedMap): ({ operator: string; name: string } | undefined)[] {
  const stages = root.entries.get('stages')?.value;
  return (stages?.kind === 'list' ? stages.items : []).map((item) => {
    const only = onlyEntry(item);
    return only === undefined ? undefined : { operator: only[0], name: nameOf(only[0], only[1].value) };
  });
}

/** The stages of a normalised and interpolated tree; what is no stage becomes a lint. */
export function readStages(root: LocatedMap, lints: Lint[]): LoadedStage[] {
  const stages = root.entries.get('stages')?.value;
  const hint = 'write stages: [{ read: { … } }, …]';
  if (stages === undefined) lints.push(lintAt(root.at, 'shape', 'the pipeline has no stages', hint));
  else if (stages.kind === 'map' || stages.kind === 'scalar') {
    lints.push(lintAt(stages.at, 'shape', 'stages should be a list', hint));
  } else if (stages.kind === 'list' && stages.items.length === 0) {
    lints.push(lintAt(stages.at, 'shape', 'the pipeline has no stages', hint));
  }
  const read: LoadedStage[] = [];
  for (const item of stages?.kind === 'list' ? stages.items : []) {
    if (item.kind === 'hole') continue;
    const only = onlyEntry(item);
    if (only === undefined) {
      const what = item.kind === 'map' ? `has ${item.entries.size} keys` : 'is no map';
      const message = `a stage is one operator with its options, but this ${what}`;
      lints.push(lintAt(item.at, 'shape', message, 'write - tile: { size: 2560 }'));
      continue;
    }
    const [operator, { keyAt, value }] = only;
    if (value.kind === 'map' || value.kind === 'hole') {
      read.push({ operator, name: nameOf(operator, value), options: value, at: keyAt });
      continue;
    }
    const found = value.kind === 'list' ? 'a list' : `"${value.text}"`;
    const message = `the options of ${operator} should be a map, but are ${found}`;
    lints.push(lintAt(value.at, 'shape', message, `write ${operator}: { key: value }`));
    read.push({ operator, name: operator, options: { kind: 'hole', at: value.at }, at: keyAt });
  }
  return read;
}

function onlyEntry(item: Located): [string, Entry] | undefined {
  return item.kind === 'map' && item.entries.size === 1 ? [...item.entries][0] : undefined;
}

function nameOf(operator: string, options: Located): string {
  const name = options.kind === 'map' ? options.entries.get('name')?.value : undefined;
  const isName =
    name?.kind === 'scalar' && typeof name.value === 'string' && name.value !== '' && !isTemplate(name.value);
  return isName ? name.text : operator;
}
