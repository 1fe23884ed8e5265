/** The forms that have one FITS file for each band of an image: what they share, whatever their names look like. */
import type { DesTile } from '../../../formats/des-tiles.js';
import { openZip } from '../../../formats/zip.js';
import type { ImageFacts, ItemUnit } from '../facts.js';
import { type Form, type FormContext, type FormItem, isRunError, type OpenImage } from './form.js';
import { openTile } from './image-files.js';
import { SharedFiles } from './shared-files.js';

/** An image in files of its bands. */
export type BandItem = DesTile & FormItem;

/** How a form of this kind differs from the others. */
export interface BandLayout<I extends BandItem> {
  readonly expected: string;
  /** What the items are called. */
  readonly unit: ItemUnit;
  list(path: string): Promise<readonly I[]>;
  /** Whether it is known what is in the images, and the most bytes that takes. */
  truth(items: readonly I[]): Pick<ImageFacts, 'hasTruth' | 'hasSomeTruth'> & { readonly bytes: number };
  /** Adds what is known to be in the image. */
  withTruth(item: I, image: OpenImage): Promise<OpenImage>;
}

/** Held while an image waits: headers and row tables of its files. */
const imageBytes = 4 << 20;
/** Items whose headers are tried to learn the size of all. */
const probes = 3;
/** A DES tile, when no item can be read. */
const nominalSide = 10_000;
const nominalArea = (nominalSide * 0.263) ** 2 / 3600 ** 2;

export function bandFilesForm<I extends BandItem>(context: FormContext, layout: BandLayout<I>): Form<I> {
  const { options, pool, tempDir } = context;
  const archives = new SharedFiles(openZip);
  const open = (item: I, settings: { verify: boolean; reader: 'skypass' | 'fitsjs' }, signal: AbortSignal) =>
    openTile(item, { bands: options.bands, ...settings, tempDir, archives, pool, signal });

  const sizeOf = async (items: readonly I[], signal: AbortSignal) => {
    for (const item of items.filter(({ problem }) => problem === undefined).slice(0, probes)) {
      try {
        const { width, height, areaSquareDegrees, close } = await open(
          item,
          { verify: false, reader: 'skypass' },
          signal,
        );
        await close();
        return { width, height, areaSquareDegrees };
      } catch (error) {
        if (isRunError(error)) throw error;
      }
    }
    return { width: nominalSide, height: nominalSide, areaSquareDegrees: nominalArea };
  };

  return {
    expected: layout.expected,
    list: layout.list,
    survey: async (items, signal) => {
      const size = await sizeOf(items, signal);
      const { bands, reader } = options;
      const { bytes, ...truth } = layout.truth(items);
      const facts: ImageFacts = {
        kind: 'SkyImage',
        bands,
        ...size,
        announced: items,
        unit: layout.unit,
        ...truth,
      };
      const whole = reader === 'fitsjs' ? 4 * size.width * size.height * bands.length : 0;
      return { facts, itemBytes: imageBytes + bytes + whole };
    },
    open: async (item, signal) => {
      const image = await open(item, options, signal);
      try {
        return await layout.withTruth(item, image);
      } catch (error) {
        await image.close();
        throw error;
      }
    },
    [Symbol.asyncDispose]: () => archives.close(),
  };
}
