/** The forms that have images as bare arrays, one or many in a file: what they share, whatever the file. */
import { EngineError } from '../../engine/errors.js';
import type { RawPlane } from '../../formats/raw-plane.js';
import type { TileCatalog } from '../../science/tile-catalog.js';
import type { ImageFacts } from './facts.js';
import { imageKey } from './image-files.js';
import { placeOf } from './read-dat.js';
import {
  type Form,
  type FormContext,
  type FormItem,
  type FoundFile,
  filesAt,
  isRunError,
  type OpenImage,
} from './read-form.js';
import { SharedFiles } from './shared-files.js';

/** A file of images, open. */
export interface ArrayFile {
  readonly bytes: number;
  /** How many images it has; undefined when it is one image, and no list. */
  readonly count: number | undefined;
  /** The planes of an image. @throws what is wrong with that image */
  planes(index: number): readonly RawPlane[];
  /** Bytes of what is known of the tiles of an image; 0 when that is nothing. */
  cellBytes(index: number): number;
  cells(index: number): Promise<TileCatalog | undefined>;
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

interface ArrayItem extends FormItem {
  readonly path: string;
  readonly index: number;
  /** Pixels; 0 where they are not known. */
  readonly width: number;
  readonly height: number;
  readonly cellBytes: number;
}

/** Held while an image waits, but for what is known of its tiles. */
const imageBytes = 64 << 10;

export function arraysForm({ options }: FormContext, layout: ArrayLayout): Form<ArrayItem> {
  const files = new SharedFiles(layout.open);
  const { bands } = options;

  /** One item for each image of a file, one for a file that cannot be read. */
  const itemsOf = async (found: FoundFile): Promise<readonly ArrayItem[]> => {
    const { path } = found;
    const stem = found.name.slice(0, -layout.ending.length);
    const nothing = { path, paths: [path], width: 0, height: 0, cellBytes: 0 };
    if (found.problem !== undefined) return [{ ...nothing, name: stem, index: 0, problem: found.problem }];
    try {
      const { file, release } = await files.use(path);
      try {
        return Array.from({ length: file.count ?? 1 }, (_, index) => {
          const name = file.count === undefined ? stem : `${stem}_${String(index).padStart(3, '0')}`;
          const known = { ...nothing, name, index };
          try {
            const [first] = checked(file.planes(index), bands, path) as [RawPlane];
            const { width, height } = first;
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
      for (const file of found) items.push(...(await itemsOf(file)));
      return ofOneSize(items);
    },

    survey: async (items) => {
      const good = items.filter(({ problem }) => problem === undefined);
      const { width, height } = good[0] ?? { width: 1, height: 1 };
      const { areaSquareDegrees } = placeOf(width, height, options);
      const hasTruth = good.length > 0 && good.every(({ cellBytes }) => cellBytes > 0);
      const facts: ImageFacts = {
        kind: 'SkyImage',
        bands,
        width,
        height,
        areaSquareDegrees,
        announced: items,
        unit: 'tiles',
        hasTruth,
      };
      return {
        facts,
        itemBytes: imageBytes + good.reduce((most, item) => Math.max(most, item.cellBytes), 0),
      };
    },

    open: async (item): Promise<OpenImage> => {
      if (item.problem !== undefined) throw item.problem;
      const { name: id, path, index } = item;
      const { file, release } = await files.use(path);
      try {
        if (index >= (file.count ?? 1)) {
          const message = `the image is number ${index + 1} of a file that has ${file.count} now: it has changed since it was listed`;
          throw new EngineError('file_unreadable', message, { place: { file: path } });
        }
        const planes = checked(file.planes(index), bands, path);
        const { width, height } = planes[0] as RawPlane;
        const cells = await file.cells(index);
        return {
          id,
          bands,
          width,
          height,
          ...placeOf(width, height, options),
          inputs: [{ name: path, bytes: file.bytes, checksum: 'none' }],
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

function checked(planes: readonly RawPlane[], bands: readonly string[], path: string): readonly RawPlane[] {
  if (planes.length === bands.length) return planes;
  throw new EngineError(
    'bands_differ',
    `the image has ${planes.length} planes, wanted are ${bands.length} bands (${bands.join(', ')})`,
    { place: { file: path }, hint: 'name all planes of the file, in their order, in read.bands' },
  );
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
