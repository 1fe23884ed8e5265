/** What is minimised: the binary cross-entropy of every cell's membership, members weighing more where that is asked for. */

/** A number, or the ratio of the other cells to members among those trained on so far. */
export type PositiveWeight = number | 'balanced';

/** Cells trained on so far, each window counted once. */
export interface CellCounts {
  readonly cells: number;
  readonly members: number;
}

export const noCells: CellCounts = { cells: 0, members: 0 };

/** Balanced weights stay within this factor: a few members say little about how many there are. */
const mostWeight = 1000;

/** Weight of a cell with members; that of all others is 1. */
export function memberWeight(option: PositiveWeight, { cells, members }: CellCounts): number {
  if (option !== 'balanced') return option;
  return members === 0 ? 1 : Math.min((cells - members) / members, mostWeight);
}

export const addCells = ({ cells, members }: CellCounts, membership: Uint8Array): CellCounts => ({
  cells: cells + membership.length,
  members: members + membership.reduce((sum, isMember) => sum + isMember, 0),
});

/** Weights of cells as the step graph takes them. */
export const weightsOf = (membership: Uint8Array, weight: number): Float32Array =>
  Float32Array.from(membership, (isMember) => (isMember > 0 ? weight : 1));

/** Weighted sum of the cross-entropies of logits: ln(1 + exp(−x)) for members, ln(1 + exp(x)) for others. */
export function lossSum(logits: ArrayLike<number>, membership: Uint8Array, weight: number): number {
  let sum = 0;
  for (const [i, isMember] of membership.entries()) {
    const x = logits[i] as number;
    sum += isMember > 0 ? weight * softplus(-x) : softplus(x);
  }
  return sum;
}

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
