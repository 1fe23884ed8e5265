/** Which items an encoder learns from, which decide when it is best, and which it is judged by at the end. */
import { EngineError } from '../../../engine/errors.js';
import { parentOf } from '../../../engine/ledger.js';

export const setNames = ['train', 'validation', 'test'] as const;
export type SetName = (typeof setNames)[number];

/** The item a window is of. */
export const itemOf = (window: string): string => parentOf(window) ?? window;

/** Indices [from, to) of a list of items. */
export interface Span {
  readonly from: number;
  readonly to: number;
}
export type Splits = Readonly<Record<SetName, Span>>;

/** What the option may look like: three ranges of percent, either end of which may be left out. */
export const splitsPattern = /^\s*(\d*\.?\d*\s*:\s*\d*\.?\d*\s*\/\s*){2}\d*\.?\d*\s*:\s*\d*\.?\d*\s*$/;

/**
 * Ranges such as `0:60/60:90/90:100`, as BLISS takes them: percent of the items for training, validation and test, in
 * the order of the items, cut to whole numbers. There may be items in between that are in none.
 *
 * @throws EngineError `splits_invalid` when a set is empty, an item would be in two, or percent are more than 100
 */
export function splitItems(text: string, count: number): Splits {
  const ranges = text.split('/').map((range) => {
    const [from, to] = range.split(':').map((percent) => percent.trim());
    for (const percent of [from, to]) refuseMoreThanAll(percent, text);
    return { from: index(from, 0, count), to: index(to, count, count) };
  });
  const splits = Object.fromEntries(setNames.map((name, i) => [name, ranges[i]])) as Record<SetName, Span>;
  const empty = setNames.find((name) => splits[name].to <= splits[name].from);
  if (empty !== undefined) throw emptySet(empty, text, splits, count);
  for (const [i, a] of setNames.entries()) {
    for (const b of setNames.slice(i + 1)) refuseOverlap(a, b, splits, text);
  }
  return splits;
}

/** The set an item is in; undefined for one that is in none. */
export const setOf = (splits: Splits, item: number): SetName | undefined =>
  setNames.find((name) => splits[name].from <= item && item < splits[name].to);

export const sizeOf = ({ from, to }: Span): number => to - from;

/** In the arithmetic of BLISS, `int(float(percent) / 100 * count)`, so that the same items come out. */
function index(percent: string | undefined, fallback: number, count: number): number {
  if (percent === undefined || percent === '') return fallback;
  return Math.trunc((Number(percent) / 100) * count);
}

function refuseMoreThanAll(percent: string | undefined, text: string): void {
  if (!(Number(percent) > 100)) return;
  throw new EngineError('splits_invalid', `${text} has ${percent} percent, and there are 100`);
}

function emptySet(name: SetName, text: string, splits: Splits, count: number): EngineError {
  const counts = setNames.map((each) => `${Math.max(0, sizeOf(splits[each]))} ${each}`).join(', ');
  const hint =
    count < setNames.length
      ? `training needs ${setNames.length} items or more, one for each set`
      : `use train.splits=${workable(count)}, or more items`;
  return new EngineError(
    'splits_invalid',
    `${text} of ${count} items leaves the ${name} set empty (${counts})`,
    {
      hint,
    },
  );
}

function refuseOverlap(a: SetName, b: SetName, splits: Splits, text: string): void {
  const common = Math.min(splits[a].to, splits[b].to) - Math.max(splits[a].from, splits[b].from);
  if (common <= 0) return;
  throw new EngineError(
    'splits_invalid',
    `${text} puts ${common === 1 ? 'one item' : `${common} items`} into both the ${a} and the ${b} set`,
    { hint: 'write ranges that do not overlap, such as 0:60/60:90/90:100' },
  );
}

/** Splits that give every set at least one of so many items, as near to 60, 30 and 10 percent as can be. */
function workable(count: number): string {
  const cuts = [0.6, 0.9].map((share, i) =>
    Math.min(Math.max(Math.floor(share * count), 1 + i), count - 2 + i),
  );
  // Rounded up, so that cutting to whole numbers gives the same items again.
  const [train, validation] = cuts.map((cut) => Math.ceil((10_000 * cut) / count) / 100);
  return `0:${train}/${train}:${validation}/${validation}:100`;
}
