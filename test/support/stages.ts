/** Small stages for tests of the engine: they move names about, and hold as many bytes as they are told. */
import type { Observable, OperatorFunction } from 'rxjs';
import { type StageSpec, stageSpec } from '../../src/config/spec.js';
import { joinLeases } from '../../src/engine/credit.js';
import type { Parcel } from '../../src/engine/ports.js';
import type { Run } from '../../src/engine/run.js';
import {
  type Held,
  operator,
  type Slot,
  type Stage,
  type StageNeeds,
  source,
} from '../../src/engine/stage.js';

/** What flows in tests: a name, or several. */
export type Names = readonly string[];
export type Names$ = Observable<Parcel<Names>>;

export interface Options {
  readonly name?: string;
  /** Places on the edge behind the stage. */
  readonly credit?: number;
  readonly creditBytes?: number;
  readonly retries?: number;
  /** Bytes of each result. */
  readonly bytes?: number;
  /** What the stage says its results may have; `bytes` unless said. */
  readonly itemBytes?: number;
  readonly workingBytes?: number;
  readonly slots?: number;
  readonly gathers?: number;
  readonly mostResults?: number | undefined;
  readonly divides?: StageNeeds['divides'];
  /** Results leave in the order of what they are made from. */
  readonly isOrdered?: boolean;
  /** What the stage says of its results. */
  readonly facts?: Readonly<Record<string, unknown>>;
  readonly onOpen?: (stage: Stage) => void | Promise<void>;
}

const specOf = (name: string, isSource: boolean): StageSpec =>
  stageSpec(name, { takes: isSource ? null : 'Window', gives: 'Window' }, 'A stage of a test.', {});

const common = ({ credit = 1, creditBytes = 1 << 30, retries = 0 }: Options) => ({
  credit_items: credit,
  credit_bytes: creditBytes,
  retries,
});

const needsOf = ({
  bytes = 0,
  itemBytes = bytes,
  workingBytes = 0,
  slots = 1,
  gathers,
  mostResults,
  divides,
  facts = {},
}: Options): StageNeeds => ({
  facts,
  itemBytes,
  workingBytes,
  slots,
  ...(gathers !== undefined && { gathers }),
  ...(mostResults !== undefined && { mostResults }),
  ...(divides !== undefined && { divides }),
});

/** How far a source has come. */
export class Progress {
  made = 0;
}

export interface SourceOptions<T> extends Options {
  readonly count: number;
  readonly value: (index: number) => T | Promise<T>;
  readonly itemsOf: (index: number) => readonly string[];
  /** Called before the item is made; may throw. */
  readonly before?: (index: number) => void | Promise<void>;
}

/** A source of any values. It makes the next one only once it has a place for it. */
export function produced<T>(run: Run, progress: Progress, options: SourceOptions<T>): Observable<Parcel<T>> {
  const name = options.name ?? 'source';
  return source<StageSpec, T>({
    spec: specOf(name, true),
    operational: [],
    inspect: async () => needsOf(options),
    open: async (stage) => {
      await options.onOpen?.(stage);
      return async (ports) => {
        for (let i = 0; i < options.count && !run.stopping.aborted; i++) {
          await stage.guard<T>(options.itemsOf(i), ports, async (slot) => {
            const place = await slot.reserve(options.bytes ?? 0);
            try {
              await whileAlive(ports.signal, () => options.before?.(i));
              const value = await options.value(i);
              progress.made += 1;
              place.emit(value, options.itemsOf(i));
            } catch (error) {
              place.cancel();
              throw error;
            }
          });
        }
      };
    },
  })(common(options), run);
}

/** A source of the names `t0`, `t1`, … */
export function counted(
  run: Run,
  options: Options & { readonly count: number; readonly before?: (index: number) => void | Promise<void> },
  progress = new Progress(),
): Names$ {
  return produced<Names>(run, progress, { ...options, value: (i) => [`t${i}`], itemsOf: (i) => [`t${i}`] });
}

type Work = (held: Held<Names>, slot: Slot<Names>, stage: Stage, signal: AbortSignal) => Promise<void>;

/** A stage that works on items one by one, in slots. */
export function stage(
  run: Run,
  name: string,
  options: Options,
  work: Work,
): OperatorFunction<Parcel<Names>, Parcel<Names>> {
  const slots = options.slots ?? 1;
  return operator<StageSpec, Names, Names>({
    spec: specOf(name, false),
    operational: [],
    inspect: async () => needsOf(options),
    open: async (self) => {
      await options.onOpen?.(self);
      return (ports) => {
        const each = (held: Held<Names>, slot: Slot<Names>) => work(held, slot, self, ports.signal);
        return options.isOrdered === true
          ? self.eachInOrder<Names, Names>(ports, slots, each)
          : self.each<Names, Names>(ports, slots, each);
      };
    },
  })(common(options), run);
}

export type EachName = (names: Names) => void | Promise<void>;

/** Waits for work, but no longer than the stage lives: as a worker thread whose task is ended. */
async function whileAlive(signal: AbortSignal, work: () => unknown): Promise<void> {
  signal.throwIfAborted();
  let leave = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    leave = () => reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
  });
  try {
    await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}

/** One to one: reserves, works, emits. */
export function worked(
  run: Run,
  name: string,
  options: Options = {},
  each: EachName = () => {},
): OperatorFunction<Parcel<Names>, Parcel<Names>> {
  return stage(run, name, options, async ({ value, items }, slot, _stage, signal) => {
    const place = await slot.reserve(options.bytes ?? 0);
    try {
      await whileAlive(signal, () => each(value));
      place.emit(value, items);
    } catch (error) {
      place.cancel();
      throw error;
    }
  });
}

/** One to many: `t0` becomes `t0/0`, `t0/1`, …; each has its place before it is made. */
export function expanded(
  run: Run,
  children: number,
  options: Options = {},
  each: EachName = () => {},
): OperatorFunction<Parcel<Names>, Parcel<Names>> {
  return stage(run, options.name ?? 'expand', options, async ({ value }, slot, _stage, signal) => {
    for (const name of value) {
      await run.ledger.append({ type: 'parent', item: name, children, detail: {} });
      for (let i = 0; i < children; i++) {
        const child = `${name}/${i}`;
        const place = await slot.reserve(options.bytes ?? 0);
        try {
          await whileAlive(signal, () => each([child]));
        } catch (error) {
          place.cancel();
          throw error;
        }
        place.emit([child], [child]);
      }
    }
  });
}

/** Many to one: groups of `count`, the rest at the end; the group is the items it holds. */
export function grouped(
  run: Run,
  count: number,
  options: Options & { readonly withinMs?: number } = {},
): OperatorFunction<Parcel<Names>, Parcel<Names>> {
  return operator<StageSpec, Names, Names>({
    spec: specOf(options.name ?? 'group', false),
    operational: [],
    inspect: async () => needsOf({ ...options, gathers: count }),
    open:
      async () =>
      async ({ inlet, outlet }) => {
        for (;;) {
          const waiting = await inlet.atLeast(count, options.withinMs);
          if (waiting === 0) return;
          const place = await outlet.place(inlet.sizes(waiting).reduce((sum, size) => sum + size, 0));
          const held = inlet.takeNow(waiting);
          place(joinLeases(held.map(({ lease }) => lease))).emit(
            held.flatMap(({ value }) => value),
            held.flatMap(({ items }) => items),
          );
        }
      },
  })(common(options), run);
}

/** The end of a chain: what arrives is `ok` in the ledger, then known outside. */
export function recorded(
  run: Run,
  written: string[],
  options: Options = {},
  each: EachName = () => {},
): OperatorFunction<Parcel<Names>, Parcel<Names>> {
  return stage(run, options.name ?? 'write', options, async ({ value, items }, slot, self, signal) => {
    const place = await slot.reserve(options.bytes ?? 0);
    try {
      await whileAlive(signal, () => each(value));
      await run.ledger.append({ type: 'outcome', items, outcome: 'ok', shard: 's' });
      self.meter.outcome('ok', items.length);
      written.push(...value);
      place.emit(value, items);
    } catch (error) {
      place.cancel();
      throw error;
    }
  });
}

/** A door that is shut until somebody opens it. */
export class Gate {
  #open: () => void = () => {};
  readonly opened = new Promise<void>((resolve) => {
    this.#open = resolve;
  });

  open(): void {
    this.#open();
  }
}
