/** Options as written → options as a stage sees them, or everything that is wrong with them. */
import type { CrossProblem, Field, Fields, Parsed, Written } from './field-parts.js';
import { didYouMean, nearest } from './nearest.js';
import type { CommonFields, StageSpec } from './spec.js';

/** What is wrong with one option of a stage. */
export interface Problem {
  readonly code: 'unknown_option' | 'missing_option' | 'wrong_value' | 'impossible_options';
  /** Keys down to the option, and the index of an entry in a list: `size`, `psf.fwhm`, `bands.2`; empty for the stage itself. */
  readonly path: string;
  readonly message: string;
  readonly hint: string | undefined;
}

export type ParseResult<T> =
  | { readonly options: T; readonly problems?: undefined }
  | { readonly problems: readonly Problem[]; readonly options?: undefined };

/**
 * Checks and converts the options of one stage, and reports everything that is wrong with them at once.
 *
 * @param raw the options as written: a map by key, or null or undefined when none are
 */
export function parseOptions<F extends Fields>(
  spec: StageSpec<F>,
  raw: unknown,
): ParseResult<Parsed<F & CommonFields>> {
  const written = raw ?? {};
  if (!isMap(written)) {
    const message = `the options of ${spec.operator} should be a map, but are ${describe(raw)}`;
    return {
      problems: [{ code: 'wrong_value', path: '', message, hint: `write ${spec.operator}: { key: value }` }],
    };
  }
  const parsed = parseFields(spec.fields, written, { label: spec.operator, path: '' });
  if (parsed.problems !== undefined) return parsed;
  const options = Object.freeze(parsed.options) as Parsed<F & CommonFields>;
  const crossed = spec.check(options).map((problem) => impossible(problem));
  return crossed.length > 0 ? { problems: crossed } : { options };
}

/** Options were wrong where nobody could be shown a position: a stage built from TypeScript. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'config_invalid';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(
      problems.map(({ message, hint }) => (hint === undefined ? message : `${message} (${hint})`)).join('\n'),
    );
    this.problems = problems;
  }
}

/**
 * The options of a stage that is built from TypeScript.
 *
 * @throws ConfigError that lists every problem
 */
export function checkedOptions<F extends Fields>(
  spec: StageSpec<F>,
  raw: Written<F & CommonFields>,
): Parsed<F & CommonFields> {
  const parsed = parseOptions(spec, raw);
  if (parsed.problems !== undefined) throw new ConfigError(parsed.problems);
  return parsed.options;
}

/** Where an option stands: for people (`render.psf.fwhm`), and within its stage (`psf.fwhm`). */
interface Spot {
  readonly label: string;
  readonly path: string;
}

const inside = ({ label, path }: Spot, key: string): Spot => ({
  label: `${label}.${key}`,
  path: path === '' ? key : `${path}.${key}`,
});

type Map = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is Map =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** The options of a stage, or those inside a group. */
function parseFields(fields: Fields, written: Map, at: Spot): ParseResult<Map> {
  const problems: Problem[] = [];
  for (const key of Object.keys(written)) {
    if (Object.hasOwn(fields, key)) continue;
    problems.push({
      code: 'unknown_option',
      path: inside(at, key).path,
      message: `${at.label} has no option "${key}"`,
      hint: didYouMean(key, Object.keys(fields)),
    });
  }
  const entries: [string, unknown][] = [];
  for (const [key, declared] of Object.entries(fields)) {
    const value = Object.hasOwn(written, key) ? written[key] : undefined;
    const parsed = parseField(declared, key, value, inside(at, key));
    if (parsed.problems === undefined) entries.push([key, parsed.options]);
    else problems.push(...parsed.problems);
  }
  return problems.length > 0 ? { problems } : { options: Object.fromEntries(entries) };
}

function parseField(declared: Field, key: string, written: unknown, at: Spot): ParseResult<unknown> {
  const { presence, kind } = declared;
  const isAbsent = written === undefined || (written === null && presence === 'optional');
  if (isAbsent && presence === 'optional') return { options: undefined };
  // Of a group that is not written, what is missing is what it must have inside.
  if (isAbsent && presence === 'required' && kind !== 'group') {
    const message = `${at.label} is missing: ${lowerFirst(declared.doc)}`;
    const hint = `write ${key}: ${describeExample(declared)}`;
    return { problems: [{ code: 'missing_option', path: at.path, message, hint }] };
  }
  const value = isAbsent ? (declared.default ?? {}) : written;
  const parsed = declared.schema.safeParse(value);
  return parsed.success ? { options: parsed.data } : { problems: explain(declared, value, at) };
}

/** What is wrong with a value, as far inside it as can be told. */
function explain(declared: Field, found: unknown, at: Spot): readonly Problem[] {
  const parsed = declared.schema.safeParse(found);
  if (parsed.success) return [];
  if (declared.fields !== undefined && isMap(found)) {
    const { problems } = parseFields(declared.fields, found, at);
    if (problems !== undefined) return problems;
    // Each is right, so what is left are the problems its own check found.
    return parsed.error.issues.map(({ path, message, ...issue }) => {
      const hint = issue.code === 'custom' ? (issue.params?.hint as string | undefined) : undefined;
      return impossible({ path: path.join('.'), message, ...(hint !== undefined && { hint }) }, at);
    });
  }
  if (declared.element !== undefined && Array.isArray(found)) {
    const { element } = declared;
    const problems = found.flatMap((entry, i) => explain(element, entry, inside(at, String(i))));
    if (problems.length > 0) return problems;
  }
  const meant = alternativeMeant(declared.alternatives, found);
  if (meant !== undefined) return explain(meant, found, at);
  const message = `${at.label} should be ${declared.expected}, but is ${describe(found)}`;
  return [{ code: 'wrong_value', path: at.path, message, hint: hintFor(declared, found) }];
}

function impossible({ path, message, hint }: CrossProblem, at?: Spot): Problem {
  const spot = at === undefined ? { label: '', path } : path === '' ? at : inside(at, path);
  const said = at === undefined ? message : `${spot.label}: ${message}`;
  return { code: 'impossible_options', path: spot.path, message: said, hint };
}

/** The kind that whoever wrote this had in mind: for a list the only list, for a map the group with most of its keys. */
function alternativeMeant(alternatives: readonly Field[], found: unknown): Field | undefined {
  const kinds = alternatives.flatMap((each) => (each.alternatives.length > 0 ? each.alternatives : [each]));
  if (Array.isArray(found)) {
    const lists = kinds.filter(({ element }) => element !== undefined);
    return lists.length === 1 ? lists[0] : undefined;
  }
  if (!isMap(found)) return undefined;
  const groups = kinds.filter(({ fields }) => fields !== undefined);
  if (groups.length === 1) return groups[0];
  const shared = ({ fields = {} }: Field) => Object.keys(found).filter((key) => Object.hasOwn(fields, key));
  const [best] = groups.toSorted((a, b) => shared(b).length - shared(a).length);
  return best !== undefined && shared(best).length > 0 ? best : undefined;
}

function hintFor(declared: Field, found: unknown): string | undefined {
  if (declared.kind === 'list' && typeof found === 'string') return `write [${show(found)}]`;
  if (typeof found === 'string' && declared.words.length > 0) {
    const yes = ['yes', 'on', 'y'].includes(found.toLowerCase());
    const no = ['no', 'off', 'n'].includes(found.toLowerCase());
    if (declared.kind === 'bool' && (yes || no)) return `write ${yes}`;
    const near = declared.kind === 'oneOf' ? nearest(found, declared.words) : undefined;
    if (declared.kind !== 'oneOf' || near !== undefined) return didYouMean(found, declared.words);
  }
  if (isMap(found)) {
    const keys = declared.alternatives.flatMap(({ fields = {} }) => Object.keys(fields));
    const near = Object.keys(found).find((key) => nearest(key, keys) !== undefined);
    if (near !== undefined) return didYouMean(near, keys);
  }
  if (declared.kind === 'duration' && typeof found === 'number') return `add its unit, as in ${found}s`;
  if (
    ['int', 'number', 'fraction', 'distribution'].includes(declared.kind) &&
    typeof found === 'string' &&
    found.trim() !== ''
  ) {
    if (!Number.isNaN(Number(found))) return `write ${found.trim()} without quotes`;
  }
  return declared.example === undefined ? undefined : `for example ${show(declared.example)}`;
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, '');

const describeExample = ({ example, expected }: Field): string =>
  example === undefined ? `<${expected}>` : show(example);

/** A value as it would be written in YAML flow style, cut to a readable length. */
export function show(value: unknown): string {
  const text = flowStyle(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

function flowStyle(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flowStyle).join(', ')}]`;
  if (!isMap(value)) return String(value);
  const entries = Object.entries(value).map(([key, inner]) => `${key}: ${flowStyle(inner)}`);
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (typeof value === 'string') return value === '' ? 'empty text' : `"${show(value)}" (text)`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'a map';
  return show(value);
}
