import { evaluate } from '../../src/operators/evaluate.js';
import type { Prediction, Table } from '../../src/operators/support/nouns.js';
import { complies } from '../support/compliance.js';
import { catalog } from '../support/fields.js';
import { prediction, predictionFacts, tileName } from '../support/nouns.js';

complies<Prediction, Table>('evaluate', () => ({
  memoryBytes: 256 << 20,
  feed: {
    facts: { ...predictionFacts, hasTruth: true },
    bytes: 100,
    input: async (index, run) => {
      await run.ledger.append({ type: 'parent', item: tileName(index), children: 1, detail: {} });
      const { rows, values } = prediction(tileName(index));
      return { rows: rows.map((row) => ({ ...row, truth: catalog(index, row.size) })), values };
    },
    itemsOf: (index) => [`${tileName(index)}/r0c0`],
  },
  attach: (run) => evaluate({ into: run.dir, bootstrap: { draws: 20 }, credit_items: 1 }, run),
  idsOf: ({ name }) => [name],
  expected: (count) => (count === 0 ? [] : ['cells', 'picture', 'scores']),
  // What it takes goes into its journal.
  stalledAfter: 'whole',
}));
