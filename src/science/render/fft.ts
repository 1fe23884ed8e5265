/** A plain complex Fourier transform in double precision, for what is computed once in a field. */

/** Forward transforms, Σ x[j] exp(-2πi j k / n), of n = 2^m complex numbers. */
export class Fft {
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;
  readonly #reversed: Uint16Array;

  constructor(readonly n: number) {
    this.#cos = Float64Array.from({ length: n / 2 }, (_, j) => Math.cos((2 * Math.PI * j) / n));
    this.#sin = Float64Array.from({ length: n / 2 }, (_, j) => -Math.sin((2 * Math.PI * j) / n));
    this.#reversed = new Uint16Array(n);
    for (let j = 1; j < n; j++)
      this.#reversed[j] = ((this.#reversed[j >> 1] as number) >> 1) | (j & 1 ? n >> 1 : 0);
  }

  /** Transforms in place the n numbers from `at` on. */
  transform(re: Float64Array, im: Float64Array, at = 0): void {
    const { n } = this;
    for (let j = 0; j < n; j++) {
      const k = this.#reversed[j] as number;
      if (k <= j) continue;
      swap(re, at + j, at + k);
      swap(im, at + j, at + k);
    }
    const end = at + n;
    for (let half = 1; half < n; half *= 2) {
      const step = n / (2 * half);
      for (let first = at; first < end; first += 2 * half) {
        for (let a = first, w = 0; a < first + half; a++, w += step) {
          const wr = this.#cos[w] as number;
          const wi = this.#sin[w] as number;
          const b = a + half;
          const br = re[b] as number;
          const bi = im[b] as number;
          const tr = br * wr - bi * wi;
          const ti = br * wi + bi * wr;
          const ar = re[a] as number;
          const ai = im[a] as number;
          re[a] = ar + tr;
          im[a] = ai + ti;
          re[b] = ar - tr;
          im[b] = ai - ti;
        }
      }
    }
  }
}

function swap(values: Float64Array, i: number, j: number): void {
  const kept = values[i] as number;
  values[i] = values[j] as number;
  values[j] = kept;
}
