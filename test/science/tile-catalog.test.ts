import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CatalogColumn, emptySources, type SourceTable } from '../../src/science/catalog.js';
import { toTileCatalog } from '../../src/science/tile-catalog.js';

/** Sources with the given values; all others are 0. */
function sources(...rows: readonly Partial<Record<CatalogColumn, number>>[]): SourceTable {
  const table = emptySources(rows.length);
  for (const [row, values] of rows.entries())
    for (const [column, value] of Object.entries(values)) table.columns[column as CatalogColumn][row] = value;
  return table;
}

/** Two rows of three tiles. */
const options = { width: 12, height: 8, tileSize: 4, origin: 0.5, band: 'i', minFlux: 0 } as const;

describe('the tile of a source', () => {
  it('has its row from Y and its column from X, and so has that of a member', () => {
    const { nSources, membership, locs } = toTileCatalog(sources({ X: 9, Y: 1, FLUX_I: 5, MEM: 1 }), options);
    expect([...nSources]).toEqual([0n, 0n, 1n, 0n, 0n, 0n]);
    expect([...membership]).toEqual([0, 0, 1, 0, 0, 0]);
    // Vertical first.
    expect([...locs.slice(4, 6)]).toEqual([0.25, 0.25]);
    expect([...toTileCatalog(sources({ X: 9, Y: 3, FLUX_I: 5 }), options).locs.slice(4, 6)]).toEqual([
      0.75, 0.25,
    ]);
  });

  it('depends on what the first pixel is called', () => {
    const tileOf = (x: number, origin: number) =>
      toTileCatalog(sources({ X: x, Y: 2, FLUX_I: 1 }), { ...options, origin }).nSources.indexOf(1n);
    // The edge between the first two tiles lies at 4.5 in FITS pixels, 3.5 in array pixels, 4 for BLISS.
    expect([tileOf(4.4, 1), tileOf(4.5, 1)]).toEqual([0, 1]);
    expect([tileOf(3.4, 0), tileOf(3.5, 0)]).toEqual([0, 1]);
    expect([tileOf(3.9, 0.5), tileOf(4, 0.5)]).toEqual([0, 1]);
  });

  it('is none outside the image', () => {
    const outside = [-0.1, 12, 1e9, Number.NaN].map((X) => ({ X, Y: 1, FLUX_I: 1, MEM: 1 }));
    const { nSources, membership } = toTileCatalog(
      sources(...outside, { X: 1, Y: 8, FLUX_I: 1, MEM: 1 }),
      options,
    );
    expect([...nSources, ...membership].every((one) => Number(one) === 0)).toBe(true);
  });
});

describe('the source of a tile', () => {
  it('is the brightest in the chosen band, with all that is known of it', () => {
    const faint = { X: 1, Y: 1, FLUX_G: 9, FLUX_I: 5 };
    const bright = {
      X: 2,
      Y: 3,
      FLUX_G: 1,
      FLUX_R: 2,
      FLUX_I: 6,
      FLUX_Z: 4,
      HLR: 0.5,
      G1: 0.1,
      G2: -0.2,
      Z: 0.4,
      SOURCE_TYPE: 1,
    };
    const catalog = toTileCatalog(sources(faint, bright, { ...faint, FLUX_I: 1 }), options);
    expect([...catalog.fluxes.slice(0, 4)]).toEqual([1, 2, 6, 4]);
    expect([...catalog.locs.slice(0, 2)]).toEqual([0.75, 0.5]);
    expect([...catalog.galaxyParams.slice(0, 4)]).toEqual([0.5, 0.1, -0.2, 0]);
    expect([catalog.redshift[0], catalog.sourceType[0], catalog.nSources[0]]).toEqual([0.4, 1n, 1n]);
    expect(toTileCatalog(sources(faint, bright), { ...options, band: 'g' }).fluxes[0]).toBe(9);
  });

  it('is none up to the limit or without flux; a member counts all the same', () => {
    const limited = { ...options, minFlux: 10 };
    const member = { X: 5, Y: 1, MEM: 1, Z: 0.5 };
    for (const flux of [0, 9.99, 10]) {
      const catalog = toTileCatalog(sources({ ...member, FLUX_I: flux }), limited);
      expect([catalog.nSources[1], catalog.redshift[1], catalog.membership[1]]).toEqual([0n, 0, 1]);
    }
    expect(toTileCatalog(sources({ ...member, FLUX_I: 10.01 }), limited).nSources[1]).toBe(1n);
    expect(toTileCatalog(sources({ ...member, FLUX_I: 0 }), options).nSources[1]).toBe(0n);
  });

  it('does not depend on the order of the catalogue', () => {
    const source = fc.record({
      X: fc.double({ min: -2, max: 14, noNaN: true }),
      Y: fc.double({ min: -2, max: 10, noNaN: true }),
      MEM: fc.constantFrom(0, 1),
      Z: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(source), (found) => {
        // No two are equally bright.
        const rows = found.map((one, index) => ({ ...one, FLUX_I: ((index * 7) % 101) + index / 1000 }));
        expect(toTileCatalog(sources(...rows.toReversed()), options)).toEqual(
          toTileCatalog(sources(...rows), options),
        );
      }),
    );
  });
});

it('an image that is no whole number of tiles is refused', () => {
  for (const size of [{ width: 13 }, { height: 6 }, { tileSize: 0 }, { tileSize: 5 }]) {
    expect(() => toTileCatalog(sources(), { ...options, ...size })).toThrow(
      expect.objectContaining({
        code: 'config_invalid',
        message: expect.stringContaining('must be multiples of it'),
      }),
    );
  }
});
