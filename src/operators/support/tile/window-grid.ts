/** Where windows lie in an image: torch's `unfold(size, step)`, and what it leaves over. */

/** What happens at the far edge when the step does not come out even. */
export type Edge = 'align' | 'drop';

/** A window's place in the grid and in the image. */
export interface GridCell {
  readonly row: number;
  readonly column: number;
  readonly x0: number;
  readonly y0: number;
}

/**
 * First pixels of the windows along one side, as `torch.Tensor.unfold` places them: 0, step, 2 step, … while the
 * window fits. `align` adds one that ends with the image, so that no pixel is left out; `drop` leaves the rest.
 */
export function offsets(length: number, size: number, step: number, edge: Edge): readonly number[] {
  if (length < size) return [];
  const count = Math.floor((length - size) / step) + 1;
  const regular = Array.from({ length: count }, (_, i) => i * step);
  const rest = length - size - (count - 1) * step;
  return edge === 'align' && rest > 0 ? [...regular, length - size] : regular;
}

/** The windows of an image, a list for each row of windows. */
export function windowGrid(
  width: number,
  height: number,
  size: number,
  step: number,
  edge: Edge,
): readonly (readonly GridCell[])[] {
  const columns = offsets(width, size, step, edge);
  if (columns.length === 0) return [];
  return offsets(height, size, step, edge).map((y0, row) =>
    columns.map((x0, column) => ({ row, column, x0, y0 })),
  );
}
