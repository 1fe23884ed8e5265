/**
 * What a run looks like at one instant, as plain data: for the progress block, the summary and the metrics.
 */
import type { ErrorCode, Outcome } from './errors.js';
import type { BlockedReason, Device } from './metrics.js';
import type { TrainingSnapshot } from './training-meter.js';

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

/** What is counted, in the plural: what the source makes, and the parts it is divided into, if it is. */
export interface Units {
  readonly whole: string;
  readonly part: string | undefined;
}

/** Everything the meters show at one instant, as plain data. Stages stand in the order of the chain. */
export interface RunSnapshot {
  readonly pipeline: string;
  readonly units: Units;
  readonly elapsedSeconds: number;
  readonly stages: readonly StageSnapshot[];
  readonly squareDegrees: number;
  /** Outcomes of parts, by the name most of them have. */
  readonly windows: Readonly<Record<Outcome, number>>;
  /** Outcomes of what the source makes. */
  readonly tiles: Readonly<Record<Outcome, number>>;
  readonly encoderSeconds: Readonly<Partial<Record<Device, number>>>;
  readonly encoderBusySeconds: number;
  readonly memory: { readonly inFlight: number; readonly budget: number };
  /** Undefined until the run has counted its input. */
  readonly expected: number | undefined;
  readonly settled: number;
  /** Undefined in a run that does not train. */
  readonly training: TrainingSnapshot | undefined;
}

/** What holds a run back, and the sentence that says so. */
export interface Verdict {
  /** The stage that holds it back or, for `memory`, the stage that waits most for memory. */
  readonly stage: string;
  /**
   * `busy`: the stage has no slot to spare. `device`: its slots mostly queue for the encoder's device.
   * `memory`: stages wait for the byte budget. `idle`: nothing is busy for even half of the time.
   */
  readonly cause: 'busy' | 'device' | 'memory' | 'idle';
  /** Share of the time that one slot of the stage spends on the cause, 0 to 1. */
  readonly share: number;
  readonly sentence: string;
}

/** Two stages nearer than this in their share are told apart by the pressure before them. */
const tie = 0.05;

/**
 * How fast a total of one stage grew between two snapshots, per second; since the start when `since` is left out.
 */
export function growth(
  now: RunSnapshot,
  since: RunSnapshot | undefined,
  stage: StageSnapshot,
  total: (of: StageSnapshot) => number,
): number {
  const seconds = now.elapsedSeconds - (since?.elapsedSeconds ?? 0);
  const before = since?.stages.find(({ name }) => name === stage.name);
  return seconds <= 0 ? 0 : (total(stage) - (before === undefined ? 0 : total(before))) / seconds;
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;

/**
 * Names what holds a run back, between two snapshots.
 *
 * In a chain with flow control every stage runs at the pace of one: before it slots wait for downstream, behind
 * it they wait for upstream, its own never wait. So it is the stage whose slots work, or wait for their device,
 * for the largest share of the time. Of two within 5 % it is the one whose upstream neighbour waits more
 * for downstream. When some stage waits for the byte budget longer than any stage works, the budget is named.
 *
 * @param now the later snapshot
 * @param since the earlier one; the start of the run when left out
 * @returns undefined while nothing has worked or waited for memory
 */
export function slowestStage(now: RunSnapshot, since?: RunSnapshot): Verdict | undefined {
  const shares = now.stages.map((stage) => {
    const share = (total: (of: StageSnapshot) => number): number =>
      Math.min(1, growth(now, since, stage, total) / stage.slots);
    const busy = share((of) => of.busySeconds);
    const device = share((of) => of.blockedSeconds.device);
    const memory = share((of) => of.blockedSeconds.memory);
    const downstream = share((of) => of.blockedSeconds.downstream);
    return { name: stage.name, busy, device, memory, downstream, engaged: Math.min(1, busy + device) };
  });

  const most = Math.max(0, ...shares.map(({ engaged }) => engaged));
  const waiting = shares.reduce((a, b) => (b.memory > a.memory ? b : a), { name: '', memory: 0 });
  if (waiting.memory > most) {
    const sentence = `memory is what holds the pass back: ${waiting.name} waits for it ${percent(waiting.memory)} of the time`;
    return { stage: waiting.name, cause: 'memory', share: waiting.memory, sentence };
  }
  if (most === 0) return undefined;

  const [culprit] = shares
    .map((share, place) => ({ ...share, pressure: shares[place - 1]?.downstream ?? 0 }))
    .filter(({ engaged }) => engaged >= most - tie)
    .sort((a, b) => b.pressure - a.pressure || b.engaged - a.engaged);
  if (culprit === undefined) return undefined;
  const { name: stage, busy, device } = culprit;
  if (most < 0.5) {
    const sentence = `no stage is busy half of the time; ${stage} is busiest, ${percent(busy)}`;
    return { stage, cause: 'idle', share: busy, sentence };
  }
  const sentence = `${stage} is what holds the pass back: busy ${percent(busy)}`;
  return device > busy
    ? {
        stage,
        cause: 'device',
        share: device,
        sentence: `${sentence}, waiting for its device ${percent(device)}`,
      }
    : { stage, cause: 'busy', share: busy, sentence };
}
