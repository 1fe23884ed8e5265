/**
 * The folder layout of DES DR2 coadd tiles, and the same inside zip archives:
 *
 *     DES0001-0001/DES0001-0001_r4907p01_g_nobkg.fits.fz
 *
 * A survey is a folder of tile folders and archives; a single tile folder or archive is a survey of one.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { FormatError } from './errors.js';
import { openZip } from './zip.js';

/** Where one band's file lies. */
export type BandFile =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'zip'; readonly archive: string; readonly entry: string };

/** One tile: its name and the files of the bands found, in no particular order. */
export interface DesTile {
  readonly name: string;
  readonly files: ReadonlyMap<string, BandFile>;
  /** Why the tile cannot be read as it stands; it is set aside with this. */
  readonly problem: FormatError | undefined;
}

const fileName = /^(?<tile>.+?)_(?<tag>r\d+p\d+)_(?<band>[A-Za-z]+)(?:_nobkg)?\.fits(?:\.fz)?$/;
const tileFolder = /^DES\d{4}[+-]\d{4}$/;

/** The path of a band's file, as it is shown. */
export const bandPath = (file: BandFile): string =>
  file.kind === 'file' ? file.path : `${file.archive}!/${file.entry}`;

interface Found {
  readonly tile: string;
  readonly place: string;
  readonly band: string;
  readonly file: BandFile;
}

/**
 * Lists the tiles at a path, in order of their names. Only names are looked at; no image is opened.
 *
 * @param path a folder of tile folders and archives, one tile folder, or one archive
 * @throws system errors when the path itself cannot be listed
 */
export async function listDesTiles(path: string): Promise<readonly DesTile[]> {
  const tiles = new TileList();
  const info = await stat(path);
  if (!info.isDirectory()) {
    if (!info.isFile() || !path.toLowerCase().endsWith('.zip')) {
      const message = 'this is neither a folder of tiles nor a .zip of them';
      throw new FormatError('file_unreadable', message, { place: { file: path } });
    }
    await tiles.addArchive(path);
    return tiles.finish();
  }
  const entries = (await readdir(path, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  if (entries.some((entry) => fileName.test(entry.name) && !entry.isDirectory())) {
    await tiles.addFolder(path);
    return tiles.finish();
  }
  for (const entry of entries) {
    const inner = join(path, entry.name);
    const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && (await isDirectory(inner)));
    if (isFolder) await tiles.addFolder(inner);
    else if (entry.name.toLowerCase().endsWith('.zip')) await tiles.addArchive(inner);
  }
  return tiles.finish();
}

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );

class TileList {
  readonly #found: Found[] = [];
  readonly #problems = new Map<string, FormatError>();

  /** Files of a tile folder. What lies in it under other names is not ours. */
  async addFolder(folder: string): Promise<void> {
    let names: readonly string[];
    try {
      names = await readdir(folder);
    } catch (error) {
      if (isOutOfFiles(error)) throw error;
      const message = `the folder cannot be listed: ${(error as Error).message}`;
      this.#problems.set(
        basename(folder),
        new FormatError('file_unreadable', message, { place: { file: folder }, cause: error }),
      );
      return;
    }
    let hasFiles = false;
    for (const name of names)
      hasFiles = this.#add(name, folder, { kind: 'file', path: join(folder, name) }) || hasFiles;
    if (!hasFiles && tileFolder.test(basename(folder))) {
      this.#problems.set(
        basename(folder),
        new FormatError('band_missing', 'the tile folder holds no band files', { place: { file: folder } }),
      );
    }
  }

  async addArchive(archive: string): Promise<void> {
    try {
      // To open a pipe would be to wait for whoever writes into it.
      if (!(await stat(archive)).isFile())
        throw new FormatError('file_unreadable', 'this is not a file', { place: { file: archive } });
      await using zip = await openZip(archive);
      for (const entry of zip.entries) {
        const slash = entry.name.lastIndexOf('/');
        const place = `${archive}!/${entry.name.slice(0, Math.max(0, slash))}`;
        this.#add(entry.name.slice(slash + 1), place, { kind: 'zip', archive, entry: entry.name });
      }
      for (const problem of zip.problems) this.#addUnsafe(archive, problem);
    } catch (error) {
      if (isOutOfFiles(error)) throw error;
      this.#problems.set(basename(archive), asFormatError(error, archive));
    }
  }

  /** An entry that was refused makes the tile it claims to belong to unusable, and nothing else. */
  #addUnsafe(archive: string, problem: FormatError): void {
    const entry = (problem.place.file ?? '').slice(archive.length + 2);
    const tile = fileName.exec(entry.split(/[\\/]/).at(-1) ?? '')?.groups?.tile;
    this.#problems.set(tile ?? `${basename(archive)}!${entry.replaceAll('/', '|')}`, problem);
  }

  #add(name: string, place: string, file: BandFile): boolean {
    const groups = fileName.exec(name)?.groups;
    if (groups === undefined) return false;
    const { tile, band } = groups as { tile: string; band: string };
    this.#found.push({ tile, place, band, file });
    return true;
  }

  finish(): readonly DesTile[] {
    const byName = new Map<string, Found[]>();
    for (const found of this.#found) byName.set(found.tile, [...(byName.get(found.tile) ?? []), found]);
    const names = [...new Set([...byName.keys(), ...this.#problems.keys()])].sort();
    return names.map((name) => {
      const found = byName.get(name) ?? [];
      const files = new Map(found.map(({ band, file }) => [band, file]));
      return { name, files, problem: this.#problems.get(name) ?? duplicate(found) };
    });
  }
}

/** Nobody can say which of two files is meant, so neither is read. */
function duplicate(found: readonly Found[]): FormatError | undefined {
  const places = [...new Set(found.map(({ place }) => place))].sort();
  if (places.length > 1) {
    return new FormatError(
      'tile_duplicate',
      `the tile lies in ${places.length} places: ${places.join(', ')}`,
      { place: { file: places[0] as string } },
    );
  }
  const twice = found.find(({ band, file }) =>
    found.some((other) => other.band === band && other.file !== file),
  );
  if (twice === undefined) return undefined;
  const paths = found.filter(({ band }) => band === twice.band).map(({ file }) => bandPath(file));
  return new FormatError(
    'band_duplicate',
    `band ${twice.band} has ${paths.length} files: ${paths.join(', ')}`,
    { place: { file: paths[0] as string } },
  );
}

/** Says nothing about the tile: the next one would fare no better. */
const isOutOfFiles = (error: unknown): boolean =>
  ['EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '');

function asFormatError(error: unknown, file: string): FormatError {
  if (error instanceof FormatError) return error;
  return new FormatError('file_unreadable', (error as Error).message, { place: { file }, cause: error });
}
