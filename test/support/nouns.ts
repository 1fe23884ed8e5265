/** Small values of what flows in a pass. */
import type { Encoder } from '../../src/encoders/load.js';
import type {
  BatchFacts,
  ImageFacts,
  PredictionFacts,
  WindowFacts,
} from '../../src/operators/support/facts.js';
import type { Prediction, PredictionRow, SkyImage, Window } from '../../src/operators/support/nouns.js';
import type { TanTerms } from '../../src/science/wcs.js';

export const wcs: TanTerms = {
  crval: [10, -40],
  crpix: [32.5, 32.5],
  cd: [-7.3e-5, 0, 0, 7.3e-5],
  radesys: 'ICRS',
  equinox: undefined,
};

/** Name of the n-th tile of a test. */
export const tileName = (index: number): string => `T${String(index).padStart(3, '0')}`;

export const imageFacts = (bands: readonly string[], side: number): ImageFacts => ({
  kind: 'SkyImage',
  bands,
  width: side,
  height: side,
  areaSquareDegrees: 1e-4,
  announced: [],
  unit: 'tiles',
  hasTruth: false,
});

/** A square image in memory; pixel (y, x) of band b is 1000 b + y + x / 100. */
export function skyImage(id: string, bands: readonly string[], side: number): SkyImage {
  const pixels = bands.map((_, band) => {
    const shared = new SharedArrayBuffer(4 * side * side);
    new Float32Array(shared).set(
      Float32Array.from(
        { length: side * side },
        (_value, i) => 1000 * band + Math.floor(i / side) + (i % side) / 100,
      ),
    );
    return shared;
  });
  return {
    id,
    bands,
    width: side,
    height: side,
    wcs,
    areaSquareDegrees: 1e-4,
    inputs: [],
    fingerprint: '',
    pixels: { kind: 'memory', isFinite: false, image: id, width: side, height: side, pixels },
    truth: undefined,
    close: async () => {},
  };
}

export const windowFacts = (bands: readonly string[], size: number): WindowFacts => ({
  kind: 'Window',
  announced: [],
  unit: 'tiles',
  hasTruth: false,
  bands,
  size,
  perImage: 1,
  bytes: 4 * bands.length * size * size,
});

const row = (parent: string, size = 64): PredictionRow => ({
  id: `${parent}/r0c0`,
  parent,
  x0: 0,
  y0: 0,
  size,
  ra: 10,
  dec: -40,
  maskedFraction: 0,
});

/** The only window of a tile, all of its pixels 1. */
export function window(parent: string, bands: readonly string[], size: number): Window {
  const pixels = new SharedArrayBuffer(4 * bands.length * size * size);
  new Float32Array(pixels).fill(1);
  return { ...row(parent, size), bands, pixels, wcs };
}

export const batchFacts = (bands: readonly string[], size: number, rows: number): BatchFacts => ({
  ...windowFacts(bands, size),
  kind: 'Batch',
  rows,
});

export const predictionFacts: PredictionFacts = {
  kind: 'Prediction',
  announced: [],
  unit: 'tiles',
  hasTruth: false,
  answers: ['member'],
  passes: 1,
  cells: { ny: 2, nx: 2 },
  perImage: 1,
  encoder: { name: 'test', isTrained: true, sha256: '0', kind: 'probabilities' },
  loaded: undefined as unknown as Encoder,
};

/** What an encoder says of the only window of a tile. */
export const prediction = (parent: string): Prediction => ({
  rows: [row(parent)],
  values: Float32Array.of(0.1, 0.2, 0.3, 0.9),
});
