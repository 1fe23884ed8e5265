/** JSON Schema of a pipeline file, for editors; made from the specs. */
import { z } from 'zod';
import type { Field, Fields } from './field.js';
import type { StageSpec } from './spec.js';

type JsonSchema = Readonly<Record<string, unknown>>;

/** Whatever a value should be, a reference may stand in its place. */
const reference: JsonSchema = {
  type: 'string',
  pattern: '\\$\\{.+\\}',
  description: `A reference to another value, \${survey.path}, or to the environment, \${env:NAME,default}.`,
};

const orReference = (schema: JsonSchema): JsonSchema => ({ anyOf: [schema, { $ref: '#/$defs/reference' }] });

/**
 * JSON Schema, draft 2020-12, of a pipeline built from these stages.
 *
 * An editor that is given it completes operators and options, shows their meaning and marks mistakes.
 */
export function pipelineSchema(specs: readonly StageSpec[]): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Skypass pipeline',
    type: 'object',
    required: ['stages'],
    properties: {
      name: { type: 'string', description: 'Name of the pipeline in messages and metrics.' },
      defaults: {
        type: 'array',
        description:
          'Config groups to lay under the keys of this file: survey: des reads conf/survey/des.yaml.',
        items: {
          anyOf: [
            { const: '_self_' },
            {
              type: 'object',
              minProperties: 1,
              maxProperties: 1,
              additionalProperties: { type: ['string', 'null'] },
            },
          ],
        },
      },
      memory: orReference({
        anyOf: [{ type: 'integer', minimum: 1 }, { type: 'string' }],
        description: 'Most bytes in flight in the whole process, such as 3GiB.',
      }),
      stages: {
        type: 'array',
        minItems: 1,
        description: 'The stages in the order in which the data flows.',
        items: {
          oneOf: [
            { $ref: '#/$defs/reference' },
            { enum: specs.map(({ operator }) => operator) },
            ...specs.map(stageItem),
          ],
        },
      },
    },
    $defs: {
      reference,
      ...Object.fromEntries(specs.map((spec) => [`stage_${spec.operator}`, stageOptions(spec)])),
    },
  };
}

function stageItem({ operator, doc }: StageSpec): JsonSchema {
  return {
    type: 'object',
    description: doc,
    required: [operator],
    additionalProperties: false,
    properties: {
      [operator]: orReference({ anyOf: [{ $ref: `#/$defs/stage_${operator}` }, { type: 'null' }] }),
    },
  };
}

const stageOptions = ({ doc, fields }: StageSpec): JsonSchema => ({
  description: doc,
  ...optionsSchema(fields),
});

/** A map of options: those of a stage, or of a group. */
function optionsSchema(fields: Fields): JsonSchema {
  const declared = Object.entries(fields);
  const required = declared.filter(([, { presence }]) => presence === 'required').map(([key]) => key);
  return {
    type: 'object',
    additionalProperties: false,
    ...(required.length > 0 ? { required } : {}),
    properties: Object.fromEntries(declared.map(([key, each]) => [key, option(each)])),
  };
}

function option(declared: Field): JsonSchema {
  const schema = valueSchema(declared);
  const { doc, unit, kind, default: fallback, example } = declared;
  return {
    ...orReference(declared.presence === 'optional' ? { anyOf: [schema, { type: 'null' }] } : schema),
    description: unit === '' ? doc : `${doc} (${unit})`,
    ...(fallback === undefined || kind === 'group' ? {} : { default: fallback }),
    ...(example === undefined ? {} : { examples: [example] }),
  };
}

function valueSchema({ schema, element, fields, alternatives }: Field): JsonSchema {
  if (fields !== undefined) return optionsSchema(fields);
  if (alternatives.length > 0) return { anyOf: alternatives.map(valueSchema) };
  const { $schema: _, ...own } = z.toJSONSchema(schema, { io: 'input' }) as JsonSchema;
  return element === undefined ? own : { ...own, items: orReference(valueSchema(element)) };
}
