import { join } from 'node:path';
import type { Prediction, Shard } from '../../src/operators/support/nouns.js';
import { write } from '../../src/operators/write.js';
import { complies } from '../support/compliance.js';
import { prediction, predictionFacts, tileName } from '../support/nouns.js';

complies<Prediction, Shard>('write', () => ({
  memoryBytes: 100_000,
  feed: {
    facts: predictionFacts,
    bytes: 100,
    input: async (index, run) => {
      await run.ledger.append({ type: 'parent', item: tileName(index), children: 1, detail: {} });
      return prediction(tileName(index));
    },
    itemsOf: (index) => [`${tileName(index)}/r0c0`],
  },
  attach: (run) => write({ dir: join(run.dir, 'predictions'), tiles_per_shard: 1, credit_items: 1 }, run),
  idsOf: ({ name }) => [name],
  expected: (count) => Array.from({ length: count }, (_, i) => `shard-${String(i).padStart(6, '0')}`),
  // One shard in the recorder, one on the edge, the third is committed and waits; one prediction on the edge before.
  stalledAfter: 4,
}));
