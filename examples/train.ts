/**
 * A training like that of conf/pipelines/train.yaml, written with the operators alone: fields are drawn while the network
 * learns from them, kept averaged on disk, and seen again turned and with other noise.
 */
import {
  batch,
  createLog,
  Run,
  RunMeters,
  type RunSummary,
  render,
  sample,
  Terminal,
  tile,
  train,
  version,
} from 'skypass';

/**
 * @param fields how many; the first fifth chooses the best network, the last fifth judges it
 * @param size side of a field, pixels of 0.263″; a multiple of 256
 * @param epochs visits of every field; the same folder may be given more of them later
 * @param dir folder of the results; the same call again goes on where the last one ended
 * @returns how the run ended; `encoder/`, `scores.json` and plots lie in `dir`
 */
export async function trainEncoder(
  fields: number,
  size: number,
  epochs: number,
  dir: string,
): Promise<RunSummary> {
  await using run = await Run.open({
    dir,
    pipeline: 'train',
    version,
    memoryBytes: 4 * 2 ** 30,
    meters: new RunMeters('train'),
    log: createLog({ terminal: new Terminal(process.stderr), level: 'warn' }),
  });
  const encoder = sample({ fields, size, prefix: 'field', seed: 1 }, run).pipe(
    render({ noise: { preset: 'none' } }, run),
    tile({ size: 'whole' }, run),
    batch({ items: 2 }, run),
    train(
      {
        family: 'cluster-small',
        into: dir,
        epochs,
        splits: '20:80/0:20/80:100',
        augment: { noise: ['bliss', 'des'] },
      },
      run,
    ),
  );
  return await run.execute(encoder);
}
