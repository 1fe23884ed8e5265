import type { SkyImage, Window } from '../../src/operators/support/nouns.js';
import { tile } from '../../src/operators/tile.js';
import { complies } from '../support/compliance.js';
import { imageFacts, skyImage, tileName } from '../support/nouns.js';

const bands = ['g', 'r'];
const side = 48;
const size = 32;

complies<SkyImage, Window>('tile', () => ({
  memoryBytes: 100_000,
  feed: {
    facts: imageFacts(bands, side),
    bytes: 100,
    input: (index) => skyImage(tileName(index), bands, side),
    itemsOf: (index) => [tileName(index)],
  },
  attach: (run) => tile({ size, step: size, threads: 1, credit_items: 1 }, run),
  idsOf: ({ id }) => [id],
  // Two windows a side: one regular, one aligned to the far edge.
  expected: (count) =>
    Array.from({ length: count }, (_, i) =>
      ['r0c0', 'r0c1', 'r1c0', 'r1c1'].map((cell) => `${tileName(i)}/${cell}`),
    ).flat(),
  // One window in the recorder, one on the edge; the first image waits to give its third; one on the edge before.
  stalledAfter: 2,
  // Its strip alone would take 288 MB.
  oversized: () => ({
    input: { ...skyImage(tileName(1), bands, side), width: 1_000_000 },
    memoryBytes: 100_000,
    code: 'item_too_large',
  }),
}));
