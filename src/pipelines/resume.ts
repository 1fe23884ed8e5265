/** Why each item of a run will or will not run when it is started again. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hashOf, identityChanges, identityOf } from '../engine/identity.js';
import { combineOutcomes, isRetried, Ledger } from '../engine/ledger.js';
import type { ImageFacts } from '../operators/support/facts.js';
import { inspect } from './inspect.js';
import type { Pipeline } from './load.js';

export interface ResumePlan {
  /** Undefined when the folder holds no run yet. */
  readonly run: string | undefined;
  /** What changed in the configuration; the run is refused unless empty. */
  readonly changes: readonly string[];
  readonly items: readonly { readonly name: string; readonly runs: boolean; readonly why: string }[];
}

/** Reads headers, manifests and the ledger; changes nothing. */
export async function planResume(pipeline: Pipeline): Promise<ResumePlan> {
  const plan = await inspect(pipeline);
  const identity = identityOf(
    plan.map(({ declared }) => declared),
    plan.map(({ needs }) => needs),
  );
  const image = plan.find(({ needs }) => needs.facts.kind === 'SkyImage')?.needs.facts as
    | ImageFacts
    | undefined;
  const tiles = image?.announced.map(({ name }) => name) ?? [];
  const path = join(pipeline.dir, 'ledger.jsonl');
  if ((await stat(path).catch(() => undefined)) === undefined) {
    return {
      run: undefined,
      changes: [],
      items: tiles.map((name) => ({ name, runs: true, why: 'the folder holds no run yet' })),
    };
  }
  const ledger = await Ledger.read(path);
  const first = ledger.start;
  const changes =
    first === undefined || first.identity_hash === hashOf(identity)
      ? []
      : identityChanges(first.identity, identity);
  const gone = [...ledger.parents].filter((name) => !tiles.includes(name) && !ledger.isDone(name));
  return {
    run: first?.run,
    changes,
    items: [
      ...tiles.map((name) => explainItem(ledger, name)),
      ...gone.map((name) => ({
        name,
        runs: false,
        why: 'it is no longer in the survey, and was not finished',
      })),
    ],
  };
}

function explainItem(ledger: Ledger, name: string): ResumePlan['items'][number] {
  const whole = ledger.stateOf(name);
  if (whole !== undefined) {
    const cause = ledger.causeOf(name);
    const because = cause === undefined ? '' : `: ${cause.code}: ${cause.message}`;
    if (isRetried(whole.outcome))
      return { name, runs: true, why: `${whole.outcome}, which is tried again${because}` };
    return { name, runs: false, why: `${whole.outcome}, tried again only when its files change${because}` };
  }
  const parent = ledger.parent(name);
  if (parent === undefined) return { name, runs: true, why: 'not begun' };
  const retried = [...parent.counts].reduce(
    (sum, [outcome, count]) => sum + (isRetried(outcome) ? count : 0),
    0,
  );
  const left = parent.children - parent.settled + retried;
  if (left > 0)
    return {
      name,
      runs: true,
      why: `${left} of ${parent.children} windows are left${retried > 0 ? `, ${retried} of them failed before` : ''}`,
    };
  return { name, runs: false, why: `done: ${combineOutcomes(parent.counts)}, ${parent.children} windows` };
}

/** The plan as text: the verdict, then a line for each item. */
export function resumeText({ run, changes, items }: ResumePlan): string {
  const count = items.filter(({ runs }) => runs).length;
  const lines = items.map(({ name, runs, why }) => `  ${runs ? 'run ' : 'skip'}  ${name}  ${why}`);
  const verdict =
    changes.length > 0
      ? [
          `refused: the configuration is not that of ${run}; choose another run.dir, or undo`,
          ...changes.map((change) => `  ${change}`),
        ]
      : [`${run ?? 'a new run'}: ${count} of ${items.length} tiles will run`];
  return `${[...verdict, ...lines].join('\n')}\n`;
}
