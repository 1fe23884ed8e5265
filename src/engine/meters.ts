/**
 * The meters the engine turns. The hot path only adds to plain numbers; prom-client sees them when somebody asks.
 */
import type { Registry } from 'prom-client';
import type { ErrorCode, Outcome } from './errors.js';
import { outcomes } from './errors.js';
import type { Exposition } from './exposition.js';
import { exposeRun, ofProcess } from './exposition.js';
import type { BlockedReason, Device } from './metrics.js';
import type { RunSnapshot, StageSnapshot, Units } from './snapshot.js';
import { TrainingMeter } from './training-meter.js';

/** Ends what the call that returned it began; ending twice is ending once. */
export type End = () => void;

/** A slot at work on one item: `pause` and `resume` leave out what it waits for. */
export interface Working extends End {
  pause(): void;
  resume(): void;
}

/** Monotonic time in seconds. */
export type Clock = () => number;

export interface StageMeter {
  received(items: number, bytes: number): void;
  sent(items: number, bytes: number): void;
  outcome(outcome: Outcome, count?: number): void;
  error(code: ErrorCode): void;
  /** How many items the stage may work on at once; 1 until said. */
  slots(count: number): void;
  /** A slot starts work; the returned function ends it. */
  running(): Working;
  /** What waits at the entrance of the stage now. */
  queue(items: number, bytes: number): void;
  /** The most that may wait there. */
  limits(items: number, bytes: number): void;
  /** A slot starts to wait. The wait counts from now on, not only once it is over. */
  blocked(reason: BlockedReason): End;
}

/** Seconds of many overlapping spans, summed, in constant time and memory: open ones count up to now. */
class SpanSum {
  #closed = 0;
  #startsOfOpen = 0;
  open = 0;
  readonly #now: Clock;

  constructor(now: Clock) {
    this.#now = now;
  }

  /** Opens a span. The returned function closes it and gives its seconds, the first time it is called. */
  start(): () => number | undefined {
    const start = this.#now();
    let isOpen = true;
    this.open += 1;
    this.#startsOfOpen += start;
    return () => {
      if (!isOpen) return undefined;
      isOpen = false;
      this.open -= 1;
      // Exactly zero when idle, so that rounding never adds up over a long run.
      this.#startsOfOpen = this.open === 0 ? 0 : this.#startsOfOpen - start;
      const seconds = this.#now() - start;
      this.#closed += seconds;
      return seconds;
    };
  }

  seconds(): number {
    return this.#closed + (this.open === 0 ? 0 : Math.max(0, this.open * this.#now() - this.#startsOfOpen));
  }
}

const noOutcomes = (): Record<Outcome, number> =>
  Object.fromEntries(outcomes.map((o) => [o, 0])) as Record<Outcome, number>;

class Stage implements StageMeter {
  #receivedItems = 0;
  #receivedBytes = 0;
  #sentItems = 0;
  #sentBytes = 0;
  #slots = 1;
  #queue = { items: 0, bytes: 0 };
  #limits = { items: 0, bytes: 0 };
  readonly #outcomes = noOutcomes();
  readonly #errors: Partial<Record<ErrorCode, number>> = {};
  readonly #busy: SpanSum;
  readonly #blocked: Record<BlockedReason, SpanSum>;

  constructor(
    readonly name: string,
    readonly operator: string,
    private readonly observeRun: (seconds: number) => void,
    now: Clock,
  ) {
    this.#busy = new SpanSum(now);
    this.#blocked = {
      upstream: new SpanSum(now),
      downstream: new SpanSum(now),
      memory: new SpanSum(now),
      device: new SpanSum(now),
    };
  }

  received(items: number, bytes: number): void {
    this.#receivedItems += items;
    this.#receivedBytes += bytes;
  }

  sent(items: number, bytes: number): void {
    this.#sentItems += items;
    this.#sentBytes += bytes;
  }

  outcome(outcome: Outcome, count = 1): void {
    this.#outcomes[outcome] += count;
  }

  error(code: ErrorCode): void {
    this.#errors[code] = (this.#errors[code] ?? 0) + 1;
  }

  slots(count: number): void {
    this.#slots = count;
  }

  running(): Working {
    let span: (() => number | undefined) | undefined = this.#busy.start();
    let worked = 0;
    let hasEnded = false;
    const pause = () => {
      worked += span?.() ?? 0;
      span = undefined;
    };
    const resume = () => {
      if (!hasEnded) span ??= this.#busy.start();
    };
    const end = () => {
      if (hasEnded) return;
      pause();
      hasEnded = true;
      this.observeRun(worked);
    };
    return Object.assign(end, { pause, resume });
  }

  queue(items: number, bytes: number): void {
    this.#queue = { items, bytes };
  }

  limits(items: number, bytes: number): void {
    this.#limits = { items, bytes };
  }

  blocked(reason: BlockedReason): End {
    return this.#blocked[reason].start();
  }

  snapshot(): StageSnapshot {
    const blocked = this.#blocked;
    return {
      name: this.name,
      operator: this.operator,
      received: { items: this.#receivedItems, bytes: this.#receivedBytes },
      sent: { items: this.#sentItems, bytes: this.#sentBytes },
      outcomes: { ...this.#outcomes },
      errors: { ...this.#errors },
      slots: this.#slots,
      slotsBusy: this.#busy.open,
      busySeconds: this.#busy.seconds(),
      blockedSeconds: {
        upstream: blocked.upstream.seconds(),
        downstream: blocked.downstream.seconds(),
        memory: blocked.memory.seconds(),
        device: blocked.device.seconds(),
      },
      queue: this.#queue,
      limits: this.#limits,
    };
  }
}

/** All meters of one run. Holds its own registry: two runs in one process do not mix. */
export class RunMeters {
  readonly pipeline: string;
  /** Turned by a stage that trains. */
  readonly training: TrainingMeter;
  readonly #now: Clock;
  readonly #start: number;
  readonly #exposition: Exposition;
  readonly #stages = new Map<string, Stage>();
  readonly #windows = noOutcomes();
  readonly #tiles = noOutcomes();
  readonly #encoderSeconds: Partial<Record<Device, number>> = {};
  #squareDegrees = 0;
  #sessionsRunning = 0;
  #encoderBusySeconds = 0;
  #encoderBusySince = 0;
  #memory = { inFlight: 0, budget: 0 };
  #expected: number | undefined;
  #units: Units = { whole: 'items', part: undefined };
  #settled = 0;

  /**
   * @param pipeline the name in the pipeline's YAML; the `pipeline` label of every metric
   * @param now monotonic seconds
   */
  constructor(pipeline: string, now: Clock = () => performance.now() / 1000) {
    this.pipeline = pipeline;
    this.#now = now;
    this.#start = now();
    this.#exposition = exposeRun(pipeline, () => this.snapshot());
    this.training = new TrainingMeter(() => this.#exposition.trainingStepSeconds());
  }

  /**
   * The meter of one stage; the same one when asked again. Stages are shown in the order they were first asked for.
   *
   * @throws {Error} when the name is taken by another operator
   */
  stage(name: string, operator: string): StageMeter {
    const known = this.#stages.get(name);
    if (known !== undefined) {
      if (known.operator !== operator)
        throw new Error(`stage '${name}' is ${known.operator}, not ${operator}`);
      return known;
    }
    const stage = new Stage(name, operator, this.#exposition.runSeconds(name, operator), this.#now);
    this.#stages.set(name, stage);
    return stage;
  }

  /** Sky area that has been settled. An area that is not known (NaN) counts nothing. */
  sky(squareDegrees: number): void {
    if (Number.isFinite(squareDegrees)) this.#squareDegrees += squareDegrees;
  }

  /** A part of what the source makes. */
  window(outcome: Outcome, count = 1): void {
    this.#windows[outcome] += count;
  }

  /** What the source makes, divided or not. */
  tile(outcome: Outcome, count = 1): void {
    this.#tiles[outcome] += count;
  }

  /** Time of a finished forward pass, as its session measured it. */
  encoder(device: Device, seconds: number): void {
    this.#encoderSeconds[device] = (this.#encoderSeconds[device] ?? 0) + seconds;
  }

  /** A session starts a forward pass; the returned function ends it. */
  encoderRunning(device: Device): End {
    this.#encoderSeconds[device] ??= 0;
    if (this.#sessionsRunning === 0) this.#encoderBusySince = this.#now();
    this.#sessionsRunning += 1;
    let isRunning = true;
    return () => {
      if (!isRunning) return;
      isRunning = false;
      this.#sessionsRunning -= 1;
      if (this.#sessionsRunning === 0) this.#encoderBusySeconds += this.#now() - this.#encoderBusySince;
    };
  }

  /** Bytes of all leases now, and the most they may be. */
  memory(inFlight: number, budget: number): void {
    this.#memory = { inFlight, budget };
  }

  /** What is counted, in words. */
  units(units: Units): void {
    this.#units = units;
  }

  /** How many items the whole run has, those settled by earlier starts included. */
  expected(items: number): void {
    this.#expected = items;
  }

  /** How many items have an outcome in the ledger by now, earlier starts included. */
  settled(items: number): void {
    this.#settled = items;
  }

  snapshot(): RunSnapshot {
    const openBusy = this.#sessionsRunning > 0 ? this.#now() - this.#encoderBusySince : 0;
    return {
      pipeline: this.pipeline,
      units: this.#units,
      elapsedSeconds: this.#now() - this.#start,
      stages: [...this.#stages.values()].map((stage) => stage.snapshot()),
      squareDegrees: this.#squareDegrees,
      windows: { ...this.#windows },
      tiles: { ...this.#tiles },
      encoderSeconds: { ...this.#encoderSeconds },
      encoderBusySeconds: this.#encoderBusySeconds + openBusy,
      memory: this.#memory,
      expected: this.#expected,
      settled: this.#settled,
      training: this.training.snapshot,
    };
  }

  /** The metrics of this run, without those of the process. */
  get registry(): Registry {
    return this.#exposition.registry;
  }

  /** Everything in the Prometheus text format, the process included. */
  async text(): Promise<string> {
    return `${(await this.registry.metrics()).trimEnd()}\n\n${await ofProcess().metrics()}`;
  }
}
