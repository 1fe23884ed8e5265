/** A field on its way to disk: plain data that a worker thread can be sent. */
import type { ClusterTruth, SourceTable } from '../../../science/catalog.js';
import type { TileCatalog } from '../../../science/tile-catalog.js';
import type { TanTerms } from '../../../science/wcs.js';
import type { Catalog, Drawn, SkyImage } from '../nouns.js';
import type { PixelSource } from '../tile/strip.js';

export interface FieldSources {
  readonly table: SourceTable;
  readonly clusters: readonly ClusterTruth[];
  /** Everything random about the field derives from it. */
  readonly seed: string;
}

export interface FieldContent {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly wcs: TanTerms;
  readonly areaSquareDegrees: number;
  readonly bands: readonly string[];
  /** Undefined for a catalogue. */
  readonly pixels: PixelSource | undefined;
  /** Undefined when nobody knows what is in it. */
  readonly sources: FieldSources | undefined;
  /** What is in it tile by tile, where that is all that is known. */
  readonly cells: TileCatalog | undefined;
  /** Undefined when it was not drawn here. */
  readonly drawn: Drawn | undefined;
}

export const isCatalog = (field: SkyImage | Catalog): field is Catalog => !('pixels' in field);

/** What is written of an image or a catalogue. */
export function contentOf(field: SkyImage | Catalog): FieldContent {
  const truth = isCatalog(field) ? field : field.truth;
  const { id, width, height, wcs, areaSquareDegrees } = field;
  return {
    id,
    width,
    height,
    wcs,
    areaSquareDegrees,
    ...(isCatalog(field) ? { bands: [], pixels: undefined } : { bands: field.bands, pixels: field.pixels }),
    cells: isCatalog(field) ? undefined : field.cells,
    drawn: isCatalog(field) ? undefined : field.drawn,
    sources: truth && { table: truth.sources, clusters: truth.clusters, seed: truth.seed },
  };
}
