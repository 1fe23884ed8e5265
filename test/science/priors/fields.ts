/** Fields and columns for the tests of the priors. */
import type { CatalogColumn, SourceTable } from '../../../src/science/catalog.js';
import {
  type FieldFrame,
  type FieldPrior,
  fieldDefaults,
  type SampledField,
  sampleField,
} from '../../../src/science/priors/field.js';
import { deriveSeed, Random } from '../../../src/science/random.js';
import type { TanTerms } from '../../../src/science/wcs.js';

export const stream = (purpose: string): Random => new Random(deriveSeed('test of the priors', purpose));

export const wcsOf = (size: number): TanTerms => ({
  crval: [50, -40],
  crpix: [(size + 1) / 2, (size + 1) / 2],
  cd: [-0.263 / 3600, 0, 0, 0.263 / 3600],
  radesys: 'ICRS',
  equinox: undefined,
});

export const frameOf = (id: string | number, size = 1280): FieldFrame => ({
  seed: deriveSeed(7, id),
  width: size,
  height: size,
  wcs: wcsOf(size),
  origin: 1,
});

/** The default prior with some of its parts changed. */
export const priorWith = (
  changes: {
    readonly [K in keyof FieldPrior]?: Partial<FieldPrior[K]>;
  },
): FieldPrior => ({
  background: { ...fieldDefaults.background, ...changes.background },
  clusters: { ...fieldDefaults.clusters, ...changes.clusters },
  shapes: { ...fieldDefaults.shapes, ...changes.shapes },
  noise: { ...fieldDefaults.noise, ...changes.noise },
  cosmology: { ...fieldDefaults.cosmology, ...changes.cosmology },
  user: { ...fieldDefaults.user, ...changes.user },
});

export const fieldsOf = (prior: FieldPrior, count: number, size = 1280): SampledField[] =>
  Array.from({ length: count }, (_, i) => sampleField(prior, frameOf(i, size)));

export interface Source extends Readonly<Record<CatalogColumn, number>> {}

/** The rows of a table, one object each. */
export const sourcesOf = ({ count, columns }: SourceTable): Source[] =>
  Array.from({ length: count }, (_, i) =>
    Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[i]])),
  ) as unknown as Source[];

export const magnitudeOf = (flux: number): number => 30 - 2.5 * Math.log10(flux);
