import { describe, expect, it } from 'vitest';
import { FlatCosmology } from '../../../src/science/cosmology.js';
import { BackgroundModel, backgroundDefaults } from '../../../src/science/priors/background.js';
import {
  type Cluster,
  ClusterModel,
  type ClusterPrior,
  clusterDefaults,
} from '../../../src/science/priors/clusters.js';
import { streamsOf } from '../../../src/science/priors/population.js';
import { characteristicMagnitude } from '../../../src/science/priors/red-sequence.js';
import { deriveSeed } from '../../../src/science/random.js';
import { ksDistance, least, mean, median, most, part, spread, sum } from './statistics.js';

const cosmology = { h0: 70, om: 0.3 };
const pixelScale = 0.263;
/** Without the limit on the size, so that the priors themselves are seen. */
const free: ClusterPrior = { ...clusterDefaults, max_diameter: 1e9 };
const streams = (index: number) => streamsOf(deriveSeed('clusters', index), 'cluster');
const clustersOf = (prior: ClusterPrior, count: number): Cluster[] => {
  const model = new ClusterModel(prior, cosmology);
  return Array.from({ length: count }, (_, i) => model.cluster(pixelScale, streams(i)));
};
const blue = backgroundDefaults.blue;
/** A cluster of many members at one redshift. */
const crowd = (redshift: number, count: number): Cluster => ({
  redshift,
  richness: count,
  radiusPx: 500,
  radiiPx: new Float64Array(count).fill(100),
});

const many = clustersOf(free, 4000);
const limit = (count: number) => 1.63 / Math.sqrt(count);

/** The cumulative distribution of a density, by summing it up. */
function cumulativeOf(density: (x: number) => number, low: number, high: number): (x: number) => number {
  const steps = 20_000;
  const step = (high - low) / steps;
  const sums = new Float64Array(steps + 1);
  for (let i = 0; i < steps; i++) sums[i + 1] = (sums[i] as number) + density(low + (i + 0.5) * step);
  return (x) => (sums[Math.round(((x - low) / (high - low)) * steps)] as number) / (sums[steps] as number);
}

describe('richness', () => {
  it('falls as in SDSS', () => {
    const richnesses = clustersOf({ ...free, richness: { ...free.richness, min: 22 } }, 20_000).map(
      ({ richness }) => richness,
    );
    for (const [above, expected] of [
      [30, 0.495],
      [45, 0.169],
      [60, 0.068],
      [80, 0.024],
      [100, 0.009],
    ] as const) {
      const sigma = Math.sqrt((expected * (1 - expected)) / richnesses.length);
      // The fractions are given to three digits.
      expect(Math.abs(part(richnesses, (lambda) => lambda > above) - expected)).toBeLessThan(
        4 * sigma + 0.0005,
      );
    }
  });

  it('is the mean number of members', () => {
    const deviations = many.map(({ richness, radiiPx }) => (radiiPx.length - richness) / Math.sqrt(richness));
    expect(Math.abs(mean(deviations))).toBeLessThan(4 / Math.sqrt(many.length));
    expect(Math.abs(spread(deviations) - 1)).toBeLessThan(4 / Math.sqrt(2 * many.length));
  });
});

describe('redshift', () => {
  const redshifts = (prior: ClusterPrior) => clustersOf(prior, 4000).map(({ redshift }) => redshift);

  it('follows the volume', () => {
    const universe = new FlatCosmology(cosmology);
    const expected = cumulativeOf((z) => universe.differentialVolume(z), 0.1, 0.9);
    expect(ksDistance(redshifts(free), expected)).toBeLessThan(limit(4000));
  });

  it('gets rare beyond the limit of a survey', () => {
    const limited = redshifts({ ...free, redshift: { ...free.redshift, limited: true } });
    const universe = new FlatCosmology(cosmology);
    const expected = cumulativeOf(
      (z) => universe.differentialVolume(z) * (z > 0.7 ? Math.exp(-(((z - 0.7) / 0.1) ** 2)) : 1),
      0.1,
      0.9,
    );
    expect(ksDistance(limited, expected)).toBeLessThan(limit(4000));
  });
});

describe('radii', () => {
  const universe = new FlatCosmology(cosmology);
  /** Radii in Mpc/h of clusters whose richness is about 100. */
  const radiiOf = (profile: ClusterPrior['profile']) =>
    clustersOf({ ...free, profile, richness: { min: 99.9, max: 100, slope: 0, scale: 1e9 } }, 100).flatMap(
      ({ redshift, radiiPx }) => {
        const mpcPerPixel = universe.angularDiameterDistanceMpc(redshift) * (pixelScale / 206_264.806);
        return Array.from(radiiPx, (radius) => radius * mpcPerPixel * 0.7);
      },
    );

  it('follow a projected NFW profile with a flat core', () => {
    const radii = radiiOf(free.profile);
    // Bartelmann's formula, written out again.
    const sigma = (x: number): number => {
      if (Math.abs(x - 1) < 1e-4) return 1 / 3;
      const f =
        x > 1
          ? 1 - (2 / Math.sqrt(x * x - 1)) * Math.atan(Math.sqrt((x - 1) / (x + 1)))
          : 1 - (2 / Math.sqrt(1 - x * x)) * Math.atanh(Math.sqrt((1 - x) / (1 + x)));
      return f / (x * x - 1);
    };
    const expected = cumulativeOf((radius) => radius * sigma(Math.max(radius, 0.1) / 0.15), 0, 1);
    expect(radii.length).toBeGreaterThan(9000);
    expect(
      ksDistance(
        radii.map((radius) => Math.min(1, radius)),
        expected,
      ),
    ).toBeLessThan(limit(radii.length));
  });

  it('follow a King profile', () => {
    const radii = radiiOf({ ...free.profile, form: 'king' });
    const expected = (radius: number) => Math.log1p((radius / 0.15) ** 2) / Math.log1p((1 / 0.15) ** 2);
    expect(ksDistance(radii, expected)).toBeLessThan(limit(radii.length));
  });

  it('end where the richness says', () => {
    const outermost = many.map(({ radiiPx, radiusPx }) => most(radiiPx) / radiusPx);
    expect(most(outermost)).toBeLessThanOrEqual(1 + 1e-9);
    const { redshift, richness, radiusPx } = many[0] as Cluster;
    const kiloparsecPerPixel = universe.angularDiameterDistanceMpc(redshift) * (pixelScale / 206_264.806);
    expect(radiusPx * kiloparsecPerPixel * 0.7).toBeCloseTo((richness / 100) ** 0.2, 5);
  });

  it('fit into the limit of the size, which turns near clusters away', () => {
    const fitting = clustersOf(clusterDefaults, 500);
    expect(most(fitting.map(({ radiiPx }) => 2 * most(radiiPx)))).toBeLessThanOrEqual(1300);
    expect(part(fitting, ({ redshift }) => redshift < 0.4)).toBeLessThan(0.05);
  });

  it('that never fit are refused with what each limit turned away', () => {
    const prior = { ...clusterDefaults, max_diameter: 10, max_tries: 200 };
    expect(() => clustersOf(prior, 1)).toThrow(
      expect.objectContaining({
        code: 'prior_empty',
        message: 'none of 200 clusters fits: 200 wider than max_diameter = 10 px, 0 without members',
      }),
    );
  });
});

describe('members', () => {
  const model = new ClusterModel(clusterDefaults, cosmology);

  it('have a Schechter function about m*', () => {
    const { magnitudes } = model.members(crowd(0.5, 20_000), blue, streams(0));
    const fainter = Array.from(magnitudes.i, (i) => i - 20.06);
    const schechter = cumulativeOf((x) => Math.exp(-(10 ** (-0.4 * x))), -3, 1.75);
    expect(ksDistance(fainter, schechter)).toBeLessThan(limit(20_000));
  });

  it.each([
    // The fixtures' real cluster at z = 0.228 has the medians 1.30, 0.48 and 0.34.
    [0.228, 1.4, 0.482, 0.324],
    [0.5, 1.77, 0.79, 0.41],
    [0.725, 1.875, 1.205, 0.5],
  ])('lie on the red sequence at z = %f', (z, gr, ri, iz) => {
    const { magnitudes } = model.members(crowd(z, 20_000), blue, streams(1));
    const { g, r, i } = magnitudes;
    const mStar = characteristicMagnitude(clusterDefaults.red_sequence, z);
    const near = [...i.keys()].filter((k) => Math.abs((i[k] as number) - mStar) < 0.3);
    const colour = (a: Float64Array, b: Float64Array) => near.map((k) => (a[k] as number) - (b[k] as number));
    // Blue members pull the medians down by a tenth of the scatter or two.
    expect(Math.abs(median(colour(g, r)) - gr)).toBeLessThan(0.03);
    expect(Math.abs(median(colour(r, i)) - ri)).toBeLessThan(0.02);
    expect(Math.abs(median(colour(i, magnitudes.z)) - iz)).toBeLessThan(0.02);
  });

  it('are scattered about a ridge that gets bluer with magnitude', () => {
    const prior = {
      ...clusterDefaults,
      red_sequence: {
        ...clusterDefaults.red_sequence,
        blue_fraction: { value: 0, pivot: 0, slope: 0, min: 0, max: 0 },
      },
    };
    const { magnitudes } = new ClusterModel(prior, cosmology).members(crowd(0.5, 20_000), blue, streams(2));
    const { g, r, i, z } = magnitudes;
    const off = Array.from(
      i,
      (value, k) => (g[k] as number) - (r[k] as number) - 1.77 + 0.03 * (value - 20.06),
    );
    expect(Math.abs(mean(off))).toBeLessThan(0.002);
    expect(spread(off)).toBeCloseTo(0.05, 2);
    expect(spread(Array.from(i, (value, k) => value - (z[k] as number)))).toBeCloseTo(0.03, 2);
  });

  it.each([
    [0.3, 0.1],
    [0.6, 0.175],
    [0.8, 0.25],
    [0.9, 0.25],
  ])('at z = %f are blue in the fraction %f', (z, expected) => {
    const { magnitudes } = model.members(crowd(z, 20_000), blue, streams(3));
    const { g, r } = magnitudes;
    const colours = Array.from(g, (value, k) => value - (r[k] as number));
    // Red members are well above 1.35, and 0.13 % of the blue ones, too.
    const measured = part(colours, (gr) => gr < 1.25);
    expect(Math.abs(measured - expected)).toBeLessThan(
      4 * Math.sqrt((expected * (1 - expected)) / 20_000) + 0.005,
    );
  });

  it('have half-light radii of half an arcsecond to one', () => {
    const { hlr } = model.members(crowd(0.5, 20_000), blue, streams(4));
    expect(ksDistance([...hlr], (x) => (x - 0.5) / 0.5)).toBeLessThan(limit(20_000));
  });

  it('have radii above 0, whatever is drawn', () => {
    const prior = { ...clusterDefaults, hlr: { normal: [0.1, 1] as const } };
    const { hlr } = new ClusterModel(prior, cosmology).members(crowd(0.5, 100), blue, streams(5));
    expect(least(hlr)).toBe(1e-4);
  });

  it('have the brightest at the centre in four of five clusters', () => {
    const atCentre = Array.from({ length: 2000 }, (_, k) => {
      const stream = streams(k);
      const cluster = crowd(0.5, 20);
      const members = model.members(cluster, blue, stream);
      const { radiiPx } = model.centred(cluster, members, stream);
      if (radiiPx.every((radius) => radius === 100)) return false;
      expect(members.magnitudes.i[radiiPx.indexOf(0)]).toBe(least(members.magnitudes.i));
      expect(sum(radiiPx)).toBe(1900);
      return true;
    });
    expect(Math.abs(part(atCentre, Boolean) - 0.8)).toBeLessThan(4 * Math.sqrt(0.16 / 2000));
  });

  it('may be joined by galaxies of the background as bright as they are', () => {
    const contaminated = new ClusterModel({ ...clusterDefaults, contamination: 1 }, cosmology);
    const background = new BackgroundModel(backgroundDefaults);
    const samples = Array.from({ length: 200 }, (_, k) =>
      contaminated.contaminants(crowd(0.5, 50), background, streams(k)),
    );
    expect(Math.abs(mean(samples.map(({ count }) => count)) - 50)).toBeLessThan(4 * Math.sqrt(50 / 200));
    const magnitudes = samples.flatMap((each) => [...each.magnitudes.i]);
    expect(most(magnitudes)).toBeLessThanOrEqual(20.06 + 1.75);
    // Counts that rise: most are near the limit, unlike members.
    expect(median(magnitudes)).toBeGreaterThan(20.9);
  });
});
