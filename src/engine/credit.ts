/**
 * Credit: permission to make something, held before it is made.
 *
 * `EdgeCredit` bounds what may wait between two stages, in items and bytes. `MemoryBudget` bounds what the
 * whole process may hold. Both hand out permission in a fixed order, never by timer or polling, and both
 * have every byte back when a run ends, however it ends.
 */
import { formatBytes } from '../config/units.js';
import { EngineError } from './errors.js';

/** A right to some bytes. Released once; releasing again does nothing. */
export interface Lease extends Disposable {
  readonly bytes: number;
  release(): void;
}

class HeldLease implements Lease {
  #giveBack: (() => void) | undefined;

  constructor(
    readonly bytes: number,
    giveBack: () => void,
  ) {
    this.#giveBack = giveBack;
  }

  release(): void {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    giveBack?.();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** One lease that stands for several: what a batch holds on behalf of its rows. */
export function joinLeases(leases: readonly Lease[]): Lease {
  const bytes = leases.reduce((sum, lease) => sum + lease.bytes, 0);
  return new HeldLease(bytes, () => {
    for (const lease of leases) lease.release();
  });
}

interface Waiter {
  readonly bytes: number;
  readonly rank: number;
  readonly account: Account | undefined;
  readonly grant: () => void;
}

/** Waiters in order of rank (downstream first), then of arrival. Short by construction: one per working slot. */
class WaitingLine {
  readonly #waiters: Waiter[] = [];

  get length(): number {
    return this.#waiters.length;
  }

  /** Whether somebody of this rank or a higher one is waiting. */
  hasRank(rank: number): boolean {
    return (this.#waiters[0]?.rank ?? Number.NEGATIVE_INFINITY) >= rank;
  }

  /** Resolves when `admit` lets this waiter through, or rejects when the signal aborts first. */
  join(waiter: Omit<Waiter, 'grant'>, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const leave = () => {
        this.#waiters.splice(this.#waiters.indexOf(entry), 1);
        reject(signal?.reason);
      };
      const entry: Waiter = {
        ...waiter,
        grant: () => {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      signal?.addEventListener('abort', leave, { once: true });
      const behind = this.#waiters.findIndex((other) => other.rank < entry.rank);
      this.#waiters.splice(behind < 0 ? this.#waiters.length : behind, 0, entry);
    });
  }

  /** Lets through, in order, every waiter that `admit` accepts; `admit` has then taken what it needs. */
  admit(accept: (waiter: Waiter) => boolean): void {
    for (let i = 0; i < this.#waiters.length; ) {
      const waiter = this.#waiters[i] as Waiter;
      if (accept(waiter)) {
        this.#waiters.splice(i, 1);
        waiter.grant();
      } else i++;
    }
  }
}

/** How much may wait untaken between two stages. */
export interface EdgeLimits {
  readonly items: number;
  readonly bytes: number;
}

/**
 * The places on one edge. A place is reserved before an item is made and given back when the next stage
 * takes the item. An empty edge admits one item of any size, so that an edge can never close for good.
 */
export class EdgeCredit {
  readonly limits: EdgeLimits;
  readonly #line = new WaitingLine();
  #items = 0;
  #bytes = 0;

  constructor(limits: EdgeLimits) {
    this.limits = limits;
  }

  get used(): EdgeLimits {
    return { items: this.#items, bytes: this.#bytes };
  }

  tryReserve(bytes: number): boolean {
    return this.#line.length === 0 && this.#fits(bytes) && this.#occupy(bytes);
  }

  /** Waits for a place. Places are given in order of asking. */
  reserve(bytes: number, signal?: AbortSignal): Promise<void> {
    return this.#line.join({ bytes, rank: 0, account: undefined }, signal);
  }

  giveBack(bytes: number): void {
    this.#items -= 1;
    this.#bytes -= bytes;
    // Strictly in order: a small item may not overtake a large one for ever.
    let isOpen = true;
    this.#line.admit((waiter) => {
      isOpen = isOpen && this.#fits(waiter.bytes);
      return isOpen && this.#occupy(waiter.bytes);
    });
  }

  #fits(bytes: number): boolean {
    return this.#items === 0 || (this.#items < this.limits.items && this.#bytes + bytes <= this.limits.bytes);
  }

  #occupy(bytes: number): true {
    this.#items += 1;
    this.#bytes += bytes;
    return true;
  }
}

export interface AccountOptions {
  readonly reserved: number;
  readonly rank: number;
  /** At least `reserved`; no limit of its own when left out. */
  readonly most?: number;
}

/** One stage's part of the process budget. */
export class Account {
  readonly name: string;
  /** Bytes no other stage can take: what this stage needs to make progress at all. */
  readonly reserved: number;
  /** Most bytes it holds at once, but for a single larger item. */
  readonly most: number;
  /** Downstream stages have higher ranks and are served first. */
  readonly rank: number;
  readonly #budget: MemoryBudget;
  used = 0;

  constructor(budget: MemoryBudget, name: string, options: AccountOptions) {
    this.#budget = budget;
    this.name = name;
    this.reserved = options.reserved;
    this.most = options.most ?? Number.POSITIVE_INFINITY;
    this.rank = options.rank;
  }

  /**
   * Leases bytes, waiting until they are free.
   *
   * @throws `item_too_large` when the budget, less what other stages need and what waits upstream, cannot hold them;
   *   never for bytes within the account's reserve
   */
  async acquire(bytes: number, signal?: AbortSignal): Promise<Lease> {
    return this.tryAcquire(bytes) ?? (await this.#budget.wait(this, bytes, signal));
  }

  /** Leases bytes if they are free now and nobody of higher rank waits for them. */
  tryAcquire(bytes: number): Lease | undefined {
    return this.#budget.tryAcquire(this, bytes);
  }
}

/**
 * All the bytes a run may hold. Each account owns its reserve; the rest is shared, downstream first. So a
 * stage can always make progress with its reserve, and what it makes can always be finished downstream:
 * there is no circle of waiting.
 */
export class MemoryBudget {
  readonly total: number;
  readonly #accounts: Account[] = [];
  readonly #line = new WaitingLine();
  readonly #onChange: (inUse: number) => void;
  #sharedUsed = 0;
  #inUse = 0;
  #peak = 0;

  constructor(total: number, onChange: (inUse: number) => void = () => {}) {
    this.total = total;
    this.#onChange = onChange;
  }

  get inUse(): number {
    return this.#inUse;
  }

  get peak(): number {
    return this.#peak;
  }

  get reserved(): number {
    return this.#accounts.reduce((sum, account) => sum + account.reserved, 0);
  }

  /**
   * Checks that reserves of so many bytes fit into the budget.
   *
   * @throws `memory_too_small`, with the smallest memory that would do
   */
  require(reserved: number): void {
    if (reserved <= this.total) return;
    throw new EngineError(
      'memory_too_small',
      `the stages need at least ${formatBytes(reserved)} to move one item through, but memory is ${formatBytes(this.total)} (${reserved} and ${this.total} bytes)`,
      {
        hint: `use memory=${Math.ceil(reserved / 2 ** 20)}MiB or more`,
      },
    );
  }

  /**
   * Opens an account.
   *
   * @throws `memory_too_small` when the reserves no longer fit into the budget
   */
  account(name: string, options: AccountOptions): Account {
    const account = new Account(this, name, options);
    this.require(this.reserved + account.reserved);
    this.#accounts.push(account);
    return account;
  }

  /** The largest lease the account could ever get. */
  limitOf(account: Account): number {
    return this.total - this.reserved + account.reserved;
  }

  tryAcquire(account: Account, bytes: number): Lease | undefined {
    const isInTurn = this.#sharedNeed(account, bytes) <= 0 || !this.#line.hasRank(account.rank);
    if (!isInTurn || !this.#fits(account, bytes)) return undefined;
    this.#charge(account, bytes);
    return this.#leased(account, bytes);
  }

  async wait(account: Account, bytes: number, signal: AbortSignal | undefined): Promise<Lease> {
    // What stands upstream can only move on after this stage has: to wait for its memory would be to wait for ever.
    const limit = this.limitOf(account) - this.#sharedBelow(account.rank);
    if (bytes > limit) {
      throw new EngineError(
        'item_too_large',
        `${account.name} needs ${bytes} bytes at once, but ${limit} of the ${this.total} bytes of memory are the most it can get`,
        {
          hint: `use memory=${Math.ceil((this.total + bytes - limit) / 2 ** 20)}MiB or more`,
        },
      );
    }
    await this.#line.join({ bytes, rank: account.rank, account }, signal);
    return this.#leased(account, bytes);
  }

  #sharedNeed(account: Account, bytes: number): number {
    const before = Math.max(0, account.used - account.reserved);
    const after = Math.max(0, account.used + bytes - account.reserved);
    return after - before;
  }

  /** Shared bytes held by stages of lower ranks. While somebody waits they take no more. */
  #sharedBelow(rank: number): number {
    return this.#accounts
      .filter((account) => account.rank < rank)
      .reduce((sum, { used, reserved }) => sum + Math.max(0, used - reserved), 0);
  }

  #isFull({ used, most }: Account, bytes: number): boolean {
    return used > 0 && used + bytes > most;
  }

  #fits(account: Account, bytes: number): boolean {
    if (this.#isFull(account, bytes)) return false;
    return this.#sharedUsed + this.#sharedNeed(account, bytes) <= this.total - this.reserved;
  }

  #charge(account: Account, bytes: number): void {
    this.#sharedUsed += this.#sharedNeed(account, bytes);
    account.used += bytes;
    this.#inUse += bytes;
    this.#peak = Math.max(this.#peak, this.#inUse);
    this.#onChange(this.#inUse);
  }

  #leased(account: Account, bytes: number): Lease {
    return new HeldLease(bytes, () => {
      this.#sharedUsed += this.#sharedNeed(account, -bytes);
      account.used -= bytes;
      this.#inUse -= bytes;
      this.#onChange(this.#inUse);
      this.#admitWaiting();
    });
  }

  /** Serves the shared part strictly in order; what fits into an account's own reserve never queues behind it. */
  #admitWaiting(): void {
    let isSharedOpen = true;
    this.#line.admit(({ account, bytes }) => {
      if (account === undefined) return false;
      const needsShared = this.#sharedNeed(account, bytes) > 0;
      if ((needsShared && !isSharedOpen) || !this.#fits(account, bytes)) {
        // Who waits for its own items to be let go of keeps nobody else waiting.
        isSharedOpen = isSharedOpen && (!needsShared || this.#isFull(account, bytes));
        return false;
      }
      this.#charge(account, bytes);
      return true;
    });
  }
}
