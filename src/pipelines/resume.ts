/** Why each item of a run will or will not run when it is started again. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hashOf, identityChanges, identityOf } from '../engine/identity.js';
import { combineOutcomes, isRetried, Ledger } from '../engine/ledger.js';
import { inspect } from './inspect.js';
import { itemsOf } from './items.js';
import type { Pipeline } from './load.js';

export interface ResumePlan {
  /** Undefined when the folder holds no run yet. */
  readonly run: string | undefined;
  /** What changed in the configuration; the run is refused unless empty, or put aside with `run.overwrite`. */
  readonly changes: readonly string[];
  readonly overwrite: boolean;
  /** What the items are called, in the plural. */
  readonly unit: string;
  readonly items: readonly { readonly name: string; readonly runs: boolean; readonly why: string }[];
}

/** Reads headers, manifests and the ledger; changes nothing. */
export async function planResume(pipeline: Pipeline): Promise<ResumePlan> {
  const plan = await inspect(pipeline);
  const identity = identityOf(
    plan.map(({ declared }) => declared),
    plan.map(({ needs }) => needs),
  );
  const { names, unit, part } = itemsOf(plan);
  const { overwrite } = pipeline;
  const all = (why: string) => names.map((name) => ({ name, runs: true, why }));
  const path = join(pipeline.dir, 'ledger.jsonl');
  if ((await stat(path).catch(() => undefined)) === undefined) {
    return { run: undefined, changes: [], overwrite, unit, items: all('the folder holds no run yet') };
  }
  const ledger = await Ledger.read(path);
  const first = ledger.start;
  const changes =
    first === undefined || first.identity_hash === hashOf(identity)
      ? []
      : identityChanges(first.identity, identity);
  const known = new Set(names);
  const gone = [...ledger.parents].filter((name) => !known.has(name) && !ledger.isDone(name));
  if (changes.length > 0 && overwrite)
    return { run: first?.run, changes, overwrite, unit, items: all('a new run begins') };
  return {
    run: first?.run,
    changes,
    overwrite,
    unit,
    items: [
      ...names.map((name) => explainItem(ledger, name, part ?? 'parts')),
      ...gone.map((name) => ({
        name,
        runs: false,
        why: 'it is no longer among the input, and was not finished',
      })),
    ],
  };
}

function explainItem(ledger: Ledger, name: string, part: string): ResumePlan['items'][number] {
  const whole = ledger.stateOf(name);
  if (whole !== undefined) {
    const cause = ledger.causeOf(name);
    const because = cause === undefined ? '' : `: ${cause.code}: ${cause.message}`;
    if (isRetried(whole.outcome))
      return { name, runs: true, why: `${whole.outcome}, which is tried again${because}` };
    if (whole.outcome === 'ok') return { name, runs: false, why: 'done: ok' };
    return { name, runs: false, why: `${whole.outcome}, tried again only when its files change${because}` };
  }
  const parent = ledger.parent(name);
  if (parent === undefined) return { name, runs: true, why: 'not begun' };
  const retried = [...parent.counts].reduce(
    (sum, [outcome, count]) => sum + (isRetried(outcome) ? count : 0),
    0,
  );
  const left = parent.children - parent.settled + retried;
  const parts = `${parent.children} ${parent.children === 1 ? part.replace(/s$/, '') : part}`;
  if (left > 0)
    return {
      name,
      runs: true,
      why: `${left} of ${parts} ${left === 1 ? 'is' : 'are'} left${retried > 0 ? `, ${retried} of them failed before` : ''}`,
    };
  return { name, runs: false, why: `done: ${combineOutcomes(parent.counts)}, ${parts}` };
}

/** The plan as text: the verdict, then a line for each item. */
export function resumeText({ run, changes, overwrite, unit, items }: ResumePlan): string {
  const count = items.filter(({ runs }) => runs).length;
  const lines = items.map(({ name, runs, why }) => `  ${runs ? 'run ' : 'skip'}  ${name}  ${why}`);
  const what = overwrite
    ? `the configuration is not that of ${run}, which is put aside (run.overwrite); in its place`
    : `refused: the configuration is not that of ${run}; choose another run.dir, use run.overwrite=true, or undo`;
  const differs = changes.length === 0 ? [] : [what, ...changes.map((change) => `  ${change}`)];
  const isNew = run === undefined || changes.length > 0;
  const will = `${isNew ? 'a new run' : run}: ${count} of ${items.length} ${unit} will run`;
  const verdict = changes.length > 0 && !overwrite ? differs : [...differs, will];
  return `${[...verdict, ...lines].join('\n')}\n`;
}
