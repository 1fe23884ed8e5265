/**
 * The ledger: an append-only record of what happened to every item. A run started again reads it and goes on.
 *
 * One JSON object a line, each closed by a CRC-32 of its text, so that a line torn by a kill is recognised and
 * dropped, and a line damaged in the middle of the file is refused. Items are named by a path: `parent/child`.
 * A parent (a tile) says how many children (windows) it has; its outcome follows from theirs. An item that is not
 * divided (a simulated field) has an outcome of its own.
 */
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EngineError, type Outcome, outcomes } from './errors.js';
import {
  type Detail,
  decodeRecord,
  encodeRecord,
  type LedgerRecord,
  type OutcomeRecord,
  type ShardRecord,
  type StartRecord,
} from './records.js';

export type { Detail } from './records.js';

export interface ItemState {
  readonly outcome: Outcome;
  readonly shard: string | undefined;
}

interface Parent {
  readonly children: number;
  readonly detail: Detail;
  readonly counts: Map<Outcome, number>;
}

export interface ParentState {
  readonly children: number;
  readonly settled: number;
  readonly detail: Detail;
  readonly counts: ReadonlyMap<Outcome, number>;
  /** Undefined until every child has an outcome. */
  readonly outcome: Outcome | undefined;
}

/** Outcomes that a later start tries again. */
export const isRetried = (outcome: Outcome): boolean =>
  outcome === 'failed' || outcome === 'upstream_incomplete';

export const parentOf = (item: string): string | undefined => {
  const slash = item.lastIndexOf('/');
  return slash < 0 ? undefined : item.slice(0, slash);
};

/** The outcome of a whole from those of its parts. */
export function combineOutcomes(counts: ReadonlyMap<Outcome, number>): Outcome {
  const has = (outcome: Outcome) => (counts.get(outcome) ?? 0) > 0;
  const isIncomplete =
    has('failed') || has('unprocessable') || has('upstream_incomplete') || has('ok_partial');
  if (has('ok') || has('ok_partial')) return isIncomplete ? 'ok_partial' : 'ok';
  if (!isIncomplete) return 'no_work';
  return has('failed') ? 'failed' : has('unprocessable') ? 'unprocessable' : 'upstream_incomplete';
}

export interface LedgerEvents {
  /** A parent said, in this start, how many children it has. */
  readonly onChildren?: (item: string, children: number) => void;
  /** An item got an outcome in this start, and it is on disk. */
  readonly onOutcome?: (item: string, outcome: Outcome, parent: ParentState | undefined) => void;
  /** A parent got the outcome of its parts; or an item without parent (then undefined) its own, with what its record says. */
  readonly onParent?: (
    item: string,
    outcome: Outcome,
    parent: ParentState | undefined,
    detail: Detail,
  ) => void;
}

export class Ledger implements AsyncDisposable {
  readonly path: string;
  #file: FileHandle;
  readonly #items = new Map<string, ItemState>();
  readonly #parents = new Map<string, Parent>();
  readonly #shards = new Map<string, ShardRecord>();
  readonly #causes = new Map<string, OutcomeRecord>();
  #start: StartRecord | undefined;
  #starts = 0;
  #size = 0;
  #pending: LedgerRecord[] = [];
  #flushing: Promise<void> | undefined;
  #failure: Error | undefined;
  #events: LedgerEvents = {};

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /**
   * Opens or creates a ledger and replays it.
   *
   * @throws `ledger_damaged` when a record other than the last one cannot be read
   */
  static async open(path: string): Promise<Ledger> {
    const file = await open(path, 'a+');
    try {
      const ledger = new Ledger(path, file);
      await ledger.#replay();
      if (ledger.#size === 0) await syncFolder(dirname(path));
      return ledger;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Reads a ledger without changing it. */
  static async read(path: string): Promise<Ledger> {
    const file = await open(path, 'r');
    const ledger = new Ledger(path, file);
    try {
      await ledger.#replay({ isReadOnly: true });
      return ledger;
    } finally {
      await file.close();
    }
  }

  listen(events: LedgerEvents): void {
    this.#events = events;
  }

  /** The record of the first start. */
  get start(): StartRecord | undefined {
    return this.#start;
  }

  get starts(): number {
    return this.#starts;
  }

  get shards(): ReadonlyMap<string, ShardRecord> {
    return this.#shards;
  }

  get parents(): IterableIterator<string> {
    return this.#parents.keys();
  }

  /** All items with an outcome, parents that were set aside whole among them. */
  get items(): ReadonlyMap<string, ItemState> {
    return this.#items;
  }

  stateOf(item: string): ItemState | undefined {
    return this.#items.get(item);
  }

  /** Why an item was set aside, in its last attempt. */
  causeOf(item: string): OutcomeRecord | undefined {
    return this.#causes.get(item);
  }

  parent(item: string): ParentState | undefined {
    const parent = this.#parents.get(item);
    if (parent === undefined) return undefined;
    const settled = [...parent.counts.values()].reduce((sum, count) => sum + count, 0);
    return {
      ...parent,
      settled,
      outcome: settled >= parent.children ? combineOutcomes(parent.counts) : undefined,
    };
  }

  /** The outcome of a parent: its own when it was set aside whole, else that of its children. */
  outcomeOf(item: string): Outcome | undefined {
    return this.#items.get(item)?.outcome ?? this.parent(item)?.outcome;
  }

  /**
   * Counts of outcomes: `items` of everything that has one of its own, `parts` of those that belong to a parent,
   * `parents` of what is divided or was set aside whole.
   */
  tally(): { readonly items: OutcomeCounts; readonly parts: OutcomeCounts; readonly parents: OutcomeCounts } {
    const [items, parts, parents] = [noOutcomes(), noOutcomes(), noOutcomes()];
    for (const [item, { outcome }] of this.#items) {
      items[outcome] += 1;
      if (parentOf(item) !== undefined) parts[outcome] += 1;
      else if (!this.#parents.has(item)) parents[outcome] += 1;
    }
    for (const item of this.#parents.keys()) {
      const outcome = this.outcomeOf(item);
      if (outcome !== undefined) parents[outcome] += 1;
    }
    return { items, parts, parents };
  }

  /** Whether nothing is left to do for an item or any of its children. */
  isDone(item: string): boolean {
    const own = this.#items.get(item);
    if (own !== undefined) return !isRetried(own.outcome);
    const parent = this.parent(item);
    return (
      parent?.outcome !== undefined &&
      ![...parent.counts].some(([outcome, count]) => count > 0 && isRetried(outcome))
    );
  }

  /**
   * Writes records down. Resolves when they are on disk and the ledger knows them; writers that come together
   * share one sync.
   *
   * @throws the system's error, now and ever after: behind a failed write nothing may be written
   */
  async append(...records: readonly LedgerRecord[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#pending.push(...records);
    // Records that arrive while a sync is under way go together into the next one.
    await this.#flushing;
    if (this.#pending.length > 0) {
      this.#flushing ??= this.#flush().finally(() => {
        this.#flushing = undefined;
      });
    }
    await this.#flushing;
  }

  /**
   * Begins anew: the file is kept as `ledger.jsonl.before`, and what it says is forgotten.
   *
   * @returns how to undo it, as long as nothing has been written
   */
  async putAside(): Promise<() => Promise<void>> {
    const aside = `${this.path}.before`;
    await this.#file.close();
    await rename(this.path, aside);
    this.#file = await open(this.path, 'a+');
    await syncFolder(dirname(this.path));
    for (const known of [this.#items, this.#parents, this.#shards, this.#causes]) known.clear();
    this.#start = undefined;
    this.#starts = 0;
    this.#size = 0;
    return () => rename(aside, this.path);
  }

  async close(): Promise<void> {
    try {
      if (this.#failure === undefined) await this.append();
    } finally {
      await this.#file.close();
    }
  }

  /** Closes the ledger of a run that never started: a file in which nothing stands is removed. */
  async discard(): Promise<void> {
    await this.close();
    if ((await stat(this.path)).size === 0) await rm(this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #flush(): Promise<void> {
    const records = this.#pending;
    this.#pending = [];
    const lines = Buffer.from(records.map(encodeRecord).join(''));
    try {
      await this.#file.appendFile(lines);
      await this.#file.datasync();
      this.#size += lines.length;
    } catch (error) {
      // A full disk may have taken half a line, and a failed sync may have dropped pages for good.
      this.#failure = error as Error;
      await this.#file.truncate(this.#size).catch(() => {});
      throw error;
    }
    for (const record of records) this.#apply(record, true);
  }

  async #replay(options: { readonly isReadOnly?: boolean } = {}): Promise<void> {
    const { size } = await this.#file.stat();
    const chunk = Buffer.allocUnsafe(4 << 20);
    let tail = Buffer.alloc(0);
    let line = 0;
    for (let at = 0; at < size; ) {
      const { bytesRead } = await this.#file.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      const text =
        tail.length > 0 ? Buffer.concat([tail, chunk.subarray(0, bytesRead)]) : chunk.subarray(0, bytesRead);
      let from = 0;
      for (let to = text.indexOf(10, from); to >= 0; to = text.indexOf(10, from)) {
        line += 1;
        const record = decodeRecord(text.toString('utf8', from, to));
        if (record !== undefined) this.#apply(record, false);
        else if (at < size || to + 1 < text.length) throw this.#damaged(line);
        // A whole last line that is wrong can only be a torn write on a file system that grew the file first.
        else return options.isReadOnly ? undefined : await this.#truncate(size - (text.length - from));
        from = to + 1;
      }
      tail = Buffer.from(text.subarray(from));
    }
    this.#size = size;
    if (tail.length > 0 && !options.isReadOnly) await this.#truncate(size - tail.length);
  }

  async #truncate(size: number): Promise<void> {
    this.#size = size;
    await this.#file.truncate(size);
    await this.#file.datasync();
  }

  #damaged(line: number): EngineError {
    return new EngineError('ledger_damaged', 'this record does not agree with its checksum', {
      place: { file: this.path, line, column: 1 },
    });
  }

  #apply(record: LedgerRecord, isNew: boolean): void {
    switch (record.type) {
      case 'start':
        this.#start ??= record;
        this.#starts += 1;
        return;
      case 'parent':
        // What was set aside whole, and is begun again, has the outcome of its children from now on.
        this.#unsettle(record.item);
        if (!this.#parents.has(record.item)) {
          this.#parents.set(record.item, {
            children: record.children,
            detail: record.detail,
            counts: new Map(),
          });
          if (isNew) this.#events.onChildren?.(record.item, record.children);
        }
        return;
      case 'outcome':
        for (const item of record.items) this.#settle(item, record, isNew);
        return;
      case 'shard':
        this.#shards.set(record.shard, record);
        return;
      case 'redo': {
        if (record.shard !== undefined) this.#shards.delete(record.shard);
        const items =
          record.items ??
          [...this.#items].filter(([, state]) => state.shard === record.shard).map(([item]) => item);
        for (const item of items) this.#unsettle(item);
      }
    }
  }

  #settle(item: string, record: OutcomeRecord, isNew: boolean): void {
    this.#unsettle(item);
    this.#items.set(item, { outcome: record.outcome, shard: record.shard });
    if (record.code !== undefined) this.#causes.set(item, record);
    const above = parentOf(item);
    const parent = above === undefined ? undefined : this.#parents.get(above);
    if (parent !== undefined) parent.counts.set(record.outcome, (parent.counts.get(record.outcome) ?? 0) + 1);
    if (!isNew) return;
    if (above === undefined) {
      this.#events.onParent?.(item, record.outcome, undefined, record.detail ?? {});
      return;
    }
    const state = this.parent(above);
    this.#events.onOutcome?.(item, record.outcome, state);
    if (state?.outcome !== undefined) this.#events.onParent?.(above, state.outcome, state, state.detail);
  }

  #unsettle(item: string): void {
    const before = this.#items.get(item);
    if (before === undefined) return;
    this.#items.delete(item);
    this.#causes.delete(item);
    const above = parentOf(item);
    const counts = above === undefined ? undefined : this.#parents.get(above)?.counts;
    counts?.set(before.outcome, (counts.get(before.outcome) ?? 0) - 1);
  }
}

/** Makes the entries of new files survive a power cut. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

export type OutcomeCounts = Record<Outcome, number>;

const noOutcomes = (): OutcomeCounts =>
  Object.fromEntries(outcomes.map((outcome) => [outcome, 0])) as OutcomeCounts;
