/** The cells of all windows of a run, safe from kills, and what is made of them in the end. */
import { builtUrl } from '../../../config/built.js';
import type { Run } from '../../../engine/run.js';
import { WorkerPool } from '../../../engine/workers.js';
import type { Table } from '../nouns.js';
import type { Provenance, ScoringOptions } from './document.js';
import { type EncodedWindow, resultPath, type Scored, type ScoreRequest } from './scores-worker.js';

export class JournalKeeper {
  private constructor(
    private readonly run: Run,
    private readonly pool: WorkerPool,
    private readonly into: string,
  ) {}

  /** Takes up what earlier starts left. Windows whose cells cannot be found any more are done again. */
  static async open(run: Run, into: string): Promise<JournalKeeper> {
    const pool = new WorkerPool(builtUrl(import.meta.url, './scores-worker.js'), {
      name: 'scores',
      threads: 1,
    });
    run.onClose(async () => {
      await pool.run('release', null).catch(() => {});
      await pool.close();
    });
    const keeper = new JournalKeeper(run, pool, into);
    const kept = await pool.run<unknown, ReadonlySet<string>>('takeUp', { into, run: run.id });
    const lost = [...keeper.#known()].filter((id) => !kept.has(id));
    if (lost.length > 0) {
      await run.ledger.append({ type: 'redo', items: lost, reason: 'their cells are not in cells.journal' });
      run.log.warn(
        { items: lost.length },
        'cells of an earlier start are gone: their windows are done again',
      );
    }
    return keeper;
  }

  /** Keeps windows, and ends them in the ledger once they are on disk. */
  async keep(windows: readonly EncodedWindow[]): Promise<void> {
    if (windows.length === 0) return;
    await this.pool.run('append', windows);
    await this.run.ledger.append({ type: 'outcome', items: windows.map(({ id }) => id), outcome: 'ok' });
  }

  /** Makes the results of all windows that were kept; of none, none. */
  async score(options: ScoringOptions, provenance: Provenance): Promise<readonly Table[]> {
    const { threshold, seed, samples, bootstrap, baselines } = options;
    const scored = await this.pool.run<ScoreRequest, Scored | undefined>(
      'score',
      {
        into: this.into,
        known: this.#known(),
        options: { threshold, seed, samples, bootstrap, baselines },
        provenance,
      },
      { signal: this.run.signal },
    );
    if (scored === undefined) return [];
    const path = (name: Parameters<typeof resultPath>[1]) => resultPath(this.into, name);
    return [
      { name: 'cells', path: path('cells.parquet'), rows: scored.cells },
      { name: 'picture', path: path('scores.png'), rows: scored.fields },
      { name: 'scores', path: path('scores.json'), rows: scored.fields },
    ];
  }

  #known(): ReadonlySet<string> {
    const items = [...this.run.ledger.items];
    return new Set(items.flatMap(([id, { outcome }]) => (outcome === 'ok' ? [id] : [])));
  }
}
