/** One text for one configuration, whatever the order in which its keys were written. For hashing. */

/**
 * JSON with the keys of every map sorted by code unit and no white space. `undefined` entries are left out;
 * numbers that JSON does not know (NaN, infinities) are written as text.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(',')}}`;
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return JSON.stringify(String(value));
  return JSON.stringify(value) ?? 'null';
}

/** The resolved configuration of a pipeline as canonical JSON. */
export const canonical = (pipeline: { readonly values: unknown }): string => canonicalJson(pipeline.values);
