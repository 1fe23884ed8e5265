/**
 * One .pt file and the fields in it. Every field has its place in the file before it is written, so neither the order
 * in which fields arrive nor a kill leaves a trace in the bytes. The ledger alone says which places are filled: a field
 * is in it only after its bytes are on disk.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run } from '../../../engine/run.js';
import type { WorkerPool } from '../../../engine/workers.js';
import { partPath, removeIfThere } from '../../../formats/durable.js';
import type { RecordPlan } from '../../../formats/pt/places.js';
import type { Shard } from '../nouns.js';
import { groupFile, groupName, openGroupFile } from './field-files.js';
import type { CheckPlaces, FinishGroup } from './fields-worker.js';
import { lostFile } from './lost-file.js';

export interface FieldGroupOptions {
  readonly dir: string;
  readonly index: number;
  /** Names of the fields, by their place. */
  readonly members: readonly string[];
  readonly plan: RecordPlan;
  readonly run: Run;
  readonly pool: WorkerPool;
}

export class FieldGroup {
  readonly name: string;
  /** The file while it can still get fields. */
  readonly openPath: string;
  readonly #options: FieldGroupOptions;
  /** How many fields are being written into it. */
  #writing = 0;
  /** Opening, finishing and opening again take turns. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: FieldGroupOptions) {
    this.#options = options;
    this.name = groupName(options.index);
    this.openPath = join(options.dir, openGroupFile(options.index));
  }

  get index(): number {
    return this.#options.index;
  }

  /** Names of its fields, by their place. */
  get members(): readonly string[] {
    return this.#options.members;
  }

  /** Whether all its fields have an outcome. */
  get isSettled(): boolean {
    return this.members.every((field) => this.#options.run.ledger.outcomeOf(field) !== undefined);
  }

  /** Whether the ledger tells of a file of its folder, finished or open. */
  isFileOf(file: string): boolean {
    const record = this.#options.run.ledger.shards.get(this.name);
    if (record !== undefined) return file === record.file;
    return file === openGroupFile(this.index) && this.#filled().length > 0;
  }

  placeOf(field: string): number {
    return this.members.indexOf(field);
  }

  /** Runs the work that fills a place. A group that was finished without this field is opened again. */
  async fill<T>(work: () => Promise<T>): Promise<T> {
    await this.#inTurn(async () => {
      this.#writing += 1;
      const record = this.#options.run.ledger.shards.get(this.name);
      if (record === undefined) return;
      await this.#options.run.ledger.append({
        type: 'redo',
        shard: this.name,
        items: [],
        reason: 'a field that was missing in it is made after all',
      });
      await rename(join(this.#options.dir, record.file), this.openPath);
    });
    try {
      return await work();
    } finally {
      this.#writing -= 1;
    }
  }

  /** Finishes the file when it can get no more fields, or when no more will come. */
  finish(hasEnded: boolean): Promise<Shard | undefined> {
    return this.#inTurn(async () => {
      const { dir, index, plan, run, pool } = this.#options;
      if (run.ledger.shards.has(this.name) || this.#writing > 0 || !(this.isSettled || hasEnded))
        return undefined;
      const places = this.#filled().map((field) => this.placeOf(field));
      if (places.length === 0) {
        removeIfThere(this.openPath);
        return undefined;
      }
      const file = groupFile(index, places.length);
      const path = join(dir, file);
      await rename(this.openPath, partPath(path));
      const bytes = await pool.run<FinishGroup, number>('finishGroup', { path, plan, places });
      await run.ledger.append({ type: 'shard', shard: this.name, file, rows: places.length, bytes });
      return { name: this.name, path, rows: places.length };
    });
  }

  /**
   * Takes up what an earlier start left: a finished file counts while it is whole to the byte, a field of an open one
   * while its place is filled. All other fields lose their outcome, so that they are made again.
   *
   * @param found files of this group, finished ones among them, relative to the folder
   */
  async takeUp(found: readonly string[]): Promise<void> {
    const { dir, plan, run, pool } = this.#options;
    const record = run.ledger.shards.get(this.name);
    if (record !== undefined) {
      const lost = await lostFile(dir, record.file, record.bytes);
      if (lost === undefined) return;
      await run.ledger.append({ type: 'redo', shard: this.name, reason: lost });
      run.log.warn(
        { shard: this.name, reason: lost },
        'a file of an earlier start is gone or has changed: its fields are made again',
      );
      return;
    }
    const known = this.#filled();
    if (known.length === 0) return;
    // A kill while it was being finished, or before the ledger knew that it was.
    const finished = found.find((file) => join(dir, file) !== this.openPath);
    if (finished !== undefined) await rename(join(dir, finished), this.openPath);
    const places = known.map((field) => this.placeOf(field));
    const filled = new Set(
      await pool.run<CheckPlaces, readonly number[]>('checkPlaces', { path: this.openPath, plan, places }),
    );
    const items = known.filter((field) => !filled.has(this.placeOf(field)));
    if (items.length === 0) return;
    await run.ledger.append({ type: 'redo', items, reason: `they are not in ${this.name}.pt.part` });
    run.log.warn(
      { shard: this.name, items: items.length },
      'fields of an earlier start are gone: they are made again',
    );
  }

  /** Fields whose place is filled, as the ledger knows. */
  #filled(): readonly string[] {
    const { run } = this.#options;
    return this.members.filter((field) => {
      const state = run.ledger.stateOf(field);
      return state?.outcome === 'ok' && state.shard === this.name;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}
