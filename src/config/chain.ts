/** Whether each stage can take what the one before gives; if not, which stages would help. */
import { type Lint, lintAt, type Place } from './place.js';
import type { Noun, StageSpec } from './spec.js';

export interface Link {
  /** Undefined for an operator nobody knows; that has been reported, and its neighbours are let be. */
  readonly spec: StageSpec | undefined;
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
  for (const [i, { spec, at }] of links.entries()) {
    if (spec === undefined) continue;
    if (i === 0) {
      if (spec.takes === null) continue;
      const message = `${spec.operator} takes ${list(spec.takes)}, but stands first`;
      const way = bridge(specs, null, spec.takes);
      report(at, message, way === undefined ? 'begin with a source' : `begin with ${and(way)}`);
      continue;
    }
    const before = links[i - 1]?.spec;
    if (before === undefined) continue;
    const { gives } = before;
    if (spec.takes === null) {
      report(
        at,
        `${spec.operator} is a source and takes nothing, but stands after ${before.operator}`,
        'a source stands first',
      );
    } else if (gives === null) {
      report(at, `${before.operator} gives nothing, so nothing can stand after it`, undefined);
    } else if (!spec.takes.includes(gives)) {
      const way = bridge(specs, gives, spec.takes);
      const hint =
        way === undefined
          ? `what gives ${list(spec.takes)}: ${givers(specs, spec.takes)}`
          : `put ${and(way)} between them`;
      report(at, `${spec.operator} takes ${list(spec.takes)}, but ${before.operator} gives ${gives}`, hint);
    }
  }
  const last = links.at(-1);
  if (last?.spec !== undefined && last.spec.gives !== null && !finished.includes(last.spec.gives)) {
    const way = bridge(specs, last.spec.gives, finished);
    const message = `the pipeline ends with ${last.spec.operator}, and nobody keeps the ${last.spec.gives} it gives`;
    report(last.at, message, way === undefined ? undefined : `end with ${and(way)}`);
  }
  return lints;
}

/** The fewest operators that lead from one noun (null: from nothing) to one of several, if any do. */
function bridge(specs: readonly StageSpec[], from: Noun | null, to: readonly Noun[]): string[] | undefined {
  let fronts: { readonly noun: Noun | null; readonly way: string[] }[] = [{ noun: from, way: [] }];
  const seen = new Set<Noun | null>([from]);
  while (fronts.length > 0) {
    const arrived = fronts.find(({ noun }) => noun !== null && to.includes(noun));
    if (arrived !== undefined) return arrived.way;
    fronts = fronts.flatMap(({ noun, way }) =>
      specs
        .filter(
          ({ takes, gives }) => (noun === null ? takes === null : takes?.includes(noun)) && !seen.has(gives),
        )
        .map(({ operator, gives }) => {
          seen.add(gives);
          return { noun: gives, way: [...way, operator] };
        }),
    );
  }
  return undefined;
}

const givers = (specs: readonly StageSpec[], wanted: readonly Noun[]): string =>
  specs
    .filter(({ gives }) => gives !== null && wanted.includes(gives))
    .map(({ operator }) => operator)
    .join(', ');

const list = (words: readonly string[]): string => words.join(' or ');
const and = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
