import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { FlatCosmology } from '../../src/science/cosmology.js';

interface Golden {
  readonly h0: number;
  readonly om: number;
  readonly z: number;
  readonly efunc: number;
  readonly comoving_mpc: number;
  readonly angular_mpc: number;
  readonly volume_mpc3_per_sr: number;
}

const golden = JSON.parse(
  readFileSync(new URL('../fixtures/cosmology/astropy.json', import.meta.url), 'utf8'),
) as readonly Golden[];

it.each(golden)('agrees with astropy at z = $z, H0 = $h0', (row) => {
  const cosmology = new FlatCosmology(row);
  const ratios = [
    cosmology.efunc(row.z) / row.efunc,
    cosmology.comovingDistanceMpc(row.z) / row.comoving_mpc,
    cosmology.angularDiameterDistanceMpc(row.z) / row.angular_mpc,
    cosmology.differentialVolume(row.z) / row.volume_mpc3_per_sr,
  ];
  for (const ratio of ratios) expect(Math.abs(ratio - 1)).toBeLessThan(1e-9);
});

it('has no distance to here', () => {
  expect(new FlatCosmology({ h0: 70, om: 0.3 }).comovingDistanceMpc(0)).toBe(0);
});
