/** Lets results leave in the order of the items they are made from, whichever slot is done first. */
import { EngineError } from './errors.js';
import type { StageMeter } from './meters.js';
import type { Place, Ports } from './ports.js';

/** The turn of one item: it may give one result, or none. */
export interface Turn<O> {
  /**
   * As `Outlet.reserve`, but no earlier than all items before have a place or need none: else a later result could take
   * the place that an earlier one waits for, and wait for it. What is cancelled is kept for another attempt.
   */
  reserve(bytes: number): Promise<Place<O>>;
  /** Nothing more comes of the item. */
  end(): void;
}

interface TurnState<O> {
  place: Place<O> | undefined;
  /** Emits the result, once it is there. */
  emit: (() => void) | undefined;
  hasEnded: boolean;
}

/**
 * The turns of the items a stage works on, in the order they were taken. A result that is there too early waits with
 * its place and memory, while its slot goes on with another item; so there are never more than there are places.
 */
export class Order<O> implements Disposable {
  readonly #ports: Pick<Ports<never, O>, 'outlet' | 'signal'>;
  readonly #meter: StageMeter;
  /** Those whose result has not left. */
  readonly #turns: TurnState<O>[] = [];
  #wakeUps: (() => void)[] = [];
  readonly #wake = (): void => {
    for (const wake of this.#wakeUps.splice(0)) wake();
  };

  constructor(ports: Pick<Ports<never, O>, 'outlet' | 'signal'>, meter: StageMeter) {
    this.#ports = ports;
    this.#meter = meter;
    ports.signal.addEventListener('abort', this.#wake, { once: true });
  }

  /** The turn after those before. */
  next(): Turn<O> {
    const turn: TurnState<O> = { place: undefined, emit: undefined, hasEnded: false };
    this.#turns.push(turn);
    return {
      reserve: (bytes) => this.#reserve(turn, bytes),
      end: () => {
        turn.hasEnded = true;
        this.#advance();
      },
    };
  }

  /** Gives back the places of results that have not left: after an abort, when nobody works any more. */
  [Symbol.dispose](): void {
    this.#ports.signal.removeEventListener('abort', this.#wake);
    for (const { place } of this.#turns.splice(0)) place?.cancel();
  }

  async #reserve(turn: TurnState<O>, bytes: number): Promise<Place<O>> {
    if (turn.place === undefined) {
      await this.#untilTurnOf(turn);
      turn.place = await this.#ports.outlet.reserve(bytes);
      this.#wake();
    }
    const { place } = turn;
    if (turn.emit !== undefined || place.lease.bytes !== bytes)
      throw new EngineError('internal', 'an item of an ordered stage asked for a second place');
    return {
      lease: place.lease,
      emit: (value, items) => {
        turn.emit = () => place.emit(value, items);
        this.#advance();
      },
      cancel: () => {},
    };
  }

  async #untilTurnOf(turn: TurnState<O>): Promise<void> {
    const isFirst = (): boolean =>
      this.#turns.find(({ place, hasEnded }) => place === undefined && !hasEnded) === turn;
    if (isFirst()) return;
    // The item before waits for a place itself, or has not asked for one yet.
    const unblocked = this.#meter.blocked('downstream');
    try {
      while (!isFirst() && !this.#ports.signal.aborted)
        await new Promise<void>((resolve) => this.#wakeUps.push(resolve));
    } finally {
      unblocked();
    }
    this.#ports.signal.throwIfAborted();
  }

  /** Lets go what no item before keeps waiting. */
  #advance(): void {
    for (let first = this.#turns[0]; first?.emit !== undefined || first?.hasEnded; first = this.#turns[0]) {
      this.#turns.shift();
      if (first.emit !== undefined) first.emit();
      else first.place?.cancel();
    }
    this.#wake();
  }
}
