import { sample } from '../../src/operators/sample.js';
import type { Catalog } from '../../src/operators/support/nouns.js';
import { complies } from '../support/compliance.js';

const name = (i: number): string => `galsim_des_${String(i).padStart(3, '0')}`;

complies<never, Catalog>('sample', () => ({
  memoryBytes: 64 << 20,
  // A list of no tiles is the only way to ask for no field.
  start: (run, count) =>
    sample(
      count === 0
        ? { tiles: 'test/fixtures/sample/no-tiles.csv' }
        : { fields: count, size: 256, credit_items: 1 },
      run,
    ),
  idsOf: ({ id }) => [id],
  expected: (count) => Array.from({ length: count }, (_, i) => name(i)),
  emptyError: 'no_input',
  // One catalogue in the recorder, one on the edge.
  stalledAfter: 2,
}));
