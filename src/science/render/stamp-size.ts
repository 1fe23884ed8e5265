/** The square of pixels a source is drawn on, as GalSim chooses it, or large enough that its edge is never seen. */
import { type PsfModel, pixelArcsec } from './psf-model.js';

/** `galsim`: drop what GalSim drops. `none`: reach until nothing visible is left. */
export type Truncate = 'galsim' | 'none';

/** A source in 1-based pixel coordinates: the first pixel's centre is (1, 1). */
export interface SourceShape {
  readonly x: number;
  readonly y: number;
  /** Half-light radius of the Gaussian, arcsec. */
  readonly hlr: number;
  readonly g1: number;
  readonly g2: number;
  /** Flux in the brightest band. */
  readonly flux: number;
}

/** First and last pixel of a stamp on both axes, 1-based and inclusive. */
export interface StampBounds {
  readonly xMin: number;
  readonly xMax: number;
  readonly yMin: number;
  readonly yMax: number;
}

/** σ of a Gaussian is its half-light radius over sqrt(2 ln 2). */
export const hlrPerSigma = Math.sqrt(2 * Math.LN2);

/** What `none` leaves out is below this part of the source's own peak, and below this flux in a pixel (zero point 30). */
const leftOutOfPeak = 2e-6;
const leftOutFlux = 1e-3;
/** Stamps are made larger than GalSim's up to this side, px. */
const largestWings = 4096;

/** Side of the stamp in pixels, even; infinite or NaN when the shape cannot be drawn. */
export function stampSide(psf: PsfModel, source: SourceShape, truncate: Truncate): number {
  const { x, y, hlr } = source;
  const g = Math.hypot(source.g1, source.g2);
  const galaxyRadius = 5 * hlr * Math.sqrt((1 + g) / (1 - g));
  const shift = Math.hypot(x - Math.floor(x) - 1, y - Math.floor(y) - 1);
  const side = evenSide(Math.sqrt(galaxyRadius ** 2 + psf.radius ** 2) / pixelArcsec + shift);
  if (truncate === 'galsim' || !Number.isFinite(psf.k0)) return side;
  const wings = Math.hypot(galaxyRadius, wingRadius(psf, source, g)) / pixelArcsec + shift;
  return Math.max(side, Math.min(evenSide(wings), largestWings));
}

/** GalSim's even size for a profile of so many pixels' radius: the transform's period 2 sqrt(R² + 1), rounded up. */
const evenSide = (radius: number): number =>
  2 * Math.ceil(Math.ceil(2 * Math.sqrt(radius ** 2 + 1) * (1 - 1e-12)) / 2);

/**
 * Where the wing of the atmosphere, 2^α Γ(1+α/2) / (π |Γ(-α/2)|) k0^-α r^-(2+α) with α = 5/3, has fallen to what may be
 * left out; twice the wing, because the next term of the series and the optics add to it. Arcsec.
 */
function wingRadius({ k0 }: PsfModel, { hlr, flux }: SourceShape, g: number): number {
  const wing = 2 * 0.1423 * k0 ** (-5 / 3);
  const sigma2 = (hlr / hlrPerSigma) ** 2;
  const ratio = (1 + g) / (1 - g);
  // A Gaussian as high as the atmosphere's profile at its centre has a variance of 1.815 / k0².
  const core = 1.815 / k0 ** 2;
  const peak = 1 / (2 * Math.PI * Math.sqrt((sigma2 * ratio + core) * (sigma2 / ratio + core)));
  const brightness = Math.min(leftOutOfPeak * peak, leftOutFlux / (flux * pixelArcsec ** 2));
  return (wing / brightness) ** (3 / 11);
}

/** The stamp of `side` pixels around a source. */
export function stampBounds({ x, y }: Pick<SourceShape, 'x' | 'y'>, side: number): StampBounds {
  const column = Math.floor(x);
  const row = Math.floor(y);
  return {
    xMin: column + 1 - side / 2,
    xMax: column + side / 2,
    yMin: row + 1 - side / 2,
    yMax: row + side / 2,
  };
}
