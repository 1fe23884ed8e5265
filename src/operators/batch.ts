/** Groups windows into what goes through the encoder at once. */
import { field, stageSpec } from '../config/spec.js';
import { joinLeases } from '../engine/credit.js';
import { operator, type StageNeeds } from '../engine/stage.js';
import { type BatchFacts, partFacts, type WindowFacts } from './support/facts.js';
import type { Batch, Window } from './support/nouns.js';

export const batchSpec = stageSpec(
  'batch',
  { takes: 'Window', gives: 'Batch' },
  'Groups windows into one tensor, by count, bytes or time, whichever is reached first.',
  {
    items: field.int({ default: 1, min: 1, max: 4096, unit: 'windows', doc: 'Most windows in one batch.' }),
    max_bytes: field.optional(field.bytes({ min: 1, doc: 'Most bytes of pixels in one batch.' })),
    period: field.duration({
      default: '10s',
      min: 0,
      doc: 'Longest wait of the first window for others to come.',
    }),
  },
  { common: { credit_items: 1, credit_bytes: '1TiB' } },
);

/**
 * @emits      on `items`, `max_bytes` or `period`; the rest on completion; never an empty batch
 * @waits      until downstream has a place; windows keep their places and memory until their batch leaves
 * @completes  after upstream completes and the last batch has left
 * @fails      never by itself; a batch larger than the edge before it is refused when the run is planned
 * @order      kept
 * @memory     none of its own: a batch is the windows it holds
 */
export const batch = operator<typeof batchSpec, Window, Batch>({
  spec: batchSpec,
  operational: ['period'],

  inspect: async (options, incoming): Promise<StageNeeds<BatchFacts>> => {
    const windows = incoming as WindowFacts;
    const { bands, size, bytes, perImage } = windows;
    const rows = Math.min(
      options.items,
      Math.max(1, Math.floor((options.max_bytes ?? Number.POSITIVE_INFINITY) / bytes)),
    );
    return {
      facts: { kind: 'Batch', ...partFacts(windows), bands, size, rows, perImage },
      itemBytes: 0,
      workingBytes: 0,
      slots: 1,
      gathers: rows,
    };
  },

  open: async (stage, options) => {
    const { rows } = stage.needs.facts as BatchFacts;
    return async ({ inlet, outlet }) => {
      for (;;) {
        const waiting = await inlet.atLeast(rows, options.period);
        if (waiting === 0) return;
        const count = fitting(inlet.sizes(waiting), options.max_bytes);
        const bytes = inlet.sizes(count).reduce((sum, size) => sum + size, 0);
        const place = await outlet.place(bytes);
        const held = inlet.takeNow(count);
        const windows = held.map(({ value }) => value);
        const first = windows[0] as Window;
        place(joinLeases(held.map(({ lease }) => lease))).emit(
          { rows: windows, shape: [first.bands.length, first.size, first.size] },
          held.flatMap(({ items }) => items),
        );
      }
    };
  },
});

/** How many of the first items fit into the limit; at least one, whatever its size. */
function fitting(sizes: readonly number[], limit: number | undefined): number {
  let bytes = 0;
  for (const [count, size] of sizes.entries()) {
    bytes += size;
    if (limit !== undefined && bytes > limit) return Math.max(1, count);
  }
  return sizes.length;
}
