/** The worker threads of a run, shared by its stages: as many as the machine can use, whatever the chain. */
import { builtUrl } from '../../config/built.js';
import type { Run } from '../../engine/run.js';
import { WorkerPool } from '../../engine/workers.js';
import { parallelism } from './parallel.js';

interface Pools {
  pixels?: WorkerPool;
  results?: WorkerPool;
  fields?: WorkerPool;
}

const poolsOf = new WeakMap<Run, Pools>();

function pools(run: Run): Pools {
  const known = poolsOf.get(run) ?? {};
  poolsOf.set(run, known);
  return known;
}

/** Threads that open, decode and cut images. The stage that is opened first, the one downstream, says how many. */
export function pixelThreads(run: Run, threads = parallelism('auto')): WorkerPool {
  const known = pools(run);
  if (known.pixels === undefined) {
    const pool = new WorkerPool(builtUrl(import.meta.url, './pixels-worker.js'), { name: 'pixel', threads });
    known.pixels = pool;
    run.onClose(() => pool.close());
  }
  return known.pixels;
}

/** The one thread that has the files of open shards, and makes tables of the committed ones. */
export function resultsThread(run: Run): WorkerPool {
  const known = pools(run);
  if (known.results === undefined) {
    const pool = new WorkerPool(builtUrl(import.meta.url, './write/results-worker.js'), {
      name: 'results',
      threads: 1,
    });
    known.results = pool;
    run.onClose(async () => {
      await pool.run('release', null).catch(() => {});
      await pool.close();
    });
  }
  return known.results;
}

/** Threads that put fields on disk. */
export function fieldThreads(run: Run, threads: number): WorkerPool {
  const known = pools(run);
  if (known.fields === undefined) {
    const pool = new WorkerPool(builtUrl(import.meta.url, './write/fields-worker.js'), {
      name: 'field',
      threads,
    });
    known.fields = pool;
    run.onClose(() => pool.close());
  }
  return known.fields;
}
