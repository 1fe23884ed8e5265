/**
 * What the command line changes, as in Hydra: `key=value` changes what exists, `+key=value` adds, `~key`
 * removes, `group=name` chooses another file of a config group. `tile.size=512` reaches the stage named tile.
 */
import { type DefaultsEntry, listGroup } from './groups.js';
import {
  child,
  emptyMap,
  type Located,
  type LocatedMap,
  type LocatedScalar,
  withEntry,
  withoutEntry,
} from './located.js';
import { nearest } from './nearest.js';
import { type Lint, lintAt, type Place, placeOfOverride } from './place.js';
import { outlineStages } from './stages.js';
import { parseValue } from './yaml-text.js';

export type Override =
  | {
      readonly action: 'set' | 'add';
      readonly path: readonly string[];
      readonly value: Located;
      readonly at: Place;
    }
  | { readonly action: 'remove'; readonly path: readonly string[]; readonly at: Place };

/** Keys of a pipeline that exist whether the file has them or not. */
const standingKeys = ['name', 'memory', 'run.dir', 'run.overwrite'];

/** Reads overrides as they were given; values are YAML scalars, or lists and maps in brackets. */
export function parseOverrides(texts: readonly string[], lints: Lint[]): Override[] {
  const overrides: Override[] = [];
  for (const text of texts) {
    const at = placeOfOverride(text);
    const refuse = (message: string, hint: string): void => {
      lints.push(lintAt(at, 'override', message, hint));
    };
    const [, sign = '', key = '', assigned] = /^([+~]?)([^=]*)(?:=(.*))?$/s.exec(text) ?? [];
    const path = key.trim().split('.');
    if (path.some((part) => !/^\w[\w-]*$/.test(part)))
      refuse(`"${key}" is not a key`, 'write survey.path=/data/tiles');
    else if (sign === '~') {
      if (assigned === undefined) overrides.push({ action: 'remove', path, at });
      else refuse('a key is removed without a value', `write ~${key}`);
    } else if (assigned === undefined) refuse('an override needs a value', `write ${sign}${key}=value`);
    else {
      const value = parseValue(assigned, at);
      if ('problem' in value)
        refuse(`the value cannot be read: ${value.problem}`, 'quote it for YAML, as in \'key="a: b"\'');
      else overrides.push({ action: sign === '+' ? 'add' : 'set', path, value, at });
    }
  }
  return overrides;
}

/** Applies the overrides that choose, add or drop a config group; returns the others as well. */
export async function chooseGroups(
  defaults: readonly DefaultsEntry[],
  overrides: readonly Override[],
  own: LocatedMap,
  confRoots: readonly string[],
): Promise<{ readonly defaults: readonly DefaultsEntry[]; readonly rest: readonly Override[] }> {
  let chosen = [...defaults];
  const rest: Override[] = [];
  for (const override of overrides) {
    const [group = '', ...deeper] = override.path;
    const isListed = chosen.some((entry) => !entry.self && entry.group === group);
    const choice = override.action === 'remove' ? undefined : choiceOf(override.value);
    if (deeper.length > 0 || (override.action !== 'remove' && choice === undefined)) rest.push(override);
    else if (isListed && override.action === 'remove')
      chosen = chosen.filter((entry) => entry.self || entry.group !== group);
    else if (isListed) {
      chosen = chosen.map((entry) =>
        entry.self || entry.group !== group ? entry : { ...entry, name: choice?.text, at: override.at },
      );
    } else if (
      override.action === 'add' &&
      !own.entries.has(group) &&
      (await listGroup(group, confRoots)).size > 0
    ) {
      chosen.push({ self: false, group, name: choice?.text, at: override.at });
    } else rest.push(override);
  }
  return { defaults: chosen, rest };
}

const choiceOf = (value: Located): LocatedScalar | undefined => (value.kind === 'scalar' ? value : undefined);

/**
 * The configuration with the overrides applied, one after the other.
 *
 * @param root a tree with normalised stages
 */
export function applyOverrides(root: LocatedMap, overrides: readonly Override[], lints: Lint[]): LocatedMap {
  return overrides.reduce((current, override) => apply(current, override, lints), root);
}

function apply(root: LocatedMap, override: Override, lints: Lint[]): LocatedMap {
  const [first = '', ...rest] = override.path;
  const outline = outlineStages(root);
  const index = root.entries.has(first) ? -1 : outline.findIndex((stage) => stage?.name === first);
  const stage = outline[index];
  const isWholeStage = override.action === 'remove' && rest.length === 0;
  const place = ['stages', String(index), ...(isWholeStage ? [] : [stage?.operator ?? '']), ...rest];
  const path = stage === undefined ? override.path : place;
  // Whether a stage has an option is for its spec to say, so any may be set; the linter knows the specs.
  const isOpen = stage !== undefined || standingKeys.includes(override.path.join('.'));

  const changed =
    override.action === 'remove'
      ? removeIn(root, path)
      : setIn(root, path, override.value, override.at, override.action === 'add' || isOpen);
  if (changed?.kind === 'map') return changed;
  lints.push(unknownOverride(root, override));
  return root;
}

/** The tree with a value put at a path; undefined when the path does not exist and may not be made. */
function setIn(
  node: Located,
  path: readonly string[],
  value: Located,
  at: Place,
  mayMake: boolean,
): Located | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (node.kind === 'hole') return node;
  if (node.kind === 'list') {
    const item = child(node, key);
    const changed = item === undefined ? undefined : setIn(item, rest, value, at, mayMake);
    return changed === undefined ? undefined : { ...node, items: node.items.with(Number(key), changed) };
  }
  const isEmpty = node.kind === 'scalar' && node.value === null;
  if (node.kind === 'scalar' && !(isEmpty && mayMake)) return undefined;
  const map = node.kind === 'map' ? node : emptyMap(node.at);
  const entry = map.entries.get(key);
  if (entry === undefined && !mayMake) return undefined;
  const changed = setIn(entry?.value ?? emptyMap(at), rest, value, at, mayMake);
  return changed === undefined
    ? undefined
    : withEntry(map, key, { keyAt: entry?.keyAt ?? at, value: changed });
}

function removeIn(node: Located, path: readonly string[]): Located | undefined {
  const [key = '', ...rest] = path;
  const inner = child(node, key);
  if (node.kind === 'hole') return node;
  if (inner === undefined || node.kind === 'scalar') return undefined;
  const changed = rest.length === 0 ? undefined : removeIn(inner, rest);
  if (rest.length > 0 && changed === undefined) return undefined;
  if (node.kind === 'list') {
    const items =
      changed === undefined ? node.items.toSpliced(Number(key), 1) : node.items.with(Number(key), changed);
    return { ...node, items };
  }
  const keyAt = node.entries.get(key)?.keyAt ?? node.at;
  return changed === undefined ? withoutEntry(node, key) : withEntry(node, key, { keyAt, value: changed });
}

function unknownOverride(root: LocatedMap, { action, path, at }: Override): Lint {
  const names = outlineStages(root).flatMap((stage) => stage?.name ?? []);
  let node: Located = root;
  let depth = 0;
  for (; depth < path.length; depth++) {
    const next = child(node, path[depth] ?? '');
    if (next === undefined) break;
    node = next;
  }
  const key = path.join('.');
  if (depth > 0 && node.kind === 'scalar') {
    const parent = path.slice(0, depth).join('.');
    return lintAt(
      at,
      'unknown_override',
      `${parent} is a single value and has nothing inside`,
      `write ${parent}=value`,
    );
  }
  const known = node.kind === 'map' ? [...node.entries.keys()] : [];
  const near = nearest(path[depth] ?? '', depth === 0 ? [...known, ...names] : known);
  const meant = near === undefined ? undefined : `did you mean "${path.with(depth, near).join('.')}"?`;
  const add = action === 'set' ? `to add it, write +${key}=…` : undefined;
  const hint = [meant, add].filter((part) => part !== undefined).join(' ');
  return lintAt(
    at,
    'unknown_override',
    `there is no ${key} to ${action === 'remove' ? 'remove' : 'override'}`,
    hint === '' ? undefined : hint,
  );
}
