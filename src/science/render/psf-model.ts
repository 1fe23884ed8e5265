/** A point-spread function made ready for drawing: its transform, and how far it reaches. */
import {
  type FineOtf,
  fineStep,
  flatOtf,
  latticeOtf,
  opticalCutoff,
  opticalRadius,
  refineOtf,
} from './otf.js';
import { atmosphereForm, kolmogorovK0, type PsfParams, type Symmetric, shearOfDistortion } from './psf.js';

/** Side of a pixel, arcsec. */
export const pixelArcsec = 0.263;
/** Transforms below e^-15 = 3e-7 of their peak are left out. */
export const depthLimit = 15;
/** The smallest transform; smaller ones would let the wings of the PSF come in from the other side. */
export const smallestTransform = 128;

export interface PsfModel {
  readonly params: PsfParams;
  /** The atmosphere's transform is exp(-(kᵀ form k)^(5/6)); zero without atmosphere. k in rad/arcsec. */
  readonly atmosphere: Symmetric;
  /** 1/e wavenumber of the atmosphere before shear (infinite without one), and the ratio of its long to its short axis. */
  readonly k0: number;
  readonly axisRatio: number;
  /** Nothing is left beyond this wavenumber, rad/arcsec. */
  readonly cutoff: number;
  readonly optics: FineOtf;
  /** Radius of atmosphere and optics that GalSim's stamps are made for, arcsec. */
  readonly radius: number;
}

/** Outside this radius, in units of the FWHM, lies 0.5 % of the light of a Kolmogorov profile. */
const kolmogorovRadius = 5.661242162;

/** Computes the transform of a PSF; about 60 ms when it has optics. */
export function modelPsf(params: PsfParams): PsfModel {
  const { kolmogorov, optical } = params;
  const k0 = kolmogorov === undefined ? Number.POSITIVE_INFINITY : kolmogorovK0(kolmogorov.fwhm);
  const g = kolmogorov === undefined ? 0 : shearOfDistortion(kolmogorov.e);
  const axisRatio = (1 + g) / (1 - g);
  const cutoff = Math.min(
    k0 * depthLimit ** (3 / 5) * Math.sqrt(axisRatio),
    optical === undefined ? Number.POSITIVE_INFINITY : opticalCutoff,
  );
  const coarsest = (2 * Math.PI) / (smallestTransform * pixelArcsec);
  // Blocks of four modes may begin or end beyond the cutoff, and interpolation looks three steps further.
  const fineReach = Math.ceil((cutoff + 5 * coarsest) / fineStep) + 4;
  const lattice = optical && latticeOtf(optical);
  const atmosphereRadius = kolmogorovRadius * (kolmogorov?.fwhm ?? 0) * Math.sqrt(axisRatio);
  return {
    params,
    atmosphere: kolmogorov === undefined ? { xx: 0, xy: 0, yy: 0 } : atmosphereForm(kolmogorov),
    k0,
    axisRatio,
    cutoff,
    optics: lattice === undefined ? flatOtf(fineReach) : refineOtf(lattice, fineReach),
    radius: Math.hypot(atmosphereRadius, lattice === undefined ? 0 : opticalRadius(lattice)),
  };
}
