/** Config groups: `defaults: [survey: des]` lays `conf/survey/des.yaml` under the key `survey`. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeText } from './decode.js';
import { emptyMap, hole, type Located, type LocatedMap, mandatory, merge } from './located.js';
import { didYouMean } from './nearest.js';
import { type Lint, lintAt, type Place, placeOfFile } from './place.js';
import { parseYamlMap } from './yaml-text.js';

/** One entry of `defaults`; `_self_` marks where the file's own keys are laid. */
export type DefaultsEntry =
  | { readonly self: true }
  | { readonly self: false; readonly group: string; readonly name: string | undefined; readonly at: Place };

const isGroupName = (text: string): boolean => /^[\w-]+$/.test(text);

/** Reads one YAML file; what is wrong with it goes to the lints. */
export async function readYamlMap(file: string, lints: Lint[]): Promise<LocatedMap | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EISDIR'
          ? 'this is a folder'
          : `it cannot be read (${code})`;
    lints.push(lintAt(placeOfFile(file), 'file', reason));
    return undefined;
  }
  const decoded = decodeText(file, bytes);
  if ('text' in decoded) return parseYamlMap(file, decoded.text, lints);
  lints.push(decoded.lint);
  return undefined;
}

/** The entries of `defaults`. Without `_self_` the file's own keys come last and win. */
export function parseDefaults(root: LocatedMap, lints: Lint[]): DefaultsEntry[] {
  const list = root.entries.get('defaults')?.value;
  const entries: DefaultsEntry[] = [];
  const refuse = (at: Place, message: string, hint: string): void => {
    lints.push(lintAt(at, 'shape', message, hint));
  };
  if (list !== undefined && list.kind !== 'list' && list.kind !== 'hole') {
    refuse(list.at, 'defaults should be a list', 'write defaults: [survey: des]');
  }
  for (const item of list?.kind === 'list' ? list.items : []) {
    if (item.kind === 'scalar' && item.value === '_self_') entries.push({ self: true });
    else if (item.kind === 'map' && item.entries.size === 1) {
      const [[group, { keyAt, value }] = ['', { keyAt: item.at, value: item }]] = item.entries;
      const isUsable =
        isGroupName(group) &&
        value.kind === 'scalar' &&
        (typeof value.value === 'string' || value.value === null);
      if (!isUsable)
        refuse(keyAt, 'an entry of defaults names a group and one file of it', 'write survey: des');
      else if (entries.some((entry) => !entry.self && entry.group === group)) {
        refuse(keyAt, `the group "${group}" stands twice in defaults`, 'keep one of them');
      } else
        entries.push({
          self: false,
          group,
          name: value.value === null ? undefined : value.text,
          at: value.at,
        });
    } else if (item.kind !== 'hole')
      refuse(item.at, 'an entry of defaults is a group and its choice, or _self_', 'write survey: des');
  }
  return entries.some(({ self }) => self) ? entries : [...entries, { self: true }];
}

export interface Composed {
  readonly root: LocatedMap;
  readonly files: readonly string[];
}

/**
 * Lays the chosen group files and the pipeline's own keys over each other, in the order of `defaults`.
 *
 * @param own the pipeline's own keys
 * @param confRoots folders that hold groups, in order of preference
 */
export async function compose(
  own: LocatedMap,
  defaults: readonly DefaultsEntry[],
  confRoots: readonly string[],
  lints: Lint[],
): Promise<Composed> {
  let root: Located = emptyMap(own.at);
  const files: string[] = [];
  for (const entry of defaults) {
    if (entry.self) {
      root = merge(root, own);
      continue;
    }
    if (entry.name === undefined) continue;
    const { value, file } = await readGroup(entry.group, entry.name, entry.at, confRoots, lints);
    if (file !== undefined) files.push(file);
    root = merge(root, {
      ...emptyMap(own.at),
      entries: new Map([[entry.group, { keyAt: entry.at, value }]]),
    });
  }
  return { root: root as LocatedMap, files };
}

async function readGroup(
  group: string,
  name: string,
  at: Place,
  confRoots: readonly string[],
  lints: Lint[],
): Promise<{ readonly value: Located; readonly file?: string }> {
  const choices = await listGroup(group, confRoots);
  const refuse = (code: 'missing_value' | 'unknown_group', message: string, hint: string | undefined) => {
    lints.push(lintAt(at, code, message, hint));
    return { value: hole(at) };
  };
  if (name === mandatory) {
    return refuse(
      'missing_value',
      `no ${group} is chosen`,
      `add ${group}=${[...choices.keys()].join('|')} to the command`,
    );
  }
  if (choices.size === 0) {
    return refuse(
      'unknown_group',
      `there is no config group "${group}"`,
      `looked for ${group}/*.yaml in ${confRoots.join(', ')}`,
    );
  }
  const file = choices.get(name);
  if (file === undefined) {
    return refuse(
      'unknown_group',
      `the config group "${group}" has no "${name}"`,
      didYouMean(name, choices.keys()),
    );
  }
  const map = await readYamlMap(file, lints);
  const nested = map?.entries.get('defaults');
  if (nested !== undefined) {
    lints.push(
      lintAt(
        nested.keyAt,
        'shape',
        'a group file cannot have defaults of its own',
        'list them in the pipeline',
      ),
    );
  }
  return { value: map ?? hole(placeOfFile(file)), file };
}

/** Names a group offers, each with its file; a name in an earlier root hides the same name in a later one. */
export async function listGroup(
  group: string,
  confRoots: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const choices = new Map<string, string>();
  for (const confRoot of confRoots) {
    const folder = join(confRoot, group);
    const names = await readdir(folder).catch(() => []);
    for (const name of names.sort()) {
      const choice = /^(.+)\.ya?ml$/.exec(name)?.[1];
      if (choice !== undefined && !choices.has(choice)) choices.set(choice, join(folder, name));
    }
  }
  return choices;
}
