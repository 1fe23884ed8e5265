/** Distances in a flat universe of matter and a cosmological constant (Hogg 1999, astro-ph/9905116). */

const lightSpeedKmS = 299_792.458;

/** Plain data: Hubble constant in km/s/Mpc, and matter density today in units of the critical one. */
export interface CosmologyParameters {
  readonly h0: number;
  readonly om: number;
}

export class FlatCosmology {
  /** Hubble constant in units of 100 km/s/Mpc. */
  readonly h: number;
  readonly #om: number;
  readonly #hubbleDistanceMpc: number;

  constructor({ h0, om }: CosmologyParameters) {
    this.h = h0 / 100;
    this.#om = om;
    this.#hubbleDistanceMpc = lightSpeedKmS / h0;
  }

  /** H(z) / H0. */
  efunc(z: number): number {
    return Math.sqrt(this.#om * (1 + z) ** 3 + 1 - this.#om);
  }

  /** Line-of-sight comoving distance, Mpc. To 1e-9 up to z = 10. */
  comovingDistanceMpc(z: number): number {
    // In u = ln(1 + z), where the integrand is smoother than in z.
    const half = Math.log1p(z) / 2;
    let sum = 0;
    for (const [x, weight] of gaussLegendre) {
      const onePlusZ = Math.exp(half * (1 + x));
      sum += (weight * onePlusZ) / this.efunc(onePlusZ - 1);
    }
    return this.#hubbleDistanceMpc * half * sum;
  }

  /** Angular diameter distance, Mpc: proper length per radian on the sky. */
  angularDiameterDistanceMpc(z: number): number {
    return this.comovingDistanceMpc(z) / (1 + z);
  }

  /** Comoving volume per redshift and solid angle, Mpc³/sr. */
  differentialVolume(z: number): number {
    return (this.#hubbleDistanceMpc * this.comovingDistanceMpc(z) ** 2) / this.efunc(z);
  }
}

/** Nodes and weights of Gauss-Legendre integration on [-1, 1], by Newton's method from Chebyshev's nodes. */
const gaussLegendre: readonly (readonly [x: number, weight: number])[] = Array.from(
  { length: 24 },
  (_, i) => {
    const n = 24;
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let slope = 1;
    for (let step = 0; step < 8; step++) {
      let before = 1;
      let value = x;
      for (let k = 2; k <= n; k++)
        [before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k];
      slope = (n * (x * value - before)) / (x * x - 1);
      x -= value / slope;
    }
    return [x, 2 / ((1 - x * x) * slope * slope)] as const;
  },
);
