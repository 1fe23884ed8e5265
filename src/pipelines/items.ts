/** What a planned pipeline works on: the items its source announced, and the parts they are divided into. */
import type { PlannedStage } from '../engine/plan.js';
import type { CatalogFacts, ImageFacts } from '../operators/support/facts.js';

export interface PlannedItems {
  readonly names: readonly string[];
  /** How many of them are known to be of no use. */
  readonly unusable: number;
  /** What they are called, and what their parts are, if they are divided. */
  readonly unit: string;
  readonly part: string | undefined;
  /** Parts of most of them; 1 when they are not divided. */
  readonly perWhole: number;
  /** Sky area of one of them. */
  readonly areaSquareDegrees: number;
}

export function itemsOf(plan: readonly PlannedStage[]): PlannedItems {
  const facts = (plan[0]?.needs.facts ?? {}) as Partial<CatalogFacts | ImageFacts>;
  const divides = plan.find(({ needs }) => needs.divides !== undefined)?.needs.divides;
  const announced = facts.announced ?? [];
  return {
    names: announced.map(({ name }) => name),
    unusable: announced.filter(({ problem }) => problem !== undefined).length,
    unit: facts.unit ?? 'items',
    part: divides?.unit,
    perWhole: divides?.into ?? 1,
    areaSquareDegrees: facts.areaSquareDegrees ?? 0,
  };
}
