/**
 * How a stage declares what it takes, what it gives and its options: once, beside the operator. Validation,
 * lints, the editor schema and the reference page all come from this one declaration.
 */
import { type Field, field, type Presence } from './field.js';
import { didYouMean, nearest } from './nearest.js';

export { field } from './field.js';

/** What can flow between two stages. */
export const nouns = [
  'Catalog',
  'SkyImage',
  'Cutout',
  'Window',
  'Batch',
  'Prediction',
  'Shard',
  'Table',
] as const;
export type Noun = (typeof nouns)[number];

/** Options by their YAML key. */
export type Fields = Readonly<Record<string, Field>>;

/** Options every stage has; a spec may give them other defaults. */
export const commonFields = {
  name: field.optional(
    field.string({
      pattern: /^[A-Za-z][\w-]*$/,
      form: 'a word of letters, digits, - and _',
      doc: 'Name of the stage in messages, metrics and overrides; its operator otherwise.',
    }),
  ),
  credit_items: field.int({
    default: 2,
    min: 1,
    unit: 'items',
    doc: 'Most results that wait untaken at its output.',
  }),
  credit_bytes: field.bytes({
    default: '256MiB',
    min: 1,
    doc: 'Most bytes of results that wait untaken at its output.',
  }),
  retries: field.int({ default: 1, min: 0, max: 100, doc: 'How often an item that failed is tried again.' }),
} as const;
export type CommonFields = typeof commonFields;
type CommonDefaults = Partial<{
  readonly [K in 'credit_items' | 'credit_bytes' | 'retries']: InputOfField<CommonFields[K]>;
}>;

type OutputOfField<F> = F extends Field<infer Out, infer _In, infer _P> ? Out : never;
type InputOfField<F> = F extends Field<infer _Out, infer In, infer _P> ? In : never;
type KeysOf<F extends Fields, P extends Presence> = {
  [K in keyof F]: F[K] extends Field<infer _Out, infer _In, infer Q> ? (Q extends P ? K : never) : never;
}[keyof F];

type Simplify<T> = { [K in keyof T]: T[K] } & unknown;
type Parsed<F extends Fields> = Simplify<{ readonly [K in keyof F]: OutputOfField<F[K]> }>;
type Written<F extends Fields> = Simplify<
  { readonly [K in KeysOf<F, 'required'>]: InputOfField<F[K]> } & {
    readonly [K in KeysOf<F, 'defaulted' | 'optional'>]?: InputOfField<F[K]> | undefined;
  }
>;

/** What is wrong with one option of a stage. */
export interface Problem {
  readonly code: 'unknown_option' | 'missing_option' | 'wrong_value' | 'impossible_options';
  /** Key of the option, and the index of the entry in a list: `size`, `bands.2`; empty for the stage itself. */
  readonly path: string;
  readonly message: string;
  readonly hint: string | undefined;
}

/** A problem found by a check across several options. */
export interface CrossProblem {
  /** Option the message is shown at. */
  readonly path: string;
  readonly message: string;
  readonly hint?: string;
}

/** The declaration of one stage. */
export interface StageSpec<F extends Fields = Fields> {
  readonly operator: string;
  /** Nouns the stage can take; null for a source. */
  readonly takes: readonly Noun[] | null;
  /** Noun the stage gives; null for a sink. */
  readonly gives: Noun | null;
  /** One line: what the stage does. */
  readonly doc: string;
  /** Its own options first, then the common ones. */
  readonly fields: F & CommonFields;
  /** Problems across options; called only with options that are right one by one. */
  check(options: Parsed<F & CommonFields>): readonly CrossProblem[];
}

/** The options a stage's body sees: all present, converted, readonly. */
export type OptionsOf<S> = S extends StageSpec<infer F> ? Parsed<F & CommonFields> : never;

/** The options that every stage has. */
export type CommonOptions = Parsed<CommonFields>;

/** The options as they may be written in TypeScript: what has a default may be left out. */
export type OptionsInput<S> = S extends StageSpec<infer F> ? Written<F & CommonFields> : never;

/**
 * Declares a stage.
 *
 * @param operator its key in YAML
 * @param flow what it takes (null for a source, a list for several) and gives (null for a sink)
 * @param doc one line
 * @param fields its own options by YAML key (snake_case)
 * @param extras other defaults of the common options; a check across options
 * @throws TypeError when an option has the name of a common one, or a default is outside its bounds
 */
export function stageSpec<const F extends Fields>(
  operator: string,
  flow: { readonly takes: Noun | readonly Noun[] | null; readonly gives: Noun | null },
  doc: string,
  fields: F,
  extras: {
    readonly common?: CommonDefaults;
    readonly check?: (options: Parsed<F & CommonFields>) => readonly CrossProblem[];
  } = {},
): StageSpec<F> {
  for (const key of Object.keys(fields)) {
    if (Object.hasOwn(commonFields, key))
      throw new TypeError(`${operator}.${key}: every stage has this option`);
  }
  const common: CommonFields = {
    ...commonFields,
    credit_items: withDefault(commonFields.credit_items, extras.common?.credit_items),
    credit_bytes: withDefault(commonFields.credit_bytes, extras.common?.credit_bytes),
    retries: withDefault(commonFields.retries, extras.common?.retries),
  };
  return {
    operator,
    takes: typeof flow.takes === 'string' ? [flow.takes] : flow.takes,
    gives: flow.gives,
    doc,
    fields: { ...fields, ...common },
    check: extras.check ?? (() => []),
  };
}

function withDefault<Out, In>(
  declared: Field<Out, In, 'defaulted'>,
  value: In | undefined,
): Field<Out, In, 'defaulted'> {
  if (value === undefined) return declared;
  if (!declared.schema.safeParse(value).success) {
    throw new TypeError(`default ${JSON.stringify(value)} is not ${declared.expected}`);
  }
  return { ...declared, default: value };
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
  if (raw !== null && raw !== undefined && (typeof raw !== 'object' || Array.isArray(raw))) {
    const message = `the options of ${spec.operator} should be a map, but are ${describe(raw)}`;
    return {
      problems: [{ code: 'wrong_value', path: '', message, hint: `write ${spec.operator}: { key: value }` }],
    };
  }
  const written = new Map(Object.entries(raw ?? {}));
  const problems: Problem[] = [];
  for (const key of written.keys()) {
    if (Object.hasOwn(spec.fields, key)) continue;
    const message = `${spec.operator} has no option "${key}"`;
    problems.push({
      code: 'unknown_option',
      path: key,
      message,
      hint: didYouMean(key, Object.keys(spec.fields)),
    });
  }
  const entries: [string, unknown][] = [];
  for (const [key, declared] of Object.entries<Field>(spec.fields)) {
    const parsed = parseField(`${spec.operator}.${key}`, key, declared, written.get(key));
    if (parsed.problems === undefined) entries.push([key, parsed.options]);
    else problems.push(...parsed.problems);
  }
  if (problems.length > 0) return { problems };

  const options = Object.freeze(Object.fromEntries(entries)) as Parsed<F & CommonFields>;
  const crossed = spec
    .check(options)
    .map(({ path, message, hint }): Problem => ({ code: 'impossible_options', path, message, hint }));
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

function parseField(label: string, key: string, declared: Field, written: unknown): ParseResult<unknown> {
  const isAbsent = written === undefined || (written === null && declared.presence === 'optional');
  if (isAbsent && declared.presence === 'optional') return { options: undefined };
  if (isAbsent && declared.presence === 'required') {
    const message = `${label} is missing: ${lowerFirst(declared.doc)}`;
    const hint = `write ${key}: ${describeExample(declared)}`;
    return { problems: [{ code: 'missing_option', path: key, message, hint }] };
  }
  const parsed = declared.schema.safeParse(isAbsent ? declared.default : written);
  if (parsed.success) return { options: parsed.data };
  const problems = parsed.error.issues.map(({ path }): Problem => {
    // Only lists have an inside, so each step of zod's path is one list deeper.
    const target = path.reduce((outer: Field) => outer.element ?? outer, declared);
    const found = path.reduce(
      (outer: unknown, step) => (outer as Record<PropertyKey, unknown>)[step],
      written,
    );
    const where = ['', ...path.map(String)].join('.');
    return {
      code: 'wrong_value',
      path: `${key}${where}`,
      message: `${label}${where} should be ${target.expected}, but is ${describe(found)}`,
      hint: hintFor(target, found),
    };
  });
  return {
    problems: problems.filter(({ path }, i) => problems.findIndex((other) => other.path === path) === i),
  };
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
  if (declared.kind === 'duration' && typeof found === 'number') return `add its unit, as in ${found}s`;
  if (
    ['int', 'number', 'fraction'].includes(declared.kind) &&
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
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
  const text = value !== null && typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (typeof value === 'string') return value === '' ? 'empty text' : `"${show(value)}" (text)`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'a map';
  return show(value);
}
