/** What `read` does about items of an earlier start: those that were mended, and those that are gone. */
import { stat } from 'node:fs/promises';
import { EngineError, type Outcome } from '../../../engine/errors.js';
import { type Ledger, parentOf } from '../../../engine/ledger.js';
import type { Run } from '../../../engine/run.js';
import type { Stage } from '../../../engine/stage.js';
import type { FormItem } from './form.js';

/** Sizes and times of an item's files, and what is wrong with them: enough to see that they were mended. */
export async function fingerprint({ paths, problem }: FormItem): Promise<string> {
  const parts = paths.map(async (path) => {
    const info = await stat(path).catch(() => undefined);
    return `${info?.size ?? '-'}:${info?.mtimeMs ?? '-'}`;
  });
  return [...(await Promise.all(parts)), problem?.message ?? ''].join(' ');
}

/** There is nothing to do for it, or it has been done. */
const isSettled = (outcome: Outcome): boolean => ['ok', 'ok_partial', 'no_work'].includes(outcome);

/**
 * Items that an earlier start knew and that are no longer in the survey: what could not be read is forgotten, what
 * was begun stays unfinished.
 */
export async function settleGone(stage: Stage, items: readonly FormItem[], path: string): Promise<void> {
  const { ledger } = stage.run;
  const names = new Set(items.map(({ name }) => name));
  const unread = [...ledger.items].flatMap(([item, { outcome }]) =>
    parentOf(item) === undefined &&
    ledger.parent(item) === undefined &&
    !isSettled(outcome) &&
    !names.has(item)
      ? [item]
      : [],
  );
  if (unread.length > 0) {
    await ledger.append({ type: 'redo', items: unread, reason: 'they are no longer in the survey' });
  }
  for (const name of [...ledger.parents]) {
    if (names.has(name) || ledger.outcomeOf(name) !== undefined) continue;
    const error = new EngineError('file_unreadable', 'the tile was begun, and is no longer in the survey', {
      stage: stage.name,
      item: name,
      place: { file: path },
      hint: 'put it back; the windows that were finished are kept',
    });
    stage.meter.error(error.code);
    await stage.setAside([name], error);
  }
}

/** What could not be read, an item or some of its windows, gets another chance when the files are not the same any more. */
export async function forgetIfMended({ ledger }: Run, item: FormItem): Promise<void> {
  const before = (name: string) => ledger.causeOf(name)?.detail?.fingerprint;
  const unread = unprocessableOf(ledger, item.name).filter((name) => before(name) !== undefined);
  if (unread.length === 0) return;
  const now = await fingerprint(item);
  const mended = unread.filter((name) => before(name) !== now);
  if (mended.length === 0) return;
  await ledger.append({
    type: 'redo',
    items: mended,
    reason: 'the files have changed since they could not be read',
  });
}

function unprocessableOf(ledger: Ledger, name: string): readonly string[] {
  if (ledger.stateOf(name)?.outcome === 'unprocessable') return [name];
  if ((ledger.parent(name)?.counts.get('unprocessable') ?? 0) === 0) return [];
  return [...ledger.items].flatMap(([item, { outcome }]) =>
    outcome === 'unprocessable' && parentOf(item) === name ? [item] : [],
  );
}
