/** The forms that have images as bare arrays, one or many in a file: what they share, whatever the file. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { EngineError } from '../../../engine/errors.js';
import type { ByteRegion } from '../../../formats/fits/source.js';
import type { RawPlane } from '../../../formats/raw-plane.js';
import type { TileCatalog } from '../../../science/tile-catalog.js';
import type { ImageFacts } from '../facts.js';
import { placeOf } from './dat.js';
import {
  type Form,
  type FormContext,
  type FormItem,
  type FoundFile,
  filesAt,
  isRunError,
  type OpenImage,
} from './form.js';
import { imageKey } from './image-files.js';
import { SharedFiles } from './shared-files.js';

/** One image of a file. */
export interface ArrayImage extends Size {
  readonly bands: number;
  /** Where one of its planes lies. @throws when its pixels do not lie row by row */
  plane(band: number): RawPlane;
}

/** A file of images, open. */
export interface ArrayFile {
  /** How many images it has; undefined when it is one image, and no list. */
  readonly count: number | undefined;
  /** @throws what is wrong with that image */
  image(index: number): ArrayImage;
  /** Bytes of what is known of the tiles of an image; 0 when that is nothing. */
  cellBytes(index: number): number;
  cells(index: number, size: Size): Promise<TileCatalog | undefined>;
  /** What identifies the pixels of an image, as in `InputFile`; compared first, where that was asked for. */
  checksum(index: number): Promise<string>;
  close(): Promise<void>;
}

/** How a form of this kind differs from the others. */
export interface ArrayLayout {
  readonly expected: string;
  readonly ending: string;
  /** Folder of a data_dir that holds such files. */
  readonly inner: string;
  /** @throws what is wrong with the whole file */
  open(path: string): Promise<ArrayFile>;
}

/** Pixels. */
interface Size {
  readonly width: number;
  readonly height: number;
}

/** Its size is 0 where it is not known. */
interface ArrayItem extends FormItem, Size {
  readonly path: string;
  readonly bytes: number;
  readonly index: number;
  readonly cellBytes: number;
}

/** More than anybody keeps in one file; a few bytes can claim a billion. */
const mostImages = 100_000;
/** Held while an image waits, but for what is known of its tiles. */
const imageBytes = 64 << 10;

export function arraysForm({ options }: FormContext, layout: ArrayLayout): Form<ArrayItem> {
  const files = new SharedFiles(layout.open);
  const { bands } = options;

  /** One item for each image of a file, one for a file that cannot be read. */
  const itemsOf = async (found: FoundFile): Promise<readonly ArrayItem[]> => {
    const { path, bytes } = found;
    const stem = found.name.slice(0, -layout.ending.length);
    const nothing = { path, bytes, paths: [path], width: 0, height: 0, cellBytes: 0 };
    if (found.problem !== undefined) return [{ ...nothing, name: stem, index: 0, problem: found.problem }];
    try {
      const { file, release } = await files.use(path);
      try {
        if (file.count !== undefined && file.count > mostImages) throw tooMany(path, file.count);
        return Array.from({ length: file.count ?? 1 }, (_, index) => {
          const name = file.count === undefined ? stem : `${stem}_${String(index).padStart(3, '0')}`;
          const known = { ...nothing, name, index };
          try {
            const { width, height } = planesOf(file.image(index), bands, path);
            return { ...known, width, height, cellBytes: file.cellBytes(index), problem: undefined };
          } catch (error) {
            return { ...known, problem: error as Error };
          }
        });
      } finally {
        await release();
      }
    } catch (error) {
      if (isRunError(error)) throw error;
      return [{ ...nothing, name: stem, index: 0, problem: error as Error }];
    }
  };

  return {
    expected: layout.expected,

    list: async (path) => {
      const items: ArrayItem[] = [];
      const found = await filesAt(path, layout.inner, (name) => name.endsWith(layout.ending));
      for (const file of found) for (const item of await itemsOf(file)) items.push(item);
      return ofOneSize(items);
    },

    survey: async (items) => {
      const good = items.filter(({ problem }) => problem === undefined);
      const { width, height } = good[0] ?? { width: 1, height: 1 };
      const { areaSquareDegrees } = placeOf(width, height, options);
      const hasCells = good.length > 0 && good.every(({ cellBytes }) => cellBytes > 0);
      const facts: ImageFacts = {
        kind: 'SkyImage',
        bands,
        width,
        height,
        areaSquareDegrees,
        announced: items,
        unit: 'fields',
        hasTruth: false,
        hasCells,
        hasSomeTruth: good.some(({ cellBytes }) => cellBytes > 0),
      };
      return {
        facts,
        itemBytes: imageBytes + good.reduce((most, item) => Math.max(most, item.cellBytes), 0),
      };
    },

    open: async (item): Promise<OpenImage> => {
      if (item.problem !== undefined) throw item.problem;
      const { name: id, path, bytes, index } = item;
      const { file, release } = await files.use(path);
      try {
        if (index >= (file.count ?? 1)) {
          const message = `the image is number ${index + 1} of a file that has ${file.count} now: it has changed since it was listed`;
          throw new EngineError('file_unreadable', message, { place: { file: path } });
        }
        const { width, height, planes } = planesOf(file.image(index), bands, path);
        const cells = await file.cells(index, { width, height });
        const checksum = await file.checksum(index);
        return {
          id,
          bands,
          width,
          height,
          ...placeOf(width, height, options),
          inputs: [{ name: path, bytes, checksum }],
          pixels: { kind: 'raw', image: imageKey(id), planes },
          truth: undefined,
          ...(cells !== undefined && { cells }),
          close: release,
        };
      } catch (error) {
        await release();
        throw error;
      }
    },

    [Symbol.asyncDispose]: () => files.close(),
  };
}

const tooMany = (path: string, count: number): EngineError =>
  new EngineError('file_unreadable', `the file has ${count} images, at most ${mostImages} are read`, {
    place: { file: path },
    hint: 'part it into several files',
  });

/**
 * Opens a file twice, for its reader and for the pixels, and makes sure that it is the same file both times.
 *
 * @throws `file_unreadable` when it is being replaced; what `open` and `make` throw
 */
export async function openUnchanged<R extends { close(): Promise<void> }, F>(
  path: string,
  openReader: () => Promise<R>,
  make: (reader: R, handle: FileHandle, region: ByteRegion) => F,
): Promise<F> {
  const handle = await open(path, 'r');
  let reader: R | undefined;
  try {
    const before = await handle.stat();
    reader = await openReader();
    const after = await stat(path);
    if (before.ino !== after.ino || before.mtimeMs !== after.mtimeMs || before.size !== after.size) {
      throw new EngineError('file_unreadable', 'the file is being replaced', { place: { file: path } });
    }
    return make(reader, handle, { name: path, fd: handle.fd, offset: 0, size: before.size });
  } catch (error) {
    await reader?.close();
    await handle.close();
    throw error;
  }
}

function planesOf(
  { bands: found, width, height, plane }: ArrayImage,
  bands: readonly string[],
  path: string,
) {
  if (found !== bands.length) {
    throw new EngineError(
      'bands_differ',
      `the image has ${found} planes, wanted are ${bands.length} bands (${bands.join(', ')})`,
      { place: { file: path }, hint: 'name all planes of the file, in their order, in read.bands' },
    );
  }
  return { width, height, planes: bands.map((_, band) => plane(band)) };
}

/** Arrays that are cached together are of one size, that of the first; another one is not part of the set. */
function ofOneSize(items: readonly ArrayItem[]): readonly ArrayItem[] {
  const first = items.find(({ problem }) => problem === undefined);
  if (first === undefined) return items;
  return items.map((item): ArrayItem => {
    const { width, height, path } = item;
    if (item.problem !== undefined || (width === first.width && height === first.height)) return item;
    const problem = new EngineError(
      'bands_differ',
      `the image is ${width} × ${height} pixels, ${first.name} is ${first.width} × ${first.height}`,
      { place: { file: path }, hint: 'keep arrays of one size in a folder' },
    );
    return { ...item, problem };
  });
}
