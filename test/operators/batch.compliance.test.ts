import { batch } from '../../src/operators/batch.js';
import type { Batch, Window } from '../../src/operators/support/nouns.js';
import { complies } from '../support/compliance.js';
import { tileName, window, windowFacts } from '../support/nouns.js';

const bands = ['g', 'r'];
const size = 4;

complies<Window, Batch>('batch', () => ({
  memoryBytes: 10_000,
  feed: {
    facts: windowFacts(bands, size),
    bytes: 4 * bands.length * size * size,
    credit: 2,
    input: (index) => window(tileName(index), bands, size),
    itemsOf: (index) => [`${tileName(index)}/r0c0`],
  },
  attach: (run) => batch({ items: 2, credit_items: 1 }, run),
  idsOf: ({ rows }) => rows.map(({ id }) => id),
  expected: (count) => Array.from({ length: count }, (_, i) => `${tileName(i)}/r0c0`),
  // A batch of 2 in the recorder, one on the edge, 2 windows on the edge before.
  stalledAfter: 6,
}));
