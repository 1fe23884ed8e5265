/** Writes predictions into HDF5 shards, durably, batch by batch. */
import { field, stageSpec } from '../config/spec.js';
import { operator, type StageNeeds } from '../engine/stage.js';
import { rowBytesOf, type ShardLayout } from '../formats/hdf5/layout.js';
import type { PredictionFacts } from './support/facts.js';
import type { Prediction, Shard } from './support/nouns.js';
import { asWriteError, OpenShards } from './support/open-shards.js';
import { resultsThread } from './support/threads.js';

export const writeSpec = stageSpec(
  'write',
  { takes: 'Prediction', gives: 'Shard' },
  'Writes predictions into shards that are whole or absent, and in the ledger once they are on disk.',
  {
    format: field.choice(['hdf5'], {
      default: 'hdf5',
      doc: 'HDF5 in the layout of zoobot: predictions (item, answer, pass), id_str, label_cols.',
    }),
    dir: field.path({ doc: 'Folder of the shards.', example: 'runs/y6/predictions' }),
    tiles_per_shard: field.int({
      default: 8,
      min: 1,
      max: 100_000,
      unit: 'tiles',
      doc: 'Tiles whose windows share one file.',
    }),
    gzip: field.int({
      default: 0,
      min: 0,
      max: 9,
      doc: 'Compression level; predictions shrink by a tenth and take thirty times as long.',
    }),
  },
  { common: { credit_items: 16, credit_bytes: '16MiB' } },
);

const columns = [
  { name: 'ra', type: 'f64', unit: 'deg', doc: 'right ascension of the centre of the window, ICRS' },
  { name: 'dec', type: 'f64', unit: 'deg', doc: 'declination of the centre of the window, ICRS' },
  { name: 'x0', type: 'i32', unit: 'pix', doc: 'first column of the window in its tile, from 0' },
  { name: 'y0', type: 'i32', unit: 'pix', doc: 'first row of the window in its tile, from 0' },
  {
    name: 'masked_fraction',
    type: 'f32',
    unit: '',
    doc: 'part of the pixels that are masked or not a number in at least one band',
  },
] as const;

/**
 * @emits      a shard when all its tiles have an outcome and it holds `tiles_per_shard` of them; the rest on completion
 * @waits      while the disk has not confirmed the batch before; all that arrives meanwhile is written together
 * @completes  after upstream completes and the last shard is committed; asked to stop, it leaves open shards to be taken up again
 * @fails      `disk_full` `write_failed` `out_of_files` (the run; everything committed is kept)
 * @order      not kept: shards are committed as their tiles are settled
 * @memory     the predictions of one group of batches
 */
export const write = operator<typeof writeSpec, Prediction, Shard>({
  spec: writeSpec,
  operational: ['dir', 'tiles_per_shard', 'gzip'],

  inspect: async (_options, incoming): Promise<StageNeeds> => ({
    facts: incoming,
    itemBytes: 4096,
    workingBytes: 0,
    slots: 1,
  }),

  open: async (stage, options) => {
    const { run } = stage;
    const pool = resultsThread(run);
    const shards = await OpenShards.open({
      dir: options.dir,
      layout: layoutOf(stage.incoming as PredictionFacts, {
        run: run.id,
        pipeline: run.pipeline,
        skypass_version: run.version,
        config_sha256: run.identityHash,
      }),
      gzip: options.gzip,
      tilesPerShard: options.tiles_per_shard,
      run,
      pool,
    });

    return async ({ inlet, outlet }) => {
      const emit = async (done: readonly Shard[]): Promise<void> => {
        for (const shard of done) (await outlet.reserve(4096)).emit(shard, []);
      };
      await emit(shards.committed);
      for (;;) {
        if ((await inlet.atLeast(1)) === 0) break;
        const held = inlet.takeNow(inlet.size);
        const worked = stage.meter.running();
        try {
          await shards.append(held.map(({ value }) => value));
          stage.meter.outcome(
            'ok',
            held.reduce((sum, { items }) => sum + items.length, 0),
          );
          await emit(await shards.commit(false));
        } catch (thrown) {
          throw asWriteError(thrown);
        } finally {
          worked();
          for (const { lease } of held) lease.release();
        }
      }
      if (run.stopping.aborted) return;
      await emit(await shards.commit(true));
    };
  },
});

/** The layout of this run's shards. */
export function layoutOf(facts: PredictionFacts, provenance: Readonly<Record<string, string>>): ShardLayout {
  const { answers, passes, cells, encoder } = facts;
  return {
    answers,
    passes,
    ...(cells === undefined ? {} : { cells }),
    columns,
    description: encoder.isTrained
      ? `predictions of ${encoder.name}`
      : `predictions of ${encoder.name}, an UNTRAINED encoder: they mean nothing`,
    attributes: {
      ...provenance,
      encoder: encoder.name,
      encoder_sha256: encoder.sha256,
      encoder_trained: encoder.isTrained ? 1 : 0,
      output_kind: encoder.kind,
    },
  };
}

export const bytesOfRows = (facts: PredictionFacts, rows: number): number =>
  rows * (rowBytesOf(layoutOf(facts, {})) + 64);
