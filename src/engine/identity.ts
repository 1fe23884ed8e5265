/** What decides the result of a run, as one object and one hash: two runs with equal hashes may share a folder. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../config/canonical.js';
import type { Detail } from './ledger.js';
import type { DeclaredStage, StageNeeds } from './stage.js';

/** What every stage follows, its options that change its results, and what else it says decides them. */
export function identityOf(stages: readonly DeclaredStage[], needs: readonly StageNeeds[]): Detail {
  const common = ['name', 'credit_items', 'credit_bytes', 'retries'];
  return Object.fromEntries(
    stages.map((stage, i) => {
      const skipped = new Set<string>([...common, ...stage.definition.operational]);
      const options = Object.entries(stage.options).filter(
        ([key, value]) => !skipped.has(key) && value !== undefined,
      );
      const after = stages[i - 1]?.name;
      return [
        stage.name,
        {
          operator: stage.definition.spec.operator,
          ...(after !== undefined && { after }),
          ...Object.fromEntries(options),
          ...needs[i]?.identity,
        },
      ];
    }),
  );
}

export const hashOf = (identity: Detail): string =>
  createHash('sha256').update(canonicalJson(identity)).digest('hex');

/** The differences of two identities, one line each: `tile.size: 2560 → 512`. */
export function identityChanges(before: Detail, after: Detail): readonly string[] {
  const flatten = (value: unknown, path: string): [string, string][] =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.entries(value).flatMap(([key, inner]) => flatten(inner, path === '' ? key : `${path}.${key}`))
      : value === undefined
        ? []
        : [[path, JSON.stringify(value)]];
  const [old, now] = [new Map(flatten(before, '')), new Map(flatten(after, ''))];
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((path) => old.get(path) !== now.get(path))
    .map((path) => `${path}: ${old.get(path) ?? 'not set'} → ${now.get(path) ?? 'not set'}`);
}
