/** A trained encoder as a folder that `encode` and ONNX Runtime take. */
import { type FamilyName, families, type Plan } from '../families.js';
import { writeEncoder } from '../folder.js';
import { slotsOf } from '../step/layout.js';
import type { JsonValue } from './state.js';

export interface TrainedEncoder {
  readonly family: FamilyName;
  /** Of the normaliser, in image units. */
  readonly quantiles: Float32Array;
  /** In the order of `slotsOf`. */
  readonly parameters: Float32Array;
  /** Data, seeds, steps, configuration, code version and scores, as they shall stand in the manifest. */
  readonly provenance: { readonly [key: string]: JsonValue };
  readonly description: string;
  /** Default `striped`, for CPUs. */
  readonly plan?: Plan;
}

/**
 * Writes `encoder.onnx` and `manifest.json`; those that are there are replaced. Equal encoders make equal bytes.
 *
 * @throws RangeError when there are more or fewer weights than the family has; the system's errors
 */
export function exportEncoder(dir: string, encoder: TrainedEncoder): { readonly sha256: string } {
  const { family, quantiles, parameters, provenance, description, plan = 'striped' } = encoder;
  const { architecture, build, version, memory } = families[family];
  const { normaliser } = architecture;
  const slots = new Map(slotsOf(architecture).map((slot) => [slot.name, slot]));
  const count = [...slots.values()].reduce((sum, { length }) => sum + length, 0);
  if (parameters.length !== count || quantiles.length !== normaliser.levels.length) {
    throw new RangeError(
      `${family} has ${count} weights and ${normaliser.levels.length} quantiles, ` +
        `${parameters.length} and ${quantiles.length} were given`,
    );
  }
  const valuesOf = (name: string): Float32Array => {
    const slot = slots.get(name);
    return slot === undefined ? quantiles : parameters.subarray(slot.offset, slot.offset + slot.length);
  };
  const { bytes } = build(valuesOf, plan);
  const sha256 = writeEncoder(dir, bytes, {
    name: family,
    description,
    version,
    trained: true,
    provenance: { weights: 'trained', plan, ...provenance },
    memory: memory[plan],
  });
  return { sha256 };
}
