/** The image of an item of a run, from the files it was read from, or made again. */
import { basename } from 'node:path';
import { EngineError } from '../../engine/errors.js';
import type { Detail } from '../../engine/ledger.js';
import type { SkyImage } from '../../operators/support/nouns.js';
import { PixelRows } from '../../operators/support/pixel-rows.js';
import { TanWcs } from '../../science/wcs.js';
import { showablePt, type TileTruth } from './array-files.js';
import { type CatalogMarks, marksOf } from './catalogs.js';
import { bandOf, isFitsName, showableBands } from './fits-files.js';
import type { Showable } from './image.js';
import { type MadeAgain, makeAgain } from './made-again.js';
import type { ClusterMark } from './marks.js';
import type { RunItem } from './run-item.js';
import { truthBeside } from './truth-files.js';

/** An image and what is known to be in it, in array coordinates. */
export interface RunImage extends CatalogMarks {
  readonly image: Showable;
  readonly truth: TileTruth | undefined;
  /** Files whose sources and clusters belong over it. */
  readonly catalogs: readonly string[];
  readonly notes: readonly string[];
  close(): Promise<void>;
}

/**
 * The image of an item of a run: from the FITS files it was read from; else the run's own first stages read it again, or
 * draw it again with the same pixels.
 *
 * @param origin what X and Y of a catalogue in a file call the centre of the first pixel
 * @throws EngineError when it cannot be made again, and why
 */
export async function imageOfRunItem({ item, inputs, recipe }: RunItem, origin: number): Promise<RunImage> {
  // What a run drew was read from catalogues, some of them FITS files too.
  const isDrawn = Object.values(recipe.identity).some((stage) => (stage as Detail).operator === 'render');
  const files = isDrawn ? [] : inputs.map(({ path }) => path).filter(isFitsName);
  if (files.length > 0) {
    const bands = files.map((path) => [bandOf(path), path] as const);
    const image = showableBands(item, bands);
    const catalogs = truthBeside(files[0] as string, item);
    return { image, sources: [], clusters: [], truth: undefined, catalogs, notes: [], close: async () => {} };
  }
  const made = await makeAgain(item, recipe);
  try {
    const { image, from, close } = made;
    checkInputs(image, inputs);
    const file = from?.path ?? '';
    const truth = file.endsWith('.pt') ? (await showablePt(file, from?.index)).truth : undefined;
    const marks =
      truth === undefined ? marksIn(image, made.origin ?? origin) : { sources: truth.sources, clusters: [] };
    return { image: showableImage(image), ...marks, truth, catalogs: [], notes: notesOf(made), close };
  } catch (error) {
    await made.close();
    throw error;
  }
}

/** Files that the run says it read must be the same files still. */
function checkInputs({ id, inputs }: SkyImage, before: RunItem['inputs']): void {
  for (const { name, checksum } of inputs) {
    const known = before.find(({ path }) => basename(path) === basename(name));
    if (known === undefined || known.checksum === checksum) continue;
    const message = `${id} cannot be made again: the run read another file of this name (${known.checksum}, now ${checksum})`;
    throw new EngineError('run_mismatch', message, {
      place: { file: name },
      hint: 'put the file back as it was, or run the pipeline again',
    });
  }
}

function marksIn({ truth }: SkyImage, origin: number): CatalogMarks {
  if (truth === undefined) return { sources: [], clusters: [] };
  const clusters = truth.clusters.map(
    ({ x, y, radiusPx, redshift, members }): ClusterMark => ({
      x: x - origin,
      y: y - origin,
      radius: radiusPx,
      label: `z ${redshift.toFixed(2)}, ${members} members`,
    }),
  );
  return { sources: marksOf(truth.sources, origin), clusters };
}

const notesOf = ({ origin, from }: MadeAgain): readonly string[] =>
  origin === undefined
    ? []
    : [from === undefined ? 'drawn again from its seed' : `drawn again from ${basename(from.path)}`];

/** An image whose pixels are at hand, as the stages of a run have it. */
function showableImage(image: SkyImage): Showable {
  const { id, width, height, pixels } = image;
  return {
    name: id,
    bands: image.bands,
    open: async (bands) => {
      const planes = bands.map((band) => image.bands.indexOf(band));
      const reader = PixelRows.of(pixels);
      let rows = new Float32Array(0);
      return {
        bands,
        width,
        height,
        wcs: new TanWcs(image.wcs),
        wcsNote: undefined,
        unit: '',
        rowsAtOnce: 1,
        readRows: (band, y0, y1) => {
          if (rows.length < (y1 - y0) * width) rows = new Float32Array((y1 - y0) * width);
          reader.read(planes[band] as number, y0, y1, rows, 0);
          return rows;
        },
        close: async () => {},
      };
    },
  };
}
