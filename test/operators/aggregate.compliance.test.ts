import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { ShardFile } from '../../src/formats/hdf5/shard.js';
import { aggregate } from '../../src/operators/aggregate.js';
import type { Shard, Table } from '../../src/operators/support/nouns.js';
import { layoutOf } from '../../src/operators/support/write/predictions.js';
import { complies } from '../support/compliance.js';
import { predictionFacts, tileName } from '../support/nouns.js';
import { type TempFolder, tempFolder } from '../support/run.js';

let folder: TempFolder;
const shardPath = (index: number): string => join(folder.path, `shard-${index}.h5`);

beforeAll(async () => {
  folder = await tempFolder();
  for (let i = 0; i < 20; i++) {
    const file = ShardFile.create(shardPath(i), layoutOf(predictionFacts, {}));
    file.append({
      ids: [`${tileName(i)}/r0c0`],
      values: Float32Array.of(0.1, 0.2, 0.3, 0.9),
      columns: { ra: [10], dec: [-40], x0: [0], y0: [0], masked_fraction: [0] },
    });
    file.finish([]);
  }
});
afterAll(() => folder[Symbol.asyncDispose]());

complies<Shard, Table>('aggregate', () => ({
  memoryBytes: 256 << 20,
  feed: {
    facts: predictionFacts,
    bytes: 100,
    input: (index) => ({ name: `shard-${index}`, path: shardPath(index), rows: 1 }),
    itemsOf: () => [],
  },
  attach: (run) => aggregate({ into: run.dir, credit_items: 1 }, run),
  idsOf: ({ name }) => [name],
  expected: (count) => (count === 0 ? ['tiles'] : ['grouped', 'tiles']),
  // It keeps the paths of the shards and nothing else.
  stalledAfter: 'whole',
}));
