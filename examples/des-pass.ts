/**
 * The pass of conf/pipelines/des-pass.yaml, written with the operators alone.
 *
 * Every stage is an RxJS operator, so operators of your own, and RxJS's that keep the order of one in, one out,
 * fit in between: `mapValues` and `filterValues` lift plain functions.
 */
import {
  aggregate,
  batch,
  createLog,
  encode,
  Run,
  RunMeters,
  type RunSummary,
  read,
  Terminal,
  tile,
  version,
  write,
} from 'skypass';

/**
 * @param survey a folder of DES tile folders
 * @param dir folder of the results; the same call again goes on where the last one ended
 * @returns how the pass ended; `grouped.hdf5` and `tiles.parquet` lie in `dir`
 */
export async function desPass(survey: string, dir: string): Promise<RunSummary> {
  await using run = await Run.open({
    dir,
    pipeline: 'des-pass',
    version,
    memoryBytes: 3 * 2 ** 30,
    meters: new RunMeters('des-pass'),
    log: createLog({ terminal: new Terminal(process.stderr), level: 'warn' }),
  });
  const tables = read({ path: survey, bands: ['g', 'r', 'i', 'z'] }, run).pipe(
    tile({ size: 512, step: 512 }, run),
    batch({ items: 1 }, run),
    encode({ weights: 'cluster-small' }, run),
    write({ dir: `${dir}/predictions` }, run),
    aggregate({ into: dir }, run),
  );
  return await run.execute(tables);
}
