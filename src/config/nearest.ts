/** "Did you mean": the known word nearest to the one that was written. */

/**
 * Damerau–Levenshtein distance in its optimal string alignment form: the fewest insertions, deletions,
 * substitutions and swaps of neighbours that turn `a` into `b`, no letter touched twice.
 */
export function editDistance(a: string, b: string): number {
  const cost = Array.from({ length: a.length + 1 }, (_, i) =>
    Array.from({ length: b.length + 1 }, (_, j) => (i === 0 ? j : i)),
  );
  const at = (i: number, j: number): number => cost[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const best = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (isSame ? 0 : 1));
      (cost[i] as number[])[j] = isSwap ? Math.min(best, at(i - 2, j - 2) + 1) : best;
    }
  }
  return at(a.length, b.length);
}

const longestWord = 64;

/** The word of `known` nearest to `written`, if a slip of the hand can explain the difference. */
export function nearest(written: string, known: Iterable<string>): string | undefined {
  if (written.length > longestWord) return undefined;
  const word = written.toLowerCase();
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    if (candidate.length > longestWord) continue;
    const distance = editDistance(word, candidate.toLowerCase());
    const length = Math.max(word.length, candidate.length);
    const slips = length === 1 ? 0 : Math.max(1, Math.floor(length / 3));
    if (distance <= slips && distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** `did you mean "size"?`, or what is there when nothing is near, or undefined when nothing is known. */
export function didYouMean(written: string, known: Iterable<string>): string | undefined {
  const words = [...known];
  const word = nearest(written, words);
  if (word !== undefined) return `did you mean "${word}"?`;
  if (words.length === 0) return undefined;
  const shown = words.slice(0, 12).join(', ');
  return `known: ${shown}${words.length > 12 ? ', …' : ''}`;
}
