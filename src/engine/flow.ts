/**
 * Flow with real backpressure on plain RxJS 7 pipes. RxJS pushes, so credit travels with the item: a stage
 * emits `Parcel`s and may have at most its edge's credit of them untaken. The next stage queues what it
 * receives, which is bounded by that same credit, and takes a parcel when a slot of its own is free. Nothing
 * passes out of band, and every stage is an ordinary `OperatorFunction<Parcel<I>, Parcel<O>>`.
 *
 * This is the only file that creates Observables and subscribes to them.
 */
import { setMaxListeners } from 'node:events';
import { filter, type MonoTypeOperatorFunction, map, Observable, type OperatorFunction } from 'rxjs';
import type { Account, EdgeCredit } from './credit.js';
import type { StageMeter } from './meters.js';
import { Inlet, Outlet, type Parcel, type Ports } from './ports.js';

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
          await body({
            inlet,
            outlet,
            signal: controller.signal,
            abort: (reason) => controller.abort(reason),
          });
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
