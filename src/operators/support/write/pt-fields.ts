/** A field as BLISS keeps it in a .pt file: `{tile_catalog: {locs, n_sources, …}, images: (bands, height, width)}`. */
import type { PlannedTensor, RecordPlan } from '../../../formats/pt/places.js';
import { type PtDtype, type PtTensor, type PtValue, ptDict } from '../../../formats/pt/value.js';
import type { CatalogBand } from '../../../science/catalog.js';
import { type TileCatalog, toTileCatalog } from '../../../science/tile-catalog.js';
import { PixelRows } from '../pixel-rows.js';
import type { FieldContent } from './field-content.js';

/** How the sources of a field become a catalogue of its tiles. */
export interface TileCatalogRules {
  readonly tileSize: number;
  readonly origin: number;
  readonly band: CatalogBand;
  readonly minFlux: number;
}

interface CatalogTensor {
  readonly name: string;
  readonly dtype: PtDtype;
  /** Sides behind those of the grid of tiles. */
  readonly sides: readonly number[];
  valuesOf(catalog: TileCatalog): ArrayBufferView;
}

const catalogTensors: readonly CatalogTensor[] = [
  { name: 'locs', dtype: 'float32', sides: [1, 2], valuesOf: ({ locs }) => locs },
  { name: 'n_sources', dtype: 'int64', sides: [], valuesOf: ({ nSources }) => nSources },
  { name: 'fluxes', dtype: 'float64', sides: [1, 4], valuesOf: ({ fluxes }) => fluxes },
  { name: 'membership', dtype: 'bool', sides: [1, 1], valuesOf: ({ membership }) => membership },
  { name: 'redshift', dtype: 'float64', sides: [1, 1], valuesOf: ({ redshift }) => redshift },
  { name: 'galaxy_params', dtype: 'float64', sides: [1, 4], valuesOf: ({ galaxyParams }) => galaxyParams },
  { name: 'source_type', dtype: 'int64', sides: [1, 1], valuesOf: ({ sourceType }) => sourceType },
];

export interface PtFieldShape {
  readonly bands: number;
  readonly width: number;
  readonly height: number;
  /** Undefined when nobody knows what is in the images: then there are no tile catalogues. */
  readonly tileSize: number | undefined;
}

/** The tensors of a field: those of its tile catalogue, then its images. */
export function ptPlan({ bands, width, height, tileSize }: PtFieldShape): RecordPlan {
  const images: PlannedTensor = { dtype: 'float32', shape: [bands, height, width] };
  if (tileSize === undefined) return [images];
  const grid = [height / tileSize, width / tileSize];
  return [...catalogTensors.map(({ dtype, sides }) => ({ dtype, shape: [...grid, ...sides] })), images];
}

/** What is unpickled: a list of a dict for each field. */
export const describeFields = (fields: readonly (readonly PtTensor[])[]): PtValue =>
  fields.map((tensors) => {
    const images = tensors.at(-1) as PtTensor;
    if (tensors.length === 1) return ptDict({ images });
    const catalog = catalogTensors.map(({ name }, index) => [name, tensors[index] as PtTensor] as const);
    return ptDict({ tile_catalog: new Map(catalog), images });
  });

/** The bytes of the tensors of `ptPlan`, images block by block. */
export function ptContents(
  field: FieldContent,
  rules: TileCatalogRules,
): (index: number) => Iterable<Uint8Array> {
  const { sources, cells } = field;
  const catalog = sources === undefined ? cells : toTileCatalog(sources.table, { ...field, ...rules });
  return (index) => {
    const tensor = catalog === undefined ? undefined : catalogTensors[index];
    if (catalog === undefined || tensor === undefined) return imageBytes(field);
    const { buffer, byteOffset, byteLength } = tensor.valuesOf(catalog);
    return [new Uint8Array(buffer, byteOffset, byteLength)];
  };
}

/** Pixels of a block: 4 MiB. */
const BLOCK_PIXELS = 1 << 20;

function* imageBytes({ pixels, bands, width, height }: FieldContent): Generator<Uint8Array> {
  if (pixels === undefined) return;
  const rows = PixelRows.of(pixels);
  const step = Math.max(1, Math.floor(BLOCK_PIXELS / width));
  const block = new Float32Array(Math.min(step, height) * width);
  for (const band of bands.keys()) {
    for (let y0 = 0; y0 < height; y0 += step) {
      const y1 = Math.min(height, y0 + step);
      rows.read(band, y0, y1, block, 0);
      yield new Uint8Array(block.buffer, 0, 4 * (y1 - y0) * width);
    }
  }
}
