/** Errors of magnitudes as a survey would measure them. */
import { catalogBands } from '../catalog.js';
import type { Random } from '../random.js';
import type { Population } from './population.js';

/** Plain data; keys as in the options of `sample`. */
export interface MagnitudeNoise {
  readonly enabled: boolean;
  /** Error that bright sources have, too. */
  readonly floor: number;
  /** Magnitudes at which a source is ten times as bright as its noise. */
  readonly depth_g: number;
  readonly depth_r: number;
  readonly depth_i: number;
  readonly depth_z: number;
}

/** Depths of DES SVA1 and Y1 coadds, rounded. */
export const noiseDefaults: MagnitudeNoise = {
  enabled: false,
  floor: 0.01,
  depth_g: 24.5,
  depth_r: 24.3,
  depth_i: 23.5,
  depth_z: 22.9,
};

/** Standard error of a magnitude: the floor, and 0.1086 mag at the depth of ten sigmas (1.0857 / 10). */
export const magnitudeError = (magnitude: number, depth: number, floor: number): number =>
  Math.hypot(floor, 0.1086 * 10 ** (0.4 * (magnitude - depth)));

/** Scatters the magnitudes of all sources, in place. */
export function addNoise(noise: MagnitudeNoise, population: Population, random: Random): void {
  if (!noise.enabled) return;
  for (let index = 0; index < population.count; index++) {
    for (const band of catalogBands) {
      const magnitudes = population.magnitudes[band];
      const magnitude = magnitudes[index] as number;
      magnitudes[index] =
        magnitude + magnitudeError(magnitude, noise[`depth_${band}`], noise.floor) * random.normal();
    }
  }
}
