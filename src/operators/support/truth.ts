/** What an encoder should say of a window: which of its cells hold a member of a cluster. */
import { EngineError } from '../../engine/errors.js';
import type { SourceTable } from '../../science/catalog.js';
import type { TileCatalog } from '../../science/tile-catalog.js';
import type { PredictionRow } from './nouns.js';

/** Cell (row, column) is element `row * nx + column`. */
export interface CellMembership {
  readonly ny: number;
  readonly nx: number;
  /** 1 where any member of a cluster lies, however faint. */
  readonly membership: Uint8Array;
}

/** Where a window lies in its image, and what is known of that. */
export type KnownWindow = Pick<PredictionRow, 'id' | 'x0' | 'y0' | 'size' | 'truth' | 'cells'>;

/**
 * The cells of a window that hold members, whole cells from its first pixel on: as many as an encoder has answers for.
 *
 * @param cellPx side of a cell, pixels
 * @param origin X and Y of the centre of the first pixel of the image
 * @returns undefined when nobody knows what is in the image
 * @throws EngineError `truth_missing` when the tiles that all is known by do not make up the cells
 */
export function membershipOf(window: KnownWindow, cellPx: number, origin = 1): CellMembership | undefined {
  const { truth, cells, size } = window;
  const side = Math.floor(size / cellPx);
  const found = { ny: side, nx: side, membership: new Uint8Array(side * side) };
  const mark = (x: number, y: number): void => {
    const column = Math.floor((x - window.x0) / cellPx);
    const row = Math.floor((y - window.y0) / cellPx);
    if (column >= 0 && column < side && row >= 0 && row < side) found.membership[row * side + column] = 1;
  };
  if (truth !== undefined) markMembers(truth.sources, origin, mark);
  else if (cells !== undefined) markTiles(window, cells, cellPx, mark);
  else return undefined;
  return found;
}

/**
 * The same, for whoever cannot do without.
 *
 * @returns cells × cells, 1 where there is a member
 * @throws EngineError `truth_missing` also when nobody knows what is in the image
 */
export function requireMembership(
  window: KnownWindow & Pick<PredictionRow, 'parent'>,
  cellPx: number,
  origin: number,
): Uint8Array {
  const known = membershipOf(window, cellPx, origin);
  if (known !== undefined) return known.membership;
  throw new EngineError('truth_missing', `nobody knows what is in ${window.parent}`, { item: window.id });
}

/** A place in an image: distances from its left and upper edge, pixels. */
type Mark = (x: number, y: number) => void;

function markMembers({ count, columns: { X, Y, MEM } }: SourceTable, origin: number, mark: Mark): void {
  for (let source = 0; source < count; source++) {
    if ((MEM[source] as number) > 0)
      mark((X[source] as number) - origin + 0.5, (Y[source] as number) - origin + 0.5);
  }
}

function markTiles({ id, x0, y0 }: KnownWindow, cells: TileCatalog, cellPx: number, mark: Mark): void {
  const { tileSize, nx, membership } = cells;
  if (cellPx % tileSize !== 0 || x0 % tileSize !== 0 || y0 % tileSize !== 0) {
    const message = `the image knows its members by tiles of ${tileSize} pixels, which do not make up cells of ${cellPx} pixels from (${x0}, ${y0}) on`;
    throw new EngineError('truth_missing', message, {
      item: id,
      hint: `use tile.size=whole, or a tile.step that is a multiple of ${tileSize}, and an encoder whose cells are multiples of it too`,
    });
  }
  for (const [tile, isMember] of membership.entries()) {
    if (isMember > 0) mark((tile % nx) * tileSize, Math.floor(tile / nx) * tileSize);
  }
}
