/**
 * How a stage declares what it takes, what it gives and its options: once, beside the operator. Validation,
 * lints, the editor schema and the reference page all come from this one declaration.
 */
import { type Field, type Fields, field } from './field.js';
import type { CrossProblem, InputOfField, Parsed, Written } from './field-parts.js';

export { field } from './field.js';
export type { CrossProblem } from './field-parts.js';

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

/** What flows into a stage and out of it: any one of these; null where a chain begins or ends. */
export interface Flow {
  readonly takes: readonly Noun[] | null;
  readonly gives: readonly Noun[] | null;
}

type OneOrMore<T> = T | readonly T[];

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

/** The declaration of one stage. */
export interface StageSpec<F extends Fields = Fields> extends Flow {
  readonly operator: string;
  /** One line: what the stage does. */
  readonly doc: string;
  /** Its own options first, then the common ones. */
  readonly fields: F & CommonFields;
  /** Problems across options; called only with options that are right one by one. */
  check(options: Parsed<F & CommonFields>): readonly CrossProblem[];
  /** What of `takes` and `gives` is left once the options are known. */
  flow(options: Parsed<F & CommonFields>): Flow;
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
 * @param flow what it can take (null for a source) and give (null for a sink); lists when that depends on its options
 * @param doc one line
 * @param fields its own options by YAML key (snake_case)
 * @param extras other defaults of the common options; a check across options; `flow` narrows what it takes and gives
 *   by its options (a side it leaves out stays as declared)
 * @throws TypeError when an option has the name of a common one, or a default is outside its bounds
 */
export function stageSpec<const F extends Fields>(
  operator: string,
  flow: { readonly takes: OneOrMore<Noun> | null; readonly gives: OneOrMore<Noun> | null },
  doc: string,
  fields: F,
  extras: {
    readonly common?: CommonDefaults;
    readonly check?: (options: Parsed<F & CommonFields>) => readonly CrossProblem[];
    readonly flow?: (options: Parsed<F & CommonFields>) => {
      readonly takes?: OneOrMore<Noun>;
      readonly gives?: OneOrMore<Noun>;
    };
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
  const possible: Flow = { takes: listOf(flow.takes), gives: listOf(flow.gives) };
  return {
    operator,
    ...possible,
    doc,
    fields: { ...fields, ...common },
    check: extras.check ?? (() => []),
    flow: (options) => {
      const { takes, gives } = extras.flow?.(options) ?? {};
      return {
        takes: takes === undefined ? possible.takes : listOf(takes),
        gives: gives === undefined ? possible.gives : listOf(gives),
      };
    },
  };
}

const listOf = (nouns: OneOrMore<Noun> | null): readonly Noun[] | null =>
  typeof nouns === 'string' ? [nouns] : nouns;

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
