/** Which fields of a data set are whole on disk, and which are to be made. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../../engine/errors.js';
import { makeFolder } from '../../../engine/folder.js';
import type { LedgerRecord } from '../../../engine/records.js';
import type { Run } from '../../../engine/run.js';
import type { WorkerPool } from '../../../engine/workers.js';
import { removeIfThere } from '../../../formats/durable.js';
import type { RecordPlan } from '../../../formats/pt/places.js';
import type { Shard } from '../nouns.js';
import {
  type Claim,
  claimDataset,
  type DatasetRecord,
  filesOf,
  removeReplaced,
  signDataset,
} from './dataset.js';
import type { FieldContent } from './field-content.js';
import {
  clustersFile,
  clustersShard,
  type FieldFiles,
  groupFile,
  groupOfFile,
  ownFiles,
  sharedFolders,
} from './field-files.js';
import { FieldGroup } from './field-group.js';
import type { FieldTask, MergeClusters, Merged } from './fields-worker.js';
import type { Provenance } from './fits-fields.js';
import { lostFile } from './lost-file.js';
import type { TileCatalogRules } from './pt-fields.js';

export interface OpenFieldsOptions {
  readonly dir: string;
  /** What `dataset.json` will say; its fields in the order they are announced in. */
  readonly record: DatasetRecord;
  readonly mayReplace: boolean;
  /** What every field of a .pt file holds. */
  readonly plan: RecordPlan;
  readonly rules: TileCatalogRules;
  /** Sky area of a field, square degrees. */
  readonly area: number;
  readonly run: Run;
  readonly pool: WorkerPool;
}

export class OpenFields {
  readonly #options: OpenFieldsOptions;
  readonly #claim: Claim;
  readonly #record: DatasetRecord;
  readonly #files: FieldFiles;
  readonly #places: ReadonlyMap<string, number>;
  readonly #groups: readonly FieldGroup[];
  /** Shards of several fields that this start has told of. */
  readonly #told = new Set<string>();

  private constructor(options: OpenFieldsOptions, claim: Claim) {
    const { record } = options;
    this.#options = options;
    this.#claim = claim;
    // A field keeps its place when others are announced before it by a later start.
    const known = claim.ownership === 'foreign' ? [] : (claim.before?.fields ?? []);
    this.#record = { ...record, fields: [...new Set([...known, ...record.fields])] };
    this.#files = { forms: record.format, bands: record.bands, hasTruth: record.has_truth };
    const { fields, fields_per_file: size } = this.#record;
    this.#places = new Map(fields.map((field, place) => [field, place]));
    const count = record.format.includes('pt') ? Math.ceil(fields.length / size) : 0;
    this.#groups = Array.from({ length: count }, (_, index) => {
      const members = fields.slice(index * size, (index + 1) * size);
      const { dir, run, pool } = options;
      return new FieldGroup({ dir, index, members, plan: options.plan, run, pool });
    });
  }

  /**
   * Looks whether the folder may be written to, and takes up what an earlier start left: fields whose files cannot be
   * found whole lose their outcome, so that they are made again.
   *
   * @throws `output_exists`
   */
  static async open(options: OpenFieldsOptions): Promise<OpenFields> {
    const { dir, record, run, mayReplace } = options;
    const fields = new OpenFields(options, await claimDataset(dir, record, run, mayReplace));
    if (fields.#claim.ownership === 'foreign') await fields.#forget();
    else if (run.ledger.start !== undefined) await fields.#takeUp();
    return fields;
  }

  /**
   * Makes the folder this run's: what it replaces goes, what the same configuration made before counts as done, what is
   * half is removed. Nothing of this is done by a run that could not start.
   */
  async begin(): Promise<void> {
    const { dir } = this.#options;
    await makeFolder(dir);
    if (this.#claim.ownership === 'foreign' || this.#claim.replaced.length > 0)
      removeReplaced(dir, this.#claim);
    signDataset(dir, this.#record, this.#claim);
    for (const folder of sharedFolders(this.#files)) await makeFolder(join(dir, folder));
    if (this.#claim.ownership === 'orphan') await this.#adopt();
    await this.#sweep();
  }

  /** What earlier starts finished, in order of the fields. */
  get finished(): readonly Shard[] {
    const { run, dir } = this.#options;
    const own = this.#record.fields.flatMap((id) => (run.ledger.shards.has(id) ? this.#ownShards(id) : []));
    const groups = this.#groups.flatMap((group) => {
      const record = run.ledger.shards.get(group.name);
      if (record === undefined || !group.isSettled) return [];
      return this.#tell({ name: group.name, path: join(dir, record.file), rows: record.rows });
    });
    return [...own, ...groups];
  }

  /**
   * Writes a field in all its forms. They are on disk, and the ledger knows, when this returns.
   *
   * @returns the files that are finished with it
   */
  async write(field: FieldContent, signal: AbortSignal): Promise<readonly Shard[]> {
    const { dir, run, pool, plan, rules } = this.#options;
    const place = this.#places.get(field.id);
    if (place === undefined) throw new EngineError('internal', `${field.id} was never announced`);
    const group = this.#groupOf(place);
    const area = field.areaSquareDegrees;
    const task: FieldTask = {
      dir,
      files: this.#files,
      field,
      provenance: this.#provenance,
      place: group && { path: group.openPath, plan, place: group.placeOf(field.id), rules },
    };
    await this.#reopenClusters();
    const work = async (): Promise<void> => {
      const bytes = await pool.run<FieldTask, number>('writeField', task, { signal });
      await run.ledger.append(...this.#recordsOf(field.id, group, bytes, area));
    };
    await (group === undefined ? work() : group.fill(work));
    return [...this.#ownShards(field.id), ...this.#tell(await group?.finish(false))];
  }

  /** Finishes what can get no more fields, now that none will come. */
  async finish(): Promise<readonly Shard[]> {
    const shards: Shard[] = [];
    for (const group of this.#groups) shards.push(...this.#tell(await group.finish(true)));
    return [...shards, ...(await this.#finishClusters())];
  }

  /** The clusters of all tiles in one table. */
  async #finishClusters(): Promise<readonly Shard[]> {
    const { dir, run, pool } = this.#options;
    if (!this.#hasClusters) return [];
    const path = join(dir, clustersFile);
    const before = run.ledger.shards.get(clustersShard);
    if (before !== undefined) return this.#tell({ name: clustersShard, path, rows: before.rows });
    const tiles = this.#record.fields.filter((id) => run.ledger.stateOf(id)?.outcome === 'ok');
    const task: MergeClusters = { dir, tiles, provenance: this.#provenance };
    const { rows, bytes } = await pool.run<MergeClusters, Merged>('mergeClusters', task);
    await run.ledger.append({ type: 'shard', shard: clustersShard, file: clustersFile, rows, bytes });
    return this.#tell({ name: clustersShard, path, rows });
  }

  /** A table of clusters that misses some does not count. */
  async #reopenClusters(): Promise<void> {
    const { ledger } = this.#options.run;
    if (!ledger.shards.has(clustersShard)) return;
    await ledger.append({
      type: 'redo',
      shard: clustersShard,
      items: [],
      reason: 'a tile is made after all',
    });
  }

  get #provenance(): Provenance {
    const { run, record } = this.#options;
    return { version: run.version, configSha256: run.identityHash, seed: record.seed };
  }

  get #hasClusters(): boolean {
    return this.#files.hasTruth && this.#files.forms.includes('des-tiles');
  }

  #groupOf(place: number): FieldGroup | undefined {
    return this.#groups[Math.floor(place / this.#record.fields_per_file)];
  }

  /** One record of all the files of a field, however many they are, and its outcome behind it. */
  #recordsOf(
    id: string,
    group: FieldGroup | undefined,
    bytes: number,
    area: number,
  ): readonly LedgerRecord[] {
    const files = ownFiles(id, this.#files);
    const own = { type: 'shard', shard: id, file: files.join(' '), rows: 1, bytes } as const;
    const detail = { area_square_degrees: area };
    return [
      ...(files.length === 0 ? [] : [own]),
      { type: 'outcome', items: [id], outcome: 'ok', shard: group?.name ?? id, detail },
    ];
  }

  #ownShards(id: string): readonly Shard[] {
    const { dir } = this.#options;
    return ownFiles(id, this.#files).map((file) => ({ name: file, path: join(dir, file), rows: 1 }));
  }

  /** A shard of several fields is told of once in a start, however often it is finished. */
  #tell(shard: Shard | undefined): readonly Shard[] {
    if (shard === undefined || this.#told.has(shard.name)) return [];
    this.#told.add(shard.name);
    return [shard];
  }

  /** What this run once made here, another has replaced. */
  async #forget(): Promise<void> {
    const { run } = this.#options;
    const reason = 'another run has replaced their files';
    const items = this.#record.fields.filter((id) => run.ledger.stateOf(id)?.outcome === 'ok');
    const shards = [...run.ledger.shards.keys()];
    await run.ledger.append(
      ...shards.map((shard) => ({ type: 'redo', shard, items: [], reason }) as const),
      ...(items.length === 0 ? [] : [{ type: 'redo', items, reason } as const]),
    );
  }

  async #takeUp(): Promise<void> {
    const { dir, run } = this.#options;
    const found = await filesOf(dir, this.#record);
    for (const id of this.#record.fields) {
      const record = run.ledger.shards.get(id);
      if (record === undefined) continue;
      const bytes = await sizeOf(dir, ownFiles(id, this.#files));
      if (bytes === record.bytes) continue;
      const reason = `its files have ${bytes ?? 'not all'} bytes instead of ${record.bytes}`;
      await run.ledger.append({ type: 'redo', shard: id, items: [id], reason });
      run.log.warn({ item: id }, 'a field of an earlier start is gone or has changed: it is made again');
    }
    for (const group of this.#groups) {
      await group.takeUp(found.filter((file) => groupOfFile(file) === group.index));
    }
    const clusters = run.ledger.shards.get(clustersShard);
    if (clusters === undefined) return;
    const reason = await lostFile(dir, clusters.file, clusters.bytes);
    if (reason !== undefined)
      await run.ledger.append({ type: 'redo', shard: clustersShard, items: [], reason });
  }

  /** Fields that the same configuration made in a run whose folder is gone count as done, where all their files are there. */
  async #adopt(): Promise<void> {
    const { dir, run, area } = this.#options;
    const found = new Set(await filesOf(dir, this.#record));
    const records: LedgerRecord[] = [];
    const adopt = async (group: FieldGroup | undefined, fields: readonly string[]): Promise<void> => {
      for (const id of fields) {
        const files = ownFiles(id, this.#files);
        if (!files.every((file) => found.has(file))) continue;
        records.push(...this.#recordsOf(id, group, (await sizeOf(dir, files)) ?? 0, area));
      }
    };
    if (this.#groups.length === 0) await adopt(undefined, this.#record.fields);
    for (const group of this.#groups) {
      // Of a file that misses some, nobody can say which.
      const file = groupFile(group.index, group.members.length);
      if (!found.has(file)) continue;
      const bytes = (await sizeOf(dir, [file])) ?? 0;
      records.push({ type: 'shard', shard: group.name, file, rows: group.members.length, bytes });
      await adopt(group, group.members);
    }
    await run.ledger.append(...records);
    run.log.info(
      { fields: records.filter(({ type }) => type === 'outcome').length },
      'fields that are there already',
    );
  }

  /** Removes what a kill left half, and what an earlier start finished and the ledger does not tell of. */
  async #sweep(): Promise<void> {
    const { dir } = this.#options;
    for (const file of await filesOf(dir, this.#record)) {
      const group = groupOfFile(file);
      const isKnown =
        group === undefined ? !file.endsWith('.part') : this.#groups[group]?.isFileOf(file) === true;
      if (!isKnown) removeIfThere(join(dir, file));
    }
  }
}

/** Bytes of all files together; undefined when one is missing. */
async function sizeOf(dir: string, files: readonly string[]): Promise<number | undefined> {
  let sum = 0;
  for (const file of files) {
    const found = await stat(join(dir, file)).catch(() => undefined);
    if (found === undefined) return undefined;
    sum += found.size;
  }
  return sum;
}
