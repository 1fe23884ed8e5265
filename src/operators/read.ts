/** Reads the tiles of a survey as images whose rows are decoded when the next stage asks for them. */
import { rmdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { field, type OptionsOf, stageSpec } from '../config/spec.js';
import { asEngineError, EngineError } from '../engine/errors.js';
import { makeFolder } from '../engine/folder.js';
import { type Ledger, parentOf } from '../engine/ledger.js';
import type { Run } from '../engine/run.js';
import { type Slot, type Stage, type StageNeeds, source } from '../engine/stage.js';
import { type DesTile, listDesTiles } from '../formats/des-tiles.js';
import { Archives } from './support/archives.js';
import type { ImageFacts } from './support/facts.js';
import { inThisThread, type OpenImage, openTile } from './support/image-files.js';
import type { SkyImage } from './support/nouns.js';
import { pixelThreads } from './support/threads.js';

export const readSpec = stageSpec(
  'read',
  { takes: null, gives: 'SkyImage' },
  'Reads the tiles of a survey, band by band, rows decoded just in time.',
  {
    from: field.choice(['des-tiles'], {
      default: 'des-tiles',
      doc: 'Layout of the folder: DES DR2 coadd tiles, in folders or zip archives.',
    }),
    path: field.path({
      doc: 'A folder of tile folders and archives, one tile folder, or one archive.',
      example: '/data/des/dr2',
    }),
    bands: field.list(field.string({ doc: 'Name of a band as in the file names.' }), {
      default: ['g', 'r', 'i', 'z'],
      min: 1,
      doc: 'Bands of the image, in this order.',
    }),
    reader: field.choice(['skypass', 'fitsjs'], {
      default: 'skypass',
      doc: 'fitsjs reads plain images only, whole, in a thread of its own.',
    }),
    verify: field.bool({
      default: true,
      doc: 'Compare the checksums of a file before the first window is cut from it.',
    }),
  },
  { common: { credit_items: 1, credit_bytes: '1TiB' } },
);

/** Held while an image waits: headers and row tables of its files. */
const imageBytes = 4 << 20;
/** Tiles whose headers are tried to learn the size of all. */
const probes = 3;

/**
 * @emits      one image for each tile, once its headers and checksums have been read; none for tiles already done
 * @waits      while the next stage has not taken the image before
 * @completes  after the last tile, or when the run is asked to stop
 * @fails      `band_missing` `bands_differ` `tile_duplicate` `fits_*` `wcs_*` `zip_*` `file_unreadable` (that tile only);
 *             `no_input` when there is no tile; `out_of_files` ends the run
 * @order      by name of the tile
 * @memory     headers and row tables of one tile; no pixels
 */
export const read = source<typeof readSpec, SkyImage>({
  spec: readSpec,
  operational: ['path', 'reader', 'verify'],

  inspect: async (options, _incoming, run): Promise<StageNeeds<ImageFacts>> => {
    const tiles = await list(options.path);
    const { width, height, areaSquareDegrees } = await sizeOf(tiles, options, run);
    return {
      facts: {
        kind: 'SkyImage',
        bands: options.bands,
        width,
        height,
        areaSquareDegrees,
        announced: tiles,
        hasTruth: false,
      },
      itemBytes: imageBytes + (options.reader === 'fitsjs' ? 4 * width * height * options.bands.length : 0),
      workingBytes: 0,
      slots: 1,
      // Not the option as written: from another folder, the same words may mean another survey.
      identity: { path: resolve(options.path) },
    };
  },

  open: async (stage, options) => {
    const { run } = stage;
    const tiles = (stage.needs.facts as ImageFacts).announced as readonly DesTile[];
    const tempDir = join(run.dir, 'tmp');
    await makeFolder(tempDir);
    const pool = pixelThreads(run);
    const archives = new Archives();
    const images = new Set<OpenImage>();
    run.onClose(async () => {
      for (const image of images) await image.close();
      await archives.close();
      // Only when it is empty.
      await rmdir(tempDir).catch(() => {});
    });

    return async (ports) => {
      const { signal } = ports;
      await settleGone(stage, tiles, options.path);
      for (const tile of tiles) {
        if (run.stopping.aborted) return;
        await forgetIfMended(run, tile);
        if (run.ledger.isDone(tile.name)) continue;
        const open = async (slot: Slot<SkyImage>): Promise<void> => {
          const place = await slot.reserve(stage.needs.itemBytes);
          try {
            const image = await openTile(tile, {
              bands: options.bands,
              verify: options.verify,
              reader: options.reader,
              tempDir,
              archives,
              pool,
              signal,
            });
            const close = async () => {
              images.delete(image);
              await image.close();
            };
            images.add(image);
            place.emit({ ...image, fingerprint: await fingerprint(tile), close }, [tile.name]);
          } catch (error) {
            place.cancel();
            throw error;
          }
        };
        await stage.guard([tile.name], ports, open, async () => ({ fingerprint: await fingerprint(tile) }));
      }
    };
  },
});

/** Sizes and times of a tile's files, and what is wrong with them: enough to see that they were mended. */
async function fingerprint(tile: DesTile): Promise<string> {
  const parts = [...tile.files].sort().map(async ([band, file]) => {
    const info = await stat(file.kind === 'file' ? file.path : file.archive).catch(() => undefined);
    return `${band}:${info?.size ?? '-'}:${info?.mtimeMs ?? '-'}`;
  });
  return [...(await Promise.all(parts)), tile.problem?.message ?? ''].join(' ');
}

/**
 * Tiles that an earlier start knew and that are no longer in the survey: what could not be read is forgotten, what
 * was begun stays unfinished.
 */
async function settleGone(stage: Stage, tiles: readonly DesTile[], path: string): Promise<void> {
  const { ledger } = stage.run;
  const names = new Set(tiles.map(({ name }) => name));
  const unread = [...ledger.items].flatMap(([item, { outcome }]) =>
    parentOf(item) === undefined &&
    ledger.parent(item) === undefined &&
    outcome !== 'no_work' &&
    !names.has(item)
      ? [item]
      : [],
  );
  if (unread.length > 0) {
    await ledger.append({ type: 'redo', items: unread, reason: 'they are no longer in the survey' });
  }
  for (const name of [...ledger.parents]) {
    if (names.has(name) || ledger.outcomeOf(name) !== undefined) continue;
    const error = new EngineError('file_unreadable', 'the tile was begun, and is no longer in the survey', {
      stage: stage.name,
      item: name,
      place: { file: path },
      hint: 'put it back; the windows that were finished are kept',
    });
    stage.meter.error(error.code);
    await stage.setAside([name], error);
  }
}

/** What could not be read, a tile or some of its windows, gets another chance when the files are not the same any more. */
async function forgetIfMended(run: Run, tile: DesTile): Promise<void> {
  const { ledger } = run;
  const before = (item: string) => ledger.causeOf(item)?.detail?.fingerprint;
  const items = unprocessableOf(ledger, tile.name).filter((item) => before(item) !== undefined);
  if (items.length === 0) return;
  const now = await fingerprint(tile);
  const mended = items.filter((item) => before(item) !== now);
  if (mended.length === 0) return;
  await ledger.append({
    type: 'redo',
    items: mended,
    reason: 'the files have changed since they could not be read',
  });
}

function unprocessableOf(ledger: Ledger, tile: string): readonly string[] {
  if (ledger.stateOf(tile)?.outcome === 'unprocessable') return [tile];
  if ((ledger.parent(tile)?.counts.get('unprocessable') ?? 0) === 0) return [];
  return [...ledger.items].flatMap(([item, { outcome }]) =>
    outcome === 'unprocessable' && parentOf(item) === tile ? [item] : [],
  );
}

async function list(path: string): Promise<readonly DesTile[]> {
  let tiles: readonly DesTile[];
  try {
    tiles = await listDesTiles(path);
  } catch (error) {
    const { code } = asEngineError(error);
    if (code === 'out_of_files') throw error;
    throw new EngineError('no_input', `the path cannot be listed: ${(error as Error).message}`, {
      place: { file: path },
      cause: error,
    });
  }
  if (tiles.length > 0) return tiles;
  throw new EngineError(
    'no_input',
    'there are no tiles here, expected files such as DES0001-0041/DES0001-0041_r4907p01_g_nobkg.fits.fz',
    {
      place: { file: path },
    },
  );
}

/** The size of the tiles, from the first that can be opened; of a DES tile when none can. */
async function sizeOf(
  tiles: readonly DesTile[],
  options: OptionsOf<typeof readSpec>,
  run: Run,
): Promise<Pick<SkyImage, 'width' | 'height' | 'areaSquareDegrees'>> {
  await using archives = new Archives();
  for (const tile of tiles.filter(({ problem }) => problem === undefined).slice(0, probes)) {
    try {
      const { width, height, areaSquareDegrees, close } = await openTile(tile, {
        bands: options.bands,
        verify: false,
        reader: 'skypass',
        tempDir: run.dir,
        archives,
        pool: inThisThread,
        signal: run.signal,
      });
      await close();
      return { width, height, areaSquareDegrees };
    } catch (error) {
      if (asEngineError(error).reach !== 'item') throw error;
    }
  }
  return { width: 10_000, height: 10_000, areaSquareDegrees: (10_000 * 0.263) ** 2 / 3600 ** 2 };
}
