/**
 * The kinds of option a stage can declare. Zod checks and converts; this vocabulary adds what zod does not
 * keep: unit, default as written, example, and one phrase that says what is expected.
 */
import { z } from 'zod';
import { bytesPattern, durationPattern, parseBytes, parseDuration } from './units.js';

export type FieldKind =
  | 'int'
  | 'number'
  | 'fraction'
  | 'bytes'
  | 'duration'
  | 'string'
  | 'path'
  | 'bool'
  | 'choice'
  | 'list'
  | 'oneOf';

/** `required`: must be written. `defaulted`: has a default. `optional`: may be absent, and is then undefined. */
export type Presence = 'required' | 'defaulted' | 'optional';

/** One declared option: `Out` is what the stage sees, `In` what may be written. */
export interface Field<Out = unknown, In = unknown, P extends Presence = Presence> {
  readonly kind: FieldKind;
  /** The kind in words, with what is inside: `list of choice`, `choice or int`. */
  readonly type: string;
  readonly presence: P;
  /** One line: what the option means. */
  readonly doc: string;
  /** Unit of the value the stage sees; empty for a pure number or a word. */
  readonly unit: string;
  /** What may be written, as it reads after "should be": `a whole number of at least 1 (px)`. */
  readonly expected: string;
  /** Limits for a reference table: `≥ 1`, `0 to 1`, `cpu, webgpu`; empty when there are none. */
  readonly bounds: string;
  /** The default as it would be written in YAML. */
  readonly default: In | undefined;
  readonly example: In | undefined;
  readonly schema: z.ZodType<Out>;
  /** Kind of the elements of a list. */
  readonly element: Field | undefined;
  /** The words of a choice, for "did you mean". */
  readonly words: readonly string[];
}

interface Described<In> {
  readonly doc: string;
  readonly unit?: string;
  readonly example?: In;
}

interface Limits {
  readonly min?: number;
  readonly max?: number;
}

type Parts<Out> = Pick<Field<Out>, 'kind' | 'schema' | 'expected' | 'bounds'> & {
  readonly type?: string;
  readonly unit?: string;
  readonly element?: Field;
  readonly words?: readonly string[];
};

/** Makes one kind of field; the presence follows from whether a default is given. */
interface Maker<Out, In, Extra> {
  (options: Described<In> & Extra & { readonly default: In }): Field<Out, In, 'defaulted'>;
  (options: Described<In> & Extra): Field<Out, In, 'required'>;
}

function complete<Out, In>(
  options: Described<In> & { readonly default?: In },
  parts: Parts<Out>,
): Field<Out, In, 'defaulted'> & Field<Out, In, 'required'> {
  const field = {
    type: parts.kind,
    unit: '',
    element: undefined,
    words: [],
    example: undefined,
    default: undefined,
    ...parts,
    ...options,
    presence: options.default === undefined ? 'required' : 'defaulted',
  };
  if (options.default !== undefined && !parts.schema.safeParse(options.default).success) {
    throw new TypeError(`default ${JSON.stringify(options.default)} is not ${parts.expected}`);
  }
  return field as unknown as Field<Out, In, 'defaulted'> & Field<Out, In, 'required'>;
}

const maker =
  <Out, In, Extra>(parts: (options: Described<In> & Extra) => Parts<Out>): Maker<Out, In, Extra> =>
  (options: Described<In> & Extra & { readonly default?: In }) =>
    complete(options, parts(options));

const within = ({ min, max }: Limits): string => {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` of at least ${min}`;
  return max === undefined ? '' : ` of at most ${max}`;
};

const bounds = ({ min, max }: Limits): string => {
  if (min !== undefined && max !== undefined) return `${min} to ${max}`;
  if (min !== undefined) return `≥ ${min}`;
  return max === undefined ? '' : `≤ ${max}`;
};

const inUnit = (unit: string | undefined): string => (unit === undefined || unit === '' ? '' : ` (${unit})`);

const limited = (schema: z.ZodNumber, { min, max }: Limits): z.ZodNumber => {
  const above = min === undefined ? schema : schema.min(min);
  return max === undefined ? above : above.max(max);
};

/** Text with a unit, turned into the number the stage sees and then held against the limits. */
const measured = (pattern: RegExp, parse: (text: string) => number | undefined, limits: Limits) =>
  z
    .string()
    .regex(pattern)
    .transform((text) => parse(text) ?? Number.NaN)
    .pipe(limited(z.number(), limits));

type Word = string;
type AnyField = Field<unknown, unknown, Presence>;
type OutOf<F> = F extends Field<infer Out, infer _In, infer _P> ? Out : never;
type InOf<F> = F extends Field<infer _Out, infer In, infer _P> ? In : never;

function choice<const W extends Word>(
  words: readonly W[],
  options: Described<NoInfer<W>> & { readonly default: NoInfer<W> },
): Field<W, W, 'defaulted'>;
function choice<const W extends Word>(
  words: readonly W[],
  options: Described<NoInfer<W>>,
): Field<W, W, 'required'>;
function choice<const W extends Word>(
  words: readonly W[],
  options: Described<W> & { readonly default?: W },
): Field<W, W> {
  return complete<W, W>(options, {
    kind: 'choice',
    schema: z.enum(words as readonly [W, ...W[]]) as unknown as z.ZodType<W>,
    expected: words.length === 1 ? `"${words[0]}"` : `one of ${words.join(', ')}`,
    bounds: words.join(', '),
    words,
  });
}

function list<Out, In>(
  element: Field<Out, In>,
  options: Described<readonly In[]> & Limits & { readonly default: readonly In[] },
): Field<readonly Out[], readonly In[], 'defaulted'>;
function list<Out, In>(
  element: Field<Out, In>,
  options: Described<readonly In[]> & Limits,
): Field<readonly Out[], readonly In[], 'required'>;
function list<Out, In>(
  element: Field<Out, In>,
  options: Described<readonly In[]> & Limits & { readonly default?: readonly In[] },
): Field<readonly Out[], readonly In[]> {
  const { min, max } = options;
  const above = min === undefined ? z.array(element.schema) : z.array(element.schema).min(min);
  const schema = max === undefined ? above : above.max(max);
  const counted = min === undefined && max === undefined ? '' : (max ?? min) === 1 ? ' entry' : ' entries';
  return complete<readonly Out[], readonly In[]>(options, {
    kind: 'list',
    type: `list of ${element.type}`,
    schema,
    expected: `a list${within(options)}${counted}, each ${element.expected}`,
    bounds: bounds(options) === '' ? element.bounds : `${bounds(options)} entries`,
    unit: element.unit,
    element: element as AnyField,
    words: element.words,
  });
}

function oneOf<const F extends readonly AnyField[]>(
  fields: F,
  options: Described<InOf<F[number]>> & { readonly default: InOf<F[number]> },
): Field<OutOf<F[number]>, InOf<F[number]>, 'defaulted'>;
function oneOf<const F extends readonly AnyField[]>(
  fields: F,
  options: Described<InOf<F[number]>>,
): Field<OutOf<F[number]>, InOf<F[number]>, 'required'>;
function oneOf<const F extends readonly AnyField[]>(
  fields: F,
  options: Described<InOf<F[number]>> & { readonly default?: InOf<F[number]> },
): Field<OutOf<F[number]>, InOf<F[number]>> {
  return complete<OutOf<F[number]>, InOf<F[number]>>(options, {
    kind: 'oneOf',
    type: fields.map(({ type }) => type).join(' or '),
    schema: z.union(fields.map(({ schema }) => schema)) as unknown as z.ZodType<OutOf<F[number]>>,
    expected: fields.map(({ expected }) => expected).join(', or '),
    bounds: fields
      .map((each) => each.bounds)
      .filter((text) => text !== '')
      .join('; or '),
    unit: fields.find(({ unit }) => unit !== '')?.unit ?? '',
    words: fields.flatMap(({ words }) => words),
  });
}

function optional<Out, In>(inner: Field<Out, In>): Field<Out | undefined, In | undefined, 'optional'> {
  if (inner.default !== undefined) throw new TypeError('an option with a default is never absent');
  return { ...inner, presence: 'optional', schema: inner.schema as z.ZodType<Out | undefined> };
}

/** The vocabulary in which stages declare their options. */
export const field = {
  /** A whole number. */
  int: maker<number, number, Limits>((options) => ({
    kind: 'int',
    schema: limited(z.int(), options),
    expected: `a whole number${within(options)}${inUnit(options.unit)}`,
    bounds: bounds(options),
  })),

  /** A finite number. */
  number: maker<number, number, Limits>((options) => ({
    kind: 'number',
    schema: limited(z.number(), options),
    expected: `a number${within(options)}${inUnit(options.unit)}`,
    bounds: bounds(options),
  })),

  /** A number from 0 to 1. */
  fraction: maker<number, number, unknown>(() => ({
    kind: 'fraction',
    schema: z.number().min(0).max(1),
    expected: 'a fraction from 0 to 1',
    bounds: '0 to 1',
  })),

  /** A size: `256MiB`, `2GB` or a whole number of bytes. The stage sees bytes; limits are in bytes. */
  bytes: maker<number, number | string, Limits>((options) => {
    const limits = { ...options, min: options.min ?? 0 };
    return {
      kind: 'bytes',
      schema: z.union([limited(z.int(), limits), measured(bytesPattern, parseBytes, limits)]),
      expected: `a size such as 256MiB${options.min === undefined && options.max === undefined ? '' : `,${within(options)} bytes`}`,
      bounds: bounds(options),
      unit: 'bytes',
    };
  }),

  /** A time with its unit: `500ms`, `2s`, `1h30m`. The stage sees milliseconds; limits are in milliseconds. */
  duration: maker<number, string, Limits>((options) => ({
    kind: 'duration',
    // A bare 0 needs no unit; YAML reads it as a number.
    schema: z.union([
      measured(durationPattern, parseDuration, options),
      z
        .literal(0)
        .transform((zero): number => zero)
        .pipe(limited(z.number(), options)),
    ]),
    expected: `a time such as 2s or 500ms${options.min === undefined && options.max === undefined ? '' : `,${within(options)} ms`}`,
    bounds: bounds(options),
    unit: 'ms',
  })),

  /** Text that is not empty; with a `pattern`, `form` says in words what it asks for. */
  string: maker<string, string, { readonly pattern?: RegExp; readonly form?: string }>((options) => ({
    kind: 'string',
    schema: z.string().regex(options.pattern ?? /./s),
    expected: options.form ?? 'text',
    bounds: options.form ?? '',
  })),

  /** A file or folder; relative paths are taken from the working directory. */
  path: maker<string, string, unknown>(() => ({
    kind: 'path',
    schema: z.string().regex(/^[^\0]+$/),
    expected: 'a path',
    bounds: '',
  })),

  /** `true` or `false`. */
  bool: maker<boolean, boolean, unknown>(() => ({
    kind: 'bool',
    schema: z.boolean(),
    expected: 'true or false',
    bounds: '',
    words: ['true', 'false'],
  })),

  /** One word of a closed list. */
  choice,

  /** A list whose elements are all of one kind; limits count the entries. */
  list,

  /** Any one of several kinds, tried in order. */
  oneOf,

  /** May be left out, or left empty; the stage then sees `undefined`. */
  optional,
};
