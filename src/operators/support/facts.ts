/** What the stages of a pass tell each other before anything starts. */

import type { Encoder } from '../../encoders/load.js';
import type { Facts } from '../../engine/stage.js';

/** An item a source will make: its name in the ledger, and whether it is known that it cannot be made. */
export interface Announced {
  readonly name: string;
  readonly problem: Error | undefined;
}

/** What the items of a source are called: tiles of a survey, or fields that are simulated. */
export type ItemUnit = 'tiles' | 'fields';

export interface CatalogFacts extends Facts {
  readonly kind: 'Catalog';
  readonly width: number;
  readonly height: number;
  /** Of one item. */
  readonly areaSquareDegrees: number;
  readonly announced: readonly Announced[];
  readonly unit: ItemUnit;
  /** What all fields are drawn from; absent when they were not drawn. */
  readonly seed?: number;
}

export interface ImageFacts extends Facts {
  readonly kind: 'SkyImage';
  readonly bands: readonly string[];
  readonly width: number;
  readonly height: number;
  /** Of one item. */
  readonly areaSquareDegrees: number;
  readonly announced: readonly Announced[];
  readonly unit: ItemUnit;
  /** Whether the images know what is in them. */
  readonly hasTruth: boolean;
  /** Whether they know it tile by tile, and no more. */
  readonly hasCells?: boolean;
  /** Whether at least some of them know it, in either way. Default as all do. */
  readonly hasSomeTruth?: boolean;
  /** As of catalogues. */
  readonly seed?: number;
}

/** What parts of images, and what is said of them, are known to come from. */
interface PartFacts extends Facts {
  /** The images, not their parts. */
  readonly announced: readonly Announced[];
  readonly unit: ItemUnit;
  /** Whether parts know what is in their image, the sources or at least the cells that hold members: all of them or some. */
  readonly hasTruth: boolean;
  /** As of catalogues. */
  readonly seed?: number;
}

export interface WindowFacts extends PartFacts {
  readonly kind: 'Window';
  readonly bands: readonly string[];
  readonly size: number;
  readonly perImage: number;
  readonly bytes: number;
}

export interface BatchFacts extends PartFacts {
  readonly kind: 'Batch';
  readonly bands: readonly string[];
  readonly size: number;
  readonly rows: number;
  readonly perImage: number;
}

export interface PredictionFacts extends PartFacts {
  readonly kind: 'Prediction';
  readonly answers: readonly string[];
  readonly passes: number;
  readonly cells: { readonly ny: number; readonly nx: number } | undefined;
  readonly perImage: number;
  readonly encoder: EncoderFacts;
  readonly loaded: Encoder;
}

/** Of the facts of a stage, those that hold of all parts of its images. */
export const partFacts = ({ announced, unit, hasTruth, seed }: PartFacts): PartFacts => ({
  announced,
  unit,
  hasTruth,
  ...(seed !== undefined && { seed }),
});

export interface EncoderFacts {
  readonly name: string;
  readonly isTrained: boolean;
  readonly sha256: string;
  readonly kind: string;
}
