/**
 * The pipeline of conf/pipelines/simulate.yaml, written with the operators alone: fields are drawn just in time, cut,
 * encoded and thrown away. Nothing is kept but what the encoder says.
 */
import {
  aggregate,
  batch,
  createLog,
  encode,
  Run,
  RunMeters,
  type RunSummary,
  render,
  sample,
  Terminal,
  tile,
  version,
  write,
} from 'skypass';

/**
 * @param fields how many; the same folder may be given more of them later
 * @param size side of a field, pixels of 0.263″; a multiple of 256
 * @param dir folder of the results; the same call again goes on where the last one ended
 * @returns how the run ended; `grouped.hdf5` and `tiles.parquet` lie in `dir`
 */
export async function simulate(fields: number, size: number, dir: string): Promise<RunSummary> {
  await using run = await Run.open({
    dir,
    pipeline: 'simulate',
    version,
    memoryBytes: 3 * 2 ** 30,
    meters: new RunMeters('simulate'),
    log: createLog({ terminal: new Terminal(process.stderr), level: 'warn' }),
  });
  const tables = sample({ fields, size, prefix: 'field', seed: 1 }, run).pipe(
    render({ psf: { fwhm: 0.9 }, noise: { preset: 'des' } }, run),
    tile({ size, step: size }, run),
    batch({ items: 1 }, run),
    encode({ weights: 'cluster-small' }, run),
    write({ dir: `${dir}/predictions` }, run),
    aggregate({ into: dir }, run),
  );
  return await run.execute(tables);
}
