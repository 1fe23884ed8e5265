import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { catalogColumns } from '../../../src/science/catalog.js';
import {
  FieldSampler,
  fieldDefaults,
  type SampledField,
  sampleField,
} from '../../../src/science/priors/field.js';
import { TanWcs } from '../../../src/science/wcs.js';
import { fieldsOf, frameOf, magnitudeOf, priorWith, sourcesOf, wcsOf } from './fields.js';
import { ksDistance, least, mean, most, part, spread } from './statistics.js';

const bytesOf = ({ sources, clusters }: SampledField): string =>
  JSON.stringify([catalogColumns.map((name) => [...sources.columns[name]]), clusters]);
const withClusters = priorWith({ clusters: { probability: 1 }, background: { density: 0 } });

describe('a field', () => {
  const fields = fieldsOf(fieldDefaults, 300, 640);

  it('has a Poisson number of background sources', () => {
    const counts = fields.map(({ sources }) => sourcesOf(sources).filter(({ MEM }) => MEM === 0).length);
    const expected = 0.00067 * 640 * 640;
    expect(Math.abs(mean(counts) - expected)).toBeLessThan(4 * Math.sqrt(expected / 300));
    expect(Math.abs(spread(counts) ** 2 / expected - 1)).toBeLessThan(4 * Math.sqrt(2 / 300));
  });

  it('has a cluster in half of the cases, in the middle of the image', () => {
    const clusters = fields.flatMap((field) => field.clusters);
    expect(Math.abs(clusters.length / 300 - 0.5)).toBeLessThan(4 * Math.sqrt(0.25 / 300));
    for (const axis of ['x', 'y'] as const) {
      const places = clusters.map((cluster) => cluster[axis] / 640);
      expect(ksDistance(places, (at) => (at - 0.3) / 0.4)).toBeLessThan(1.63 / Math.sqrt(places.length));
    }
  });

  it('has background sources everywhere alike, with X and Y from 0', () => {
    const sources = fields.flatMap((field) => sourcesOf(field.sources).filter(({ MEM }) => MEM === 0));
    for (const axis of ['X', 'Y'] as const) {
      const places = sources.map((source) => source[axis] / 640);
      expect(ksDistance(places, (at) => at)).toBeLessThan(1.63 / Math.sqrt(places.length));
      expect(least(places)).toBeGreaterThanOrEqual(0);
      expect(most(places)).toBeLessThan(1);
    }
  });

  it('has the columns of BLISS', () => {
    const sources = fields.slice(0, 20).flatMap((field) => sourcesOf(field.sources));
    for (const source of sources) {
      expect(source).toMatchObject({ FRACDEV: 0, Z: -1 });
      expect(source.GI_COLOR).toBeCloseTo(magnitudeOf(source.FLUX_G) - magnitudeOf(source.FLUX_I), 9);
      expect(source.IZ_COLOR).toBeCloseTo(magnitudeOf(source.FLUX_I) - magnitudeOf(source.FLUX_Z), 9);
      expect(Math.hypot(source.G1, source.G2)).toBeLessThan(1);
      expect(source.HLR).toBeGreaterThan(0);
      if (source.MEM === 1) expect(source.SOURCE_TYPE).toBe(1);
    }
    expect(part(sources, ({ SOURCE_TYPE }) => SOURCE_TYPE === 0)).toBeGreaterThan(0.03);
  });

  it('has shapes whose tails are those of BLISS, members and background alike', () => {
    const shapes = fields.flatMap((field) =>
      sourcesOf(field.sources).map(({ G1, G2 }) => Math.hypot(G1, G2)),
    );
    expect(part(shapes, (g) => g > 0.5)).toBeCloseTo(0.04, 2);
  });
});

describe('places on the sky', () => {
  it.each([1, 0.5])('are those of the pixels when the first centre is called %f', (origin) => {
    const field = sampleField(fieldDefaults, { ...frameOf('sky'), origin });
    const wcs = new TanWcs(wcsOf(1280));
    for (const { RA, DEC, X, Y } of sourcesOf(field.sources)) {
      const [x, y] = wcs.toPixel([RA, DEC]);
      expect(Math.abs(x + origin - X)).toBeLessThan(1e-6);
      expect(Math.abs(y + origin - Y)).toBeLessThan(1e-6);
    }
  });

  it('of the truth are those of its centre', () => {
    const [cluster] = sampleField(withClusters, frameOf('truth')).clusters;
    const [x, y] = new TanWcs(wcsOf(1280)).toPixel([cluster?.ra ?? 0, cluster?.dec ?? 0]);
    expect(x + 1).toBeCloseTo(cluster?.x ?? 0, 6);
    expect(y + 1).toBeCloseTo(cluster?.y ?? 0, 6);
  });
});

describe('members', () => {
  const distances = (radii: 'reprojected' | 'projected'): number[] => {
    const prior = priorWith({
      background: { density: 0 },
      clusters: { probability: 1, radii, central_fraction: 0 },
    });
    return fieldsOf(prior, 100).flatMap(({ sources, clusters: [cluster] }) =>
      sourcesOf(sources).map(
        ({ X, Y }) => Math.hypot(X - (cluster?.x ?? 0), Y - (cluster?.y ?? 0)) / (cluster?.radiusPx ?? 1),
      ),
    );
  };

  it('are closer together by the mean of a projection when they are projected twice', () => {
    const [once, twice] = [distances('projected'), distances('reprojected')];
    expect(once.length).toBe(twice.length);
    // |sin θ| is even on [0, 1], and independent of the radius.
    expect(mean(twice) / mean(once)).toBeCloseTo(0.5, 1);
    expect(mean(twice.map((d) => d * d)) / mean(once.map((d) => d * d))).toBeCloseTo(1 / 3, 1);
    expect(most(once)).toBeLessThanOrEqual(1 + 1e-9);
  });

  it('are as many as the truth says, and have its redshift when asked for', () => {
    const prior = priorWith({
      clusters: { probability: 1, count: 3, known_redshifts: true, contamination: 0.5 },
    });
    const { sources, clusters } = sampleField(prior, frameOf('several', 4000));
    expect(clusters).toHaveLength(3);
    for (const { members, redshift } of clusters)
      expect(sources.columns.Z.filter((z) => z === redshift)).toHaveLength(members);
    const all = sourcesOf(sources).filter(({ MEM }) => MEM === 1);
    const taken = all.filter(({ Z }) => Z === -1).length;
    expect(all.length - taken).toBe(clusters.reduce((total, { members }) => total + members, 0));
    expect(taken).toBeGreaterThan(5);
  });

  it('far outside the image are left out', () => {
    const prior = priorWith({
      background: { density: 0 },
      clusters: { probability: 1, max_diameter: 1e4, reach: 50, radii: 'projected' },
    });
    const fields = fieldsOf(prior, 20, 400);
    const places = fields.flatMap(({ sources }) => [...sources.columns.X, ...sources.columns.Y]);
    expect(least(places)).toBeGreaterThanOrEqual(1 - 50);
    expect(most(places)).toBeLessThanOrEqual(400 + 50);
    expect(
      fields.some(({ clusters: [cluster] }) => (cluster?.members ?? 0) < (cluster?.richness ?? 0) / 2),
    ).toBe(true);
  });
});

describe('the same seed', () => {
  it('gives the same field, alone or among others, in any order', () => {
    const alone = new Map<number, string>();
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 1 }), (indices) => {
        const sampler = new FieldSampler(fieldDefaults);
        for (const index of indices) {
          const field = bytesOf(sampler.sample(frameOf(index, 400)));
          if (!alone.has(index)) alone.set(index, bytesOf(sampleField(fieldDefaults, frameOf(index, 400))));
          expect(field).toBe(alone.get(index));
        }
      }),
      { numRuns: 20 },
    );
  });

  it('gives the same field from a prior that was sent to another thread', () => {
    const there = bytesOf(sampleField(structuredClone(fieldDefaults), frameOf(1)));
    expect(there).toBe(bytesOf(sampleField(fieldDefaults, frameOf(1))));
  });

  it('gives other fields to other names', () => {
    const [a, b] = fieldsOf(fieldDefaults, 2, 400);
    expect(a?.sources.columns.X[0]).not.toBe(b?.sources.columns.X[0]);
  });
});

describe('a change of one prior', () => {
  const before = sampleField(priorWith({ clusters: { probability: 1 } }), frameOf('change'));

  it('of shapes leaves everything else as it is', () => {
    const after = sampleField(
      priorWith({ clusters: { probability: 1 }, shapes: { scale_g1: 0.2 } }),
      frameOf('change'),
    );
    const changed = catalogColumns.filter((name) =>
      after.sources.columns[name].some((value, i) => value !== before.sources.columns[name][i]),
    );
    expect(changed).toEqual(['G1', 'G2']);
    expect(after.clusters).toEqual(before.clusters);
  });

  it('of the clusters leaves the background as it is', () => {
    const after = sampleField(priorWith({ clusters: { probability: 0 } }), frameOf('change'));
    expect(after.clusters).toEqual([]);
    for (const name of catalogColumns)
      expect(after.sources.columns[name]).toEqual(
        before.sources.columns[name].subarray(0, after.sources.count),
      );
  });

  it('of the noise moves fluxes and colours alone', () => {
    const after = sampleField(
      priorWith({ clusters: { probability: 1 }, noise: { enabled: true } }),
      frameOf('change'),
    );
    const changed = catalogColumns.filter((name) =>
      after.sources.columns[name].some((value, i) => value !== before.sources.columns[name][i]),
    );
    expect(changed).toEqual(['FLUX_G', 'FLUX_R', 'FLUX_I', 'FLUX_Z', 'GI_COLOR', 'IZ_COLOR']);
  });
});
