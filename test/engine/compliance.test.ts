import { complies, type Subject } from '../support/compliance.js';
import { counted, expanded, grouped, type Names, stage, worked } from '../support/stages.js';

const feed = {
  facts: {},
  bytes: 10,
  input: (index: number): Names => [`t${index}`],
  itemsOf: (index: number) => [`t${index}`],
};
const names = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `t${i}`);
const base = { memoryBytes: 1000, idsOf: (output: Names) => output, expected: names };

complies<never, Names>('source', () => ({
  ...base,
  start: (run, count) => counted(run, { count, bytes: 10 }),
  // One in the recorder, one on the edge.
  stalledAfter: 2,
}));

complies<Names, Names>('identity', () => ({
  ...base,
  feed,
  attach: (run) => worked(run, 'identity', { bytes: 5 }),
  // One in the recorder, one on the edge, one in the slot, one on the edge before.
  stalledAfter: 4,
}));

complies<Names, Names>('slow', () => ({
  ...base,
  feed,
  attach: (run) =>
    worked(run, 'slow', { slots: 2, bytes: 5 }, () => new Promise((resolve) => setTimeout(resolve, 2))),
  // As above, with two slots.
  stalledAfter: 5,
}));

complies<Names, Names>('expand', () => ({
  ...base,
  feed,
  attach: (run) => expanded(run, 4, { bytes: 5 }),
  expected: (count) => names(count).flatMap((name) => [0, 1, 2, 3].map((child) => `${name}/${child}`)),
  // One part in the recorder, one on the edge; the first item waits to give its third; one on the edge before.
  stalledAfter: 2,
}));

complies<Names, Names>('group', () => ({
  ...base,
  feed: { ...feed, credit: 2 },
  attach: (run) => grouped(run, 2),
  // One group in the recorder, one on the edge; the next waits on the edge before.
  stalledAfter: 6,
}));

complies<Names, Names>(
  'picky',
  (): Subject<Names, Names> => ({
    ...base,
    feed,
    attach: (run) =>
      stage(run, 'picky', { itemBytes: 5 }, async ({ value, items }, slot) => {
        const place = await slot.reserve(value[0]?.startsWith('large') ? 5000 : 5);
        place.emit(value, items);
      }),
    stalledAfter: 4,
    oversized: () => ({ input: ['large'], memoryBytes: 1000, code: 'item_too_large' }),
  }),
);
