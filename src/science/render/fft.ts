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
    let half = 1;
    if (Math.log2(n) % 2 === 1) {
      for (let a = at; a < at + n; a += 2) addAndSubtract(re, im, a, a + 1);
      half = 2;
    }
    for (; half < n; half *= 4) this.#twoPasses(re, im, at, half);
  }

  /** Joins transforms of `half` numbers to transforms of 2 half, and these to transforms of 4 half. */
  #twoPasses(re: Float64Array, im: Float64Array, at: number, half: number): void {
    const step = this.n / (4 * half);
    for (let first = at; first < at + this.n; first += 4 * half) {
      for (let a = first, w = 0; a < first + half; a++, w += step) {
        const b = a + half;
        const c = b + half;
        const d = c + half;
        const ur = this.#cos[2 * w] as number;
        const ui = this.#sin[2 * w] as number;
        const vr = this.#cos[w] as number;
        const vi = this.#sin[w] as number;
        const br = (re[b] as number) * ur - (im[b] as number) * ui;
        const bi = (re[b] as number) * ui + (im[b] as number) * ur;
        const dr = (re[d] as number) * ur - (im[d] as number) * ui;
        const di = (re[d] as number) * ui + (im[d] as number) * ur;
        const sr = (re[a] as number) + br;
        const si = (im[a] as number) + bi;
        const tr = (re[a] as number) - br;
        const ti = (im[a] as number) - bi;
        const er = (re[c] as number) + dr;
        const ei = (im[c] as number) + di;
        const fr = (re[c] as number) - dr;
        const fi = (im[c] as number) - di;
        const pr = er * vr - ei * vi;
        const pi = er * vi + ei * vr;
        // The twiddle of the other half is a quarter turn on: times -i.
        const qr = fr * vi + fi * vr;
        const qi = fi * vi - fr * vr;
        re[a] = sr + pr;
        im[a] = si + pi;
        re[b] = tr + qr;
        im[b] = ti + qi;
        re[c] = sr - pr;
        im[c] = si - pi;
        re[d] = tr - qr;
        im[d] = ti - qi;
      }
    }
  }
}

function addAndSubtract(re: Float64Array, im: Float64Array, a: number, b: number): void {
  const ar = re[a] as number;
  const ai = im[a] as number;
  re[a] = ar + (re[b] as number);
  im[a] = ai + (im[b] as number);
  re[b] = ar - (re[b] as number);
  im[b] = ai - (im[b] as number);
}

function swap(values: Float64Array, i: number, j: number): void {
  const kept = values[i] as number;
  values[i] = values[j] as number;
  values[j] = kept;
}
