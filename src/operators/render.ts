/** Draws the sources of a field as an image of several bands. */
import { field, type OptionsOf, stageSpec } from '../config/spec.js';
import { operator, type Slot, type Stage, type StageNeeds } from '../engine/stage.js';
import { catalogBands } from '../science/catalog.js';
import type { BandNoise } from '../science/render/noise.js';
import type { PsfParams } from '../science/render/psf.js';
import { BufferPool } from './support/buffer-pool.js';
import type { CatalogFacts, ImageFacts } from './support/facts.js';
import type { Catalog, SkyImage } from './support/nouns.js';
import { parallelField, parallelism } from './support/parallel.js';
import { noiseField, noiseOf, psfField, psfOf, readPsf } from './support/render/options.js';
import type { DrawRows } from './support/render/task.js';
import { pixelThreads } from './support/threads.js';

export const renderSpec = stageSpec(
  'render',
  { takes: 'Catalog', gives: 'SkyImage' },
  'Draws the sources of a field through atmosphere, telescope and pixels, with noise.',
  {
    bands: field.list(field.choice(catalogBands, { doc: 'Band.' }), {
      default: catalogBands,
      min: 1,
      doc: 'Bands of the image, in this order.',
    }),
    psf: psfField,
    noise: noiseField,
    truncate: field.choice(['galsim', 'none'], {
      default: 'galsim',
      doc: 'galsim: drop what lies outside the stamps that GalSim chooses, about 0.2 % of the light. none: drop nothing that can be seen.',
    }),
    origin: field.number({
      default: 1,
      unit: 'px',
      doc: 'X and Y of the centre of the first pixel: 1 as GalSim counts, 0.5 where positions from 0 to size span the image.',
    }),
    threads: parallelField('Threads', 'Threads that draw; auto takes as many as there are cores.'),
  },
  {
    // A place is taken before an image is drawn: with fewer places than threads, threads would wait for each other.
    common: { credit_items: 64, credit_bytes: '1TiB' },
    check: ({ bands, noise }) => [
      ...(new Set(bands).size === bands.length
        ? []
        : [
            {
              path: 'bands',
              message: `${bands.find((band, i) => bands.indexOf(band) !== i)} is asked for twice`,
            },
          ]),
      ...(noise.depth === undefined || noise.depth.length === bands.length
        ? []
        : [
            {
              path: 'noise.depth',
              message: `there are ${noise.depth.length} depths for ${bands.length} bands`,
            },
          ]),
    ],
  },
);

type RenderOptions = OptionsOf<typeof renderSpec>;

interface RenderFacts extends ImageFacts {
  /** Of all fields, or how that of each is drawn. */
  readonly psf: Awaited<ReturnType<typeof readPsf>>;
}

/** Rows one thread draws at a time; what they hold does not depend on it. */
const rowsAtOnce = 2560;
/** Tables of a thread while it draws: of the PSF, and for each size of Fourier transform. */
const tableBytes = 8 << 20;

/**
 * @emits      an image for each catalogue, once all of it has been drawn
 * @waits      while downstream has no place or no memory for the next image; nothing is drawn before
 * @completes  after upstream completes and the last image has been drawn
 * @fails      `catalog_values` when a source cannot be drawn (that field only); `config_invalid` when there is no such PSF
 * @order      kept: an image that is finished before an earlier one waits for it
 * @memory     at most two images more than are being drawn at once, those that wait included, whatever downstream does; 8 MB
 *             of tables in each thread, up to 60 MB for sources of thousands of pixels; the sources of an image stay with
 *             it as its truth, 136 bytes each, and are not counted
 */
export const render = operator<typeof renderSpec, Catalog, SkyImage>({
  spec: renderSpec,
  operational: ['threads'],

  inspect: async (options, incoming): Promise<StageNeeds<RenderFacts>> => {
    const { width, height, areaSquareDegrees, announced, unit, seed } = incoming as CatalogFacts;
    const { bands } = options;
    const psf = await readPsf(options.psf);
    const threads = parallelism(options.threads);
    const slots = Math.max(1, Math.floor(threads / Math.ceil(height / rowsAtOnce)));
    return {
      facts: {
        kind: 'SkyImage',
        bands,
        width,
        height,
        areaSquareDegrees,
        announced,
        unit,
        hasTruth: true,
        ...(seed !== undefined && { seed }),
        psf,
      },
      itemBytes: imageBytes(bands.length, width, height),
      workingBytes: threads * tableBytes,
      slots,
      // Those being drawn, one that waits for its turn or the next stage, and one that the next stage works on.
      mostResults: slots + 2,
      // The file may change under its name: what was read when the run was planned is what is drawn.
      identity: { psf: JSON.stringify(psf) },
    };
  },

  open: async (stage, options) => {
    const pool = pixelThreads(stage.run, parallelism(options.threads));
    const { psf } = stage.needs.facts as RenderFacts;
    const drawRows = (job: DrawRows, signal: AbortSignal) =>
      pool.run<DrawRows, void>('drawRows', job, { signal });
    return (ports) =>
      stage.eachInOrder<Catalog, SkyImage>(ports, stage.needs.slots, ({ value: catalog, items }, slot) => {
        const field: DrawnField = {
          catalog,
          items,
          psf: psfOf(psf, catalog.seed),
          noise: noiseOf(options.noise, options.bands, catalog.seed),
        };
        return drawField(stage, options, field, slot, (part) =>
          drawRows(
            {
              psf: field.psf,
              noise: field.noise,
              sources: catalog.sources,
              width: catalog.width,
              bands: options.bands,
              options: { origin: options.origin, truncate: options.truncate },
              ...part,
            },
            ports.signal,
          ),
        );
      });
  },
});

const imageBytes = (bands: number, width: number, height: number): number => 4 * bands * width * height;

interface DrawnField {
  readonly catalog: Catalog;
  readonly items: readonly string[];
  readonly psf: PsfParams;
  readonly noise: readonly BandNoise[] | undefined;
}

async function drawField(
  stage: Stage,
  { bands }: RenderOptions,
  { catalog, items, psf, noise }: DrawnField,
  slot: Slot<SkyImage>,
  drawRows: (part: Pick<DrawRows, 'y0' | 'y1' | 'pixels'>) => Promise<void>,
): Promise<void> {
  const { width, height } = catalog;
  const place = await slot.reserve(imageBytes(bands.length, width, height));
  const buffers = BufferPool.of(stage.run, 'images');
  const pixels: SharedArrayBuffer[] = [];
  const giveBack = (): void => {
    for (const band of pixels.splice(0)) buffers.give(band);
  };
  try {
    using _tables = await slot.workspace(tableBytes);
    for (const _band of bands) pixels.push(buffers.take(4 * width * height));
    const firstRows = Array.from({ length: Math.ceil(height / rowsAtOnce) }, (_, part) => part * rowsAtOnce);
    const parts = firstRows.map((y0) =>
      drawRows({ y0, y1: Math.min(y0 + rowsAtOnce, height), pixels: [...pixels] }),
    );
    // A buffer is given back only when nobody draws in it any more.
    const failure = (await Promise.allSettled(parts)).find((part) => part.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  } catch (error) {
    giveBack();
    place.cancel();
    throw error;
  }
  const { id, wcs, areaSquareDegrees, inputs, fingerprint } = catalog;
  place.emit(
    {
      id,
      bands,
      width,
      height,
      wcs,
      areaSquareDegrees,
      inputs,
      fingerprint,
      pixels: { kind: 'memory', isFinite: true, image: id, width, height, pixels: [...pixels] },
      truth: catalog,
      drawn: { psf, noiseSigma: bands.map((_band, i) => noise?.[i]?.sigma ?? 0) },
      close: async () => giveBack(),
    },
    items,
  );
}
