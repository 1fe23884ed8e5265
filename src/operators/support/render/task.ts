/** The task of the pixel threads that draws rows of an image. */
import { readFileSync } from 'node:fs';
import { builtUrl } from '../../../config/built.js';
import { task } from '../../../engine/workers.js';
import type { CatalogBand, SourceTable } from '../../../science/catalog.js';
import { Kernels } from '../../../science/render/kernels.js';
import { type BandNoise, NoiseMaker } from '../../../science/render/noise.js';
import type { PsfParams } from '../../../science/render/psf.js';
import { modelPsf, type PsfModel } from '../../../science/render/psf-model.js';
import { type DrawOptions, Renderer } from '../../../science/render/render.js';

/** Rows [y0, y1) of an image, and what is in it. */
export interface DrawRows {
  readonly psf: PsfParams;
  readonly sources: SourceTable;
  readonly width: number;
  readonly y0: number;
  readonly y1: number;
  readonly bands: readonly CatalogBand[];
  /** The whole image, band by band. */
  readonly pixels: readonly SharedArrayBuffer[];
  /** Of each band; undefined for none. */
  readonly noise: readonly BandNoise[] | undefined;
  readonly options: DrawOptions;
}

/** What draws in this thread: its tables are kept from field to field, and grow to the largest source seen. */
interface Studio {
  readonly noise: NoiseMaker;
  readonly renderer: Renderer;
  readonly psf: { key: string; model: PsfModel } | undefined;
}
let studio: Studio | undefined;

const compiled = (name: string): Uint8Array =>
  readFileSync(builtUrl(import.meta.url, `../../../science/render/${name}.wasm`));

/** The drawing kernels as they were compiled. */
export const renderKernels = (): Kernels => new Kernels(compiled('kernels'));
export const noiseMaker = (): NoiseMaker => new NoiseMaker(compiled('noise-kernel'));

function openStudio(params: PsfParams): Studio & { readonly model: PsfModel } {
  const { noise, renderer, psf } = studio ?? newStudio();
  const key = JSON.stringify(params);
  const model = psf?.key === key ? psf.model : modelPsf(params);
  studio = { noise, renderer, psf: { key, model } };
  return { ...studio, model };
}

const newStudio = (): Studio => ({
  noise: noiseMaker(),
  renderer: new Renderer(renderKernels()),
  psf: undefined,
});

/** Draws noise and sources into the rows, whatever they held. @throws CatalogError `catalog_values` */
export const drawRows = task((job: DrawRows): void => {
  const { noise, renderer, model } = openStudio(job.psf);
  const { width, y0, y1 } = job;
  const pixels = job.pixels.map((band) => new Float32Array(band, 4 * y0 * width, (y1 - y0) * width));
  for (const [band, rows] of pixels.entries()) {
    const own = job.noise?.[band];
    if (own === undefined) rows.fill(0);
    else noise.fill(own, width, y0, y1, rows);
  }
  renderer.draw(model, job.sources, { width, y0, y1, bands: job.bands, pixels }, job.options);
});
