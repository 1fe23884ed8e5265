/** Catalogues of real sources, and what is drawn from them. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  inspectTable,
  readBackground,
  readClusters,
  userTables,
} from '../../src/operators/support/sample/user-catalogues.js';
import { fluxOf } from '../../src/science/catalog.js';
import { FieldSampler, fieldDefaults, type SampledField } from '../../src/science/priors/field.js';
import { frameOf, magnitudeOf, priorWith, sourcesOf } from '../science/priors/fields.js';
import { mean, median, part } from '../science/priors/statistics.js';

const redmapper = (name: string): string => join(import.meta.dirname, '../fixtures/redmapper', name);
const own = (name: string): string => join(import.meta.dirname, '../fixtures/sample', name);

const desBands = { g: 'MAG_AUTO_G', r: 'MAG_AUTO_R', i: 'MAG_AUTO_I', z: 'MAG_AUTO_Z' };
const sdssBands = { g: 'MAG[1]', r: 'MAG[2]', i: 'MAG[3]', z: 'MAG[4]' };
const rules = { star_threshold: 0.5, radius_scale: 0.263 };
const background = {
  path: own('background.fits'),
  hdu: 1,
  ...desBands,
  flux_radius: 'FLUX_RADIUS_R',
  class_star: 'CLASS_STAR_R',
  ...rules,
};
const sdssGalaxies = {
  path: redmapper('dr8_test_galaxies_0009217.fit'),
  hdu: 1,
  ...sdssBands,
  flux_radius: 'none',
  class_star: 'none',
  ...rules,
};
const members = {
  path: own('members.fits'),
  hdu: 1,
  ...desBands,
  cluster_id: 'ID',
  radius: 'R',
  redshift: 'none',
  object_id: 'COADD_OBJECTS_ID',
  photo_z: { path: own('photo_z.fits'), hdu: 1, object_id: 'COADD_OBJECTS_ID', redshift: 'Z_MEAN' },
};
const sdssMembers = {
  ...members,
  path: redmapper('test_cluster_members.fit'),
  ...sdssBands,
  cluster_id: 'mem_match_id',
  redshift: 'Z',
  photo_z: undefined,
};

const backgroundOf = (options: typeof background) => {
  const { background: table } = userTables(options, undefined);
  return readBackground(table as NonNullable<typeof table>);
};
const clustersOf = (options: Parameters<typeof userTables>[1]) => {
  const { members: table, photoZ } = userTables(undefined, options);
  return readClusters(table as NonNullable<typeof table>, photoZ);
};
const drawn = (prior: typeof fieldDefaults, fields: number, size = 1280): SampledField[] => {
  const sampler = new FieldSampler(prior);
  return Array.from({ length: fields }, (_, i) => sampler.sample(frameOf(i, size)));
};

describe('a background catalogue', () => {
  it('gives whole rows, with what was not measured at flux 0 or as a point', () => {
    const prior = priorWith({
      user: { background: backgroundOf(background) },
      clusters: { probability: 0 },
    });
    const sources = drawn(prior, 4).flatMap((field) => sourcesOf(field.sources));
    const rows = new Set(sources.map(({ FLUX_I, HLR, SOURCE_TYPE }) => [FLUX_I, HLR, SOURCE_TYPE].join(' ')));
    const expected = [
      [20, 2, 0],
      [21, 3, 1],
      [22, 0, 1],
      [99, 4, 1],
      [23, 0, 0],
    ].map(([i, radius, kind]) => [fluxOf(i as number), 1e-4 + 0.263 * (radius as number), kind].join(' '));
    expect([...rows].sort()).toEqual(expected.sort());
    // Each row as often as any other.
    expect(Math.abs(part(sources, ({ FLUX_I }) => FLUX_I === 0) - 0.2)).toBeLessThan(
      4 * Math.sqrt(0.16 / sources.length),
    );
    for (const { FLUX_I, FLUX_G, GI_COLOR, IZ_COLOR } of sources) {
      expect(GI_COLOR).toBe(FLUX_I === 0 ? 0 : 1.5);
      expect(IZ_COLOR).toBe(FLUX_I === 0 ? 0 : 0.25);
      expect(FLUX_G === 0).toBe(FLUX_I === 0);
    }
  });

  it('of galaxies of SDSS has their magnitudes, and sizes and kinds of the prior', () => {
    const catalogue = backgroundOf(sdssGalaxies);
    expect(catalogue.rows).toBe(888);
    const prior = priorWith({ user: { background: catalogue }, clusters: { probability: 0 } });
    const sources = drawn(prior, 4).flatMap((field) => sourcesOf(field.sources));
    const known = new Set(catalogue.magnitudes.i);
    expect(sources.every(({ FLUX_I }) => known.has(Math.fround(magnitudeOf(FLUX_I))))).toBe(true);
    expect(Math.abs(median(sources.map(({ GI_COLOR }) => GI_COLOR)) - 1.7)).toBeLessThan(0.5);
    expect(part(sources, ({ SOURCE_TYPE }) => SOURCE_TYPE === 0)).toBeGreaterThan(0.2);
    expect(mean(sources.map(({ HLR }) => HLR))).toBeGreaterThan(0.5);
  });

  it('without a row is refused', () => {
    const prior = priorWith({
      user: { background: backgroundOf({ ...background, path: own('no_rows.fits') }) },
    });
    expect(() => drawn(prior, 1)).toThrow(expect.objectContaining({ code: 'prior_empty' }));
  });

  it('without a column is refused with what is there and what is wanted', async () => {
    const { background: table } = userTables({ ...sdssGalaxies, ...desBands }, undefined);
    await expect(inspectTable(table as NonNullable<typeof table>)).rejects.toMatchObject({
      code: 'prior_columns',
      message: expect.stringMatching(/^MAG_AUTO_G \(for g\) is missing; .*there are: PHOTOID, .*MAG\[5\]/),
      place: { file: sdssGalaxies.path, hdu: 1 },
    });
  });

  it.each([
    ['MAG', 'MAG (for i) has 5 values in a cell: say which, such as MAG[0]'],
    ['MAG[5]', 'MAG[5] (for i) does not exist: a cell has 5 values, counted from 0'],
    ['RA[1]', 'RA[1] (for i) does not exist: a cell has 1 value, counted from 0'],
  ])('is refused when %s is asked for', async (i, message) => {
    const { background: table } = userTables({ ...sdssGalaxies, i }, undefined);
    await expect(inspectTable(table as NonNullable<typeof table>)).rejects.toMatchObject({
      code: 'prior_columns',
      message: expect.stringContaining(message),
    });
  });

  it('is known by its checksum', async () => {
    const { background: table } = userTables(background, undefined);
    const { rows, input } = await inspectTable(table as NonNullable<typeof table>);
    expect(rows).toBe(5);
    expect(input).toMatchObject({ name: background.path, bytes: 8640 });
    expect(input.checksum).toMatch(/^sha256:[0-9a-f]{64}$/);
  });
});

describe('a catalogue of members', () => {
  const odd = { ...members, path: own('odd_members.fits'), redshift: 'Z', photo_z: undefined };

  it('has no cluster of the rows that name none', () => {
    const clusters = clustersOf(odd);
    expect([...clusters.first]).toEqual([0, 2]);
    expect(clusters.redshift[0]).toBeCloseTo(0.5, 6);
  });

  it('finds no redshift for an object that has no id', () => {
    const objects = { path: odd.path, hdu: 1, object_id: 'OBJECT', redshift: 'Z' };
    const clusters = clustersOf({ ...odd, redshift: 'none', object_id: 'OBJECT', photo_z: objects });
    expect(clusters.redshift[0]).toBeCloseTo(0.6, 6);
  });

  it('may have magnitudes of 64-bit integers, but not of text', () => {
    expect([...clustersOf({ ...odd, i: 'WHOLE' }).magnitudes.i]).toEqual([21, 23]);
    expect([...backgroundOf({ ...sdssGalaxies, i: 'PHOTOID' }).magnitudes.i].every(Number.isFinite)).toBe(
      true,
    );
    expect(() => clustersOf({ ...odd, i: 'TEXT' })).toThrow(
      expect.objectContaining({
        code: 'prior_columns',
        message: 'TEXT (for i) holds text, such as "20.5"; expected numbers',
      }),
    );
  });

  it('without a single member is refused', () => {
    const { first, ...others } = clustersOf(odd);
    const none = { ...others, first: first.slice(0, 1), redshift: new Float64Array(0) };
    expect(() => drawn(priorWith({ clusters: { probability: 1 }, user: { clusters: none } }), 1)).toThrow(
      'no row of the cluster catalogue has a cluster and a radius',
    );
  });

  it('is sorted by cluster, with the median redshift of those that are known', () => {
    const clusters = clustersOf(members);
    // In the order in which they are first met: 7 (without the row that has no radius), 3, 9.
    expect([...clusters.first]).toEqual([0, 4, 6, 7]);
    expect([...clusters.radius]).toEqual([0, 0.3, 0.1, 0.2, 0.8, 0.2, 0.1].map(Math.fround));
    expect([...clusters.magnitudes.i]).toEqual([18, 19, 99, 21, 17, 18, 20]);
    // 0.58, 0.6 and 0.62; the redshift -1 of one member is no redshift, and that of the row without a radius is not used.
    expect([...clusters.redshift]).toEqual([0.6, 0.12, Number.NaN]);
  });

  it('gives whole clusters that fit', () => {
    const prior = priorWith({
      background: { density: 0 },
      clusters: { probability: 1, radii: 'projected', known_redshifts: true },
      user: { clusters: clustersOf(members) },
    });
    for (const { sources, clusters } of drawn(prior, 5)) {
      const rows = sourcesOf(sources);
      expect(rows.map(({ FLUX_I }) => FLUX_I)).toEqual([18, 19, 99, 21].map(fluxOf));
      expect(rows.every(({ MEM, Z, SOURCE_TYPE }) => MEM === 1 && Z === 0.6 && SOURCE_TYPE === 1)).toBe(true);
      const [{ x, y, redshift, members: count, richness } = { x: 0, y: 0 }] = clusters;
      expect({ redshift, count, richness }).toEqual({ redshift: 0.6, count: 4, richness: 4 });
      const distances = rows.map(({ X, Y }) => Math.hypot(X - x, Y - y));
      expect(distances[0]).toBeCloseTo(0, 9);
      expect((distances[1] as number) / (distances[2] as number)).toBeCloseTo(3, 5);
      // astropy: 0.3 Mpc/h at z = 0.6 are 243.74 pixels of 0.263".
      expect(distances[1]).toBeCloseTo(243.744, 2);
    }
  });

  it('none of which fits is refused with what each limit turned away', () => {
    const prior = priorWith({
      clusters: {
        probability: 1,
        redshift: { ...fieldDefaults.clusters.redshift, min: 0.11, max: 0.5 },
        max_diameter: 100,
      },
      user: { clusters: clustersOf(members) },
    });
    expect(() => drawn(prior, 1)).toThrow(
      expect.objectContaining({
        code: 'prior_empty',
        message:
          'none of 3 clusters fits: 1 wider than max_diameter = 100 px (the narrowest 4018), ' +
          '1 not between the redshifts 0.11 and 0.5, 1 without a redshift',
        place: { file: members.path },
      }),
    );
  });

  it('of redMaPPer is one cluster, too near for the limit of the size', () => {
    const catalogue = clustersOf(sdssMembers);
    expect([...catalogue.first]).toEqual([0, 513]);
    expect(catalogue.redshift[0]).toBeCloseTo(0.227865, 5);
    expect(() =>
      drawn(priorWith({ clusters: { probability: 1 }, user: { clusters: catalogue } }), 1),
    ).toThrow('none of 1 clusters fits: 1 wider than max_diameter = 1300 px (the narrowest 5562), 0');
  });

  it('of redMaPPer gives all its members when it may be as wide as it is', () => {
    const catalogue = clustersOf(sdssMembers);
    const prior = priorWith({
      background: { density: 0 },
      clusters: { probability: 1, max_diameter: 6000, reach: 1e4 },
      user: { clusters: catalogue },
    });
    for (const { sources, clusters } of drawn(prior, 3, 8000)) {
      expect(sources.count).toBe(513);
      // astropy: 1.867841 Mpc/h at z = 0.227865, and the median g - i of all rows.
      expect(clusters[0]?.radiusPx).toBeCloseTo(2780.818, 1);
      expect(median(sourcesOf(sources).map(({ GI_COLOR }) => GI_COLOR))).toBeCloseTo(1.5697, 3);
    }
  });
});
