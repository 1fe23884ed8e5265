/** Predictions in HDF5 shards, durably, batch by batch. */
import type { Run } from '../../../engine/run.js';
import type { Stage, StageBody, StageNeeds } from '../../../engine/stage.js';
import type { ShardLayout } from '../../../formats/hdf5/layout.js';
import type { PredictionFacts } from '../facts.js';
import type { Prediction, Shard } from '../nouns.js';
import { resultsThread } from '../threads.js';
import { asWriteError, OpenShards } from './open-shards.js';

export interface PredictionOptions {
  readonly dir: string;
  readonly tiles_per_shard: number;
  readonly gzip: number;
}

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

export const predictionNeeds = (incoming: StageNeeds['facts']): StageNeeds => ({
  facts: incoming,
  itemBytes: 4096,
  workingBytes: 0,
  slots: 1,
});

/** Writes all predictions that have arrived together; what arrives meanwhile is the next group. */
export async function predictionWriter(
  stage: Stage,
  options: PredictionOptions,
): Promise<StageBody<Prediction, Shard>> {
  const { run } = stage;
  const shards = await OpenShards.open({
    dir: options.dir,
    layout: layoutOf(stage.incoming as PredictionFacts, provenanceOf(run)),
    gzip: options.gzip,
    tilesPerShard: options.tiles_per_shard,
    run,
    pool: resultsThread(run),
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
}

const provenanceOf = (run: Run) => ({
  run: run.id,
  pipeline: run.pipeline,
  skypass_version: run.version,
  config_sha256: run.identityHash,
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
