/** Cells to score: a few by hand, many by chance. */
import { deriveSeed, Random } from '../../../src/science/random.js';
import type { FieldCells } from '../../../src/science/scores/cells.js';

/** A field of one row of cells. */
export const fieldOf = (
  id: string,
  probability: readonly number[],
  truth: readonly number[],
): FieldCells => ({
  id,
  ny: 1,
  nx: truth.length,
  probability: Float32Array.from(probability),
  truth: Uint8Array.from(truth),
});

/** Fields whose probabilities are right: a cell is a member as often as they say. With `steps`, many are equal. */
export function honestFields(count: number, seed: string, steps = 2 ** 20): readonly FieldCells[] {
  const random = new Random(deriveSeed(seed));
  return Array.from({ length: count }, (_, i) => {
    const probability = Array.from({ length: 20 }, () => Math.round(steps * random.uniform() ** 3) / steps);
    return fieldOf(
      `field_${String(i).padStart(3, '0')}`,
      probability,
      probability.map((p) => Number(random.chance(p))),
    );
  });
}
