import type { Random } from './random.js';

/**
 * Draws numbers whose density is a function on [low, high], by inverting the integral of the straight lines through
 * `points` of its values. Exact for those lines; the density need not be normalised.
 */
export class DensityTable {
  readonly #low: number;
  readonly #step: number;
  readonly #density: Float64Array;
  /** Integral from `low` to each point. */
  readonly #integral: Float64Array;

  /** @param density not negative, finite, and somewhere positive on [low, high] */
  constructor(density: (x: number) => number, low: number, high: number, points = 2000) {
    this.#low = low;
    this.#step = (high - low) / (points - 1);
    this.#density = Float64Array.from({ length: points }, (_, i) => density(low + i * this.#step));
    this.#integral = new Float64Array(points);
    for (let i = 1; i < points; i++)
      this.#integral[i] =
        at(this.#integral, i - 1) + (this.#step * (at(this.#density, i - 1) + at(this.#density, i))) / 2;
    const total = at(this.#integral, points - 1);
    if (!(high > low && total > 0 && Number.isFinite(total)))
      throw new RangeError(
        `a density from ${low} to ${high} with the integral ${total} cannot be drawn from`,
      );
  }

  /** Integral of the density from its start to x, unnormalised. */
  integral(x: number): number {
    const last = this.#integral.length - 1;
    const position = Math.min(Math.max((x - this.#low) / this.#step, 0), last);
    const cell = Math.min(Math.floor(position), last - 1);
    const t = position - cell;
    const [start, end] = [at(this.#density, cell), at(this.#density, cell + 1)];
    return at(this.#integral, cell) + this.#step * t * (start + ((end - start) * t) / 2);
  }

  /** A number below `limit`, which is `high` when it is left out. */
  draw(random: Random, limit = Number.POSITIVE_INFINITY): number {
    const last = this.#integral.length - 1;
    const total = limit === Number.POSITIVE_INFINITY ? at(this.#integral, last) : this.integral(limit);
    const wanted = random.uniform() * total;
    let [cell, above] = [0, last];
    while (above - cell > 1) {
      const middle = (cell + above) >> 1;
      if (at(this.#integral, middle) <= wanted) cell = middle;
      else above = middle;
    }
    const [start, end] = [at(this.#density, cell), at(this.#density, cell + 1)];
    const area = (wanted - at(this.#integral, cell)) / this.#step;
    // The stable root of start·t + (end - start)·t²/2 = area.
    const root = start + Math.sqrt(Math.max(0, start * start + 2 * (end - start) * area));
    const t = root > 0 ? Math.min(1, (2 * area) / root) : 0;
    return this.#low + (cell + t) * this.#step;
  }
}

const at = (values: Float64Array, index: number): number => values[index] as number;
