/** A pipeline file → the resolved configuration, every value with the place where it was written. */
import { basename, dirname, extname } from 'node:path';
import { field } from './field.js';
import { compose, parseDefaults, readYamlMap } from './groups.js';
import { type Environment, interpolate } from './interpolation.js';
import {
  type Entry,
  hole,
  isMandatory,
  type Located,
  type LocatedMap,
  type LocatedScalar,
  toPlain,
  withoutEntry,
} from './located.js';
import { nearest } from './nearest.js';
import { applyOverrides, chooseGroups, parseOverrides } from './overrides.js';
import { type Lint, lintAt, sortLints } from './place.js';
import { type LoadedStage, normaliseStages, outlineStages, readStages } from './stages.js';

export interface LoadOptions {
  /** `key=value`, `+key=value`, `~key`, `group=name`, in order. */
  readonly overrides?: readonly string[];
  /** What `${env:NAME}` sees; usually `process.env`. */
  readonly env?: Environment;
  /** Folders of config groups to look in after the pipeline's own: usually the package's `conf`. */
  readonly confRoots?: readonly string[];
}

/** A pipeline as written, resolved but not yet held against the specs of its operators. */
export interface LoadedPipeline {
  readonly name: string;
  readonly file: string;
  /** `memory:` in bytes, when it is given. */
  readonly memoryBytes: number | undefined;
  readonly stages: readonly LoadedStage[];
  /** All of it as plain values, without `defaults`. */
  readonly values: Readonly<Record<string, unknown>>;
  /** All of it with positions. */
  readonly root: LocatedMap;
}

export interface Loaded {
  /** Present whenever the file could be read at all; fit to run only if nothing in `lints` is an error. */
  readonly pipeline: LoadedPipeline | undefined;
  /** By position. */
  readonly lints: readonly Lint[];
  /** Files that were read, the pipeline first. */
  readonly files: readonly string[];
}

const fixedKeys = ['name', 'defaults', 'memory', 'stages'];
const memoryField = field.bytes({ min: 1, doc: 'Most bytes in flight.' });

/**
 * Loads a pipeline: its groups, the overrides of the command line, then references. Never throws for what
 * the files or the overrides hold; every problem is a lint.
 */
export async function loadPipeline(file: string, options: LoadOptions = {}): Promise<Loaded> {
  const lints: Lint[] = [];
  const overrides = parseOverrides(options.overrides ?? [], lints);
  const own = await readYamlMap(file, lints);
  if (own === undefined) return { pipeline: undefined, lints: sortLints(lints, [file]), files: [file] };

  const confRoots = [confRootOf(file), ...(options.confRoots ?? [])];
  const { defaults, rest } = await chooseGroups(parseDefaults(own, lints), overrides, own, confRoots);
  const composed = await compose(withoutEntry(own, 'defaults'), defaults, confRoots, lints);
  const overridden = applyOverrides(normaliseStages(composed.root), rest, lints);
  const present = reportMandatory(overridden, lints);
  const root = normaliseStages(interpolate(present, options.env ?? {}, lints));

  for (const [key, { keyAt }] of own.entries) {
    const near = fixedKeys.includes(key) ? undefined : nearest(key, fixedKeys);
    if (near === undefined || own.entries.has(near)) continue;
    lints.push(
      lintAt(keyAt, 'unknown_key', `the pipeline has "${key}", but no "${near}"`, `did you mean "${near}"?`),
    );
  }
  const pipeline: LoadedPipeline = {
    name: readName(root, lints) ?? basename(file, extname(file)),
    file,
    memoryBytes: readMemory(root, lints),
    stages: readStages(root, lints),
    values: toPlain(root) as Record<string, unknown>,
    root,
  };
  const files = [file, ...composed.files];
  return { pipeline, lints: sortLints(lints, files), files };
}

/** `conf` for `conf/pipelines/x.yaml`; for a pipeline elsewhere, its own folder. */
export const confRootOf = (file: string): string =>
  basename(dirname(file)) === 'pipelines' ? dirname(dirname(file)) : dirname(file);

function readName(root: LocatedMap, lints: Lint[]): string | undefined {
  const name = root.entries.get('name')?.value;
  if (name === undefined || name.kind === 'hole') return undefined;
  if (name.kind === 'scalar' && name.text.trim() !== '') return name.text;
  lints.push(lintAt(name.at, 'wrong_value', 'name should be text', 'write name: des-pass'));
  return undefined;
}

function readMemory(root: LocatedMap, lints: Lint[]): number | undefined {
  const memory = root.entries.get('memory')?.value;
  if (memory === undefined || memory.kind === 'hole') return undefined;
  const parsed = memoryField.schema.safeParse(toPlain(memory));
  if (parsed.success) return parsed.data;
  const found = memory.kind === 'scalar' ? `"${memory.text}"` : `a ${memory.kind}`;
  lints.push(lintAt(memory.at, 'wrong_value', `memory should be a size such as 3GiB, but is ${found}`));
  return undefined;
}

/** Every `???` that is left becomes a hole and a lint that names the override which fills it. */
function reportMandatory(root: LocatedMap, lints: Lint[]): LocatedMap {
  const outline = outlineStages(root);
  const label = (path: readonly string[]): string => {
    const stage = path[0] === 'stages' ? outline[Number(path[1])] : undefined;
    return (stage === undefined ? path : [stage.name, ...path.slice(3)]).join('.');
  };
  const walk = (node: Located, path: readonly string[]): Located => {
    if (isMandatory(node)) {
      lints.push(missingValue(label(path), node));
      return hole(node.at);
    }
    if (node.kind === 'list')
      return { ...node, items: node.items.map((item, i) => walk(item, [...path, String(i)])) };
    return node.kind === 'map' ? walkMap(node, path) : node;
  };
  const walkMap = (map: LocatedMap, path: readonly string[]): LocatedMap => {
    const entries = new Map<string, Entry>();
    for (const [key, { keyAt, value }] of map.entries)
      entries.set(key, { keyAt, value: walk(value, [...path, key]) });
    return { ...map, entries };
  };
  return walkMap(root, []);
}

/** The comment behind `???` says what is asked for; `key=example` at its end becomes the hint. */
function missingValue(key: string, { comment = '', at }: LocatedScalar): Lint {
  const [meaning = '', example = '…'] = comment.split(`${key}=`);
  const asked = meaning.replace(/[\s:,;]+$/, '');
  const message = `${key} has no value${asked === '' ? '' : `: ${asked}`}`;
  return lintAt(at, 'missing_value', message, `add ${key}=${example.trim()} to the command`);
}
