/** How far a run is, as its meters show it: what there is to do, and what has an outcome. */
import type { Outcome } from './errors.js';
import { type Ledger, type ParentState, parentOf } from './ledger.js';
import type { RunMeters } from './meters.js';
import type { PlannedStage } from './plan.js';

export class RunProgress {
  readonly #meters: RunMeters;
  readonly #ledger: Ledger;
  #expected = 0;
  #perParent = 1;

  /** Listens to the ledger from now on. */
  constructor(meters: RunMeters, ledger: Ledger) {
    this.#meters = meters;
    this.#ledger = ledger;
    ledger.listen({
      onChildren: (_item, children) => this.#expect(children - this.#perParent),
      onOutcome: (_item, outcome, parent) => {
        meters.window(outcome, 1);
        meters.sky(skyShare(outcome, parent));
        meters.settled(ledger.items.size);
      },
      onParent: (_item, outcome, parent) => {
        meters.tile(outcome);
        meters.settled(ledger.items.size);
        // Set aside whole: one item instead of many.
        if (parent === undefined) this.#expect(1 - this.#perParent);
      },
    });
    meters.settled(ledger.items.size);
  }

  /** Counts what there is to do: known parents by their children, the others by what most have. */
  count(plan: readonly PlannedStage[]): void {
    const { parents, into } = plan.find(({ needs }) => needs.divides !== undefined)?.needs.divides ?? {
      parents: 0,
      into: 1,
    };
    this.#perParent = into;
    let knownParents = 0;
    let known = 0;
    for (const item of this.#ledger.parents) {
      known += (this.#ledger.parent(item) as ParentState).children;
      knownParents += 1;
    }
    for (const item of this.#ledger.items.keys()) {
      if (parentOf(item) !== undefined || this.#ledger.parent(item) !== undefined) continue;
      known += 1;
      knownParents += 1;
    }
    this.#expect(known + Math.max(0, parents - knownParents) * into);
  }

  #expect(more: number): void {
    this.#expected += more;
    this.#meters.expected(this.#expected);
  }
}

function skyShare(outcome: Outcome, parent: ParentState | undefined): number {
  const area = parent?.detail.area_square_degrees;
  return outcome === 'ok' && parent !== undefined && typeof area === 'number' ? area / parent.children : 0;
}
