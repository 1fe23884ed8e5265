/** Starts of a run that keeps simulated fields, in a folder of the test's own, and what they leave. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { EngineError } from '../../src/engine/errors.js';
import type { Run, RunSummary } from '../../src/engine/run.js';
import type { Facts } from '../../src/engine/stage.js';
import type { Catalog, SkyImage } from '../../src/operators/support/nouns.js';
import { write } from '../../src/operators/write.js';
import { drawnField, fieldBands, fieldFacts, fieldName } from './fields.js';
import { type TempFolder, tempFolder, testRun } from './run.js';
import { Progress, produced } from './stages.js';

/** Of a field, pixels. */
export const side = 64;

type Field = SkyImage | Catalog;

export interface Start {
  /** Folder of the run, in the test's own. */
  readonly run?: string;
  /** Folder of the data set. */
  readonly data?: string;
  readonly format: 'dat' | 'fits' | 'pt' | 'des-tiles' | readonly ('dat' | 'fits' | 'pt' | 'des-tiles')[];
  /** How many fields are announced. */
  readonly count?: number;
  /** Which of them come, in this order; all, in their order, when left out. */
  readonly order?: readonly number[];
  readonly facts?: Facts;
  readonly field?: (index: number) => Field;
  readonly nameOf?: (index: number) => string;
  readonly options?: Partial<Parameters<typeof write>[0]>;
  /** Called before a field is made; may throw, which sets it aside or ends the run. */
  readonly before?: (index: number, run: Run) => void | Promise<void>;
}

export interface Done {
  readonly summary: RunSummary;
  readonly run: Run;
}

class Kept implements AsyncDisposable {
  readonly #temp: TempFolder;

  private constructor(temp: TempFolder) {
    this.#temp = temp;
  }

  static async make(): Promise<Kept> {
    return new Kept(await tempFolder());
  }

  at(...names: readonly string[]): string {
    return join(this.#temp.path, ...names);
  }

  /** One start of a run that keeps so many fields. */
  async keep(start: Start): Promise<Done> {
    const { run: runDir = 'run', data = 'data', format, count = 5, nameOf = fieldName } = start;
    const { order = [...Array(count).keys()], facts = fieldFacts(count, side, nameOf) } = start;
    const { field = (index) => drawnField(index, side, nameOf) } = start;
    await using own = await testRun({ dir: this.at(runDir), memoryBytes: 512 << 20 });
    const { run } = own;
    const stream = produced<Field>(run, new Progress(), {
      name: 'render',
      count: order.length,
      bytes: 100,
      facts,
      itemsOf: (i) => [nameOf(order[i] as number)],
      value: (i) => field(order[i] as number),
      before: (i) => start.before?.(order[i] as number, run),
    }).pipe(
      write(
        { format, dir: this.at(data), tile_size: 32, fields_per_file: 2, threads: 2, ...start.options },
        run,
      ),
    );
    return { summary: await run.execute(stream), run };
  }

  /** Hash of every file of a folder, but for the signature, which names the run. */
  async hashes(folder: string): Promise<Readonly<Record<string, string>>> {
    const entries = await readdir(this.at(folder), { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile() && entry.name !== 'dataset.json');
    const hashed = files.map(async ({ parentPath, name }) => {
      const path = join(parentPath, name);
      const hash = createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
      return [path.slice(this.at(folder).length + 1), hash.slice(0, 16)] as const;
    });
    return Object.fromEntries((await Promise.all(hashed)).sort());
  }

  /** Items that got an outcome in any start of a run, in order; once for each time. */
  async outcomes(run = 'run'): Promise<readonly string[]> {
    const lines = (await readFile(this.at(run, 'ledger.jsonl'), 'utf8')).trim().split('\n');
    const records = lines.map((line) => JSON.parse(line) as { type: string; items?: readonly string[] });
    return records.flatMap(({ type, items }) => (type === 'outcome' ? (items ?? []) : []));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#temp[Symbol.asyncDispose]();
  }
}

/** A set-aside of the field, as when its catalogue cannot be read. */
export const unprocessable = () => new EngineError('catalog_values', 'a flux is negative');
/** A failure that a later start tries again. */
export const failed = () => new EngineError('timed_out', 'it took too long');
/** What ends the run, as a kill would, but for what is in flight. */
export const fatal = () => new EngineError('out_of_files', 'no more files');

export const images = (index: number) => fieldBands.map((band) => `images/${fieldName(index)}_${band}.fits`);
export const catalogOf = (index: number) => `catalogs/${fieldName(index)}.dat`;
export const all = ['dat', 'fits', 'pt'] as const;
export const whole = { end: 'complete', error: undefined } as const;

/** Fresh folders for each test of a file, and what is done in them. */
export function keptFields() {
  let kept: Kept;
  beforeEach(async () => {
    kept = await Kept.make();
  });
  afterEach(() => kept[Symbol.asyncDispose]());
  return {
    at: (...names: readonly string[]) => kept.at(...names),
    keep: (start: Start) => kept.keep(start),
    hashes: (folder: string) => kept.hashes(folder),
    outcomes: () => kept.outcomes(),
  };
}
