import { describe, expect, it } from 'vitest';
import { emptySources, fluxOf, type SourceTable } from '../../../src/science/catalog.js';
import { fieldWcs } from '../../../src/science/field-wcs.js';
import { FieldSampler, fieldDefaults } from '../../../src/science/priors/field.js';
import {
  characteristicMagnitude,
  redSequenceDefaults,
  ridgeColours,
} from '../../../src/science/priors/red-sequence.js';
import { deriveSeed } from '../../../src/science/random.js';
import { commonerClass, matchedFilter } from '../../../src/science/scores/baselines.js';
import { meanCounts, prominence, RedSequenceFilter } from '../../../src/science/scores/matched-filter.js';
import { toTileCatalog } from '../../../src/science/tile-catalog.js';
import { fieldOf } from './cells.js';

const options = { seed: 1, draws: 100, level: 0.95 };

/** One galaxy on the ridge at a redshift, so many magnitudes redder in g - r. */
function galaxy(z: number, x: number, y: number, redder = 0): SourceTable {
  const table = emptySources(1);
  const i = characteristicMagnitude(redSequenceDefaults, z);
  const [gr, ri, iz] = ridgeColours(redSequenceDefaults, z);
  const fluxes = { FLUX_G: i + ri + gr + redder, FLUX_R: i + ri, FLUX_I: i, FLUX_Z: i - iz };
  for (const [name, magnitude] of Object.entries(fluxes))
    table.columns[name as keyof typeof fluxes][0] = fluxOf(magnitude);
  table.columns.X[0] = x;
  table.columns.Y[0] = y;
  return table;
}

describe('the commoner class', () => {
  it('is right about most cells and finds nobody', () => {
    const fields = [fieldOf('a', [1, 1, 1], [0, 0, 1]), fieldOf('b', [0, 0, 0], [0, 0, 0])];
    const { confusion, mode, auc } = commonerClass(fields, options);
    expect(confusion).toEqual({ tp: 0, fp: 0, fn: 1, tn: 5 });
    expect(mode.accuracy.value).toBeCloseTo(5 / 6, 6);
    expect(mode.f1.value).toBe(0);
    expect(auc.value).toBe(0.5);
  });

  it('is the members where they are most', () => {
    const { mode } = commonerClass([fieldOf('a', [0, 0, 0], [1, 0, 1])], options);
    expect(mode.recall.value).toBeCloseTo(1, 5);
  });
});

describe('the matched filter', () => {
  const filter = new RedSequenceFilter();
  const grid = { ny: 2, nx: 3, cellPx: 10, x0: 100, y0: 50, origin: 1 };
  const found = (sources: SourceTable) => {
    const counts = filter.counts(sources, grid);
    return [...counts.keys()].filter((i) => counts[i] === 1).map((i) => Math.floor(i / filter.depth));
  };

  it('counts a red galaxy in its cell, at its redshift and the nearest', () => {
    const cells = found(galaxy(0.5, 100 + 15.5, 50 + 3));
    expect(new Set(cells)).toEqual(new Set([1]));
    expect(cells.length).toBeLessThanOrEqual(5);
    const counts = filter.counts(galaxy(0.5, 115.5, 53), grid);
    expect(counts[filter.depth + 20], 'at z = 0.5').toBe(1);
  });

  it('has cells from edge to edge of their pixels', () => {
    // Pixel x0 is X = x0 + 1 at its centre, and from x0 + 0.5.
    expect(new Set(found(galaxy(0.5, 100.5, 50.5)))).toEqual(new Set([0]));
    expect(new Set(found(galaxy(0.5, 130.4, 70.4)))).toEqual(new Set([5]));
    expect(found(galaxy(0.5, 130.6, 60))).toEqual([]);
    expect(found(galaxy(0.5, 100.4, 60))).toEqual([]);
  });

  it('does not count what is bluer or redder than its scatter allows', () => {
    expect(found(galaxy(0.3, 105, 55, 0.5))).toEqual([]);
    expect(found(galaxy(0.3, 105, 55, -0.5))).toEqual([]);
    expect(found(emptySources(3))).toEqual([]);
  });

  it('tells how far a count stands out of all', () => {
    const counts = Uint8Array.of(3, 0, 1, 0, 0, 0);
    const means = meanCounts([counts.subarray(0, 4), counts.subarray(4)], 2);
    expect([...means]).toEqual([4 / 3, 0]);
    const most = prominence(counts, means);
    expect(most[0]).toBeCloseTo((3 - 4 / 3) / Math.sqrt(1 + 4 / 3), 6);
    expect(most[2]).toBe(0);
  });

  it('finds clusters among the background, much better than chance', () => {
    const [side, sampler] = [1024, new FieldSampler(fieldDefaults)];
    const fields = Array.from({ length: 30 }, (_, i) => {
      const wcs = fieldWcs(side, side, 50, -40);
      const { sources } = sampler.sample({
        seed: deriveSeed('matched filter', i),
        width: side,
        height: side,
        wcs,
        origin: 1,
      });
      const tiles = { width: side, height: side, tileSize: 256, origin: 1, band: 'i', minFlux: 0 } as const;
      return { id: `field_${i}`, sources, truth: toTileCatalog(sources, tiles).membership };
    });
    const counts = fields.map(({ sources }) =>
      filter.counts(sources, { ny: 4, nx: 4, cellPx: 256, x0: 0, y0: 0, origin: 1 }),
    );
    const means = meanCounts(counts, filter.depth);
    const cells = fields.map(({ id, truth }, i) => ({
      id,
      ny: 4,
      nx: 4,
      probability: prominence(counts[i] as Uint8Array, means),
      truth,
    }));
    const { mode, auc } = matchedFilter(cells, options);
    expect(mode.f1.value as number).toBeGreaterThan(0.5);
    expect(auc.value as number).toBeGreaterThan(0.8);
  });
});
