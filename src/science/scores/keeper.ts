/** Keeps cells as they come, batch by batch, and scores them when asked. */
import type { FieldCells } from './cells.js';
import { addConfusion, type Confusion, confusionAt } from './confusion.js';
import { type ScoreOptions, type Scores, scoresOf } from './scores.js';

/** Five bytes a cell, and the names of the fields. */
export class ScoreKeeper {
  readonly #parts: FieldCells[] = [];

  /** Cells kept so far. */
  get cells(): number {
    return this.#parts.reduce((sum, { truth }) => sum + truth.length, 0);
  }

  /**
   * Adds cells of a field. What is passed is copied: buffers may be used again. Fields may come in any order; several
   * parts of one field in an order that is always the same.
   */
  add({ id, ny, nx, probability, truth }: FieldCells): void {
    this.#parts.push({ id, ny, nx, probability: probability.slice(), truth: truth.slice() });
  }

  /** Counts at a threshold, over all that was added. */
  confusion(threshold: number): Confusion {
    return this.#parts
      .map(({ probability, truth }) => confusionAt(threshold, probability, truth))
      .reduce(addConfusion, { tp: 0, fp: 0, fn: 0, tn: 0 });
  }

  /** All scores of all that was added. */
  scores(options: ScoreOptions): Scores {
    return scoresOf(this.#parts, options);
  }

  /** Begins anew. */
  clear(): void {
    this.#parts.length = 0;
  }
}
