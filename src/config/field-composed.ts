/** The kinds of option that are made of others: lists, groups, and a choice among kinds. */
import { z } from 'zod';
import {
  bounds,
  type CrossProblem,
  complete,
  type Described,
  type Field,
  type Fields,
  type InputOfField,
  type KeysOf,
  type Limits,
  type OutputOfField,
  type Parsed,
  type Written,
  within,
} from './field-parts.js';

export function list<Out, In>(
  element: Field<Out, In>,
  options: Described<readonly In[]> & Limits & { readonly default: readonly In[] },
): Field<readonly Out[], readonly In[], 'defaulted'>;
export function list<Out, In>(
  element: Field<Out, In>,
  options: Described<readonly In[]> & Limits,
): Field<readonly Out[], readonly In[], 'required'>;
export function list<Out, In>(
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
    element,
    words: element.words,
  });
}

export function oneOf<const F extends readonly Field[]>(
  fields: F,
  options: Described<InputOfField<F[number]>> & { readonly default: InputOfField<F[number]> },
): Field<OutputOfField<F[number]>, InputOfField<F[number]>, 'defaulted'>;
export function oneOf<const F extends readonly Field[]>(
  fields: F,
  options: Described<InputOfField<F[number]>>,
): Field<OutputOfField<F[number]>, InputOfField<F[number]>, 'required'>;
export function oneOf<const F extends readonly Field[]>(
  fields: F,
  options: Described<InputOfField<F[number]>> & { readonly default?: InputOfField<F[number]> },
): Field<OutputOfField<F[number]>, InputOfField<F[number]>> {
  return complete<OutputOfField<F[number]>, InputOfField<F[number]>>(options, {
    kind: 'oneOf',
    type: fields.map(({ type }) => type).join(' or '),
    schema: anyOf<OutputOfField<F[number]>>(fields),
    expected: fields.map(({ expected }) => expected).join(', or '),
    bounds: fields
      .map((each) => each.bounds)
      .filter((text) => text !== '')
      .join('; or '),
    unit: fields.find(({ unit }) => unit !== '')?.unit ?? '',
    alternatives: fields,
    words: fields.flatMap(({ words }) => words),
  });
}

/** What any one of these accepts, tried in order. */
export const anyOf = <Out>(fields: readonly Field[]): z.ZodType<Out> =>
  z.union(fields.map(({ schema }) => schema)) as unknown as z.ZodType<Out>;

type GroupPresence<F extends Fields> = [KeysOf<F, 'required'>] extends [never] ? 'defaulted' : 'required';
type Group<F extends Fields> = Field<Parsed<F>, Written<F>, GroupPresence<F>>;

/**
 * Options inside an option. The stage sees them all, converted, in a frozen object.
 *
 * @param fields the options inside, by YAML key
 * @param options a check across them is called when each is right; its paths and messages are of the group
 */
export function group<const F extends Fields>(
  fields: F,
  options: Described<Written<F>> & {
    readonly check?: (value: Parsed<F>) => readonly CrossProblem[];
  },
): Group<F> {
  const shape = Object.entries<Field>(fields).map(([key, inner]) => [key, memberOf(inner)] as const);
  const { check = () => [] } = options;
  const schema = z
    .strictObject(Object.fromEntries(shape))
    .readonly()
    .superRefine((value, context) => {
      for (const { path, message, hint } of check(value as Parsed<F>)) {
        context.addIssue({
          code: 'custom',
          path: path.split('.').filter(Boolean),
          message,
          params: { hint },
        });
      }
    });
  const isRequired = Object.values<Field>(fields).some(({ presence }) => presence === 'required');
  const empty = isRequired ? undefined : ({} as Written<F>);
  return complete<Parsed<F>, Written<F>>(
    { ...options, default: empty },
    {
      kind: 'group',
      schema: schema as unknown as z.ZodType<Parsed<F>>,
      expected: `a map of ${Object.keys(fields).join(', ')}`,
      bounds: '',
      fields,
    },
  );
}

/** An option inside a group, where it may be absent. */
function memberOf({ schema, presence, default: fallback }: Field): z.ZodType {
  if (presence === 'optional') return schema.nullish().transform((value) => value ?? undefined);
  return fallback === undefined ? schema : schema.prefault(fallback as never);
}

/**
 * What may be left out, or left empty; the stage then sees `undefined`. A group that is left out is undefined
 * as a whole, whatever defaults it has inside.
 */
export function optional<Out, In>(inner: Field<Out, In>): Field<Out | undefined, In | undefined, 'optional'> {
  if (inner.default !== undefined && inner.kind !== 'group')
    throw new TypeError('an option with a default is never absent');
  return {
    ...inner,
    default: undefined,
    presence: 'optional',
    schema: inner.schema as z.ZodType<Out | undefined>,
  };
}
