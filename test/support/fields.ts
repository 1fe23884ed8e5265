/** Small simulated fields: catalogues, and images with the catalogue they were drawn from. */
import type { CatalogFacts, ImageFacts } from '../../src/operators/support/facts.js';
import type { Catalog, SkyImage } from '../../src/operators/support/nouns.js';
import { type ClusterTruth, emptySources, type SourceTable } from '../../src/science/catalog.js';
import { imageFacts, skyImage, wcs } from './nouns.js';

export const fieldBands = ['g', 'r', 'i', 'z'] as const;

/** Name of the n-th simulated field. */
export const fieldName = (index: number): string => `galsim_des_${String(index).padStart(3, '0')}`;

/** Name of the n-th simulated DES tile. */
export const desName = (index: number): string => `DES${String(index).padStart(4, '0')}-0041`;

const announced = (count: number, nameOf: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => ({ name: nameOf(index), problem: undefined }));

export const catalogFacts = (count: number, side: number, nameOf = fieldName): CatalogFacts => ({
  kind: 'Catalog',
  width: side,
  height: side,
  areaSquareDegrees: 1e-4,
  announced: announced(count, nameOf),
  unit: 'fields',
});

export const fieldFacts = (count: number, side: number, nameOf = fieldName): ImageFacts => ({
  ...imageFacts(fieldBands, side),
  announced: announced(count, nameOf),
  unit: 'fields',
  hasTruth: true,
});

/** Seven sources in a row, every other a member of the only cluster. */
function sources(index: number, side: number): SourceTable {
  const table = emptySources(7);
  for (let i = 0; i < table.count; i++) {
    const along = ((i + 0.5) / table.count) * side;
    const row = {
      ...{ RA: 10 + i / 1000, DEC: -40 + i / 1000, X: along, Y: side - along, MEM: i % 2 },
      ...{ FLUX_G: 100 + i, FLUX_R: 200 + 10 * index + i, FLUX_I: 300 + i, FLUX_Z: 400.5 + i },
      ...{ HLR: 0.5 + i / 10, G1: 0.1, G2: -0.2, Z: i % 2 === 1 ? 0.4 : -1, SOURCE_TYPE: 1 },
      ...{ GI_COLOR: 1.25, IZ_COLOR: 0.5 },
    };
    for (const [name, value] of Object.entries(row)) table.columns[name as keyof typeof row][i] = value;
  }
  return table;
}

const cluster = (index: number, side: number): ClusterTruth => ({
  x: side / 2,
  y: side / 2,
  ra: 10,
  dec: -40,
  redshift: 0.4,
  richness: 20 + index,
  members: 3,
  radiusPx: side / 4,
});

export const catalog = (index: number, side: number, nameOf = fieldName): Catalog => ({
  id: nameOf(index),
  width: side,
  height: side,
  wcs,
  areaSquareDegrees: 1e-4,
  sources: sources(index, side),
  clusters: [cluster(index, side)],
  seed: '0'.repeat(32),
  inputs: [],
  fingerprint: '',
});

/** Pixel (y, x) of band b is 1000 b + y + x / 100, and its last digits tell the field. */
export function drawnField(index: number, side: number, nameOf = fieldName): SkyImage {
  const image = skyImage(nameOf(index), fieldBands, side);
  if (image.pixels.kind !== 'memory') throw new TypeError('fields of tests are drawn in memory');
  for (const band of image.pixels.pixels) new Float32Array(band)[0] = index;
  return { ...image, truth: catalog(index, side, nameOf) };
}
