/** What is scored: the cells of many fields, with what was said of each and what it is. */

/** Cells of one field, or of one window of it. */
export interface FieldCells {
  /** Of the field: cells of one field belong together when fields are drawn again. */
  readonly id: string;
  readonly ny: number;
  readonly nx: number;
  /** Cell (row, column) is element row · nx + column. Probabilities, or any numbers that grow with them. */
  readonly probability: Float32Array;
  /** 1 where there is a member, 0 elsewhere. */
  readonly truth: Uint8Array;
}

/** All cells, field after field, fields in order of their ids. */
export interface CellTable {
  readonly ids: readonly string[];
  /** Field f has the cells starts[f] … starts[f + 1] - 1. */
  readonly starts: Uint32Array;
  readonly probability: Float32Array;
  readonly truth: Uint8Array;
}

/** Puts cells in their order. Several parts of one field stay in the order in which they are given. */
export function cellTable(parts: readonly FieldCells[]): CellTable {
  const sorted = parts.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  const ids = sorted.map(({ id }) => id).filter((id, i, all) => id !== all[i - 1]);
  const starts = new Uint32Array(ids.length + 1);
  const total = sorted.reduce((sum, { truth }) => sum + truth.length, 0);
  const probability = new Float32Array(total);
  const truth = new Uint8Array(total);
  let [at, field] = [0, -1];
  for (const part of sorted) {
    if (part.probability.length !== part.truth.length)
      throw new RangeError(
        `${part.id} has ${part.probability.length} probabilities for ${part.truth.length} cells`,
      );
    if (part.id !== ids[field]) starts[++field] = at;
    probability.set(part.probability, at);
    truth.set(part.truth, at);
    at += part.truth.length;
  }
  starts[ids.length] = at;
  return { ids, starts, probability, truth };
}

/** First and last cell of each field, the last one excluded. */
export function* fieldRanges({ ids, starts }: CellTable): Generator<[from: number, to: number]> {
  for (let field = 0; field < ids.length; field++)
    yield [starts[field] as number, starts[field + 1] as number];
}
