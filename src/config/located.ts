/** Configuration values that know where they were written. Immutable: a change makes a new tree. */
import type { Place } from './place.js';

export type Located = LocatedScalar | LocatedMap | LocatedList | Hole;

export interface LocatedScalar {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** As it was written: `007` for the number 7. */
  readonly text: string;
  /** The comment behind it; shown when a mandatory value is missing. */
  readonly comment: string | undefined;
  readonly at: Place;
}

export interface LocatedMap {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, Entry>;
  readonly at: Place;
}

export interface Entry {
  readonly keyAt: Place;
  readonly value: Located;
}

export interface LocatedList {
  readonly kind: 'list';
  readonly items: readonly Located[];
  readonly at: Place;
}

/** Stands for a value that could not be had. The reason has been reported; nobody needs to report it again. */
export interface Hole {
  readonly kind: 'hole';
  readonly at: Place;
}

/** OmegaConf's mark of a value that has to be given. */
export const mandatory = '???';

export const isMandatory = (node: Located): node is LocatedScalar =>
  node.kind === 'scalar' && node.value === mandatory;

export const hole = (at: Place): Hole => ({ kind: 'hole', at });

export const emptyMap = (at: Place): LocatedMap => ({ kind: 'map', entries: new Map(), at });

export const scalar = (
  value: LocatedScalar['value'],
  at: Place,
  text = String(value ?? ''),
): LocatedScalar => ({
  kind: 'scalar',
  value,
  text,
  comment: undefined,
  at,
});

/** The value without positions; a hole is null. Maps have no prototype, so no key is special. */
export function toPlain(node: Located): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'hole':
      return null;
    case 'list':
      return node.items.map(toPlain);
    case 'map': {
      const plain = Object.create(null) as Record<string, unknown>;
      for (const [key, { value }] of node.entries) plain[key] = toPlain(value);
      return plain;
    }
  }
}

/** The node one step down a path, or undefined. Lists are entered by index. */
export function child(node: Located, key: string): Located | undefined {
  if (node.kind === 'map') return node.entries.get(key)?.value;
  if (node.kind === 'list' && /^\d+$/.test(key)) return node.items[Number(key)];
  return undefined;
}

/** The text of the value at a path such as `run.dir`, as it was written; undefined when there is none. */
export function textAt(root: Located, path: string): string | undefined {
  const node = path.split('.').reduce<Located | undefined>((at, key) => at && child(at, key), root);
  return node?.kind === 'scalar' && node.value !== null ? node.text : undefined;
}

export const withEntry = (map: LocatedMap, key: string, entry: Entry): LocatedMap => ({
  ...map,
  entries: new Map([...map.entries, [key, entry]]),
});

export function withoutEntry(map: LocatedMap, key: string): LocatedMap {
  const entries = new Map(map.entries);
  entries.delete(key);
  return { ...map, entries };
}

/** Laid over each other: maps entry by entry, anything else replaced by what comes later. */
export function merge(below: Located | undefined, above: Located): Located {
  if (below?.kind !== 'map' || above.kind !== 'map') return above;
  const entries = new Map(below.entries);
  for (const [key, { keyAt, value }] of above.entries) {
    entries.set(key, { keyAt, value: merge(below.entries.get(key)?.value, value) });
  }
  return { kind: 'map', entries, at: above.at };
}
