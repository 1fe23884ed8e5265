/** What decides the result of a run, as one object and one hash: two runs with equal hashes may share a folder. */
import { createHash } from 'node:crypto';
import type { Detail } from './ledger.js';
import type { DeclaredStage, StageNeeds } from './stage.js';

/** JSON with keys in order, so that equal objects give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** The options of every stage that change its results, and what else the stages say decides them. */
export function identityOf(stages: readonly DeclaredStage[], needs: readonly StageNeeds[]): Detail {
  const common = ['name', 'credit_items', 'credit_bytes', 'retries'];
  return Object.fromEntries(
    stages.map((stage, i) => {
      const skipped = new Set<string>([...common, ...stage.definition.operational]);
      const options = Object.entries(stage.options).filter(([key]) => !skipped.has(key));
      return [stage.name, { operator: stage.definition.spec.operator, ...Object.fromEntries(options), ...needs[i]?.identity }];
    }),
  );
}

export const hashOf = (identity: Detail): string => createHash('sha256').update(canonicalJson(identity)).digest('hex');

/** The differences of two identities, one line each: `tile.size: 2560 → 512`. */
export function identityChanges(before: Detail, after: Detail): readonly string[] {
  const flatten = (value: unknown, path: string): [string, string][] =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.entries(value).flatMap(([key, inner]) => flatten(inner, path === '' ? key : `${path}.${key}`))
      : [[path, JSON.stringify(value) ?? 'undefined']];
  const [old, now] = [new Map(flatten(before, '')), new Map(flatten(after, ''))];
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((path) => old.get(path) !== now.get(path))
    .map((path) => `${path}: ${old.get(path) ?? 'not set'} → ${now.get(path) ?? 'not set'}`);
}
