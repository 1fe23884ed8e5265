/** What flows between the stages of a pass. Sizes are pixels, angles degrees ICRS. */
import type { ClusterTruth, SourceTable } from '../../science/catalog.js';
import type { PsfParams } from '../../science/render/psf.js';
import type { TileCatalog } from '../../science/tile-catalog.js';
import type { TanTerms } from '../../science/wcs.js';
import type { PixelSource } from './tile/strip.js';

/** A file a result was made from. */
export interface InputFile {
  readonly name: string;
  readonly bytes: number;
  /**
   * `datasum:…` of its image (FITS standard, appendix J), `crc32:…` of the storage it lies in (.pt), `sha256:…` of the
   * whole file (.dat); `none` when it declares none and is not verified.
   */
  readonly checksum: string;
}

/** The sources of one field, before it is drawn, and after as its truth. */
export interface Catalog {
  readonly id: string;
  /** Size of the field, pixels. */
  readonly width: number;
  readonly height: number;
  readonly wcs: TanTerms;
  readonly areaSquareDegrees: number;
  readonly sources: SourceTable;
  /** Clusters that were put in; empty when nobody knows. */
  readonly clusters: readonly ClusterTruth[];
  /** Everything random about the field (PSF, noise) derives from it and a purpose; see science/random.ts. */
  readonly seed: string;
  readonly inputs: readonly InputFile[];
  /** Changes when what it was made from does. */
  readonly fingerprint: string;
}

/** How an image was drawn. */
export interface Drawn {
  readonly psf: PsfParams;
  /** Standard deviation of a pixel in each band, zero point 30. */
  readonly noiseSigma: readonly number[];
}

/** An image of several bands whose rows are decoded when asked for. */
export interface SkyImage {
  readonly id: string;
  readonly bands: readonly string[];
  readonly width: number;
  readonly height: number;
  readonly wcs: TanTerms;
  readonly areaSquareDegrees: number;
  readonly inputs: readonly InputFile[];
  /** Changes when the files do. */
  readonly fingerprint: string;
  /** Where a worker thread finds the pixels. */
  readonly pixels: PixelSource;
  /** What is in it, when it was simulated. */
  readonly truth: Catalog | undefined;
  /** Absent when it was not drawn. */
  readonly drawn?: Drawn;
  /** The same tile by tile, when that is all its file knows. */
  readonly cells?: TileCatalog;
  close(): Promise<void>;
}

/** A square of an image the encoder takes, with its place in the parent and on the sky. */
export interface Window {
  readonly id: string;
  readonly parent: string;
  /** Offset of its first pixel in the parent. */
  readonly x0: number;
  readonly y0: number;
  readonly size: number;
  readonly bands: readonly string[];
  /** Float32, bands × size × size, row by row; shared, so that it wanders between threads without a copy. */
  readonly pixels: SharedArrayBuffer;
  readonly wcs: TanTerms;
  /** Sky position of its centre. */
  readonly ra: number;
  readonly dec: number;
  /** Part of its pixels that are masked or not a number in at least one band. */
  readonly maskedFraction: number;
  /** What is in its parent, when that was simulated. */
  readonly truth?: Catalog;
  /** The same tile by tile, when that is all its file knows. */
  readonly cells?: TileCatalog;
}

/** Windows that go through the encoder together. */
export interface Batch {
  readonly rows: readonly Window[];
  /** Bands, height, width of each row. */
  readonly shape: readonly [number, number, number];
}

/** Identity of one row of a prediction: everything of the window but its pixels. */
export type PredictionRow = Pick<
  Window,
  'id' | 'parent' | 'x0' | 'y0' | 'size' | 'ra' | 'dec' | 'maskedFraction' | 'truth' | 'cells'
>;

/** What the encoder says of each row. */
export interface Prediction {
  readonly rows: readonly PredictionRow[];
  /** rows × answers × passes (× ny × nx), the last side fastest. */
  readonly values: Float32Array;
}

/** A file of predictions that is whole and has its name for good. */
export interface Shard {
  readonly name: string;
  readonly path: string;
  readonly rows: number;
}

/** A finished product. */
export interface Table {
  readonly name: string;
  readonly path: string;
  readonly rows: number;
}
