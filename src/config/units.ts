/** Sizes and times as people write them. */

const byteUnits = new Map([
  ['B', 1],
  ['kB', 1e3],
  ['KB', 1e3],
  ['MB', 1e6],
  ['GB', 1e9],
  ['TB', 1e12],
  ['KiB', 2 ** 10],
  ['MiB', 2 ** 20],
  ['GiB', 2 ** 30],
  ['TiB', 2 ** 40],
]);

const msUnits = new Map([
  ['ms', 1],
  ['s', 1e3],
  ['m', 6e4],
  ['min', 6e4],
  ['h', 3.6e6],
  ['d', 8.64e7],
]);

/** What {@link parseBytes} accepts, for editors. */
export const bytesPattern = /^\d+(\.\d+)?\s*(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$/;

/** What {@link parseDuration} accepts, for editors. */
export const durationPattern = /^(0|(\d+(\.\d+)?\s*(ms|s|min|m|h|d)\s*)+)$/;

/** `256MiB` as bytes, rounded to whole bytes; undefined when it is not a size with its unit. */
export function parseBytes(text: string): number | undefined {
  if (!bytesPattern.test(text)) return undefined;
  const unit = byteUnits.get(text.replace(/^[\d.\s]+/, '')) ?? 1;
  return Math.round(Number.parseFloat(text) * unit);
}

/** `2s`, `1.5 h` or `1h30m` as milliseconds; undefined when it is not a time with its unit. */
export function parseDuration(text: string): number | undefined {
  if (!durationPattern.test(text)) return undefined;
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)\s*([a-z]+)/g)) {
    ms += Number(amount) * (msUnits.get(unit ?? '') ?? 0);
  }
  return ms;
}

/** Bytes in the largest binary unit that keeps the number at or above one: `3 GiB`, `1.5 MiB`, `17 B`. */
export function formatBytes(bytes: number): string {
  const steps = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.max(0, Math.min(steps.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  return `${Number((bytes / 2 ** (10 * power)).toFixed(1))} ${steps[power]}`;
}
