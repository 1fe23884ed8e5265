/**
 * Flow with real backpressure on plain RxJS 7 pipes. RxJS pushes, so credit travels with the item: a stage
 * emits `Parcel`s and may have at most its edge's credit of them untaken. The next stage queues what it
 * receives, which is bounded by that same credit, and takes a parcel when a slot of its own is free. Nothing
 * passes out of band, and every stage is an ordinary `OperatorFunction<Parcel<I>, Parcel<O>>`.
 *
 * This is the only file that creates Observables and subscribes to them.
 */
import { setMaxListeners } from 'node:events';
import { filter, map, type MonoTypeOperatorFunction, Observable, type OperatorFunction } from 'rxjs';
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
    if (this.#isClosed) return parcel.take().lease.release();
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
    if (this.#waiting.length < count && !this.#hasEnded && !this.#signal.aborted) await this.#wait(count, withinMs);
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
      while (this.#waiting.length < count && !this.#hasEnded && !this.#signal.aborted && !(isLate && this.#waiting.length > 0)) {
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

  constructor(edge: EdgeCredit, account: Account, meter: StageMeter, signal: AbortSignal, next: (parcel: Parcel<T>) => void) {
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

export interface Wiring {
  readonly edge: EdgeCredit;
  readonly account: Account;
  readonly meter: StageMeter;
  /** Ends every stage of the run. */
  readonly signal: AbortSignal;
}

/**
 * Makes an RxJS operator of an asynchronous body. The body reads its inlet and writes its outlet in straight
 * lines; every `await` in it is a place where backpressure acts. The stream completes when the body returns.
 *
 * @param wire called at subscription, when the run is planned
 * @param track is told the body's promise: a run has ended only when every body has
 */
export function connect<I, O>(
  wire: () => Promise<Wiring>,
  body: (ports: Ports<I, O>) => Promise<void>,
  track: (work: Promise<void>) => void,
): OperatorFunction<Parcel<I>, Parcel<O>> {
  return (source) =>
    new Observable<Parcel<O>>((subscriber) => {
      const controller = new AbortController();
      // Every slot listens, and every task it has in a worker thread; all of them stop listening when they are done.
      setMaxListeners(0, controller.signal);
      const early: Parcel<I>[] = [];
      let inlet: Inlet<I> | undefined;
      let hasEnded = false;

      const upstream = source.subscribe({
        next: (parcel) => (inlet === undefined ? early.push(parcel) : inlet.push(parcel)),
        error: (error) => controller.abort(error),
        complete: () => {
          hasEnded = true;
          inlet?.end();
        },
      });

      const work = async (): Promise<void> => {
        const { edge, account, meter, signal } = await wire();
        const leave = () => controller.abort(signal.reason);
        if (signal.aborted) leave();
        signal.addEventListener('abort', leave, { once: true });
        inlet = new Inlet<I>(meter, controller.signal);
        for (const parcel of early.splice(0)) inlet.push(parcel);
        if (hasEnded) inlet.end();
        const outlet = new Outlet<O>(edge, account, meter, controller.signal, (parcel) =>
          subscriber.closed ? parcel.take().lease.release() : subscriber.next(parcel),
        );
        try {
          controller.signal.throwIfAborted();
          await body({ inlet, outlet, signal: controller.signal, abort: (reason) => controller.abort(reason) });
        } finally {
          signal.removeEventListener('abort', leave);
          inlet.close();
        }
      };

      track(
        work().then(
          () => subscriber.complete(),
          (error) => subscriber.error(error),
        ),
      );
      return () => {
        controller.abort(new DOMException('the stream was unsubscribed', 'AbortError'));
        upstream.unsubscribe();
      };
    });
}

/** A source: a body with no inlet. It makes the next item only once it has a place for it. */
export function connectSource<O>(
  wire: () => Promise<Wiring>,
  body: (ports: Omit<Ports<never, O>, 'inlet'>) => Promise<void>,
  track: (work: Promise<void>) => void,
): Observable<Parcel<O>> {
  const nothing = new Observable<Parcel<never>>((subscriber) => subscriber.complete());
  return nothing.pipe(connect<never, O>(wire, body, track));
}

/** Subscribes, takes and lets go of everything that comes, and resolves when the stream completes. */
export function drain(stream: Observable<Parcel<unknown>>, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const subscription = stream.subscribe({
      next: (parcel) => parcel.take().lease.release(),
      error: reject,
      complete: resolve,
    });
    signal?.addEventListener(
      'abort',
      () => {
        subscription.unsubscribe();
        reject(signal.reason);
      },
      { once: true },
    );
  });
}

/** The values of a stream one by one, as people read streams outside RxJS; each is let go of when the next is asked for. */
export async function* values<T>(stream: Observable<Parcel<T>>): AsyncGenerator<T, void, void> {
  const arrived: Parcel<T>[] = [];
  let wake: () => void = () => {};
  let ended: { readonly error?: unknown } | undefined;
  const subscription = stream.subscribe({
    next: (parcel) => {
      arrived.push(parcel);
      wake();
    },
    error: (error) => {
      ended = { error };
      wake();
    },
    complete: () => {
      ended = {};
      wake();
    },
  });
  try {
    for (;;) {
      const parcel = arrived.shift();
      if (parcel !== undefined) {
        const held = parcel.take();
        try {
          yield held.value;
        } finally {
          held.lease.release();
        }
      } else if (ended !== undefined) {
        if ('error' in ended) throw ended.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    subscription.unsubscribe();
    for (const parcel of arrived) parcel.take().lease.release();
  }
}

/** Calls a user's function on the value of a parcel. When it throws, the parcel leaves nothing behind. */
function applied<T, U>(parcel: Parcel<T>, work: (value: T) => U): U {
  try {
    return work(parcel.value);
  } catch (error) {
    parcel.take().lease.release();
    throw error;
  }
}

/** RxJS `map` for the values inside parcels. The result takes over the parcel's credit and memory. */
export function mapValues<T, U>(project: (value: T) => U): OperatorFunction<Parcel<T>, Parcel<U>> {
  return map((parcel) => parcel.holding(applied(parcel, project)));
}

/** RxJS `filter` for the values inside parcels. What is dropped gives its credit and memory back at once. */
export function filterValues<T>(keep: (value: T) => boolean): MonoTypeOperatorFunction<Parcel<T>> {
  return filter((parcel) => {
    const isKept = applied(parcel, keep);
    if (!isKept) parcel.take().lease.release();
    return isKept;
  });
}
