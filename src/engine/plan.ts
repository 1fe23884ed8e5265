/** What a chain of stages will need, found out before anything starts, and whether it can move at all. */
import { EngineError } from './errors.js';
import type { Run } from './run.js';
import type { DeclaredStage, Facts, StageNeeds } from './stage.js';

/** A stage as planned, before anything is opened. */
export interface PlannedStage {
  readonly declared: DeclaredStage;
  readonly needs: StageNeeds;
  readonly incoming: Facts;
  /** Memory only this stage can take: its working bytes, and what its results need to move on. */
  readonly reservedWork: number;
  readonly reservedResults: number;
  /** Most bytes of results that exist at once. */
  readonly mostResults: number;
}

/**
 * Asks every stage, in the order of the chain, what it will need.
 *
 * @throws `config_invalid` when a stage waits for more items at once than may wait before it; what the stages throw
 */
export async function planStages(
  stages: readonly DeclaredStage[],
  run: Run,
): Promise<readonly PlannedStage[]> {
  const needs: StageNeeds[] = [];
  for (const { definition, options } of stages) {
    needs.push(await definition.inspect(options as never, needs.at(-1)?.facts ?? {}, run));
  }
  return stages.map((declared, i) => {
    const own = needs[i] as StageNeeds;
    const next = stages[i + 1];
    if (next !== undefined) checkEdge(declared, own.itemBytes, next.name, needs[i + 1]?.gathers ?? 1);
    const reservedResults = own.itemBytes * heldAtOnce(needs, i + 1);
    return {
      declared,
      needs: own,
      incoming: needs[i - 1]?.facts ?? {},
      reservedWork: own.workingBytes,
      reservedResults,
      // A limit below what the stages behind need at once would stop them for good.
      mostResults:
        own.mostResults === undefined
          ? Number.POSITIVE_INFINITY
          : Math.max(reservedResults, own.itemBytes * own.mostResults),
    };
  });
}

/** How many results of the stage before must exist at once, for this stage and those behind it to make one of theirs. */
function heldAtOnce(needs: readonly StageNeeds[], index: number): number {
  const { gathers, itemBytes } = needs[index] ?? {};
  if (gathers === undefined) return 1;
  // A result with no memory of its own is the items it was gathered from.
  return gathers * (itemBytes === 0 ? heldAtOnce(needs, index + 1) : 1);
}

/** A stage that waits for more than the edge before it can hold would wait for ever. */
function checkEdge({ name, limits }: DeclaredStage, itemBytes: number, next: string, gathers: number): void {
  if (gathers > limits.items) {
    throw new EngineError(
      'config_invalid',
      `${next} takes ${gathers} items at once, but at most ${limits.items} may wait before it`,
      {
        hint: `use ${name}.credit_items=${gathers}`,
      },
    );
  }
  if (gathers > 1 && gathers * itemBytes > limits.bytes) {
    throw new EngineError(
      'config_invalid',
      `${next} takes ${gathers} items of ${itemBytes} bytes at once, but at most ${limits.bytes} bytes may wait before it`,
      {
        hint: `use ${name}.credit_bytes=${Math.ceil((gathers * itemBytes) / 2 ** 20)}MiB`,
      },
    );
  }
}
