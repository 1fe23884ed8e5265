/**
 * Whose a folder of cached fields is: `dataset.json` says which run made it, of what, and in which order its fields
 * are counted. No run writes among the files of another.
 */
import { linkSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join, posix } from 'node:path';
import { EngineError } from '../../../engine/errors.js';
import { Ledger } from '../../../engine/ledger.js';
import type { Run } from '../../../engine/run.js';
import { commitPart, partPath, removeIfThere, syncFolderOf } from '../../../formats/durable.js';
import {
  clustersFile,
  type FieldForm,
  groupFolder,
  groupName,
  groupOfFile,
  ownFiles,
} from './field-files.js';

/** What `dataset.json` holds. */
export interface DatasetRecord {
  readonly run: string;
  readonly run_dir: string;
  readonly pipeline: string;
  readonly skypass_version: string;
  readonly config_sha256: string;
  /** Null when nothing was drawn. */
  readonly seed: number | null;
  readonly format: readonly FieldForm[];
  readonly bands: readonly string[];
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Of the tile catalogues in .pt files; null without them. */
  readonly tile_size: number | null;
  readonly fields_per_file: number;
  readonly has_truth: boolean;
  /** Field n of a .pt file k is field k · fields_per_file + n of this list. */
  readonly fields: readonly string[];
}

/**
 * `ours`: this run made it, or would if it had begun. `orphan`: made by the same configuration in a run whose folder is
 * gone. `foreign`: somebody else's, to be replaced.
 */
export type Ownership = 'ours' | 'orphan' | 'foreign';

export interface Claim {
  readonly ownership: Ownership;
  readonly before: DatasetRecord | undefined;
  /** Files in the way, relative to the folder: removed when the run begins. */
  readonly replaced: readonly string[];
}

const recordPath = (dir: string): string => join(dir, 'dataset.json');

/**
 * Looks whether a run may write a data set into a folder. Changes nothing.
 *
 * @param next what the run would write
 * @throws `output_exists` when what is there belongs to another run, or to nobody knows whom, and may not be replaced
 */
export async function claimDataset(
  dir: string,
  next: DatasetRecord,
  run: Run,
  mayReplace: boolean,
): Promise<Claim> {
  const before = readRecord(dir);
  if (before?.run === run.id) return { ownership: 'ours', before, replaced: [] };
  if (before === undefined) {
    const isExplained = explained(next, run.ledger);
    const unexplained = (await filesOf(dir, next)).filter((file) => !isExplained(file));
    if (unexplained.length > 0 && !mayReplace) throw unexplainedError(dir, unexplained);
    return { ownership: 'ours', before, replaced: unexplained };
  }
  if (mayReplace) return { ownership: 'foreign', before, replaced: await filesOf(dir, before) };
  const isSame = before.config_sha256 === run.identityHash;
  if (isSame && run.ledger.start === undefined && !(await lives(before))) {
    return { ownership: 'orphan', before, replaced: [] };
  }
  throw otherRunError(dir, before, next, isSame);
}

/**
 * Says in the folder whose it is.
 *
 * @throws `output_exists` when another run has done so since the folder was claimed
 */
export function signDataset(dir: string, record: DatasetRecord, { ownership, before }: Claim): void {
  const path = recordPath(dir);
  const text = `${JSON.stringify(record, null, 1)}\n`;
  if (ownership !== 'foreign' && before !== undefined) {
    writeFileSync(partPath(path), text);
    commitPart(path);
  } else signFirst(dir, text, record);
  // What a kill has left of a signature.
  for (const name of readdirSync(dir))
    if (name.startsWith(`${basename(path)}.`) && name.endsWith('.part')) removeIfThere(join(dir, name));
}

/** Of two runs that begin at once, one finds the name taken. */
function signFirst(dir: string, text: string, record: DatasetRecord): void {
  const path = recordPath(dir);
  const own = partPath(`${path}.${record.run}`);
  writeFileSync(own, text);
  try {
    linkSync(own, path);
    syncFolderOf(path);
  } catch (error) {
    // ENOENT: the other run has signed, and removed what looked left behind.
    if (!['EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    throw otherRunError(dir, readRecord(dir) ?? record, record, false);
  } finally {
    removeIfThere(own);
  }
}

/** Removes what is to be replaced; the signature goes last, so that a kill in between leaves the folder explained. */
export function removeReplaced(dir: string, { replaced }: Claim): void {
  for (const file of replaced) removeIfThere(join(dir, file));
  // The folder of a tile that is left empty would pass for a tile whose files are missing.
  for (const folder of new Set(replaced.map((file) => posix.dirname(file)))) removeIfEmpty(join(dir, folder));
  removeIfThere(recordPath(dir));
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

function readRecord(dir: string): DatasetRecord | undefined {
  const path = recordPath(dir);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  try {
    const record = JSON.parse(text) as Partial<DatasetRecord>;
    if (typeof record.run === 'string' && Array.isArray(record.fields) && Array.isArray(record.format))
      return record as DatasetRecord;
  } catch {
    // Refused below, as any other file that is no signature.
  }
  throw new EngineError('output_exists', 'this dataset.json was not written here, or has been damaged', {
    place: { file: path },
    hint: 'move this file away and give the same command again: fields that are whole are kept; or choose another folder',
  });
}

/** Whether the run that made a data set can still be gone on with. */
async function lives({ run, run_dir }: DatasetRecord): Promise<boolean> {
  try {
    return (await Ledger.read(join(run_dir, 'ledger.jsonl'))).start?.run === run;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/** Which files of a data set are there, those of groups of any size and those that are not whole among them. */
export async function filesOf(dir: string, record: DatasetRecord): Promise<readonly string[]> {
  const { format, bands, has_truth, fields } = record;
  const files = { forms: format, bands, hasTruth: has_truth };
  const named = new Set([...fields.flatMap((id) => ownFiles(id, files)), clustersFile]);
  const top = new Set(await namesIn(dir));
  const folders = new Set([...named].map((file) => posix.dirname(file)).filter((name) => top.has(name)));
  const found: string[] = [];
  for (const folder of folders) {
    for (const name of await namesIn(join(dir, folder))) {
      const file = `${folder}/${name}`;
      if (named.has(file.replace(/\.part$/, ''))) found.push(file);
    }
  }
  if (!format.includes('pt')) return found;
  const groups = (await namesIn(join(dir, groupFolder))).map((name) => `${groupFolder}/${name}`);
  return [...found, ...groups.filter((file) => groupOfFile(file) !== undefined)];
}

/** The names in a folder, in order; none when there is no such folder. */
async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

/** The files of a data set that the ledger of the run tells of: there, only the signature has been lost. */
function explained(
  { format, bands, has_truth, fields }: DatasetRecord,
  ledger: Ledger,
): (file: string) => boolean {
  const files = { forms: format, bands, hasTruth: has_truth };
  const own = new Set(fields.filter((id) => ledger.shards.has(id)).flatMap((id) => ownFiles(id, files)));
  return (file) => {
    // A half file, or the sum of what the ledger tells of: no harm is done by replacing it.
    if (file.endsWith('.part') || file === clustersFile) return ledger.start !== undefined;
    const group = groupOfFile(file);
    return group === undefined ? own.has(file) : ledger.shards.has(groupName(group));
  };
}

function unexplainedError(dir: string, files: readonly string[]): EngineError {
  const some = files.slice(0, 3).join(', ');
  const message = `the folder holds files of these names that no dataset.json explains: ${some}${
    files.length > 3 ? ` and ${files.length - 3} more` : ''
  }`;
  return new EngineError('output_exists', message, {
    place: { file: dir },
    hint: 'choose another folder, move them away, or replace them with overwrite=true',
  });
}

function otherRunError(
  dir: string,
  before: DatasetRecord,
  next: DatasetRecord,
  isSame: boolean,
): EngineError {
  const made = isSame
    ? 'from the same configuration and seed'
    : before.seed === next.seed
      ? `from another configuration${before.seed === null ? '' : ` with the same seed (${before.seed})`}`
      : `with seed ${before.seed ?? 'unknown'} instead of ${next.seed ?? 'unknown'}`;
  return new EngineError(
    'output_exists',
    `the folder holds the data set of run ${before.run}, made ${made}`,
    {
      place: { file: recordPath(dir) },
      hint: `choose another folder, go on with that run (run.dir=${before.run_dir}), or replace its files with overwrite=true`,
    },
  );
}
