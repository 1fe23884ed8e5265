/** Predictions, row by row, beside what is true of them. */
import { EngineError } from '../../../engine/errors.js';
import type { SourceTable } from '../../../science/catalog.js';
import type { FilterSources } from '../../../science/scores/matched-filter.js';
import type { PredictionFacts } from '../facts.js';
import type { Prediction, PredictionRow } from '../nouns.js';
import { requireMembership } from '../truth.js';
import type { EncodedWindow } from './scores-worker.js';

/** The rows of predictions, and what is wrong with those that cannot be scored. */
export interface EncodedRows {
  readonly windows: readonly EncodedWindow[];
  /** `truth_missing` of one window each: nobody knows what is in its image, or not as the cells lie. */
  readonly problems: readonly { readonly id: string; readonly error: EngineError }[];
}

/** @param facts of predictions with one answer for each cell */
export function encodedWindows(
  { rows, values }: Prediction,
  { cells, passes }: PredictionFacts,
  { baselines, origin }: { readonly baselines: boolean; readonly origin: number },
): EncodedRows {
  const { ny, nx } = cells as NonNullable<typeof cells>;
  const size = passes * ny * nx;
  const windows: EncodedWindow[] = [];
  const problems: { id: string; error: EngineError }[] = [];
  for (const [i, row] of rows.entries()) {
    const cellPx = row.size / nx;
    const truth = truthOf(row, cellPx, origin);
    if (truth instanceof EngineError) {
      problems.push({ id: row.id, error: truth });
      continue;
    }
    windows.push({
      id: row.id,
      parent: row.parent,
      x0: row.x0,
      y0: row.y0,
      cellPx,
      ny,
      nx,
      wcs: row.truth?.wcs,
      probability: meanOf(values.subarray(i * size, (i + 1) * size), passes),
      truth,
      sources: baselines && row.truth !== undefined ? filterSources(row.truth.sources) : undefined,
      origin,
    });
  }
  return { windows, problems };
}

/** Of the passes of a stochastic encoder the mean. */
function meanOf(values: Float32Array, passes: number): Float32Array {
  if (passes === 1) return values;
  const cells = values.length / passes;
  return Float32Array.from({ length: cells }, (_, cell) => {
    let sum = 0;
    for (let pass = 0; pass < passes; pass++) sum += values[pass * cells + cell] as number;
    return sum / passes;
  });
}

function truthOf(row: PredictionRow, cellPx: number, origin: number): Uint8Array | EngineError {
  try {
    return requireMembership(row, cellPx, origin);
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
}

/** The columns that the filter needs: the others need not go to another thread. */
function filterSources({ count, columns }: SourceTable): FilterSources {
  const { X, Y, FLUX_G, FLUX_R, FLUX_I, FLUX_Z } = columns;
  return { count, columns: { X, Y, FLUX_G, FLUX_R, FLUX_I, FLUX_Z } };
}
