/**
 * The telescope: the 4 m Blanco's pupil with its obscuration and struts, as GalSim's OpticalPSF samples it.
 *
 * Lengths are in units of the pupil's diameter; the lattice has a pitch of 1/256 and a point at the origin.
 */
import type { Optics } from './psf.js';

/** λ/D of 800 nm and 4 m, arcsec, with the 206265 of the survey's configuration. */
export const lamOverDiam = ((800 * 1e-9) / 4) * 206265;
/** Points of the pupil lie within ± this many lattice steps. */
export const pupilReach = 128;

const lattice = 1 / 256;
const obscuration = 0.3;
const strutHalfWidth = 0.05 / 2;
const strutAngle = (10 * Math.PI) / 180;

/** Whether light goes through lattice point (i, j): inside the rim, outside the obscuration, under none of four struts. */
export function isIlluminated(i: number, j: number): boolean {
  const u = i * lattice;
  const v = j * lattice;
  const r2 = u * u + v * v;
  if (r2 >= 0.25 || r2 < (obscuration / 2) ** 2) return false;
  const cos = Math.cos(-strutAngle);
  const sin = Math.sin(-strutAngle);
  let x = u * cos - v * sin;
  let y = u * sin + v * cos;
  for (let strut = 0; strut < 4; strut++) {
    [x, y] = [y, -x];
    if (Math.abs(x) < strutHalfWidth && y >= 0) return false;
  }
  return true;
}

/** Wavefront error in waves at lattice point (i, j): circular Zernike polynomials, Noll 1976 (JOSA 66, 207). */
export function wavefront(optics: Optics, i: number, j: number): number {
  const x = 2 * i * lattice;
  const y = 2 * j * lattice;
  const r2 = x * x + y * y;
  return (
    Math.sqrt(3) * optics.defocus * (2 * r2 - 1) +
    Math.sqrt(6) * (optics.astig1 * 2 * x * y + optics.astig2 * (x * x - y * y)) +
    Math.sqrt(8) * (3 * r2 - 2) * (optics.coma1 * y + optics.coma2 * x) +
    Math.sqrt(8) * optics.trefoil1 * (3 * x * x * y - y * y * y) +
    Math.sqrt(8) * optics.trefoil2 * (x * x * x - 3 * x * y * y) +
    Math.sqrt(5) * optics.spher * (6 * r2 * r2 - 6 * r2 + 1)
  );
}
