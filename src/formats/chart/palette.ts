/** Colours and lines of charts. */

/**
 * Colours of series: no two are equally dark, so they can be told apart in grey, and by the colour-blind. Blue and red are
 * those of Tol's high-contrast set (SRON/EPS/TN/09-002, issue 3.2).
 */
export const palette = ['#004488', '#dd9a1f', '#bb5566', '#1a1a1a', '#44aa99', '#88b9dd'] as const;

/** A line to compare with: y = x, chance, a limit. */
export const reference = { colour: '#777777', dash: '5 4', width: 1.2 } as const;
