/** Cuts images into overlapping square windows, each with its own place on the sky. */
import { field, type OptionsOf, stageSpec } from '../config/spec.js';
import { asEngineError, EngineError } from '../engine/errors.js';
import type { ParentRecord } from '../engine/records.js';
import { operator, type Slot, type Stage, type StageNeeds } from '../engine/stage.js';
import { TanWcs } from '../science/wcs.js';
import { BufferPool } from './support/buffer-pool.js';
import { type ImageFacts, partFacts, type WindowFacts } from './support/facts.js';
import type { SkyImage, Window } from './support/nouns.js';
import { parallelField, parallelism } from './support/parallel.js';
import { pixelThreads } from './support/threads.js';
import { stripBytes } from './support/tile/strip.js';
import { type OpenStrip, StripReader } from './support/tile/strip-reader.js';
import { type GridCell, windowGrid } from './support/tile/window-grid.js';

export const tileSpec = stageSpec(
  'tile',
  { takes: 'SkyImage', gives: 'Window' },
  'Cuts an image into overlapping square windows, each with its own WCS, or takes it whole.',
  {
    size: field.oneOf(
      [
        field.int({ min: 1, unit: 'px', doc: 'Side of a window.' }),
        field.choice(['whole'], { doc: 'One window for each image.' }),
      ],
      {
        default: 2560,
        doc: 'Side of a window; whole: each image is one window, and all of them are squares of one size.',
      },
    ),
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
    max_windows: field.int({
      default: 3,
      min: 1,
      unit: 'windows',
      doc: 'Most windows that exist at once, until the encoder has its copy; never fewer than a batch needs.',
    }),
    threads: parallelField(
      'Threads',
      'Threads that decode rows and cut windows; auto takes as many as there are cores.',
    ),
  },
);

/** The options, with the side of a window as a number. */
type TileOptions = Omit<OptionsOf<typeof tileSpec>, 'size'> & {
  readonly size: number;
  readonly isWhole: boolean;
};

/**
 * @emits      each window as soon as the strip holds its rows, row of windows by row of windows
 * @waits      while downstream has no place or no memory for the next window; decoding waits with it
 * @completes  after upstream completes and the last window has been cut, or when the run is asked to stop
 * @fails      `tile_too_small`, and `bands_differ` where windows are whole images (that image only); `fits_compressed`
 *             `fits_truncated` (only windows that need those rows)
 * @order      kept
 * @memory     one strip of `size` rows of all bands, and at most `max_windows` windows (or a batch) downstream has not let go of;
 *             what is known to be in an image, once for all its windows, is 136 bytes a source and not counted
 */
export const tile = operator<typeof tileSpec, SkyImage, Window>({
  spec: tileSpec,
  operational: ['threads', 'max_windows'],

  inspect: async (written, incoming): Promise<StageNeeds<WindowFacts>> => {
    const image = incoming as ImageFacts;
    const options = withSide(written, image);
    const bytes = windowBytes(image.bands.length, options.size);
    const grid = windowGrid(image.width, image.height, options.size, options.step, options.edge);
    return {
      facts: {
        kind: 'Window',
        ...partFacts(image),
        hasTruth: image.hasSomeTruth ?? (image.hasTruth || image.hasCells === true),
        bands: image.bands,
        size: options.size,
        perImage: grid.flat().length,
        bytes,
      },
      itemBytes: bytes,
      workingBytes: stripBytes(image.bands.length, options.size, image.width),
      mostResults: options.max_windows,
      slots: 1,
      divides: { into: grid.flat().length, unit: 'windows' },
    };
  },

  open: async (stage, written) => {
    const options = withSide(written, stage.incoming as ImageFacts);
    const pool = pixelThreads(stage.run, parallelism(options.threads));
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

/** @throws EngineError `config_invalid` where an image is to be one window, and is no square */
function withSide(options: OptionsOf<typeof tileSpec>, { width, height }: ImageFacts): TileOptions {
  const { size } = options;
  if (size !== 'whole') return { ...options, size, isWhole: false };
  if (width === height) return { ...options, size: width, isWhole: true };
  throw new EngineError(
    'config_invalid',
    `the images are ${width} × ${height} pixels, and a window is a square: none can be one window`,
    { hint: `use tile.size=${Math.min(width, height)} or less` },
  );
}

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
  if (options.isWhole && (image.width !== options.size || image.height !== options.size))
    throw otherSize(image, options);
  if (grid.length === 0) throw tooSmall(image, options);
  await run.ledger.append(recordOf(image, grid.flat().length));
  using strip = await reader.open(image, options.size, (bytes) => slot.workspace(bytes));
  for (const row of grid) {
    const left = row.filter((cell) => !run.ledger.isDone(idOf(image, cell)));
    const first = left[0];
    if (first === undefined) continue;
    const damage = await damageOf(strip.fill(first.y0, first.y0 + options.size, signal), signal);
    if (damage !== undefined) {
      stage.meter.error(damage.code);
      await stage.setAside(
        left.map((cell) => idOf(image, cell)),
        damage,
        { fingerprint: image.fingerprint },
      );
      continue;
    }
    for (const cell of left) {
      if (run.stopping.aborted) return;
      await cutWindow(stage, options, image, cell, slot, strip, signal);
    }
  }
}

/** What is wrong with the rows being decoded, when it concerns only the windows that need them. */
async function damageOf(decoding: Promise<void>, signal: AbortSignal): Promise<EngineError | undefined> {
  try {
    await decoding;
    return undefined;
  } catch (thrown) {
    const error = asEngineError(thrown);
    if (error.reach !== 'item' || signal.aborted) throw thrown;
    return error;
  }
}

async function cutWindow(
  stage: Stage,
  { size, max_masked }: TileOptions,
  image: SkyImage,
  cell: GridCell,
  slot: Slot<Window>,
  strip: OpenStrip,
  signal: AbortSignal,
): Promise<void> {
  const buffers = BufferPool.of(stage.run);
  const id = idOf(image, cell);
  const place = await slot.reserve(windowBytes(image.bands.length, size));
  let cut: Awaited<ReturnType<OpenStrip['cut']>>;
  try {
    cut = await strip.cut(cell, buffers, signal);
  } catch (error) {
    place.cancel();
    throw error;
  }
  if (cut.maskedFraction > max_masked) {
    buffers.give(cut.pixels);
    place.cancel();
    const message = `${percent(cut.maskedFraction)} of the window is masked, more than max_masked = ${percent(max_masked)}`;
    await stage.setAside([id], new EngineError('masked', message, { stage: stage.name, item: id }));
    return;
  }
  const { x0, y0 } = cell;
  const { truth, cells } = image;
  const known = { ...(truth !== undefined && { truth }), ...(cells !== undefined && { cells }) };
  const wcs = new TanWcs(image.wcs);
  const [ra, dec] = wcs.toSky([x0 + (size - 1) / 2, y0 + (size - 1) / 2]);
  const sky = { wcs: wcs.shifted(x0, y0).terms, ra, dec };
  place.emit({ id, parent: image.id, x0, y0, size, bands: image.bands, ...cut, ...sky, ...known }, [id]);
}

/** What the ledger keeps of an image: how many windows it has, where it is, and what it was read from. */
function recordOf(image: SkyImage, children: number): ParentRecord {
  const { id, width, height, inputs, areaSquareDegrees } = image;
  const [ra, dec] = new TanWcs(image.wcs).toSky([(width - 1) / 2, (height - 1) / 2]);
  const detail = { ra, dec, area_square_degrees: areaSquareDegrees, width, height, inputs };
  return { type: 'parent', item: id, children, detail };
}

const idOf = (image: SkyImage, { row, column }: GridCell): string => `${image.id}/r${row}c${column}`;
const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;

function otherSize({ width, height, inputs }: SkyImage, { size }: TileOptions): EngineError {
  return new EngineError(
    'bands_differ',
    `the image is ${width} × ${height} pixels, the others are ${size} × ${size}: it cannot be one window as they are`,
    {
      ...(inputs[0] === undefined ? {} : { place: { file: inputs[0].name } }),
      hint: 'use a tile.size in pixels, or leave the image out',
    },
  );
}

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
