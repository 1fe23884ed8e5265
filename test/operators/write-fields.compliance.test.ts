import { join } from 'node:path';
import type { Catalog, Shard, SkyImage } from '../../src/operators/support/nouns.js';
import { write } from '../../src/operators/write.js';
import { complies } from '../support/compliance.js';
import { catalog, catalogFacts, drawnField, fieldFacts, fieldName } from '../support/fields.js';

const names = (count: number, nameOf: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => nameOf(index));

// One file in the recorder, one on the edge, the third is on disk and waits; one field on the edge before.
const stalledAfter = 4;

complies<Catalog, Shard>('write', () => ({
  memoryBytes: 64 << 20,
  feed: {
    facts: catalogFacts(20, 64),
    bytes: 100,
    input: (index) => catalog(index, 64),
    itemsOf: (index) => [fieldName(index)],
  },
  attach: (run) => write({ format: 'dat', dir: join(run.dir, 'data'), threads: 1, credit_items: 1 }, run),
  idsOf: ({ name }) => [name],
  expected: (count) => names(count, (index) => `catalogs/${fieldName(index)}.dat`),
  stalledAfter,
}));

complies<SkyImage, Shard>('write', () => ({
  memoryBytes: 64 << 20,
  feed: {
    facts: fieldFacts(20, 64),
    bytes: 100,
    input: (index) => drawnField(index, 64),
    itemsOf: (index) => [fieldName(index)],
  },
  attach: (run) =>
    write(
      {
        format: ['pt'],
        dir: join(run.dir, 'data'),
        tile_size: 32,
        fields_per_file: 1,
        threads: 1,
        credit_items: 1,
      },
      run,
    ),
  idsOf: ({ name }) => [name],
  expected: (count) => names(count, (index) => `file_data_${index}`),
  stalledAfter,
}));
