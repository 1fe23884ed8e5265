/** What an encoder takes and gives, as `manifest.json` says it beside `encoder.onnx`, and whether that fits a pipeline. */
import { z } from 'zod';
import { EngineError } from '../engine/errors.js';

export const outputKinds = [
  'bernoulli-logits',
  'probabilities',
  'dirichlet-concentrations',
  'features',
] as const;
export type OutputKind = (typeof outputKinds)[number];

const pixels = z.int().min(1).max(65_536);
const name = z.string().min(1).max(200);

const windowSchema = z.union([
  z.strictObject({ exact: pixels.describe('The one side length, px.') }),
  z
    .strictObject({
      multiple_of: pixels.describe('Side lengths are multiples of this, px.'),
      min: pixels.describe('Smallest side, px.'),
      max: pixels.describe('Largest side, px.'),
    })
    .refine(({ min, max }) => min <= max, 'min is larger than max'),
]);

export const manifestSchema = z
  .strictObject({
    name: name.describe('Short name, as it stands in outputs.'),
    description: z.string().default(''),
    version: z.string().default('1'),
    trained: z.boolean().describe('False: predictions mean nothing, and everything that shows them says so.'),
    provenance: z
      .record(z.string(), z.unknown())
      .default({})
      .describe('Data, seeds, steps and scores of the training.'),
    bands: z.array(name).min(1).describe('Bands in the order of the input channels.'),
    input: z.strictObject({ name, layout: z.literal('NCHW'), window: windowSchema }),
    tile_side: pixels
      .optional()
      .describe('Side of one output cell, px; absent for encoders of whole images.'),
    output: z.strictObject({
      name,
      kind: z.enum(outputKinds),
      map: z.boolean().describe('One answer for each cell instead of each image.'),
      labels: z.array(name).min(1).describe('Names of the answers, in the order of the output channels.'),
    }),
    stochastic: z.boolean().default(false).describe('Two passes over one input differ.'),
    memory: z
      .strictObject({ base_bytes: z.number().min(0), bytes_per_pixel: z.number().min(0) })
      .default({ base_bytes: 256e6, bytes_per_pixel: 400 })
      .describe(
        'Memory of a session at work, without its input: base + bytes_per_pixel · window pixels · rows.',
      ),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits')
      .optional()
      .describe('Of encoder.onnx.'),
  })
  .refine(({ output, tile_side }) => !output.map || tile_side !== undefined, {
    path: ['tile_side'],
    message: 'needed when output.map is true',
  })
  .refine(
    ({ input: { window }, tile_side = 1 }) =>
      ('exact' in window ? window.exact : window.multiple_of) % tile_side === 0,
    {
      path: ['tile_side'],
      message: 'does not divide the window into whole cells',
    },
  );
/** What a manifest must say, for people who write one. */
export const manifestKeys =
  'a manifest has name, trained, bands, input {name, layout, window}, output {name, kind, map, labels}, and tile_side for maps';

export type Manifest = z.infer<typeof manifestSchema>;

/**
 * Checks the text of a manifest.
 *
 * @throws EngineError `encoder_invalid` naming every key that is wrong
 */
export function parseManifest(text: string, file: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new EngineError('encoder_invalid', `the manifest is not JSON: ${(cause as Error).message}`, {
      place: { file },
      cause,
    });
  }
  const parsed = manifestSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(
    ({ path, message }) => `${path.length > 0 ? `${path.join('.')}: ` : ''}${message}`,
  );
  throw new EngineError('encoder_invalid', `the manifest is not valid: ${faults.join('; ')}`, {
    place: { file },
    hint: manifestKeys,
  });
}

/** What comes out for each row: `answers` values, or as many maps of `cells`. */
export interface OutputShape {
  readonly answers: number;
  readonly cells: { readonly ny: number; readonly nx: number } | undefined;
}

/** Shape of the output for square windows of `windowPx`. */
export function outputShape({ output, tile_side }: Manifest, windowPx: number): OutputShape {
  const answers = output.labels.length;
  if (!output.map || tile_side === undefined) return { answers, cells: undefined };
  const side = Math.floor(windowPx / tile_side);
  return { answers, cells: { ny: side, nx: side } };
}

/**
 * Checks that an encoder takes what a pipeline gives.
 *
 * @throws EngineError `encoder_mismatch`; the message names both sides
 */
export function checkFit(
  { name, bands, input }: Manifest,
  given: { readonly bands: readonly string[]; readonly windowPx: number },
): void {
  if (given.bands.join() !== bands.join()) {
    throw new EngineError(
      'encoder_mismatch',
      `the pipeline gives bands ${given.bands.join(', ')}; encoder ${name} takes ${bands.join(', ')}, in this order`,
      { hint: `set read.bands, or render.bands where the images are drawn, to [${bands.join(', ')}]` },
    );
  }
  const { window } = input;
  const { windowPx } = given;
  if ('exact' in window) {
    if (windowPx === window.exact) return;
    throw new EngineError(
      'encoder_mismatch',
      `the pipeline cuts windows of ${windowPx} px; encoder ${name} takes ${window.exact} px`,
      {
        hint: `set tile.size=${window.exact}`,
      },
    );
  }
  const { multiple_of: step, min, max } = window;
  if (windowPx % step === 0 && windowPx >= min && windowPx <= max) return;
  const low = Math.ceil(min / step) * step;
  const high = Math.floor(max / step) * step;
  const nearest = Math.min(Math.max(Math.round(windowPx / step) * step, low), high);
  throw new EngineError(
    'encoder_mismatch',
    `the pipeline cuts windows of ${windowPx} px; encoder ${name} takes multiples of ${step} px from ${low} to ${high}`,
    { hint: `set tile.size=${nearest}` },
  );
}

/** Bytes one session needs to run `rows` windows at once, with its own copy of them. */
export function memoryBytes({ memory, bands }: Manifest, windowPx: number, rows: number): number {
  const perRow = windowPx * windowPx;
  const input = 4 * bands.length * perRow * rows;
  return Math.ceil(memory.base_bytes + memory.bytes_per_pixel * perRow * rows + input);
}
