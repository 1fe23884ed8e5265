/**
 * The two ends of a stage: what has arrived and waits at its inlet, and the places reserved at its outlet. Nothing
 * here knows RxJS.
 */
import type { Account, EdgeCredit, Lease } from './credit.js';
import type { StageMeter } from './meters.js';

/** One item on an edge: a value, the ledger items it carries, and the credit and memory it holds. */
export class Parcel<T> {
  constructor(
    readonly value: T,
    readonly items: readonly string[],
    readonly lease: Lease,
    readonly edge: EdgeCredit,
  ) {}

  get bytes(): number {
    return this.lease.bytes;
  }

  /** Moves the parcel off its edge: the place is free again, the memory is now the taker's to release. */
  take(): Held<T> {
    this.edge.giveBack(this.lease.bytes);
    return { value: this.value, items: this.items, lease: this.lease };
  }

  /** The same parcel with another value in it. */
  holding<U>(value: U): Parcel<U> {
    return new Parcel(value, this.items, this.lease, this.edge);
  }
}

/** What a stage has taken and works on. */
export interface Held<T> {
  readonly value: T;
  readonly items: readonly string[];
  readonly lease: Lease;
}

/** The entrance of a stage: what has arrived and has not been taken. */
export class Inlet<T> {
  readonly #meter: StageMeter;
  readonly #signal: AbortSignal;
  readonly #waiting: Parcel<T>[] = [];
  #bytes = 0;
  #hasEnded = false;
  #isClosed = false;
  #wakeUps: (() => void)[] = [];

  constructor(meter: StageMeter, signal: AbortSignal) {
    this.#meter = meter;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
  }

  push(parcel: Parcel<T>): void {
    if (this.#isClosed) {
      parcel.take().lease.release();
      return;
    }
    if (this.#waiting.length === 0) this.#meter.limits(parcel.edge.limits.items, parcel.edge.limits.bytes);
    this.#waiting.push(parcel);
    this.#bytes += parcel.bytes;
    this.#meter.queue(this.#waiting.length, this.#bytes);
    this.#wake();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  /** Gives back everything that waits, and whatever still comes. */
  close(): void {
    this.#isClosed = true;
    for (const parcel of this.#waiting.splice(0)) parcel.take().lease.release();
    this.#bytes = 0;
    this.#meter.queue(0, 0);
    this.#wake();
  }

  /** The next item, taken off the edge; undefined when upstream has completed and nothing is left. */
  async take(): Promise<Held<T> | undefined> {
    for (;;) {
      await this.atLeast(1);
      if (this.#waiting.length > 0) return this.#shift();
      // Several slots wake up for one item: all but one find it gone and wait again.
      if (this.#hasEnded) return undefined;
    }
  }

  /**
   * Waits until `count` items wait here, or upstream has completed, or `withinMs` has passed since the first
   * of them came. Takes nothing: their places stay occupied.
   *
   * @returns how many of the `count` are here; 0 only at the end
   */
  async atLeast(count: number, withinMs?: number): Promise<number> {
    if (this.#waiting.length < count && !this.#hasEnded && !this.#signal.aborted)
      await this.#wait(count, withinMs);
    this.#signal.throwIfAborted();
    return Math.min(count, this.#waiting.length);
  }

  /** How many items wait here. */
  get size(): number {
    return this.#waiting.length;
  }

  /** The sizes of the first `count` waiting items. */
  sizes(count: number): readonly number[] {
    return this.#waiting.slice(0, count).map((parcel) => parcel.bytes);
  }

  /** Takes `count` items that are here. */
  takeNow(count: number): readonly Held<T>[] {
    return Array.from({ length: count }, () => this.#shift());
  }

  async #wait(count: number, withinMs: number | undefined): Promise<void> {
    const unblocked = this.#meter.blocked('upstream');
    let isLate = false;
    let timer: NodeJS.Timeout | undefined;
    try {
      while (
        this.#waiting.length < count &&
        !this.#hasEnded &&
        !this.#signal.aborted &&
        !(isLate && this.#waiting.length > 0)
      ) {
        if (withinMs !== undefined && timer === undefined && this.#waiting.length > 0) {
          timer = setTimeout(() => {
            isLate = true;
            this.#wake();
          }, withinMs);
        }
        await new Promise<void>((resolve) => this.#wakeUps.push(resolve));
      }
    } finally {
      clearTimeout(timer);
      unblocked();
    }
  }

  #shift(): Held<T> {
    const parcel = this.#waiting.shift() as Parcel<T>;
    this.#bytes -= parcel.bytes;
    this.#meter.queue(this.#waiting.length, this.#bytes);
    this.#meter.received(1, parcel.bytes);
    return parcel.take();
  }

  #wake(): void {
    const wakeUps = this.#wakeUps;
    this.#wakeUps = [];
    for (const wake of wakeUps) wake();
  }
}

/** A reserved place on an edge, and the memory for what will stand there. Emit into it, or cancel it. */
export interface Place<T> {
  readonly lease: Lease;
  emit(value: T, items: readonly string[]): void;
  cancel(): void;
}

/** The exit of a stage. Nothing leaves it that has no place reserved. */
export class Outlet<T> {
  readonly #edge: EdgeCredit;
  readonly #account: Account;
  readonly #meter: StageMeter;
  readonly #signal: AbortSignal;
  readonly #next: (parcel: Parcel<T>) => void;

  constructor(
    edge: EdgeCredit,
    account: Account,
    meter: StageMeter,
    signal: AbortSignal,
    next: (parcel: Parcel<T>) => void,
  ) {
    this.#edge = edge;
    this.#account = account;
    this.#meter = meter;
    this.#signal = signal;
    this.#next = next;
  }

  /**
   * Reserves a place and the memory for a result of so many bytes, before it is made.
   *
   * @throws `item_too_large` when the budget can never hold it; the signal's reason when the run ends
   */
  async reserve(bytes: number): Promise<Place<T>> {
    await this.#reserveEdge(bytes);
    try {
      const lease = this.#account.tryAcquire(bytes) ?? (await this.#waitForMemory(bytes));
      return this.#place(lease);
    } catch (error) {
      this.#edge.giveBack(bytes);
      throw error;
    }
  }

  /** Reserves a place for a result made of memory already held, such as a batch of windows. */
  async place(bytes: number): Promise<(lease: Lease) => Place<T>> {
    await this.#reserveEdge(bytes);
    return (lease) => this.#place(lease);
  }

  async #reserveEdge(bytes: number): Promise<void> {
    this.#signal.throwIfAborted();
    if (this.#edge.tryReserve(bytes)) return;
    const unblocked = this.#meter.blocked('downstream');
    try {
      await this.#edge.reserve(bytes, this.#signal);
    } finally {
      unblocked();
    }
  }

  async #waitForMemory(bytes: number): Promise<Lease> {
    const unblocked = this.#meter.blocked('memory');
    try {
      return await this.#account.acquire(bytes, this.#signal);
    } finally {
      unblocked();
    }
  }

  #place(lease: Lease): Place<T> {
    return {
      lease,
      emit: (value, items) => {
        this.#meter.sent(1, lease.bytes);
        this.#next(new Parcel(value, items, lease, this.#edge));
      },
      cancel: () => {
        this.#edge.giveBack(lease.bytes);
        lease.release();
      },
    };
  }
}

export interface Ports<I, O> {
  readonly inlet: Inlet<I>;
  readonly outlet: Outlet<O>;
  /** Aborts when the subscription or the run ends. */
  readonly signal: AbortSignal;
  /** Ends this stage, and with it the stream, with an error. */
  abort(reason: unknown): void;
}
