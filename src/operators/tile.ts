/** Cuts images into overlapping square windows, each with its own place on the sky. */
import { field, type OptionsOf, stageSpec } from '../config/spec.js';
import { asEngineError, EngineError } from '../engine/errors.js';
import { operator, type Slot, type Stage, type StageNeeds } from '../engine/stage.js';
import { TanWcs } from '../science/wcs.js';
import { BufferPool } from './support/buffer-pool.js';
import type { ImageFacts, WindowFacts } from './support/facts.js';
import type { SkyImage, Window } from './support/nouns.js';
import { stripBytes } from './support/strip.js';
import { StripReader } from './support/strip-reader.js';
import { pixelThreads } from './support/threads.js';
import { type GridCell, windowGrid } from './support/window-grid.js';

export const tileSpec = stageSpec(
  'tile',
  { takes: 'SkyImage', gives: 'Window' },
  'Cuts an image into overlapping square windows, each with its own WCS.',
  {
    size: field.int({ default: 2560, min: 1, unit: 'px', doc: 'Side of a window.' }),
    step: field.int({
      default: 2480,
      min: 1,
      unit: 'px',
      doc: 'From the first pixel of a window to that of the next.',
    }),
    edge: field.choice(['align', 'drop'], {
      default: 'align',
      doc: 'Where the step does not come out even: add windows that end with the image, or leave the rest out as torch.unfold does.',
    }),
    nan: field.choice(['zero', 'keep'], {
      default: 'zero',
      doc: 'What a pixel that is not a number becomes.',
    }),
    max_masked: field.fraction({
      default: 1,
      doc: 'Windows with a larger part of their pixels masked or NaN are not encoded (no_work).',
    }),
    threads: field.oneOf(
      [
        field.choice(['auto'], { doc: 'As many as cores.' }),
        field.int({ min: 1, max: 256, doc: 'Threads.' }),
      ],
      {
        default: 'auto',
        doc: 'Threads that decode rows and cut windows; auto takes as many as there are cores.',
      },
    ),
  },
);

type TileOptions = OptionsOf<typeof tileSpec>;

/**
 * @emits      each window as soon as the strip holds its rows, row of windows by row of windows
 * @waits      while downstream has no place or no memory for the next window; decoding waits with it
 * @completes  after upstream completes and the last window has been cut, or when the run is asked to stop
 * @fails      `tile_too_small` (that image only); `fits_compressed` `fits_truncated` (only windows that need those rows)
 * @order      kept
 * @memory     one strip of `size` rows of all bands, and the windows downstream has not let go of
 */
export const tile = operator<typeof tileSpec, SkyImage, Window>({
  spec: tileSpec,
  operational: ['threads'],

  inspect: async (options, incoming): Promise<StageNeeds<WindowFacts>> => {
    const image = incoming as ImageFacts;
    const bytes = windowBytes(image.bands.length, options.size);
    const grid = windowGrid(image.width, image.height, options.size, options.step, options.edge);
    return {
      facts: {
        kind: 'Window',
        bands: image.bands,
        size: options.size,
        perImage: grid.flat().length,
        images: image.tiles.length,
        bytes,
      },
      itemBytes: bytes,
      workingBytes: stripBytes(image.bands.length, options.size, image.width),
      slots: 1,
      divides: { parents: image.tiles.length, into: grid.flat().length },
    };
  },

  open: async (stage, options) => {
    const pool = pixelThreads(stage.run, options.threads === 'auto' ? undefined : options.threads);
    const reader = new StripReader(pool, { nan: options.nan });
    return (ports) =>
      stage.each<SkyImage, Window>(
        ports,
        1,
        ({ value: image }, slot) => cutImage(stage, options, image, slot, reader, ports.signal),
        (image) => image.close(),
      );
  },
});

const windowBytes = (bands: number, size: number): number => 4 * bands * size * size;

async function cutImage(
  stage: Stage,
  options: TileOptions,
  image: SkyImage,
  slot: Slot<Window>,
  reader: StripReader,
  signal: AbortSignal,
): Promise<void> {
  const { run } = stage;
  const grid = windowGrid(image.width, image.height, options.size, options.step, options.edge);
  if (grid.length === 0) throw tooSmall(image, options);
  const wcs = new TanWcs(image.wcs);
  const [ra, dec] = wcs.toSky([(image.width - 1) / 2, (image.height - 1) / 2]);
  await run.ledger.append({
    type: 'parent',
    item: image.id,
    children: grid.flat().length,
    detail: {
      ra,
      dec,
      area_square_degrees: image.areaSquareDegrees,
      width: image.width,
      height: image.height,
      inputs: image.inputs,
    },
  });

  using strip = await reader.open(image, options.size, (bytes) => slot.workspace(bytes));
  for (const row of grid) {
    const windows = row.filter((cell) => !run.ledger.isDone(idOf(image, cell)));
    if (windows.length === 0) continue;
    const y0 = (row[0] as GridCell).y0;
    try {
      await strip.fill(y0, y0 + options.size, signal);
    } catch (thrown) {
      const error = asEngineError(thrown, { stage: stage.name, item: image.id });
      if (error.reach !== 'item' || signal.aborted) throw thrown;
      stage.meter.error(error.code);
      await stage.setAside(
        windows.map((cell) => idOf(image, cell)),
        error,
      );
      continue;
    }
    for (const cell of windows) {
      if (run.stopping.aborted) return;
      const id = idOf(image, cell);
      const place = await slot.reserve(windowBytes(image.bands.length, options.size));
      try {
        const { pixels, maskedFraction } = await strip.cut(cell, BufferPool.of(run), signal);
        if (maskedFraction > options.max_masked) {
          BufferPool.of(run).give(pixels);
          throw new EngineError(
            'masked',
            `${percent(maskedFraction)} of the window is masked, more than max_masked = ${percent(options.max_masked)}`,
            { stage: stage.name, item: id },
          );
        }
        const [centreRa, centreDec] = wcs.toSky([
          cell.x0 + (options.size - 1) / 2,
          cell.y0 + (options.size - 1) / 2,
        ]);
        place.emit(
          {
            id,
            parent: image.id,
            x0: cell.x0,
            y0: cell.y0,
            size: options.size,
            bands: image.bands,
            pixels,
            wcs: wcs.shifted(cell.x0, cell.y0).terms,
            ra: centreRa,
            dec: centreDec,
            maskedFraction,
          },
          [id],
        );
      } catch (thrown) {
        place.cancel();
        if (!(thrown instanceof EngineError) || thrown.code !== 'masked') throw thrown;
        await stage.setAside([id], thrown);
      }
    }
  }
}

const idOf = (image: SkyImage, { row, column }: GridCell): string => `${image.id}/r${row}c${column}`;
const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;

function tooSmall(image: SkyImage, options: TileOptions): EngineError {
  const side = Math.min(image.width, image.height);
  return new EngineError(
    'tile_too_small',
    `the image is ${image.width} × ${image.height} pixels, smaller than a window of ${options.size}`,
    {
      ...(image.inputs[0] === undefined ? {} : { place: { file: image.inputs[0].name } }),
      hint: `use tile.size=${side >= 256 ? Math.floor(side / 256) * 256 : side} with a step to match, or leave the tile out`,
    },
  );
}
