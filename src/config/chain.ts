/** Whether each stage can take what the one before gives; if not, which stages would help. */
import { type Lint, lintAt, type Place } from './place.js';
import type { Flow, Noun, StageSpec } from './spec.js';

export interface Link {
  /** Undefined for an operator nobody knows; that has been reported, and its neighbours are let be. */
  readonly spec: StageSpec | undefined;
  /** What it takes and gives: by its options where they are known, else all that it can. */
  readonly flow: Flow | undefined;
  readonly at: Place;
}

/** A stage that gives one of these has put its results on disk, so the pipeline may end there. */
const finished: readonly Noun[] = ['Shard', 'Table'];

/** Problems of the chain as a whole: its beginning, its end and every joint. */
export function lintChain(links: readonly Link[], registry: ReadonlyMap<string, StageSpec>): Lint[] {
  const specs = [...registry.values()];
  const lints: Lint[] = [];
  const report = (at: Place, message: string, hint: string | undefined): void => {
    lints.push(lintAt(at, 'impossible_chain', message, hint));
  };
  for (const [i, { spec, flow, at }] of links.entries()) {
    if (spec === undefined || flow === undefined) continue;
    const { operator } = spec;
    const { takes } = flow;
    if (i === 0) {
      if (takes === null) continue;
      const way = bridge(specs, null, takes);
      report(
        at,
        `${operator} takes ${list(takes)}, but stands first`,
        way === undefined ? 'begin with a source' : `begin with ${and(way)}`,
      );
      continue;
    }
    const before = links[i - 1];
    if (before?.spec === undefined || before.flow === undefined) continue;
    const { gives } = before.flow;
    const giver = before.spec.operator;
    if (takes === null) {
      const message = `${operator} is a source and takes nothing, but stands after ${giver}`;
      report(at, message, 'a source stands first');
    } else if (gives === null) {
      report(at, `${giver} gives nothing, so nothing can stand after it`, undefined);
    } else if (!meet(takes, gives)) {
      const message = `${operator} takes ${list(takes)}, but ${giver} gives ${list(gives)}`;
      report(at, message, mend(specs, links, i));
    }
  }
  const last = links.at(-1);
  const kept = last?.flow?.gives;
  if (last?.spec !== undefined && kept !== undefined && kept !== null && !meet(finished, kept)) {
    const way = bridge(specs, kept, finished);
    const message = `the pipeline ends with ${last.spec.operator}, and nobody keeps the ${list(kept)} it gives`;
    report(last.at, message, way === undefined ? undefined : `end with ${and(way)}`);
  }
  return lints;
}

const meet = (some: readonly Noun[], others: readonly Noun[]): boolean =>
  some.some((noun) => others.includes(noun));

/** What would make a stage take what the one before gives: another option, or stages between them. */
function mend(specs: readonly StageSpec[], links: readonly Link[], i: number): string | undefined {
  const [before, link] = [links[i - 1], links[i]];
  const { takes, gives } = { takes: link?.flow?.takes ?? [], gives: before?.flow?.gives ?? [] };
  if (link?.spec !== undefined && meet(link.spec.takes ?? [], gives))
    return `${link.spec.operator} takes ${list(gives)} with other options`;
  if (before?.spec !== undefined && meet(takes, before.spec.gives ?? []))
    return `${before.spec.operator} gives ${list(takes)} with other options`;
  const way = bridge(specs, gives, takes);
  return way === undefined
    ? `what gives ${list(takes)}: ${givers(specs, takes)}`
    : `put ${and(way)} between them`;
}

/** The fewest operators that lead from any of these nouns (null: from nothing) to one of several, if any do. */
function bridge(
  specs: readonly StageSpec[],
  from: readonly Noun[] | null,
  to: readonly Noun[],
): string[] | undefined {
  const start: readonly (Noun | null)[] = from ?? [null];
  let fronts: { readonly noun: Noun | null; readonly way: string[] }[] = start.map((noun) => ({
    noun,
    way: [],
  }));
  const seen = new Set<Noun | null>(start);
  while (fronts.length > 0) {
    const arrived = fronts.find(({ noun }) => noun !== null && to.includes(noun));
    if (arrived !== undefined) return arrived.way;
    fronts = fronts.flatMap(({ noun, way }) =>
      specs
        .filter(({ takes }) => (noun === null ? takes === null : takes?.includes(noun)))
        .flatMap(({ operator, gives }) =>
          (gives ?? [])
            .filter((given) => !seen.has(given))
            .map((given) => {
              seen.add(given);
              return { noun: given, way: [...way, operator] };
            }),
        ),
    );
  }
  return undefined;
}

const givers = (specs: readonly StageSpec[], wanted: readonly Noun[]): string =>
  specs
    .filter(({ gives }) => gives !== null && meet(gives, wanted))
    .map(({ operator }) => operator)
    .join(', ');

const list = (words: readonly string[]): string => words.join(' or ');
const and = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
