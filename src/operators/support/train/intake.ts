/** What arrives at the stage: windows to train on, windows to keep for scores, and windows to make anew. */
import { asEngineError, EngineError } from '../../../engine/errors.js';
import type { Held, Inlet } from '../../../engine/ports.js';
import type { Stage } from '../../../engine/stage.js';
import { BufferPool } from '../buffer-pool.js';
import type { Batch, Window } from '../nouns.js';
import { requireMembership } from '../truth.js';
import { type AugmentRules, trainingVisit } from './augment.js';
import type { FreshWindow } from './loader-worker.js';
import type { Loaders } from './loaders.js';
import { type SetName, type Splits, setOf } from './splits.js';
import type { Visits } from './visits.js';

export interface IntakeOptions {
  readonly stage: Stage;
  readonly loaders: Loaders;
  readonly rules: AugmentRules;
  readonly bands: readonly string[];
  readonly size: number;
  /** Side of a cell, pixels. */
  readonly cell: number;
  /** X and Y of the centre of the first pixel. */
  readonly origin: number;
  /** Numbers of the items by their names. */
  readonly numbers: ReadonlyMap<string, number>;
  readonly splits: Splits;
  /** Items whose windows are kept. */
  readonly kept: ReadonlySet<string>;
  /** Windows that a checkpoint has; they come again when their file is lost, and are only kept. */
  readonly known: ReadonlySet<string>;
  /** Whether other windows are taken, too: those of later epochs are known. */
  readonly isFirstEpoch: boolean;
  /** Ends the stage with an error. */
  readonly abort: (error: unknown) => void;
}

export class Intake {
  /** Windows whose files have been made, but for those to train on. */
  readonly stored: Record<Exclude<SetName, 'train'> | 'again', string[]> = {
    validation: [],
    test: [],
    again: [],
  };
  readonly #options: IntakeOptions;
  readonly #working = new Set<Promise<unknown>>();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Takes what arrives until nothing more does. Once the run is to stop, it is let go of. */
  async take(inlet: Inlet<Batch>, visits: Visits): Promise<void> {
    const { run } = this.#options.stage;
    try {
      for (let held = await inlet.take(); held !== undefined; held = await inlet.take()) {
        if (run.stopping.aborted) held.lease.release();
        else await this.#admit(held, visits);
      }
      await this.settled();
      visits.end();
    } catch (error) {
      visits.fail(error);
      throw error;
    } finally {
      await Promise.allSettled(this.#working);
    }
  }

  /** Returns when the windows that have arrived are where they belong. */
  async settled(): Promise<void> {
    await Promise.all(this.#working);
  }

  /** Sends the windows of a batch on their way, in their order; its memory is free when they are averaged. */
  async #admit({ value, lease }: Held<Batch>, visits: Visits): Promise<void> {
    const begun: Promise<unknown>[] = [];
    try {
      const left: string[] = [];
      for (const window of value.rows) {
        const number = this.#options.numbers.get(window.parent);
        const set = number === undefined ? undefined : setOf(this.#options.splits, number);
        if (set === undefined) left.push(window.id);
        else if (this.#options.known.has(window.id)) begun.push(this.#store(window, 'again'));
        else if (!this.#options.isFirstEpoch) begun.push(this.#track(this.#tooLate(window.id)));
        else if (set !== 'train') begun.push(this.#store(window, set));
        else {
          const into = await this.#options.loaders.take();
          if (into !== undefined) begun.push(this.#show(window, number as number, into, visits));
        }
      }
      if (left.length > 0) await this.#leaveOut(left);
    } finally {
      const done = Promise.allSettled(begun).then(() => lease.release());
      this.#working.add(done);
      void done.then(() => this.#working.delete(done));
    }
  }

  #show(window: Window, item: number, into: SharedArrayBuffer, visits: Visits): Promise<unknown> {
    const { loaders, rules, kept } = this.#options;
    const keepAs = kept.has(window.parent) ? window.id : undefined;
    const visit = trainingVisit(rules, window.id, 0);
    const seen = this.#guarded(window, (fresh) => loaders.show(fresh, visit, into, keepAs)).then((shown) => {
      if (shown === undefined) loaders.give(into);
      return shown;
    });
    visits.push({ id: window.id, item, seen });
    return this.#track(seen);
  }

  async #store(window: Window, as: keyof Intake['stored']): Promise<void> {
    await this.#track(
      this.#guarded(window, async (fresh) => {
        await this.#options.loaders.keep(window.id, fresh);
        this.stored[as].push(window.id);
      }),
    );
  }

  /** Remembers work until it is done. An error ends the stage. */
  #track<T>(work: Promise<T>): Promise<T> {
    this.#working.add(work);
    work.then(
      () => this.#working.delete(work),
      (error) => this.#options.abort(error),
    );
    return work;
  }

  /** Works on a window, and sets it aside when it is what is wrong. Its pixels are free afterwards. */
  async #guarded<T>(window: Window, work: (fresh: FreshWindow) => Promise<T>): Promise<T | undefined> {
    const { stage } = this.#options;
    try {
      const done = await work(this.#checked(window));
      BufferPool.of(stage.run).give(window.pixels);
      return done;
    } catch (thrown) {
      stage.run.signal.throwIfAborted();
      const error = asEngineError(thrown, { stage: stage.name, item: window.id });
      if (error.reach !== 'item' && error.code !== 'truth_missing') throw error;
      stage.meter.error(error.code);
      await stage.setAside([window.id], error);
      return undefined;
    }
  }

  /** @throws EngineError `bands_differ`, `truth_missing` */
  #checked(window: Window): FreshWindow {
    const { bands, size, cell, origin } = this.#options;
    const { pixels } = window;
    if (window.bands.join() !== bands.join() || window.size !== size) {
      throw new EngineError(
        'bands_differ',
        `the window has bands ${window.bands.join(', ')} and ${window.size} × ${window.size} pixels; the others have ${bands.join(', ')} and ${size} × ${size}`,
        { hint: 'leave the image out' },
      );
    }
    return { pixels, size, membership: requireMembership(window, cell, origin) };
  }

  /** Items that are in no set need no more work. */
  async #leaveOut(items: readonly string[]): Promise<void> {
    const { stage } = this.#options;
    stage.meter.outcome('no_work', items.length);
    await stage.run.ledger.append({ type: 'outcome', items, outcome: 'no_work', stage: stage.name });
  }

  async #tooLate(id: string): Promise<void> {
    const { stage } = this.#options;
    const error = new EngineError(
      'upstream_incomplete',
      'the window came when the epoch it belongs to had ended',
      { stage: stage.name, item: id, hint: 'begin a new run (overwrite=true) to train on it, too' },
    );
    await stage.setAside([id], error);
  }
}
