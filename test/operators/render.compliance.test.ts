import { render } from '../../src/operators/render.js';
import type { Catalog, SkyImage } from '../../src/operators/support/nouns.js';
import { complies } from '../support/compliance.js';
import { catalog, catalogFacts, fieldName } from '../support/fields.js';

const side = 32;

complies<Catalog, SkyImage>('render', () => ({
  memoryBytes: 16 << 20,
  feed: {
    facts: catalogFacts(5, side),
    bytes: 100,
    input: (index) => catalog(index, side),
    itemsOf: (index) => [fieldName(index)],
  },
  attach: (run) => render({ bands: ['r'], threads: 1, credit_items: 1 }, run),
  idsOf: ({ id }) => [id],
  expected: (count) => Array.from({ length: count }, (_, i) => fieldName(i)),
  // One image in the recorder, one on the edge, one field waits for its place; one on the edge before.
  stalledAfter: 4,
  // Its pixels alone would take 4 GB.
  oversized: () => ({
    input: { ...catalog(1, side), width: 32_000, height: 32_000 },
    memoryBytes: 16 << 20,
    code: 'item_too_large',
  }),
}));
