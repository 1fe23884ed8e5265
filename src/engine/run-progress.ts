/** How far a run is, as its meters show it: what there is to do, and what has an outcome. */
import { EngineError, type Outcome } from './errors.js';
import { type Detail, type Ledger, type ParentState, parentOf } from './ledger.js';
import type { RunMeters } from './meters.js';
import type { PlannedStage } from './plan.js';

export class RunProgress {
  readonly #meters: RunMeters;
  readonly #ledger: Ledger;
  /** How many items each known whole is: its parts, or itself. */
  readonly #itemsOf = new Map<string, number>();
  #expected: number | undefined;
  #perWhole = 1;

  /** Listens to the ledger from now on. */
  constructor(meters: RunMeters, ledger: Ledger) {
    this.#meters = meters;
    this.#ledger = ledger;
    ledger.listen({
      onChildren: (item, children) => this.#is(item, children),
      onOutcome: (_item, outcome, parent) => {
        meters.window(outcome, 1);
        if (parent !== undefined) meters.sky(areaOf(outcome, parent.detail) / parent.children);
        meters.settled(ledger.items.size);
      },
      onParent: (item, outcome, parent, detail) => {
        meters.tile(outcome);
        meters.settled(ledger.items.size);
        // Done whole, or set aside whole: one item instead of many.
        if (parent !== undefined) return;
        this.#is(item, 1);
        meters.sky(areaOf(outcome, detail));
      },
    });
    meters.settled(ledger.items.size);
  }

  /** Counts what there is to do: what is known by its parts, what is only announced by the parts that most have. */
  count(plan: readonly PlannedStage[]): void {
    const { announced, unit = 'items' } = plan[0]?.needs.facts ?? {};
    const divides = plan.find(({ needs }) => needs.divides !== undefined)?.needs.divides;
    this.#meters.units({ whole: unit, part: divides?.unit });
    this.#meters.settled(this.#ledger.items.size);
    this.#perWhole = divides?.into ?? 1;
    for (const item of this.#ledger.parents)
      this.#itemsOf.set(item, (this.#ledger.parent(item) as ParentState).children);
    for (const item of this.#ledger.items.keys()) {
      if (parentOf(item) === undefined && !this.#itemsOf.has(item)) this.#itemsOf.set(item, 1);
    }
    if (announced === undefined) return;
    const unknown = announced.filter(({ name }) => !this.#itemsOf.has(name)).length;
    const known = [...this.#itemsOf.values()].reduce((sum, items) => sum + items, 0);
    this.#expect(known + unknown * this.#perWhole);
  }

  /** What was divided, and has parts without an outcome although the run has come to its end. */
  unaccounted(): EngineError | undefined {
    for (const item of this.#ledger.parents) {
      const { children, settled, outcome } = this.#ledger.parent(item) as ParentState;
      if (outcome !== undefined || this.#ledger.stateOf(item) !== undefined) continue;
      const message = `${item} ended with ${settled} of ${children} parts accounted for`;
      return new EngineError('internal', message, { item });
    }
    return undefined;
  }

  #is(whole: string, items: number): void {
    const before = this.#itemsOf.get(whole) ?? this.#perWhole;
    this.#itemsOf.set(whole, items);
    if (this.#expected !== undefined) this.#expect(this.#expected + items - before);
  }

  #expect(items: number): void {
    this.#expected = items;
    this.#meters.expected(items);
  }
}

/** Sky area of what is `ok`, square degrees, as its record says; NaN when it does not. */
function areaOf(outcome: Outcome, { area_square_degrees: area }: Detail): number {
  if (outcome !== 'ok') return 0;
  return typeof area === 'number' ? area : Number.NaN;
}
