/**
 * One run of one pipeline in one folder: planned, started, drained or aborted, and accounted for.
 *
 * Stages declare themselves in the order of the chain. At the first subscription the run looks at what they
 * need, checks that it fits, compares the configuration with the ledger's, opens the stages downstream first,
 * and only then lets sources start.
 */
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Observable } from 'rxjs';
import { EdgeCredit, MemoryBudget } from './credit.js';
import { asEngineError, EngineError, type Outcome } from './errors.js';
import { drain, type Wiring } from './flow.js';
import { isFull, makeFolder, removeEmptyFolders } from './folder.js';
import { hashOf, identityChanges, identityOf } from './identity.js';
import { type Detail, Ledger } from './ledger.js';
import type { RunMeters } from './meters.js';
import { type PlannedStage, planStages } from './plan.js';
import type { Parcel } from './ports.js';
import { lockFolder } from './run-lock.js';
import { RunProgress } from './run-progress.js';
import { type DeclaredStage, Stage, type StageBody } from './stage.js';

export interface RunOptions {
  /** Folder of the run: ledger, results, summary. */
  readonly dir: string;
  readonly pipeline: string;
  readonly version: string;
  /** Most bytes all items and working buffers of the run may hold together. */
  readonly memoryBytes: number;
  readonly meters: RunMeters;
  readonly log: Logger;
  /** A run of another configuration in the folder is put aside, and a new one begun, instead of refusing to start. */
  readonly overwrite?: boolean;
  /** How long `stop` waits for what is in flight. */
  readonly drainMs?: number;
  /** Called when the run is planned and may begin, before any stage opens. */
  readonly onPlan?: (plan: readonly PlannedStage[]) => void;
}

export type RunEnd = 'complete' | 'incomplete' | 'interrupted' | 'failed';

export interface RunSummary {
  readonly end: RunEnd;
  readonly run: string;
  readonly resumed: boolean;
  /** Outcomes of all items of the whole run, earlier starts included. */
  readonly items: Readonly<Record<Outcome, number>>;
  readonly parents: Readonly<Record<Outcome, number>>;
  readonly seconds: number;
  readonly memoryPeakBytes: number;
  readonly error: EngineError | undefined;
}

export class Run implements AsyncDisposable {
  readonly dir: string;
  readonly pipeline: string;
  readonly version: string;
  readonly meters: RunMeters;
  readonly log: Logger;
  readonly memory: MemoryBudget;
  readonly ledger: Ledger;
  readonly #overwrite: boolean;
  readonly #drainMs: number;
  readonly #onPlan: (plan: readonly PlannedStage[]) => void;
  readonly #progress: RunProgress;
  readonly #unlock: () => Promise<void>;
  readonly #madeFolders: readonly string[];
  readonly #stages: DeclaredStage[] = [];
  readonly #bodies: StageBody<never, unknown>[] = [];
  readonly #wiring: Wiring[] = [];
  readonly #working = new Set<Promise<void>>();
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #aborting = new AbortController();
  readonly #stopping = new AbortController();
  #prepared: Promise<void> | undefined;
  #wired = 0;
  #id = '';
  #identityHash = '';
  #isResumed = false;
  /** Whether it turned out that nothing could start. */
  #isRefused = false;
  #isClosed = false;

  private constructor(
    options: RunOptions,
    ledger: Ledger,
    unlock: () => Promise<void>,
    madeFolders: readonly string[],
  ) {
    this.#madeFolders = madeFolders;
    this.dir = options.dir;
    this.pipeline = options.pipeline;
    this.version = options.version;
    this.meters = options.meters;
    this.log = options.log;
    this.ledger = ledger;
    this.memory = new MemoryBudget(options.memoryBytes, (inUse) =>
      this.meters.memory(inUse, options.memoryBytes),
    );
    this.#overwrite = options.overwrite ?? false;
    this.#drainMs = options.drainMs ?? 60_000;
    this.#onPlan = options.onPlan ?? (() => {});
    this.#unlock = unlock;
    // As many listeners as stages and slots, not a leak.
    setMaxListeners(0, this.signal, this.stopping);
    this.#progress = new RunProgress(options.meters, ledger);
  }

  /**
   * Takes the folder and reads its ledger.
   *
   * @throws `run_locked`, `ledger_damaged`
   */
  static async open(options: RunOptions): Promise<Run> {
    const made = await makeFolder(options.dir);
    const unlock = await lockFolder(options.dir);
    try {
      return new Run(options, await Ledger.open(join(options.dir, 'ledger.jsonl')), unlock, made);
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  /** Name of the run; the same after a resume. */
  get id(): string {
    return this.#id;
  }

  get identityHash(): string {
    return this.#identityHash;
  }

  /** Aborts when everything must end now. */
  get signal(): AbortSignal {
    return this.#aborting.signal;
  }

  /** Aborts when no new work may begin; what is in flight is finished. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /**
   * Adds a stage behind those declared before.
   *
   * @throws `config_invalid` when another stage has its name
   */
  declare(stage: DeclaredStage): number {
    if (this.#prepared !== undefined)
      throw new EngineError('internal', 'a stage was declared after the run was planned');
    if (this.#stages.some(({ name }) => name === stage.name)) {
      throw new EngineError('config_invalid', `two stages are named ${stage.name}`, {
        hint: 'give one of them another name with the option name',
        stage: stage.name,
      });
    }
    return this.#stages.push(stage) - 1;
  }

  /** Called by a stage's body for what must be closed when the run ends, last opened first. */
  onClose(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  /** Remembers work that must have ended before the run has. */
  track(work: Promise<void>): void {
    this.#working.add(work);
    void work.finally(() => this.#working.delete(work));
  }

  /**
   * Plans and opens the run, the first time. Called by the stages as they are subscribed to, upstream first.
   *
   * @throws `config_invalid` when stages were made in another order than they are chained in, or subscribed to twice
   */
  async wire(index: number): Promise<Wiring> {
    if (index !== this.#wired++) {
      throw new EngineError(
        'config_invalid',
        `${this.#stages[index]?.name} was made as stage ${index + 1} of the run, but stands at place ${this.#wired} of the chain`,
        { hint: 'make the stages of a run in the order of the chain, and subscribe to it once' },
      );
    }
    this.#prepared ??= this.#prepare();
    await this.#prepared;
    return this.#wiring[index] as Wiring;
  }

  body<I, O>(index: number): StageBody<I, O> {
    return this.#bodies[index] as unknown as StageBody<I, O>;
  }

  /**
   * What every stage will need, from headers and manifests alone. Starts nothing.
   *
   * @throws `config_invalid` when a stage waits for more items at once than may wait before it; what the stages throw
   */
  async plan(): Promise<readonly PlannedStage[]> {
    return planStages(this.#stages, this);
  }

  async #prepare(): Promise<void> {
    const plan = await this.plan();
    this.memory.require(
      plan.reduce((sum, { reservedWork, reservedResults }) => sum + reservedWork + reservedResults, 0),
    );
    const identity = this.#identify(plan);
    const takeBack = this.#isOther() ? await this.ledger.putAside() : undefined;
    this.#isResumed = this.ledger.start !== undefined;
    try {
      await this.#makeReady(plan);
    } catch (error) {
      await takeBack?.();
      throw error;
    }
    // Only now: a folder in which nothing could start is not bound to the configuration that was tried.
    await this.ledger.append({
      type: 'start',
      run: this.#id,
      pipeline: this.pipeline,
      version: this.version,
      time: new Date().toISOString(),
      identity_hash: this.#identityHash,
      identity,
    });
  }

  /** Counts what there is to do, gives every stage its accounts and its meter, and opens them. */
  async #makeReady(plan: readonly PlannedStage[]): Promise<void> {
    this.#progress.count(plan);
    this.#onPlan(plan);
    const stages = plan.map((planned, rank) => {
      const { declared, needs, incoming } = planned;
      const { operator } = declared.definition.spec;
      const account = (kind: string, reserved: number, most = Number.POSITIVE_INFINITY) =>
        this.memory.account(`${declared.name} (${kind})`, { reserved, rank, most });
      const meter = this.meters.stage(declared.name, operator);
      this.#wiring.push({
        edge: new EdgeCredit(declared.limits),
        account: account('results', planned.reservedResults, planned.mostResults),
        meter,
        signal: this.signal,
      });
      const workAccount = account('working memory', planned.reservedWork);
      return new Stage({
        name: declared.name,
        run: this,
        meter,
        needs,
        incoming,
        retries: declared.retries,
        workAccount,
      });
    });
    await this.#open(stages);
  }

  /** Begins to open the stages downstream first, and waits for all: sessions load while shards are taken up. */
  async #open(stages: readonly Stage[]): Promise<void> {
    const opening = [...stages.entries()].reverse().map(async ([i, stage]) => {
      const { definition, options } = this.#stages[i] as DeclaredStage;
      this.#bodies[i] = (await definition.open(stage, options as never)) as StageBody<never, unknown>;
    });
    // What has been opened must have told the run how to close it, also when another stage could not be opened.
    const failed = (await Promise.allSettled(opening)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  /** Compares the configuration with the one the folder was begun with; a mixture of two is never made. */
  #identify(plan: readonly PlannedStage[]): Detail {
    const identity = identityOf(
      this.#stages,
      plan.map(({ needs }) => needs),
    );
    this.#identityHash = hashOf(identity);
    const first = this.ledger.start;
    const isOther = this.#isOther();
    if (first !== undefined && isOther && !this.#overwrite) {
      throw new EngineError(
        'run_mismatch',
        `this folder holds run ${first.run} with another configuration (${identityChanges(first.identity, identity).join('; ')})`,
        { place: { file: this.ledger.path } },
      );
    }
    const time = new Date().toISOString().replace(/[-:]|\.\d+Z/g, '');
    this.#id =
      first !== undefined && !isOther
        ? first.run
        : `${this.pipeline}-${time}-${randomBytes(2).toString('hex')}`;
    return identity;
  }

  /** Whether the folder holds a run of another configuration. */
  #isOther(): boolean {
    const { start } = this.ledger;
    return start !== undefined && start.identity_hash !== this.#identityHash;
  }

  /** Begins no more work, finishes what is in flight within bounded time, then ends. */
  stop(reason: string): void {
    if (this.#isClosed) return;
    if (this.#stopping.signal.aborted) {
      this.abort(new DOMException(reason, 'AbortError'));
      return;
    }
    this.#stopping.abort(new DOMException(reason, 'AbortError'));
    const timer = setTimeout(
      () => this.abort(new DOMException(`${reason}; what was in flight did not end in time`, 'AbortError')),
      this.#drainMs,
    );
    this.onClose(async () => clearTimeout(timer));
  }

  /** Ends everything now. What is not in the ledger will be done again. */
  abort(reason: unknown): void {
    this.#aborting.abort(reason);
  }

  /** Runs a chain to its end and says how it ended. Errors of the run are in the summary, not thrown. */
  async execute(stream: Observable<Parcel<unknown>>): Promise<RunSummary> {
    const begun = performance.now();
    let failure: unknown;
    try {
      await drain(stream, this.signal);
    } catch (error) {
      failure = error;
      this.#isRefused = this.ledger.start === undefined && asEngineError(error).reach === 'usage';
      this.abort(error);
    }
    await Promise.allSettled([...this.#working]);
    await this.close().catch((error) => {
      failure ??= error;
    });
    failure ??= this.#unbalanced();
    const isInterrupted =
      failure === undefined ? this.stopping.aborted : (failure as Error).name === 'AbortError';
    const { items, parents } = this.ledger.tally();
    const isWhole = items.failed + items.unprocessable + items.upstream_incomplete + items.ok_partial === 0;
    return {
      end: isInterrupted
        ? 'interrupted'
        : failure !== undefined
          ? 'failed'
          : isWhole
            ? 'complete'
            : 'incomplete',
      run: this.#id,
      resumed: this.#isResumed,
      items,
      parents,
      seconds: (performance.now() - begun) / 1000,
      memoryPeakBytes: this.memory.peak,
      error: isInterrupted || failure === undefined ? undefined : await this.#explain(failure),
    };
  }

  /** Counts must add up: whatever was begun has an outcome, and every byte is back. */
  #unbalanced(): EngineError | undefined {
    if (this.memory.inUse !== 0)
      return new EngineError('internal', `${this.memory.inUse} bytes of memory were not given back`);
    if (this.stopping.aborted) return undefined;
    return this.#progress.unaccounted();
  }

  async #explain(failure: unknown): Promise<EngineError> {
    const error = asEngineError(failure);
    if (error.code !== 'internal' && error.code !== 'write_failed') return error;
    // HDF5 and other native writers report a full disk as a plain failure.
    if (!(await isFull(this.dir))) return error;
    return new EngineError('disk_full', `no space is left in ${this.dir}: ${error.message}`, {
      cause: failure,
    });
  }

  /** Closes what the stages opened, the ledger and the lock. */
  async close(): Promise<void> {
    const closers = this.#closers.splice(0).reverse();
    const failures: unknown[] = [];
    for (const close of closers) await close().catch((error) => failures.push(error));
    if (!this.#isClosed) {
      this.#isClosed = true;
      const leave = this.#isRefused ? this.ledger.discard() : this.ledger.close();
      await leave.catch((error) => failures.push(error));
      await this.#unlock();
    }
    if (failures.length > 0) throw failures[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.abort(new DOMException('the run was closed', 'AbortError'));
    await Promise.allSettled([...this.#working]);
    await this.close();
    if (this.#isRefused) await removeEmptyFolders(this.#madeFolders);
  }
}
