/** What is known of an image, on the windows cut from it. */
import { describe, expect, it } from 'vitest';
import { batch } from '../../src/operators/batch.js';
import type { BatchFacts } from '../../src/operators/support/facts.js';
import type { Batch, SkyImage, Window } from '../../src/operators/support/nouns.js';
import { type KnownWindow, membershipOf } from '../../src/operators/support/truth.js';
import { tile } from '../../src/operators/tile.js';
import { type CatalogColumn, emptySources } from '../../src/science/catalog.js';
import { type TileCatalog, toTileCatalog } from '../../src/science/tile-catalog.js';
import { catalog, drawnField, fieldFacts, fieldName } from '../support/fields.js';
import { window } from '../support/nouns.js';
import { testRun } from '../support/run.js';
import { Progress, produced } from '../support/stages.js';
import { takeAll } from '../support/take-all.js';

const side = 64;

/** Members of a field at these X, Y, and one source that is none. */
function field(...members: readonly (readonly [x: number, y: number])[]) {
  const sources = emptySources(members.length + 1);
  const set = (row: number, values: Partial<Record<CatalogColumn, number>>) => {
    for (const [name, value] of Object.entries(values)) sources.columns[name as CatalogColumn][row] = value;
  };
  for (const [row, [X, Y]] of members.entries()) set(row, { X, Y, MEM: 1, FLUX_I: 1 });
  set(members.length, { X: 1, Y: 1, MEM: 0, FLUX_I: 5 });
  return { ...catalog(0, side), sources };
}

const cellsOf = (tileSize: number, ...members: readonly (readonly [x: number, y: number])[]): TileCatalog =>
  toTileCatalog(field(...members).sources, {
    ...{ width: side, height: side, tileSize, origin: 1, band: 'i', minFlux: 0 },
  });

const at = (x0: number, y0: number, size: number, known: Partial<KnownWindow>): KnownWindow => ({
  ...window('T', ['g'], 1),
  ...{ x0, y0, size },
  ...known,
});

const marked = (found: ReturnType<typeof membershipOf>): readonly (readonly number[])[] => {
  const { nx, membership } = found ?? { nx: 1, membership: new Uint8Array() };
  return [...membership.entries()].flatMap(([cell, is]) =>
    is === 1 ? [[Math.floor(cell / nx), cell % nx]] : [],
  );
};

describe('the cells of a window that hold members', () => {
  it('are those of its members, whose X and Y begin with 1 at the centre of the first pixel', () => {
    // The edge between the first two cells of 16 lies at 16.5.
    const whole = at(0, 0, side, { truth: field([16.4, 1], [16.5, 40]) });
    const found = membershipOf(whole, 16);
    expect(found).toMatchObject({ ny: 4, nx: 4 });
    expect(marked(found)).toEqual([
      [0, 0],
      [2, 1],
    ]);
    // With positions from 0 to the size of the image, the same edge lies at 16.
    expect(marked(membershipOf(at(0, 0, side, { truth: field([16.4, 1]) }), 16, 0.5))).toEqual([[0, 1]]);
  });

  it('are counted from its own first pixel, and others are not its own', () => {
    const truth = field([20, 40], [60, 60], [0.4, 40], [64.6, 40]);
    expect(marked(membershipOf(at(16, 32, 32, { truth }), 16))).toEqual([[0, 0]]);
    expect(marked(membershipOf(at(32, 32, 32, { truth }), 16))).toEqual([[1, 1]]);
  });

  it('are whole cells: what is left of a window belongs to none', () => {
    const found = membershipOf(at(0, 0, 40, { truth: field([36, 36], [30, 30]) }), 16);
    expect(found).toMatchObject({ ny: 2, nx: 2 });
    expect(marked(found)).toEqual([[1, 1]]);
  });

  it('are the same from tiles as from sources, for tiles as large as cells and smaller ones', () => {
    const members = [
      [3, 50],
      [17, 1],
      [40.2, 33],
      [64, 64],
    ] as const;
    for (const tileSize of [16, 8]) {
      for (const [x0, y0, size] of [
        [0, 0, 64],
        [16, 32, 32],
        [32, 0, 32],
      ] as const) {
        const cells = cellsOf(tileSize, ...members);
        expect(membershipOf(at(x0, y0, size, { cells }), 16)).toEqual(
          membershipOf(at(x0, y0, size, { truth: field(...members) }), 16),
        );
      }
    }
  });

  it('cannot be told from tiles that are larger, or begin elsewhere', () => {
    const cells = cellsOf(16, [3, 50]);
    expect(() => membershipOf(at(0, 0, 64, { cells }), 8)).toThrow(
      expect.objectContaining({ code: 'truth_missing', hint: expect.stringContaining('tile.size=whole') }),
    );
    expect(() => membershipOf(at(8, 0, 32, { cells }), 16)).toThrow(/tiles of 16 pixels.*from \(8, 0\)/);
  });

  it('are not known when nobody knows what is in the image', () => {
    expect(membershipOf(at(0, 0, 64, {}), 16)).toBeUndefined();
  });
});

describe('what is known of an image', () => {
  it('goes with each of its windows, and the plan knows that it does', async () => {
    await using own = await testRun({ memoryBytes: 1 << 24 });
    const facts = { ...fieldFacts(2, side), hasTruth: false, hasSomeTruth: true, seed: 7 };
    const cells = cellsOf(16, [3, 50]);
    const value = (i: number): SkyImage =>
      i === 0 ? drawnField(0, side) : { ...drawnField(1, side), truth: undefined, cells };
    const chain = produced<SkyImage>(own.run, new Progress(), {
      ...{ count: 2, facts, bytes: 0, itemsOf: (i: number) => [fieldName(i)], value },
    }).pipe(tile({ size: 32, step: 32, threads: 1 }, own.run), batch({ items: 1 }, own.run));
    const { taken, summary } = await takeAll(own.run, chain, ({ rows }: Batch) => rows[0] as Window);
    const told = (await own.run.plan())[2]?.needs.facts as BatchFacts;
    expect(summary.end).toBe('complete');
    expect(taken.map(({ truth }) => truth?.id)).toEqual([
      ...Array(4).fill(fieldName(0)),
      ...Array(4).fill(undefined),
    ]);
    expect(taken.map((row) => row.cells === cells)).toEqual([
      ...Array(4).fill(false),
      ...Array(4).fill(true),
    ]);
    expect(told).toMatchObject({ hasTruth: true, announced: facts.announced, unit: 'fields', seed: 7 });
  });
});
