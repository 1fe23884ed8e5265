/** Runs a chain to its end and keeps what comes out of it. */
import type { Observable } from 'rxjs';
import { stageSpec } from '../../src/config/spec.js';
import type { Parcel } from '../../src/engine/ports.js';
import type { Run, RunSummary } from '../../src/engine/run.js';
import { operator } from '../../src/engine/stage.js';
import type { Window } from '../../src/operators/support/nouns.js';

/**
 * Takes everything from the last stage of a run, ends its items `ok`, and closes what can be closed.
 *
 * @param keep what is kept of a value, before it goes
 */
export async function takeAll<I, T>(
  run: Run,
  chain: Observable<Parcel<I>>,
  keep: (value: I) => T,
): Promise<{ readonly taken: readonly T[]; readonly summary: RunSummary }> {
  const taken: T[] = [];
  const sink = operator<ReturnType<typeof sinkSpec>, I, I>({
    spec: sinkSpec(),
    operational: [],
    inspect: async () => ({ facts: {}, itemBytes: 0, workingBytes: 0, slots: 1 }),
    open: async (self) => (ports) =>
      self.each<I, I>(ports, 1, async ({ value, items }, slot) => {
        taken.push(keep(value));
        if (hasClose(value)) await value.close();
        if (items.length > 0) await run.ledger.append({ type: 'outcome', items, outcome: 'ok' });
        (await slot.reserve(0)).emit(value, []);
      }),
  });
  const summary = await run.execute(chain.pipe(sink({}, run)));
  return { taken, summary };
}

const sinkSpec = () => stageSpec('sink', { takes: null, gives: null }, 'The end of a test.', {});

const hasClose = (value: unknown): value is { close(): Promise<void> } =>
  typeof value === 'object' && value !== null && 'close' in value;

/** A window that keeps its pixels when its buffer is used again. */
export const copyOf = (window: Window): Window & { readonly values: Float32Array } => ({
  ...window,
  values: new Float32Array(window.pixels).slice(),
});
