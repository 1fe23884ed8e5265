// Writes the same 40 batches into a shard with a journal beside it, going on from what the journal has. Says the number
// of the batch on standard output each time one is safe.
import { writeSync } from 'node:fs';

const [dist, path] = process.argv.slice(2);
const { Journal } = await import(`${dist}/formats/journal.js`);
const { ShardFile } = await import(`${dist}/formats/hdf5/shard.js`);
const { decodeRows, encodeRows } = await import(`${dist}/formats/hdf5/rows-codec.js`);

const layout = {
  answers: ['cluster'],
  passes: 1,
  cells: { ny: 10, nx: 10 },
  columns: [{ name: 'ra', type: 'f64', unit: 'deg', doc: 'right ascension' }],
  description: 'written under fire',
  attributes: {},
};

const batch = (n) => ({
  ids: Array.from({ length: 16 }, (_, i) => `tile-${n}/window-${i}`),
  values: Float32Array.from({ length: 1600 }, (_, i) => n + i / 2048),
  columns: { ra: Float64Array.from({ length: 16 }, (_, i) => n * 16 + i) },
});

const journal = Journal.open(`${path}.journal`, { batches: 40 });
const shard = ShardFile.create(path, layout);
for (const payload of journal.replay()) shard.append(decodeRows(payload));
for (let n = shard.rows / 16; n < 40; n++) {
  journal.append([encodeRows(batch(n))]);
  journal.sync();
  writeSync(1, `${n}\n`);
  shard.append(batch(n));
  shard.flush();
}
shard.finish([]);
journal.remove();
