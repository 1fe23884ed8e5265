/** Whether probabilities mean what they say. */
import type { Bootstrap, Estimate } from './bootstrap.js';
import { type CellTable, fieldRanges } from './cells.js';

/** Cells whose probabilities are alike. */
export interface ReliabilityBin {
  /** Probabilities from `from` up to `to`; the last bin has 1 as well. */
  readonly from: number;
  readonly to: number;
  readonly cells: number;
  /** Mean probability of the cells; null when there are none. */
  readonly predicted: number | null;
  /** Part of them that are members. */
  readonly observed: Estimate;
}

export interface Calibration {
  /** Mean of (probability - truth)² (Brier 1950, Monthly Weather Review 78, 1). */
  readonly brier: Estimate;
  /** Mean distance of predicted and observed, weighted by cells, over the bins. */
  readonly calibration_error: Estimate;
  readonly reliability: readonly ReliabilityBin[];
}

/** Sums of one field, or of all: squared errors, then for each bin its cells, probabilities and members. */
type Sums = Float64Array;

/**
 * @param bins of equal width between 0 and 1
 */
export function calibrationOf(cells: CellTable, bootstrap: Bootstrap, bins = 10): Calibration {
  const perField = [...fieldRanges(cells)].map(([from, to]) => sumsOf(cells, from, to, bins));
  const total = weightedSum(perField, bins);
  const named = (sums: Sums): Readonly<Record<string, number>> => ({
    brier: (sums[0] as number) / cellsOf(sums),
    calibration_error: calibrationError(sums),
    ...Object.fromEntries(binsOf(sums).map(([count, , members], bin) => [`bin ${bin}`, members / count])),
  });
  const estimates = bootstrap.estimates(named(total), (times) => named(weightedSum(perField, bins, times)));
  return {
    brier: estimates.brier as Estimate,
    calibration_error: estimates.calibration_error as Estimate,
    reliability: binsOf(total).map(([count, probabilities], bin) => ({
      from: bin / bins,
      to: (bin + 1) / bins,
      cells: count,
      predicted: count > 0 ? probabilities / count : null,
      observed: estimates[`bin ${bin}`] as Estimate,
    })),
  };
}

function sumsOf({ probability, truth }: CellTable, from: number, to: number, bins: number): Sums {
  const sums = new Float64Array(1 + 3 * bins);
  const add = (at: number, value: number): void => {
    sums[at] = (sums[at] as number) + value;
  };
  for (let i = from; i < to; i++) {
    const [said, is] = [probability[i] as number, truth[i] as number];
    const bin = Math.min(bins - 1, Math.max(0, Math.floor(said * bins)));
    add(0, (said - is) ** 2);
    add(1 + 3 * bin, 1);
    add(2 + 3 * bin, said);
    add(3 + 3 * bin, is);
  }
  return sums;
}

function weightedSum(perField: readonly Sums[], bins: number, times?: Uint8Array): Sums {
  const total = new Float64Array(1 + 3 * bins);
  for (const [field, sums] of perField.entries()) {
    const weight = times?.[field] ?? 1;
    if (weight === 0) continue;
    for (let i = 0; i < total.length; i++) total[i] = (total[i] as number) + weight * (sums[i] as number);
  }
  return total;
}

/** Cells, sum of probabilities and members of each bin. */
const binsOf = (sums: Sums): readonly (readonly [number, number, number])[] =>
  Array.from({ length: (sums.length - 1) / 3 }, (_, bin) => {
    const at = 1 + 3 * bin;
    return [sums[at] as number, sums[at + 1] as number, sums[at + 2] as number];
  });

const cellsOf = (sums: Sums): number => binsOf(sums).reduce((sum, [count]) => sum + count, 0);

const calibrationError = (sums: Sums): number =>
  binsOf(sums).reduce((sum, [, probabilities, members]) => sum + Math.abs(probabilities - members), 0) /
  cellsOf(sums);
