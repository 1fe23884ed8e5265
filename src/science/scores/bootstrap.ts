/** How sure a score is: the same score of fields drawn again from those at hand, with replacement. */
import { deriveSeed, Random } from '../random.js';

export interface BootstrapOptions {
  /**
   * How often fields are drawn again; 0 gives no intervals. With 1,000 the ends of a 95 % interval are known to about a
   * twentieth of its width (Efron and Tibshirani 1993, section 19.3).
   */
  readonly draws: number;
  /** Part of the draws that lie inside the interval. */
  readonly level: number;
  readonly seed: number | string;
}

/** A score and its interval; null where there is none, as of the AUC where no cell is a member. */
export interface Estimate {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

/** Any scores by name; NaN where a score does not exist. */
type Statistics<K extends string> = Readonly<Record<K, number>>;

/**
 * Draws of whole fields: the cells of one field are not independent. All scores see the same draws, so that their
 * intervals can be compared.
 */
export class Bootstrap {
  readonly #level: number;
  readonly #fields: number;
  readonly #draws: number;
  /** How often each field is in each draw, draw after draw; a byte each. */
  readonly #times: Uint8Array;

  constructor(fields: number, { draws, level, seed }: BootstrapOptions) {
    this.#level = level;
    this.#fields = fields;
    this.#draws = fields > 0 ? draws : 0;
    this.#times = new Uint8Array(this.#draws * fields);
    const random = new Random(deriveSeed(seed, 'bootstrap', fields));
    for (let draw = 0; draw < this.#draws; draw++) {
      const times = this.#timesOf(draw);
      for (let i = 0; i < fields; i++) {
        const field = random.integer(fields);
        times[field] = (times[field] as number) + 1;
      }
    }
  }

  #timesOf(draw: number): Uint8Array {
    return this.#times.subarray(draw * this.#fields, (draw + 1) * this.#fields);
  }

  /**
   * Percentile intervals: the quantiles (1 - level) / 2 and (1 + level) / 2 of the scores of all draws, interpolated.
   *
   * @param values the scores of the fields as they are
   * @param statistic the scores of a draw, given how often each field is in it
   */
  estimates<K extends string>(
    values: Statistics<K>,
    statistic: (times: Uint8Array, draw: number) => Statistics<K>,
  ): Readonly<Record<K, Estimate>> {
    const names = Object.keys(values) as K[];
    const drawn = new Map(names.map((name) => [name, new Float64Array(this.#draws)]));
    for (let draw = 0; draw < this.#draws; draw++) {
      const scores = statistic(this.#timesOf(draw), draw);
      for (const name of names) (drawn.get(name) as Float64Array)[draw] = scores[name];
    }
    const estimates = names.map((name) => {
      const sorted = (drawn.get(name) as Float64Array).filter(Number.isFinite).sort();
      const tail = (1 - this.#level) / 2;
      const estimate: Estimate = {
        value: numberOrNull(values[name]),
        low: numberOrNull(quantile(sorted, tail)),
        high: numberOrNull(quantile(sorted, 1 - tail)),
      };
      return [name, estimate];
    });
    return Object.fromEntries(estimates) as Record<K, Estimate>;
  }
}

const numberOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** Quantile of sorted numbers, by straight lines between them; NaN of none. */
function quantile(sorted: Float64Array, part: number): number {
  const place = part * (sorted.length - 1);
  const below = Math.floor(place);
  const [low, high] = [sorted[below] ?? Number.NaN, sorted[Math.ceil(place)] ?? Number.NaN];
  return low + (high - low) * (place - below);
}
