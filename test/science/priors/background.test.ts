import { describe, expect, it } from 'vitest';
import { BackgroundModel, backgroundDefaults } from '../../../src/science/priors/background.js';
import { onLine } from '../../../src/science/priors/population.js';
import { stream } from './fields.js';
import { ksDistance, least, mean, median, most, part, slope, spread } from './statistics.js';

const count = 200_000;
const population = new BackgroundModel(backgroundDefaults).population(count, stream);
const { g, r, i, z } = population.magnitudes;

interface Source {
  readonly i: number;
  readonly gi: number;
  readonly gr: number;
  readonly ri: number;
  readonly iz: number;
  readonly hlr: number;
  readonly isStar: boolean;
}
const sources: Source[] = Array.from({ length: count }, (_, k) => {
  const [gk, rk, ik, zk] = [g[k], r[k], i[k], z[k]] as [number, number, number, number];
  const isStar = population.isGalaxy[k] === 0;
  return {
    i: ik,
    gi: gk - ik,
    gr: gk - rk,
    ri: rk - ik,
    iz: ik - zk,
    hlr: population.hlr[k] as number,
    isStar,
  };
});
const stars = sources.filter(({ isStar }) => isStar);
const galaxies = sources.filter(({ isStar }) => !isStar);
const between = (from: number, to: number) => (source: Source) => source.i >= from && source.i < to;

/** The slope of log10 counts in half-magnitude bins, and its statistical error. */
function countSlope(from: number, to: number): { value: number; sigma: number } {
  const bins = Array.from({ length: (to - from) * 2 }, (_, k) => from + k / 2);
  const counts = bins.map((bin) => sources.filter(between(bin, bin + 0.5)).length);
  const value = slope(
    bins,
    counts.map((n) => Math.log10(n)),
  );
  const deviations = bins.map((bin) => (bin - mean(bins)) ** 2).reduce((a, b) => a + b);
  return { value, sigma: Math.sqrt(Math.LOG10E ** 2 / Math.min(...counts) / deviations) };
}

describe('counts', () => {
  it('rise by 0.33 dex per magnitude where they are faint', () => {
    const { value, sigma } = countSlope(20, 23);
    expect(Math.abs(value - 0.33)).toBeLessThan(Math.max(4 * sigma, 0.01));
  });

  it('rise by 0.55 dex per magnitude where they are bright', () => {
    const { value, sigma } = countSlope(16, 19);
    expect(sigma).toBeLessThan(0.06);
    expect(Math.abs(value - 0.55)).toBeLessThan(3 * sigma);
  });

  it('fade at the depth of the survey', () => {
    // Half of what the slope alone would give at 24; next to nothing at the end.
    const ratio = part(sources, between(23.9, 24.1)) / part(sources, between(21.9, 22.1));
    expect(ratio / 10 ** (0.33 * 2)).toBeCloseTo(0.5, 1);
    expect(most(i)).toBeLessThan(25);
    expect(least(i)).toBeGreaterThanOrEqual(15);
  });
});

describe('stars', () => {
  it.each([
    [16, 17],
    [19, 20],
    [21, 22],
    [23, 24],
  ])('are the part of the sources between %d and %d that they should be', (from, to) => {
    const here = sources.filter(between(from, to));
    const expected = mean(here.map((source) => onLine(backgroundDefaults.star_fraction, source.i)));
    const sigma = Math.sqrt((expected * (1 - expected)) / here.length);
    expect(Math.abs(part(here, ({ isStar }) => isStar) - expected)).toBeLessThan(4 * sigma);
  });

  it('have two kinds of colours on one locus', () => {
    const blue = stars.filter(({ gi }) => gi < 1.2);
    expect(blue.length / stars.length).toBeCloseTo(0.45, 1);
    expect(median(blue.map(({ gi }) => gi))).toBeCloseTo(0.6, 1);
    expect(median(stars.filter(({ gi }) => gi > 1.2).map(({ gi }) => gi))).toBeCloseTo(2.2, 1);
    // g - r stops growing at the knee, and r - i goes on.
    const red = stars.filter(({ gi }) => gi > 2.3 && gi < 2.9);
    expect(mean(red.map(({ gr }) => gr))).toBeCloseTo(1.36, 1);
    expect(spread(red.map(({ gr, gi }) => gr - 0.05 * gi))).toBeLessThan(0.05);
    expect(spread(stars.map(({ ri, iz }) => iz - 0.02 - 0.5 * ri))).toBeCloseTo(0.03 * Math.hypot(1, 0.5), 2);
  });

  it('are as small as the seeing', () => {
    const measured = stars.filter(({ hlr }) => hlr > 0.01).map(({ hlr }) => Math.log(hlr));
    expect(mean(measured)).toBeCloseTo(Math.log(0.55), 2);
    expect(spread(measured)).toBeCloseTo(0.06, 2);
  });
});

describe('galaxies', () => {
  it('are red or blue, fewer red the fainter', () => {
    // Each cloud is symmetric, so the mean colour tells the part of red ones.
    const redPart = (from: number, to: number): number =>
      (mean(galaxies.filter(between(from, to)).map(({ gr }) => gr)) - 0.6) / (1.35 - 0.6);
    expect(redPart(17, 18.2)).toBeCloseTo(0.6, 1);
    expect(Math.abs(redPart(21, 21.2) - (0.55 - 0.07 * 2.1))).toBeLessThan(0.04);
    expect(Math.abs(redPart(24.1, 25) - (0.55 - 0.07 * 5.35))).toBeLessThan(0.02);
  });

  it('have the colours of their kind', () => {
    const red = galaxies.filter(({ gr }) => gr > 1.7);
    expect(Math.abs(mean(red.map(({ ri }) => ri)) - 0.7)).toBeLessThan((4 * 0.22) / Math.sqrt(red.length));
    expect(spread(red.map(({ ri }) => ri))).toBeCloseTo(0.22, 1);
    expect(mean(red.map(({ iz }) => iz))).toBeCloseTo(0.36, 2);
    const blue = galaxies.filter(({ gr }) => gr < 0.4);
    expect(mean(blue.map(({ ri }) => ri))).toBeCloseTo(0.35, 2);
    expect(mean(blue.map(({ iz }) => iz))).toBeCloseTo(0.2, 2);
    expect(spread(blue.map(({ iz }) => iz))).toBeCloseTo(0.14, 2);
  });

  it('have log-normal radii that shrink with magnitude, within limits', () => {
    const measured = galaxies.filter(({ hlr }) => hlr > 0.01);
    const here = measured.filter(between(21.9, 22.1)).map(({ hlr }) => Math.log(hlr));
    expect(median(here)).toBeCloseTo(Math.log(0.72), 1);
    const trend = slope(
      measured.map((source) => source.i),
      measured.map(({ hlr }) => Math.log(hlr)),
    );
    // The clip at 0.35" lifts the faint end a little.
    expect(trend).toBeCloseTo(-0.05, 2);
    expect(least(measured.map(({ hlr }) => hlr))).toBeCloseTo(0.35 + 1e-4, 6);
    expect(most(measured.map(({ hlr }) => hlr))).toBeLessThanOrEqual(8 + 1e-4);
    const bright = measured
      .filter(between(19, 20))
      .map(({ hlr, i: magnitude }) => Math.log(hlr) + 0.05 * (magnitude - 22));
    expect(ksDistance(bright, (x) => normalCumulative((x - Math.log(0.72)) / 0.3))).toBeLessThan(0.03);
  });

  it('are points in one case of a hundred', () => {
    const points = part(sources, ({ hlr }) => hlr === 1e-4);
    expect(Math.abs(points - 0.01)).toBeLessThan(4 * Math.sqrt(0.01 / count));
  });
});

/** Zelen and Severo, 7.5e-8. */
function normalCumulative(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const tail =
    (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return x > 0 ? 1 - tail : tail;
}
