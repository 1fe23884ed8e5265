/** What the predictions of all windows of a tile say together. */
import { parentOf } from '../../../engine/ledger.js';
import type { PredictionRows } from '../../../formats/hdf5/layout.js';

export interface TileStatistic {
  readonly cells: number;
  readonly above: number;
  readonly highest: number;
}
export type TileStatistics = ReadonlyMap<string, TileStatistic>;

/**
 * Counts, for each parent, the numbers above a threshold and finds the highest. Every cell of every window counts,
 * also those two overlapping windows both have.
 */
export function tileStatistics(slabs: Iterable<PredictionRows>, threshold: number): TileStatistics {
  const tiles = new Map<string, { cells: number; above: number; highest: number }>();
  for (const { ids, values } of slabs) {
    const size = values.length / ids.length;
    for (const [row, id] of ids.entries()) {
      const name = parentOf(id) ?? id;
      const tile = tiles.get(name) ?? { cells: 0, above: 0, highest: Number.NEGATIVE_INFINITY };
      tiles.set(name, tile);
      tile.cells += size;
      for (let i = row * size; i < (row + 1) * size; i++) {
        const value = values[i] as number;
        if (value > threshold) tile.above += 1;
        if (value > tile.highest) tile.highest = value;
      }
    }
  }
  return tiles;
}
