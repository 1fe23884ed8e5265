/** Checkpoints of a training, and that the ledger says what they hold. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readCheckpoint, type TrainingState, writeCheckpoint } from '../../../encoders/checkpoint/state.js';
import type { FamilyName } from '../../../encoders/families.js';
import { EngineError } from '../../../engine/errors.js';
import { makeFolder } from '../../../engine/folder.js';
import type { Run } from '../../../engine/run.js';
import type { NetworkVectors } from './lanes.js';
import { fromJson, type Position, toJson } from './position.js';
import { itemOf } from './splits.js';
import type { WindowCache } from './window-cache.js';

export interface Saved {
  readonly network: NetworkVectors;
  readonly position: Position;
}

export class Checkpoints {
  readonly last: string;
  readonly best: string;
  readonly #family: FamilyName;
  readonly #run: Run;
  /** Whose windows the checkpoints are made of. */
  readonly #owner: string;
  /** Whether an earlier run in this folder had to be given up for this one. */
  readonly #mayReplace: boolean;
  #isMade = false;

  private constructor(dir: string, family: FamilyName, run: Run, mayReplace: boolean) {
    this.last = join(dir, 'last.ckpt');
    this.best = join(dir, 'best.ckpt');
    this.#family = family;
    this.#run = run;
    this.#owner = run.id;
    this.#mayReplace = mayReplace;
  }

  /** @param into folder of the training */
  static async open(into: string, family: FamilyName, run: Run): Promise<Checkpoints> {
    const dir = join(into, 'checkpoints');
    await makeFolder(dir);
    return new Checkpoints(dir, family, run, resolve(into) === resolve(run.dir));
  }

  /** The last checkpoint, if this run has one. */
  get made(): string | undefined {
    return this.#isMade ? this.last : undefined;
  }

  /** Writes a state over `last` or `best`; it is on disk when this returns. */
  save(which: 'last' | 'best', { network, position }: Saved): void {
    const state: TrainingState = {
      family: this.#family,
      ...network,
      step: position.step,
      position: toJson(position),
      provenance: {
        run: this.#owner,
        config_sha256: this.#run.identityHash,
        skypass_version: this.#run.version,
      },
    };
    writeCheckpoint(this[which], state);
    if (which === 'last') this.#isMade = true;
  }

  /**
   * The state to go on from: undefined when this run has none.
   *
   * @throws EngineError `checkpoint_mismatch` when it is damaged, or of another architecture; `output_exists` when it
   *   is of another run, in a folder that is not this run's
   */
  async load(which: 'last' | 'best'): Promise<Saved | undefined> {
    const path = this[which];
    if (!existsSync(path)) return undefined;
    const state = await readCheckpoint(path).catch((error) => {
      throw this.#withRemedy(error, which);
    });
    const { run } = state.provenance as { readonly run?: string };
    if (run !== this.#owner) {
      if (!this.#mayReplace) throw ofAnother(run, path);
      // What an earlier run with another configuration left is not gone on from, and replaced at the next save.
      return undefined;
    }
    if (state.family !== this.#family) {
      throw new EngineError(
        'checkpoint_mismatch',
        `this is a checkpoint of ${state.family}, expected ${this.#family}`,
        {
          place: { file: path },
        },
      );
    }
    if (which === 'last') this.#isMade = true;
    const { quantiles, parameters, moment1, moment2 } = state;
    return { network: { quantiles, parameters, moment1, moment2 }, position: fromJson(state.position) };
  }

  /**
   * The best network of this run.
   *
   * @throws EngineError `checkpoint_mismatch` when it is damaged or gone
   */
  async loadBest(): Promise<Saved> {
    const best = await this.load('best');
    if (best !== undefined) return best;
    const gone = new EngineError('checkpoint_mismatch', 'the checkpoint of the best network is gone', {
      place: { file: this.best },
    });
    throw this.#withRemedy(gone, 'best');
  }

  /** A damaged checkpoint can be done without: epochs that were trained are trained again, to the same numbers. */
  #withRemedy(error: unknown, which: 'last' | 'best'): unknown {
    if (!(error instanceof EngineError) || error.code !== 'checkpoint_mismatch') return error;
    const anew = `delete ${this.last} to train anew from the first epoch`;
    const hint =
      which === 'last' && existsSync(this.best)
        ? `copy best.ckpt over it to go on from there, or ${anew}`
        : anew;
    return new EngineError(error.code, error.message, { place: error.place, hint, cause: error });
  }
}

const ofAnother = (run: string | undefined, file: string): EngineError =>
  new EngineError('output_exists', `this is a checkpoint of another training (${run ?? 'unknown'})`, {
    place: { file },
    hint: 'choose another train.into, or delete the checkpoints there if nobody needs them',
  });

/** Windows that a checkpoint has. */
export const windowsOf = ({ windows }: Position): readonly string[] => Object.values(windows).flat();

/**
 * Makes the ledger say what the checkpoint does: windows in it are done, unless their files are gone; no others are.
 * Those that lose their outcome come again.
 *
 * @returns windows of the checkpoint whose files are gone
 */
export async function settleLedger(
  { ledger, log }: Run,
  position: Position,
  kept: ReadonlySet<string>,
  cache: WindowCache,
): Promise<readonly string[]> {
  const known = windowsOf(position);
  const isDone = (id: string) => ledger.stateOf(id)?.outcome === 'ok';
  const isLost = (id: string) => kept.has(itemOf(id)) && !cache.has(id);
  const missing = known.filter(isLost);
  const lost = missing.filter(isDone);
  const inCheckpoint = new Set(known);
  const ahead = [...ledger.items].flatMap(([id, { outcome }]) =>
    outcome === 'ok' && !inCheckpoint.has(id) ? [id] : [],
  );
  const behind = known.filter((id) => !isDone(id) && !isLost(id));
  if (behind.length > 0) await ledger.append({ type: 'outcome', items: behind, outcome: 'ok' });
  if (ahead.length > 0)
    await ledger.append({ type: 'redo', items: ahead, reason: 'they are not in the last checkpoint' });
  if (lost.length > 0) {
    await ledger.append({ type: 'redo', items: lost, reason: 'their files in the cache are gone' });
    log.warn({ windows: lost.length }, 'windows of the cache are gone: they are made anew');
  }
  return missing;
}
