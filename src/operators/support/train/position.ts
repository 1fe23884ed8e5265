/** Where a training stands: what a checkpoint keeps beside the network, so that it goes on as if nothing had happened. */
import type { JsonValue } from '../../../encoders/checkpoint/state.js';
import type { QuantileFitState } from '../../../encoders/quantiles.js';
import type { History } from './history.js';
import { type CellCounts, noCells } from './objective.js';
import type { SetName } from './splits.js';

/** The best state so far. */
export interface Best {
  readonly loss: number;
  readonly step: number;
  /** Counted from 1. */
  readonly epoch: number;
}

export interface Position {
  /** Updates done, and epochs ended. */
  readonly step: number;
  readonly epoch: number;
  /** Windows of this epoch that have been trained on. */
  readonly visited: number;
  /** Number of the last item, in the order of the items, that a step had a window of. */
  readonly reached: number;
  readonly normaliser: QuantileFitState | undefined;
  /** Of all windows, each counted once. */
  readonly cells: CellCounts;
  /** Members among the cells of this epoch. */
  readonly epochMembers: number;
  /** Losses of the last steps. */
  readonly losses: readonly number[];
  readonly best: Best | undefined;
  /** Step after which scores were last taken. */
  readonly scored: number;
  /** Windows that have been taken in, by set. */
  readonly windows: Readonly<Record<SetName, readonly string[]>>;
  readonly history: History;
  /** Whether all that follows the last epoch has been done. */
  readonly isFinished: boolean;
}

export const start: Position = {
  step: 0,
  epoch: 0,
  visited: 0,
  reached: -1,
  normaliser: undefined,
  cells: noCells,
  epochMembers: 0,
  losses: [],
  best: undefined,
  scored: 0,
  windows: { train: [], validation: [], test: [] },
  history: { steps: [], scores: [] },
  isFinished: false,
};

/** As a checkpoint keeps it: what is not there is left out. */
export const toJson = (position: Position): JsonValue => JSON.parse(JSON.stringify(position)) as JsonValue;

/** Only this module writes what it reads. */
export const fromJson = (json: JsonValue): Position => ({
  ...start,
  ...(json as unknown as Partial<Position>),
});
