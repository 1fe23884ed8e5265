/** What every kind of option is made of, and how types follow from a declaration. */
import type { z } from 'zod';

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
  | 'group'
  | 'distribution'
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
  /** The options inside a group, by their key. */
  readonly fields: Fields | undefined;
  /** The kinds of which any one may be written, in the order in which they are tried. */
  readonly alternatives: readonly Field[];
  /** The words of a choice, for "did you mean". */
  readonly words: readonly string[];
}

/** Options by their YAML key. */
export type Fields = Readonly<Record<string, Field>>;

export interface Described<In> {
  readonly doc: string;
  readonly unit?: string;
  readonly example?: In;
}

export interface Limits {
  readonly min?: number;
  readonly max?: number;
}

/** A problem found by a check across several options. */
export interface CrossProblem {
  /** Option the message is shown at, relative to what is checked. */
  readonly path: string;
  readonly message: string;
  readonly hint?: string;
}

export type OutputOfField<F> = F extends Field<infer Out, infer _In, infer _P> ? Out : never;
export type InputOfField<F> = F extends Field<infer _Out, infer In, infer _P> ? In : never;

export type KeysOf<F extends Fields, P extends Presence> = {
  [K in keyof F]: F[K] extends Field<infer _Out, infer _In, infer Q> ? (Q extends P ? K : never) : never;
}[keyof F];

type Simplify<T> = { [K in keyof T]: T[K] } & unknown;

/** What the stage sees of these options. */
export type Parsed<F extends Fields> = Simplify<{ readonly [K in keyof F]: OutputOfField<F[K]> }>;

/** What may be written of these options: what has a default may be left out. */
export type Written<F extends Fields> = Simplify<
  { readonly [K in KeysOf<F, 'required'>]: InputOfField<F[K]> } & {
    readonly [K in KeysOf<F, 'defaulted' | 'optional'>]?: InputOfField<F[K]> | undefined;
  }
>;

/** What tells one kind of field from another. */
export type Parts<Out> = Pick<Field<Out>, 'kind' | 'schema' | 'expected' | 'bounds'> &
  Partial<Pick<Field<Out>, 'type' | 'unit' | 'element' | 'fields' | 'alternatives' | 'words'>>;

/** Makes one kind of field; the presence follows from whether a default is given. */
export interface Maker<Out, In, Extra> {
  (options: Described<In> & Extra & { readonly default: In }): Field<Out, In, 'defaulted'>;
  (options: Described<In> & Extra): Field<Out, In, 'required'>;
}

/**
 * A whole field. Its presence follows from whether a default is given, which only the caller's type can say: here
 * it has the type that fits all of them.
 *
 * @throws TypeError when the default is outside the bounds
 */
export function complete<Out, In>(
  { doc, unit, example, default: fallback }: Described<In> & { readonly default?: In | undefined },
  parts: Parts<Out>,
): Field<Out, In, never> {
  if (fallback !== undefined && !parts.schema.safeParse(fallback).success) {
    throw new TypeError(`default ${JSON.stringify(fallback)} is not ${parts.expected}`);
  }
  const presence: Presence = fallback === undefined ? 'required' : 'defaulted';
  return {
    type: parts.kind,
    element: undefined,
    fields: undefined,
    alternatives: [],
    words: [],
    ...parts,
    doc,
    unit: unit ?? parts.unit ?? '',
    example,
    default: fallback,
    presence: presence as never,
  };
}

export const maker =
  <Out, In, Extra>(parts: (options: Described<In> & Extra) => Parts<Out>): Maker<Out, In, Extra> =>
  (options: Described<In> & Extra & { readonly default?: In }) =>
    complete(options, parts(options));

/** Limits as they read after a noun: ` of at least 1`. */
export const within = ({ min, max }: Limits): string => {
  if (min !== undefined && min === max) return ` of ${min}`;
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` of at least ${min}`;
  return max === undefined ? '' : ` of at most ${max}`;
};

/** Limits as they stand in a table: `≥ 1`. */
export const bounds = ({ min, max }: Limits): string => {
  if (min !== undefined && min === max) return `${min}`;
  if (min !== undefined && max !== undefined) return `${min} to ${max}`;
  if (min !== undefined) return `≥ ${min}`;
  return max === undefined ? '' : `≤ ${max}`;
};

export const inUnit = (unit: string | undefined): string =>
  unit === undefined || unit === '' ? '' : ` (${unit})`;

export const limited = (schema: z.ZodNumber, { min, max }: Limits): z.ZodNumber => {
  const above = min === undefined ? schema : schema.min(min);
  return max === undefined ? above : above.max(max);
};
