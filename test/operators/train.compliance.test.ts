import type { Batch, Table } from '../../src/operators/support/nouns.js';
import { train } from '../../src/operators/train.js';
import { complies } from '../support/compliance.js';
import { batchFacts } from '../support/nouns.js';
import { knownWindow } from '../support/training.js';

const bands = ['g', 'r', 'i', 'z'];
const size = 256;
const most = 20;
const sets = ['train', 'validation', 'test'] as const;
const names = sets.flatMap((set) => Array.from({ length: most }, (_, i) => `${set}${i}`));

/** One window of each set. */
const batchOf = (index: number): Batch => ({
  rows: sets.map((set) => knownWindow(`${set}${index}`, index % 2 === 0)),
  shape: [bands.length, size, size],
});

complies<Batch, Table>('train', () => ({
  memoryBytes: 1 << 30,
  feed: {
    facts: {
      ...batchFacts(bands, size, sets.length),
      announced: names.map((name) => ({ name, problem: undefined })),
      hasTruth: true,
    },
    bytes: 3 * 4 * bands.length * size * size,
    input: batchOf,
    itemsOf: (index) => sets.map((set) => `${set}${index}/r0c0`),
  },
  attach: (run) =>
    train(
      { into: run.dir, epochs: 1, splits: '0:34/34:67/67:100', lanes: 1, loaders: 1, credit_items: 1 },
      run,
    ),
  idsOf: ({ name }) => [name],
  expected: () => ['encoder', 'scores'],
  emptyError: 'splits_invalid',
  // It keeps averaged windows on disk.
  stalledAfter: 'whole',
}));
