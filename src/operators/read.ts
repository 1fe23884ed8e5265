/** Reads images and catalogues from files: the tiles of a survey, or what an earlier simulation kept. */
import { rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Observable } from 'rxjs';
import type { CrossProblem } from '../config/field-parts.js';
import { field, type OptionsInput, type OptionsOf, stageSpec } from '../config/spec.js';
import { asEngineError, EngineError } from '../engine/errors.js';
import { makeFolder } from '../engine/folder.js';
import type { Parcel } from '../engine/ports.js';
import type { Run } from '../engine/run.js';
import { type OperatorDefinition, type Slot, type StageNeeds, source } from '../engine/stage.js';
import { nominalField } from '../science/field-wcs.js';
import type { CatalogFacts, ImageFacts } from './support/facts.js';
import type { Catalog, SkyImage } from './support/nouns.js';
import { fingerprint, forgetIfMended, settleGone } from './support/read/again.js';
import { datCatalogs } from './support/read/dat.js';
import { desTiles } from './support/read/des-tiles.js';
import { fitsImages } from './support/read/fits.js';
import type { Form, FormContext, FormItem, OpenCatalog, OpenImage } from './support/read/form.js';
import { inThisThread } from './support/read/image-files.js';
import { npyImages } from './support/read/npy.js';
import { ptImages } from './support/read/pt.js';
import { pixelThreads } from './support/threads.js';

const forms = {
  'des-tiles': desTiles,
  fits: fitsImages,
  pt: ptImages,
  npy: npyImages,
  dat: datCatalogs,
} as const satisfies Record<string, (context: FormContext) => Form>;

export const readSpec = stageSpec(
  'read',
  { takes: null, gives: ['SkyImage', 'Catalog'] },
  'Reads images band by band, rows decoded just in time; or the catalogues of fields that are to be drawn.',
  {
    from: field.choice(['des-tiles', 'fits', 'pt', 'npy', 'dat'], {
      default: 'des-tiles',
      doc: 'What the files are: DES DR2 coadd tiles, in folders or zip archives; NAME_{band}.fits or .fits.fz; lists of images of torch.save; arrays of numpy.save; .dat catalogues.',
    }),
    path: field.path({
      doc: 'A folder of such files, one of them, or a data_dir with images/, file_data/ and catalogs/.',
      example: '/data/des/dr2',
    }),
    bands: field.list(field.string({ doc: 'Name of a band as in the file names.' }), {
      default: ['g', 'r', 'i', 'z'],
      min: 1,
      doc: 'Bands of the image, in this order; the planes of an array have no names but these.',
    }),
    size: field.optional(
      field.oneOf(
        [
          field.int({ min: 1, unit: 'px', doc: 'Side of a square field.' }),
          field.list(field.int({ min: 1, unit: 'px', doc: 'Width, height.' }), {
            min: 2,
            max: 2,
            doc: 'Width and height.',
          }),
        ],
        { doc: 'Size of the fields of .dat catalogues: the side, or width and height.', example: 2560 },
      ),
    ),
    ra: field.number({
      default: nominalField.ra,
      min: 0,
      max: 360,
      unit: 'deg',
      doc: 'Right ascension of the centre of what has no coordinates of its own (dat, pt, npy).',
    }),
    dec: field.number({
      default: nominalField.dec,
      min: -90,
      max: 90,
      unit: 'deg',
      doc: 'Declination of the centre of what has no coordinates of its own (dat, pt, npy).',
    }),
    pixel_scale: field.number({
      default: nominalField.pixelScaleArcsec,
      min: 1e-6,
      unit: 'arcsec',
      doc: 'Side of a pixel of what has no coordinates of its own (dat, pt, npy).',
    }),
    reader: field.choice(['skypass', 'fitsjs'], {
      default: 'skypass',
      doc: 'Of FITS files: fitsjs reads plain images only, whole, in a thread of its own.',
    }),
    verify: field.bool({
      default: true,
      doc: 'Compare the checksums of a FITS or .pt file before the first window is cut from it.',
    }),
  },
  {
    common: { credit_items: 1, credit_bytes: '1TiB' },
    flow: ({ from }) => ({ gives: from === 'dat' ? 'Catalog' : 'SkyImage' }),
    check: ({ from, size, reader }) => {
      const isFits = from === 'des-tiles' || from === 'fits';
      const problems: CrossProblem[] = [];
      if (from === 'dat' && size === undefined) {
        const message = 'catalogues do not say how large their field is';
        problems.push({ path: 'size', message, hint: 'write size: 2560' });
      }
      if (from !== 'dat' && size !== undefined) {
        const message = 'images say themselves how large they are';
        problems.push({ path: 'size', message, hint: 'leave size out' });
      }
      if (reader === 'fitsjs' && !isFits) {
        problems.push({
          path: 'reader',
          message: `fitsjs reads FITS files, not ${from}`,
          hint: 'leave it out',
        });
      }
      return problems;
    },
  },
);

type ReadOptions = OptionsOf<typeof readSpec>;

const formOf = (context: FormContext & { readonly options: ReadOptions }): Form =>
  forms[context.options.from](context);

/**
 * @emits      one image (or catalogue) for each item, once its headers and checksums have been read; none for items already done
 * @waits      while the next stage has not taken the one before
 * @completes  after the last item, or when the run is asked to stop
 * @fails      `band_missing` `bands_differ` `tile_duplicate` `fits_*` `wcs_*` `zip_*` `pt_*` `npy_damaged` `catalog_*` `file_unreadable`
 *             (that item only); `no_input` when there is none; `out_of_files` ends the run
 * @order      by name of the item; images of one file in their order in it
 * @memory     headers and row tables of one image, and no pixels; the sources of one catalogue
 */
const definition: OperatorDefinition<typeof readSpec, never, SkyImage | Catalog> = {
  spec: readSpec,
  operational: ['path', 'reader', 'verify'],

  inspect: async (options, _incoming, run): Promise<StageNeeds> => {
    // A first look: nothing is read whole, and to start a thread would take longer.
    const look = { ...options, verify: false, reader: 'skypass' } as const;
    await using form = formOf({ options: look, pool: inThisThread, tempDir: run.dir });
    const items = await list(form, options.path);
    const { facts, itemBytes } = await form.survey(items, run.signal);
    return {
      facts,
      itemBytes,
      workingBytes: 0,
      slots: 1,
      // Not the option as written: from another folder, the same words may mean another survey.
      identity: { path: resolve(options.path) },
    };
  },

  open: async (stage, options) => {
    const { run } = stage;
    const { announced } = stage.needs.facts as ImageFacts | CatalogFacts;
    const items = announced as readonly FormItem[];
    const tempDir = join(run.dir, 'tmp');
    await makeFolder(tempDir);
    const form = formOf({ options, pool: pixelThreads(run), tempDir });
    const images = new Set<OpenImage>();
    run.onClose(async () => {
      for (const image of images) await image.close();
      await form[Symbol.asyncDispose]();
      // Only when it is empty.
      await rmdir(tempDir).catch(() => {});
    });

    return async (ports) => {
      const { signal } = ports;
      await settleGone(stage, items, options.path);
      for (const item of items) {
        if (run.stopping.aborted) return;
        await forgetIfMended(run, item);
        if (run.ledger.isDone(item.name)) continue;
        const open = async (slot: Slot<SkyImage | Catalog>): Promise<void> => {
          const place = await slot.reserve(stage.needs.itemBytes);
          try {
            const opened = await form.open(item, signal);
            const value = 'close' in opened ? held(opened, images) : opened;
            place.emit(withFingerprint(value, await fingerprint(item)), [item.name]);
          } catch (error) {
            place.cancel();
            throw error;
          }
        };
        await stage.guard([item.name], ports, open, async () => ({ fingerprint: await fingerprint(item) }));
      }
    };
  },
};

type Written = OptionsInput<typeof readSpec>;
type Read = typeof definition & {
  (options: Written & { readonly from: 'dat' }, run: Run): Observable<Parcel<Catalog>>;
  (
    options: Written & { readonly from?: Exclude<Written['from'], 'dat'> },
    run: Run,
  ): Observable<Parcel<SkyImage>>;
};

/** The stage of the definition above: catalogues from `dat`, images from everything else. */
export const read = source(definition) as Read;

/** The image, closed when the run ends if nobody has closed it before. */
function held(image: OpenImage, images: Set<OpenImage>): OpenImage {
  images.add(image);
  const close = async () => {
    if (images.delete(image)) await image.close();
  };
  return { ...image, close };
}

function withFingerprint(opened: OpenImage | OpenCatalog, fingerprint: string): SkyImage | Catalog {
  if (!('close' in opened)) return { ...opened, fingerprint };
  const truth = opened.truth === undefined ? undefined : { ...opened.truth, fingerprint };
  return { ...opened, truth, fingerprint };
}

async function list(form: Form, path: string): Promise<readonly FormItem[]> {
  let items: readonly FormItem[];
  try {
    items = await form.list(path);
  } catch (error) {
    const { code } = asEngineError(error);
    if (code === 'out_of_files') throw error;
    throw new EngineError('no_input', `the path cannot be listed: ${(error as Error).message}`, {
      place: { file: path },
      cause: error,
    });
  }
  if (items.length > 0) return withOwnNames(items);
  throw new EngineError('no_input', `there is nothing here to read, expected ${form.expected}`, {
    place: { file: path },
  });
}

/** Results are known by the name of their item: where two have one name, neither is read. */
function withOwnNames(items: readonly FormItem[]): readonly FormItem[] {
  const byName = new Map<string, FormItem[]>();
  for (const item of items) byName.set(item.name, [...(byName.get(item.name) ?? []), item]);
  return [...byName.values()].map((same) => {
    const first = same[0] as FormItem;
    if (same.length === 1) return first;
    const paths = same.flatMap((item) => item.paths);
    const problem = new EngineError(
      'tile_duplicate',
      `${first.name} is in ${paths.length} files: ${paths.join(', ')}`,
      {
        place: { file: paths[0] as string },
      },
    );
    return { ...first, paths, problem };
  });
}
