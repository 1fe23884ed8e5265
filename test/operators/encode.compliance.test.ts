import { afterAll, beforeAll } from 'vitest';
import { buildSeeded } from '../../src/encoders/seeded.js';
import { encode } from '../../src/operators/encode.js';
import type { Batch, Prediction } from '../../src/operators/support/nouns.js';
import { complies } from '../support/compliance.js';
import { batchFacts, tileName, window } from '../support/nouns.js';
import { type TempFolder, tempFolder } from '../support/run.js';

const bands = ['g', 'r', 'i', 'z'];
const size = 256;
let folder: TempFolder;
let weights: string;

beforeAll(async () => {
  folder = await tempFolder();
  weights = await buildSeeded('seeded:cluster-small?seed=1', folder.path);
});
afterAll(() => folder[Symbol.asyncDispose]());

complies<Batch, Prediction>('encode', () => ({
  memoryBytes: 1 << 30,
  feed: {
    facts: batchFacts(bands, size, 1),
    bytes: 4 * bands.length * size * size,
    input: (index) => ({ rows: [window(tileName(index), bands, size)], shape: [bands.length, size, size] }),
    itemsOf: (index) => [`${tileName(index)}/r0c0`],
  },
  attach: (run) => encode({ weights, device: 'cpu', sessions: 2, credit_items: 1 }, run),
  idsOf: ({ rows }) => rows.map(({ id }) => id),
  expected: (count) => Array.from({ length: count }, (_, i) => `${tileName(i)}/r0c0`),
  // One prediction in the recorder, one on the edge, a batch in each session's slot, one on the edge before.
  stalledAfter: 5,
}));
