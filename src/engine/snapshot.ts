/**
 * What a run looks like at one instant, as plain data: for the progress block, the summary and the metrics.
 */
import type { ErrorCode, Outcome } from './errors.js';
import type { BlockedReason, Device } from './metrics.js';

export interface Amount {
  readonly items: number;
  readonly bytes: number;
}

export interface StageSnapshot {
  readonly name: string;
  readonly operator: string;
  readonly received: Amount;
  readonly sent: Amount;
  readonly outcomes: Readonly<Record<Outcome, number>>;
  readonly errors: Readonly<Partial<Record<ErrorCode, number>>>;
  readonly slots: number;
  readonly slotsBusy: number;
  /** Summed over slots, unfinished work included. */
  readonly busySeconds: number;
  /** Summed over waiting slots, unfinished waits included. */
  readonly blockedSeconds: Readonly<Record<BlockedReason, number>>;
  readonly queue: Amount;
  readonly limits: Amount;
}

/** Everything the meters show at one instant, as plain data. Stages stand in the order of the chain. */
export interface RunSnapshot {
  readonly pipeline: string;
  readonly elapsedSeconds: number;
  readonly stages: readonly StageSnapshot[];
  readonly squareDegrees: number;
  readonly windows: Readonly<Record<Outcome, number>>;
  readonly tiles: Readonly<Record<Outcome, number>>;
  readonly encoderSeconds: Readonly<Partial<Record<Device, number>>>;
  readonly encoderBusySeconds: number;
  readonly memory: { readonly inFlight: number; readonly budget: number };
  /** Undefined until the run has counted its input. */
  readonly expected: number | undefined;
  readonly settled: number;
}
