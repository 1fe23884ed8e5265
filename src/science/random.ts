/**
 * Random numbers that are the same on every machine and in every order of work: each purpose of each item has a
 * stream of its own, whose seed derives from their names.
 */
import { createHash } from 'node:crypto';

/**
 * The seed of a purpose: 128 bits as 32 hexadecimal digits.
 *
 * The parts are written as text, each as `<length>:<text>` (length in bytes of UTF-8), joined, hashed with SHA-256,
 * and the first 16 bytes kept. So `deriveSeed('a', 'bc')` and `deriveSeed('ab', 'c')` differ. This never changes:
 * seeds are written into results.
 */
export function deriveSeed(...parts: readonly (string | number)[]): string {
  const message = parts.map((part) => `${Buffer.byteLength(String(part))}:${part}`).join('');
  return createHash('sha256').update(message).digest('hex').slice(0, 32);
}

/**
 * A stream of random numbers: the generator xoshiro128** 1.1 of Blackman and Vigna (2021, ACM TOMS 47, 36; period
 * 2^128 - 1), whose state starts as the seed.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** @param seed 32 hexadecimal digits, not all 0, as `deriveSeed` gives */
  constructor(seed: string) {
    if (!/^[0-9a-f]{32}$/.test(seed) || /^0+$/.test(seed))
      throw new RangeError(`the seed is ${JSON.stringify(seed)}, expected 32 hexadecimal digits`);
    const word = (index: number): number => Number.parseInt(seed.slice(8 * index, 8 * index + 8), 16) | 0;
    this.#a = word(0);
    this.#b = word(1);
    this.#c = word(2);
    this.#d = word(3);
  }

  /** An integer in [0, 2^32). */
  uint32(): number {
    const b = this.#b;
    const scrambled = Math.imul(b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
    const c = this.#c ^ this.#a;
    const d = this.#d ^ b;
    this.#b = b ^ c;
    this.#a ^= d;
    this.#c = c ^ (b << 9);
    this.#d = (d << 11) | (d >>> 21);
    return result >>> 0;
  }

  /** A multiple of 2^-53 in [0, 1). */
  uniform(): number {
    const high = this.uint32() >>> 5;
    return (high * 2 ** 26 + (this.uint32() >>> 6)) / 2 ** 53;
  }

  /** Whether something of this probability happens. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** An integer in [0, n), each equally likely; `n` from 1 to 2^32. */
  integer(n: number): number {
    // What is above the last whole multiple of n would make small numbers more likely.
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const value = this.uint32();
      if (value < limit) return value % n;
    }
  }

  /** One of the elements, each equally likely. */
  choose<T>(elements: ArrayLike<T>): T {
    if (elements.length === 0) throw new RangeError('there is nothing to choose from');
    return elements[this.integer(elements.length)] as T;
  }

  /** A standard normal number: the ziggurat of Marsaglia and Tsang with the corrections of Doornik (2005). */
  normal(): number {
    for (;;) {
      const layer = this.uint32() & (layers - 1);
      const u = (this.uint32() + 0.5) * 2 ** -31 - 1;
      const edge = edges[layer] as number;
      if (Math.abs(u) < (ratios[layer] as number)) return u * edge;
      if (layer === 0) return Math.sign(u) * this.#normalTail();
      const x = u * edge;
      const outer = Math.exp(-0.5 * (edge * edge - x * x));
      const inner = Math.exp(-0.5 * ((edges[layer + 1] as number) ** 2 - x * x));
      if (inner + this.uniform() * (outer - inner) < 1) return x;
    }
  }

  #normalTail(): number {
    for (;;) {
      const x = -Math.log(1 - this.uniform()) / tailStart;
      const y = -Math.log(1 - this.uniform());
      if (2 * y >= x * x) return tailStart + x;
    }
  }

  /** A gamma-distributed number of scale 1; `shape` > 0. Marsaglia and Tsang (2000, ACM TOMS 26, 363). */
  gamma(shape: number): number {
    if (!(shape > 0))
      throw new RangeError(`the shape of a gamma distribution is ${shape}, expected more than 0`);
    if (shape < 1) return this.gamma(shape + 1) * (1 - this.uniform()) ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v <= 0) continue;
      const u = 1 - this.uniform();
      if (Math.log(u) < 0.5 * x * x + d * (1 - v + Math.log(v))) return d * v;
    }
  }

  /**
   * A Poisson-distributed count; `mean` from 0 to 2^31. Exact: products of uniforms (Knuth) below 10, above it the
   * transformed rejection PTRS of Hörmann (1993, Insurance: Mathematics and Economics 12, 39).
   */
  poisson(mean: number): number {
    if (!(mean >= 0 && mean <= 2 ** 31))
      throw new RangeError(`the mean of a Poisson distribution is ${mean}, expected 0 to 2^31`);
    return mean < 10 ? this.#smallPoisson(mean) : this.#largePoisson(mean);
  }

  #smallPoisson(mean: number): number {
    const limit = Math.exp(-mean);
    let product = 1 - this.uniform();
    let count = 0;
    while (product > limit) {
      product *= 1 - this.uniform();
      count++;
    }
    return count;
  }

  #largePoisson(mean: number): number {
    const b = 0.931 + 2.53 * Math.sqrt(mean);
    const a = -0.059 + 0.02483 * b;
    const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
    const sureness = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
      const u = this.uniform() - 0.5;
      const v = 1 - this.uniform();
      const s = 0.5 - Math.abs(u);
      const count = Math.floor(((2 * a) / s + b) * u + mean + 0.43);
      if (s >= 0.07 && v <= sureness) return count;
      if (count < 0 || (s < 0.013 && v > s)) continue;
      const density = count * Math.log(mean) - mean - logFactorial(count);
      if (Math.log((v * inverseAlpha) / (a / (s * s) + b)) <= density) return count;
    }
  }
}

/** ln n!, to 1e-13 of its value (Stirling's series from 16 on). */
function logFactorial(n: number): number {
  if (n < 16) {
    let product = 1;
    for (let k = 2; k <= n; k++) product *= k;
    return Math.log(product);
  }
  const series = 1 / 12 - (1 / 360 - (1 / 1260 - 1 / 1680 / (n * n)) / (n * n)) / (n * n);
  return (n + 0.5) * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI) + series / n;
}

/** Layers of the ziggurat, where its tail starts, and the area of each layer. */
const layers = 128;
const tailStart = 3.442619855899;
const layerArea = 9.91256303526217e-3;
/** Right edges of the layers from the widest; the first is that of a box which stands for base and tail together. */
const edges = new Float64Array(layers + 1);
edges[0] = layerArea / Math.exp(-0.5 * tailStart ** 2);
edges[1] = tailStart;
for (let layer = 2; layer < layers; layer++) {
  const before = edges[layer - 1] as number;
  edges[layer] = Math.sqrt(-2 * Math.log(layerArea / before + Math.exp(-0.5 * before ** 2)));
}
const ratios = Float64Array.from(
  { length: layers },
  (_, i) => (edges[i + 1] as number) / (edges[i] as number),
);
