/** Holds a loaded pipeline against the specs of its operators: every problem at once, each with its place. */
import { lintChain } from './chain.js';
import type { Field } from './field.js';
import type { Loaded, LoadedPipeline } from './load.js';
import { child, type Located, type LocatedMap } from './located.js';
import { didYouMean } from './nearest.js';
import { type Problem, parseOptions } from './options.js';
import { type Lint, type LintCode, lintAt, type Place, sortLints } from './place.js';
import type { CommonOptions, StageSpec } from './spec.js';
import type { LoadedStage } from './stages.js';

export { formatLint, type Lint } from './place.js';

/** A stage whose options have been checked and converted. */
export interface CheckedStage {
  readonly operator: string;
  readonly name: string;
  readonly spec: StageSpec;
  readonly options: CommonOptions & Readonly<Record<string, unknown>>;
  readonly at: Place;
}

/** What a check across stages found. */
export interface CheckProblem {
  /** What the message is shown at, in the words of an override: `tile.size`, `tile`, `memory`. */
  readonly path: string;
  readonly message: string;
  readonly hint?: string;
  readonly level?: Lint['level'];
}

/** A check across stages; called only when every stage is right by itself. */
export type StagesCheck = (
  stages: readonly CheckedStage[],
  pipeline: LoadedPipeline,
) => readonly CheckProblem[];

export interface Linted {
  /** All problems, those of loading included, by position. */
  readonly lints: readonly Lint[];
  /** The stages, if nothing among the lints is an error. */
  readonly stages: readonly CheckedStage[] | undefined;
}

/**
 * @param loaded what `loadPipeline` returned
 * @param registry specs by operator
 * @param checks checks across stages, such as whether a batch fits its edge
 */
export function lintPipeline(
  loaded: Loaded,
  registry: ReadonlyMap<string, StageSpec>,
  checks: readonly StagesCheck[] = [],
): Linted {
  const { pipeline, files } = loaded;
  const lints = [...loaded.lints];
  if (pipeline === undefined) return { lints: sortLints(lints, files), stages: undefined };

  const checked = pipeline.stages.map((stage) => checkStage(stage, registry, lints));
  const stages = checked.filter((stage) => stage !== undefined);
  lintNames(pipeline, lints);
  const links = pipeline.stages.map(({ operator, at }, i) => {
    const spec = registry.get(operator);
    const options = checked[i]?.options;
    return { spec, flow: options === undefined ? spec : spec?.flow(options), at };
  });
  lints.push(...lintChain(links, registry));
  if (!lints.some(isError)) {
    for (const { path, message, hint, level = 'error' } of checks.flatMap((check) =>
      check(stages, pipeline),
    )) {
      lints.push({ ...lintAt(placeOfPath(pipeline, path), 'check', message, hint), level });
    }
  }
  return { lints: sortLints(lints, files), stages: lints.some(isError) ? undefined : stages };
}

const isError = ({ level }: Lint): boolean => level === 'error';

function checkStage(
  stage: LoadedStage,
  registry: ReadonlyMap<string, StageSpec>,
  lints: Lint[],
): CheckedStage | undefined {
  const spec = registry.get(stage.operator);
  if (spec === undefined) {
    const message = `there is no operator "${stage.operator}"`;
    lints.push(lintAt(stage.at, 'unknown_operator', message, didYouMean(stage.operator, registry.keys())));
    return undefined;
  }
  const { options: written } = stage;
  if (written.kind === 'hole') return undefined;
  const raw = Object.create(null) as Record<string, unknown>;
  const holes = new Set<string>();
  for (const [key, { value }] of written.entries) {
    if (hasHole(value)) holes.add(key);
    else raw[key] = rawOf(value, Object.hasOwn(spec.fields, key) ? spec.fields[key] : undefined);
  }
  for (const key of holes) {
    // Its value has been reported; that there is no such option has not.
    if (!Object.hasOwn(spec.fields, key)) raw[key] = null;
  }
  const parsed = parseOptions(spec, raw);
  for (const problem of parsed.problems ?? []) {
    if (problem.code === 'missing_option' && holes.has(problem.path.split('.')[0] ?? '')) continue;
    lints.push(lintAt(placeOfProblem(stage, written, problem), problem.code, problem.message, problem.hint));
  }
  if (parsed.options === undefined || holes.size > 0) return undefined;
  return { operator: stage.operator, name: stage.name, spec, options: parsed.options, at: stage.at };
}

function lintNames({ stages, root }: LoadedPipeline, lints: Lint[]): void {
  const seen = new Set<string>();
  const report = (at: Place, message: string): void => {
    const code: LintCode = 'duplicate_stage';
    lints.push(lintAt(at, code, message, 'give the stage another name with its option "name"'));
  };
  for (const { name, at } of stages) {
    if (seen.has(name)) report(at, `two stages are called "${name}"`);
    else if (root.entries.has(name))
      report(at, `the stage and a key of the pipeline are both called "${name}"`);
    seen.add(name);
  }
}

function hasHole(node: Located): boolean {
  if (node.kind === 'list') return node.items.some(hasHole);
  if (node.kind === 'map') return [...node.entries.values()].some(({ value }) => hasHole(value));
  return node.kind === 'hole';
}

/** The plain value, except that where text is asked for, a number is the text that was written: `run.dir=007`. */
function rawOf(node: Located, declared: Field | undefined): unknown {
  if (node.kind === 'list') {
    const element = kindsOf(declared).find((kind) => kind.element !== undefined)?.element;
    return node.items.map((item) => rawOf(item, element));
  }
  if (node.kind === 'map') {
    const groups = kindsOf(declared).map(({ fields }) => fields ?? {});
    const inner = (key: string): Field | undefined =>
      groups.find((fields) => Object.hasOwn(fields, key))?.[key];
    return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, rawOf(value, inner(key))]));
  }
  if (node.kind === 'hole') return null;
  return typeof node.value === 'number' && wantsText(declared, node.value) ? node.text : node.value;
}

/** The kinds an option may have: itself, or its alternatives. */
function kindsOf(declared: Field | undefined): readonly Field[] {
  if (declared === undefined) return [];
  return declared.alternatives.length === 0 ? [declared] : declared.alternatives.flatMap(kindsOf);
}

/** True when text is asked for, and the number that was read is not right as it is. */
function wantsText(declared: Field | undefined, value: number): boolean {
  const kinds = kindsOf(declared);
  const isText = kinds.some(({ kind }) => kind === 'string' || kind === 'path');
  return isText && !kinds.some(({ schema }) => schema.safeParse(value).success);
}

function placeOfProblem(stage: LoadedStage, options: LocatedMap, { code, path }: Problem): Place {
  if (code === 'unknown_option') return placeOfKey(options, path) ?? stage.at;
  const [key = '', ...rest] = path.split('.');
  const entry = options.entries.get(key);
  return entry === undefined ? stage.at : placeWithin(entry.value, rest);
}

/** The place of a key that nobody knows; it may itself have dots. */
function placeOfKey(node: Located, path: string): Place | undefined {
  const whole = node.kind === 'map' ? node.entries.get(path) : undefined;
  if (whole !== undefined) return whole.keyAt;
  const [first = '', ...rest] = path.split('.');
  const inner = child(node, first);
  return inner === undefined || rest.length === 0 ? undefined : placeOfKey(inner, rest.join('.'));
}

/** The place of the innermost value that a path reaches. */
function placeWithin(node: Located, path: readonly string[]): Place {
  const [key, ...rest] = path;
  const inner = key === undefined ? undefined : child(node, key);
  return inner === undefined ? node.at : placeWithin(inner, rest);
}

function placeOfPath({ stages, root }: LoadedPipeline, path: string): Place {
  const [first = '', key, ...rest] = path.split('.');
  const stage = stages.find(({ name }) => name === first);
  if (stage === undefined) return placeWithin(root, path.split('.'));
  const entry =
    key === undefined || stage.options.kind === 'hole' ? undefined : stage.options.entries.get(key);
  return entry === undefined ? stage.at : placeWithin(entry.value, rest);
}
