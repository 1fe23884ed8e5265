/**
 * What every operator is made of: a spec, what it will need, and a body. The wrapper adds, once and for all
 * operators alike, planning, telemetry, retries, setting items aside, and closing.
 */
import type { Observable, OperatorFunction } from 'rxjs';
import { checkedOptions } from '../config/options.js';
import type { Flow, OptionsInput, OptionsOf, StageSpec } from '../config/spec.js';
import type { Account, EdgeLimits, Lease } from './credit.js';
import { asEngineError, type EngineError } from './errors.js';
import { connect, connectSource } from './flow.js';
import type { Detail } from './ledger.js';
import type { StageMeter } from './meters.js';
import type { BlockedReason } from './metrics.js';
import { Order } from './order.js';
import type { Held, Inlet, Outlet, Parcel, Place, Ports } from './ports.js';
import type { Run } from './run.js';

/**
 * What one stage knows of its results before it runs, told to the next: sizes, bands, counts. A source also says
 * which items it will make, those of earlier starts included, and what they are called, in the plural.
 */
export interface Facts extends Readonly<Record<string, unknown>> {
  readonly announced?: readonly { readonly name: string }[];
  readonly unit?: string;
}

/** What a stage will hold and make, found out before anything starts. */
export interface StageNeeds<F extends Facts = Facts> {
  readonly facts: F;
  /** Most bytes of one of its results. */
  readonly itemBytes: number;
  /** Most of its results that exist at once, wherever in the chain they are; as many as memory allows when left out. */
  readonly mostResults?: number;
  /** Bytes the stage holds while it works, beside its results. */
  readonly workingBytes: number;
  /** How many items it works on at once. */
  readonly slots: number;
  /** How many of the stage before's results it must hold at once to make one of its own. */
  readonly gathers?: number;
  /** The stage divides what comes from the source: how many parts most of it have, and what they are called. */
  readonly divides?: { readonly into: number; readonly unit: string };
  /** What besides its options decides its results, such as the hash of a model. */
  readonly identity?: Readonly<Record<string, string>>;
}

/** One operator, as the plan, the linter and the reference page see it. */
export interface OperatorDefinition<S extends StageSpec = StageSpec, I = unknown, O = unknown> {
  readonly spec: S;
  /** Options that change how fast or where, never what. */
  readonly operational: readonly (keyof OptionsOf<S> & string)[];
  /** Looks at headers and manifests, changes nothing. Called in the order of the chain. */
  inspect(options: OptionsOf<S>, incoming: Facts, run: Run): Promise<StageNeeds>;
  /** Makes the stage ready. Called downstream first, before any source starts. */
  open(stage: Stage, options: OptionsOf<S>): Promise<StageBody<I, O>>;
}

export type StageBody<I, O> = (ports: Ports<I, O>) => Promise<void>;

/** A slot of a stage at work: what waits inside it is not counted as work. */
export interface Slot<O> {
  /** As `Outlet.reserve`. */
  reserve(bytes: number): Promise<Place<O>>;
  /** Leases memory to work in, such as a strip of an image. */
  workspace(bytes: number): Promise<Lease>;
  /** Waits for something that is not this stage's own work. */
  wait<T>(reason: BlockedReason, until: Promise<T>): Promise<T>;
}

export interface StageSettings {
  readonly name: string;
  readonly run: Run;
  readonly meter: StageMeter;
  readonly needs: StageNeeds;
  readonly incoming: Facts;
  readonly workAccount: Account;
  readonly retries: number;
}

/** A stage of a planned run: its accounts, meter and log, and the ways an item can end. */
export class Stage {
  readonly name: string;
  readonly run: Run;
  readonly meter: StageMeter;
  readonly needs: StageNeeds;
  readonly incoming: Facts;
  readonly #workAccount: Account;
  readonly #retries: number;

  constructor(settings: StageSettings) {
    this.name = settings.name;
    this.run = settings.run;
    this.meter = settings.meter;
    this.needs = settings.needs;
    this.incoming = settings.incoming;
    this.#workAccount = settings.workAccount;
    this.#retries = settings.retries;
  }

  /** As `Slot.workspace`, outside a slot. */
  async workspace(bytes: number, signal: AbortSignal): Promise<Lease> {
    const lease = this.#workAccount.tryAcquire(bytes);
    if (lease !== undefined) return lease;
    const unblocked = this.meter.blocked('memory');
    try {
      return await this.#workAccount.acquire(bytes, signal);
    } finally {
      unblocked();
    }
  }

  /** Ends items other than `ok`, with the cause, in the ledger. The run goes on. */
  async setAside(items: readonly string[], error: EngineError, detail: Detail = {}): Promise<void> {
    this.meter.outcome(error.outcome, items.length);
    if (error.outcome !== 'no_work')
      this.run.log.warn({ stage: this.name, items, code: error.code }, error.describe());
    await this.run.ledger.append({
      type: 'outcome',
      items,
      outcome: error.outcome,
      stage: this.name,
      attempt: error.attempt,
      code: error.code,
      message: error.message,
      hint: error.hint,
      detail: { ...error.place, ...detail },
    });
  }

  /**
   * Takes items one by one in `slots` parallel slots. An item whose work throws is tried again when that can
   * help, else set aside; errors that concern the whole run end it. Memory of the item is released at the end.
   *
   * @param finish called once for each item, after its last attempt, to close what it holds
   */
  async each<I, O>(
    ports: Ports<I, O>,
    slots: number,
    work: (held: Held<I>, slot: Slot<O>) => Promise<void>,
    finish: (value: I) => Promise<void> = async () => {},
  ): Promise<void> {
    await this.#each(ports, slots, work, finish);
  }

  /**
   * As `each`, but results leave in the order of the items they are made from, of which each gives one at most. A slot
   * does not wait for another to be done: what it made does, on its place, while the slot goes on.
   */
  async eachInOrder<I, O>(
    ports: Ports<I, O>,
    slots: number,
    work: (held: Held<I>, slot: Slot<O>) => Promise<void>,
  ): Promise<void> {
    using order = new Order<O>(ports, this.meter);
    await this.#each(ports, slots, work, async () => {}, order);
  }

  async #each<I, O>(
    ports: Ports<I, O>,
    slots: number,
    work: (held: Held<I>, slot: Slot<O>) => Promise<void>,
    finish: (value: I) => Promise<void>,
    order?: Order<O>,
  ): Promise<void> {
    this.meter.slots(slots);
    const loop = async (): Promise<void> => {
      for (;;) {
        const held = await ports.inlet.take();
        if (held === undefined) return;
        // Slots that were served go on in the order they were served in, so turns are in the order of the items.
        const turn = order?.next();
        try {
          const { outlet, signal } = ports;
          await this.guard(held.items, { outlet: turn ?? outlet, signal }, (slot) => work(held, slot));
          turn?.end();
        } finally {
          await finish(held.value).finally(() => held.lease.release());
        }
      }
    };
    const loops = Array.from({ length: slots }, () =>
      loop().catch((error) => {
        ports.abort(error);
        throw error;
      }),
    );
    const failure = (await Promise.allSettled(loops)).find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }

  /**
   * Does the work of one item: again when that can help, else the item is set aside. `each` does this for every
   * item it takes; a source does it for every item it makes. Work that has emitted something is not done again in
   * this start, or its results would come twice.
   *
   * @param detail what the ledger should remember of an item that is set aside
   */
  async guard<O>(
    items: readonly string[],
    ports: { readonly outlet: Pick<Outlet<O>, 'reserve'>; readonly signal: AbortSignal },
    work: (slot: Slot<O>) => Promise<void>,
    detail: () => Promise<Detail> = async () => ({}),
  ): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const working = this.meter.running();
      let waits = 0;
      let hasEmitted = false;
      // Work may wait for several things at once, and may end before they have come.
      const wait = async <T>(reason: BlockedReason | undefined, until: Promise<T>): Promise<T> => {
        if (++waits === 1) working.pause();
        const unblocked = reason === undefined ? undefined : this.meter.blocked(reason);
        try {
          return await until;
        } finally {
          unblocked?.();
          if (--waits === 0) working.resume();
        }
      };
      // Outlet and workspace know themselves what makes them wait.
      const slot: Slot<O> = {
        reserve: async (bytes) => {
          const place = await wait(undefined, ports.outlet.reserve(bytes));
          const emit: Place<O>['emit'] = (value, of) => {
            hasEmitted = true;
            place.emit(value, of);
          };
          return { ...place, emit };
        },
        workspace: (bytes) => wait(undefined, this.workspace(bytes, ports.signal)),
        wait,
      };
      try {
        return await work(slot);
      } catch (thrown) {
        if (ports.signal.aborted) throw ports.signal.reason;
        const error = asEngineError(thrown, { stage: this.name, item: items[0] ?? '', attempt });
        this.meter.error(error.code);
        if (error.reach !== 'item') throw error;
        if (error.outcome === 'failed' && attempt <= this.#retries && !hasEmitted) {
          this.run.log.warn(
            { stage: this.name, item: error.item, attempt, code: error.code },
            `${error.describe()}; trying again`,
          );
          continue;
        }
        return await this.setAside(items, error, await detail());
      } finally {
        working();
      }
    }
  }
}

/** A stage declared in a run, in the order of the chain. */
export interface DeclaredStage {
  readonly definition: OperatorDefinition;
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** What it takes and gives with these options. */
  readonly flow: Flow;
  readonly limits: EdgeLimits;
  readonly retries: number;
}

export type Source<S extends StageSpec, O> = OperatorDefinition<S, never, O> &
  ((options: OptionsInput<S>, run: Run) => Observable<Parcel<O>>);
export type Operator<S extends StageSpec, I, O> = OperatorDefinition<S, I, O> &
  ((options: OptionsInput<S>, run: Run) => OperatorFunction<Parcel<I>, Parcel<O>>);

/** Makes a source of a definition. */
export function source<S extends StageSpec, O>(definition: OperatorDefinition<S, never, O>): Source<S, O> {
  const make = (options: OptionsInput<S>, run: Run) => attachSource<O>(run, declaration(definition, options));
  return Object.assign(make, definition);
}

/** Makes an RxJS operator of a definition. */
export function operator<S extends StageSpec, I, O>(
  definition: OperatorDefinition<S, I, O>,
): Operator<S, I, O> {
  const make = (options: OptionsInput<S>, run: Run) => attach<I, O>(run, declaration(definition, options));
  return Object.assign(make, definition);
}

/** Adds a stage whose options are checked to a run, behind those added before. */
export function attach<I, O>(run: Run, declared: DeclaredStage): OperatorFunction<Parcel<I>, Parcel<O>> {
  const index = run.declare(declared);
  return connect<I, O>(
    () => run.wire(index),
    (ports) => run.body<I, O>(index)(ports),
    (work) => run.track(work),
  );
}

/** Adds the source of a run. */
export function attachSource<O>(run: Run, declared: DeclaredStage): Observable<Parcel<O>> {
  const index = run.declare(declared);
  return connectSource<O>(
    () => run.wire(index),
    (ports) => run.body<never, O>(index)(ports as Ports<never, O>),
    (work) => run.track(work),
  );
}

const declaration = <S extends StageSpec, I, O>(
  definition: OperatorDefinition<S, I, O>,
  raw: OptionsInput<S>,
): DeclaredStage =>
  declare(definition as unknown as OperatorDefinition, checkedOptions(definition.spec, raw));

/** A stage of these checked options. */
export function declare(definition: OperatorDefinition, options: OptionsOf<StageSpec>): DeclaredStage {
  const { name, credit_items, credit_bytes, retries } = options;
  return {
    definition,
    name: name ?? definition.spec.operator,
    options,
    flow: definition.spec.flow(options),
    limits: { items: credit_items, bytes: credit_bytes },
    retries,
  };
}

export type { Held, Inlet, Outlet, Parcel, Place, Ports };
