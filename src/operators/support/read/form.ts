/** What the forms that `read` knows have in common: how items are found, and how one is opened. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { asEngineError } from '../../../engine/errors.js';
import type { WorkerPool } from '../../../engine/workers.js';
import { FormatError } from '../../../formats/errors.js';
import type { Announced, CatalogFacts, ImageFacts } from '../facts.js';
import type { Catalog, SkyImage } from '../nouns.js';

/** The options of `read` that forms look at. */
export interface FormOptions {
  readonly bands: readonly string[];
  readonly reader: 'skypass' | 'fitsjs';
  readonly verify: boolean;
  readonly size: number | readonly number[] | undefined;
  readonly ra: number;
  readonly dec: number;
  readonly pixel_scale: number;
}

/** What a form works with. */
export interface FormContext {
  readonly options: FormOptions;
  /** Opens files; in threads, but for a first look. */
  readonly pool: Pick<WorkerPool, 'run'>;
  /** Folder for what must be unpacked. */
  readonly tempDir: string;
}

/** Something that will become one image or catalogue. */
export interface FormItem extends Announced {
  /** The files it is made from: their sizes and times say whether it is still the same. */
  readonly paths: readonly string[];
}

/** A value, but for its fingerprint, which `read` adds. */
export type OpenCatalog = Omit<Catalog, 'fingerprint'>;
export type OpenImage = Omit<SkyImage, 'fingerprint' | 'truth'> & { readonly truth: OpenCatalog | undefined };

/** What is known before anything is opened for good. */
export interface FormSurvey {
  readonly facts: ImageFacts | CatalogFacts;
  /** Bytes one value holds while it waits. */
  readonly itemBytes: number;
}

/** One form, opened on behalf of one stage; closing it closes what it shares between items. */
export interface Form<I extends FormItem = FormItem> extends AsyncDisposable {
  /** What there should have been, when there is nothing. */
  readonly expected: string;
  /**
   * The items at a path, in the order they are given in. What is wrong with one of them is its `problem`.
   *
   * @throws system errors when the path itself cannot be listed
   */
  list(path: string): Promise<readonly I[]>;
  /** Sizes and bands, from the first item that can be read. */
  survey(items: readonly I[], signal: AbortSignal): Promise<FormSurvey>;
  /** @throws what is wrong with the item; its `problem` when it has one */
  open(item: I, signal: AbortSignal): Promise<OpenImage | OpenCatalog>;
}

/** Says nothing about the file: the next one would fare no better. */
export const isRunError = (error: unknown): boolean => asEngineError(error).reach !== 'item';

/** A file of a form, and what is wrong with it as far as its name and kind tell. */
export interface FoundFile {
  readonly path: string;
  /** Its name in the folder. */
  readonly name: string;
  readonly bytes: number;
  readonly problem: FormatError | undefined;
}

/**
 * The files at a path whose names have one of these endings, in order of their names: the file itself; those of the
 * folder; or, when the folder holds none, those of its folder `inner`, as in a data_dir with all forms side by side.
 *
 * @throws system errors when the path itself cannot be listed
 */
export async function filesAt(
  path: string,
  inner: string,
  isOne: (name: string) => boolean,
): Promise<readonly FoundFile[]> {
  if (!(await stat(path)).isDirectory()) return isOne(basename(path)) ? [await look(path)] : [];
  const own = await filesOf(path, isOne);
  if (own.length > 0) return own;
  const folder = join(path, inner);
  const isFolder = await stat(folder).then(
    (info) => info.isDirectory(),
    () => false,
  );
  return isFolder ? await filesOf(folder, isOne) : [];
}

async function filesOf(folder: string, isOne: (name: string) => boolean): Promise<readonly FoundFile[]> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter(
    (entry) => isOne(entry.name) && !entry.isDirectory(),
  );
  const names = entries.map(({ name }) => name).sort();
  const found: FoundFile[] = [];
  for (const name of names) found.push(await look(join(folder, name)));
  return found;
}

/** Asked before it is opened: to open a pipe would be to wait for whoever writes into it. */
async function look(path: string): Promise<FoundFile> {
  const name = basename(path);
  const unreadable = (message: string, cause?: unknown) =>
    new FormatError('file_unreadable', message, { place: { file: path }, cause });
  try {
    const info = await stat(path);
    const problem = info.isFile() ? undefined : unreadable('this is not a file');
    return { path, name, bytes: info.size, problem };
  } catch (error) {
    if (isRunError(error)) throw error;
    return { path, name, bytes: 0, problem: unreadable((error as Error).message, error) };
  }
}
