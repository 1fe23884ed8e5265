/** The nominal place on the sky of a field that is made up, or whose file does not say where it is. */
import type { TanTerms } from './wcs.js';

/** Pixel scale of DECam, and the centre of the fields of BLISS's galaxy-clustering case study. */
export const nominalField = {
  ra: 50.64516228577292,
  dec: -40.228830895890404,
  pixelScaleArcsec: 0.263,
} as const;

/**
 * A TAN projection whose reference point is the centre of the field: north up, east to the left.
 *
 * @param width pixels
 * @param height pixels
 * @param ra of the centre, degrees ICRS
 * @param dec of the centre, degrees ICRS
 * @param pixelScaleArcsec arcseconds per pixel
 */
export function fieldWcs(
  width: number,
  height: number,
  ra: number,
  dec: number,
  pixelScaleArcsec: number = nominalField.pixelScaleArcsec,
): TanTerms {
  const scale = pixelScaleArcsec / 3600;
  return {
    crval: [ra, dec],
    crpix: [(width + 1) / 2, (height + 1) / 2],
    cd: [-scale, 0, 0, scale],
    radesys: 'ICRS',
    equinox: undefined,
  };
}
