/** Scores as people read them. */
import type { Estimate } from './bootstrap.js';
import type { MembershipEstimates } from './scores.js';

/** `F1 0.83 [0.80, 0.85], precision …, recall …, accuracy …`. */
export const membershipText = ({ f1, precision, recall, accuracy }: MembershipEstimates): string =>
  `F1 ${estimateText(f1)}, precision ${estimateText(precision)}, recall ${estimateText(recall)}, accuracy ${estimateText(accuracy)}`;

/** `0.83 [0.80, 0.85]`: a score and its interval, when it has one. */
export function estimateText({ value, low, high }: Estimate): string {
  const digits = (number: number): string => number.toFixed(number > 0 && number < 0.1 ? 3 : 2);
  if (value === null) return 'unknown';
  return low === null || high === null ? digits(value) : `${digits(value)} [${digits(low)}, ${digits(high)}]`;
}
