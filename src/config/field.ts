/**
 * The kinds of option a stage can declare. Zod checks and converts; this vocabulary adds what zod does not
 * keep: unit, default as written, example, and one phrase that says what is expected.
 */
import { z } from 'zod';
import { distribution } from './distribution.js';
import { group, list, oneOf, optional } from './field-composed.js';
import {
  bounds,
  complete,
  type Described,
  type Field,
  inUnit,
  type Limits,
  limited,
  maker,
  within,
} from './field-parts.js';
import { bytesPattern, durationPattern, parseBytes, parseDuration } from './units.js';

export type { Field, FieldKind, Fields, Presence } from './field-parts.js';

/** Text with a unit, turned into the number the stage sees and then held against the limits. */
const measured = (pattern: RegExp, parse: (text: string) => number | undefined, limits: Limits) =>
  z
    .string()
    .regex(pattern)
    .transform((text) => parse(text) ?? Number.NaN)
    .pipe(limited(z.number(), limits));

function choice<const W extends string>(
  words: readonly W[],
  options: Described<NoInfer<W>> & { readonly default: NoInfer<W> },
): Field<W, W, 'defaulted'>;
function choice<const W extends string>(
  words: readonly W[],
  options: Described<NoInfer<W>>,
): Field<W, W, 'required'>;
function choice<const W extends string>(
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

  /** Options inside an option: `psf: { fwhm: 0.9 }`. */
  group,

  /** A number, or a distribution it is drawn from. */
  distribution,

  /** May be left out, or left empty; the stage then sees `undefined`. */
  optional,
};
