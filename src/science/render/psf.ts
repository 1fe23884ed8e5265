/** The point-spread function of a field: atmosphere and optics, in the form of its JSON record. */

/** Kolmogorov turbulence, sheared. */
export interface Kolmogorov {
  /** Full width at half maximum, arcsec. */
  readonly fwhm: number;
  /** Distortion (a² - b²) / (a² + b²), from 0 to below 1. */
  readonly e: number;
  /** Position angle of the long axis, radians from +x to +y. */
  readonly beta: number;
}

/** Aberrations, in the order of their Noll indices 4 to 11, but for the trefoils: as GalSim names them. */
export const aberrations = [
  'defocus',
  'astig1',
  'astig2',
  'coma1',
  'coma2',
  'trefoil1',
  'trefoil2',
  'spher',
] as const;
export type Aberration = (typeof aberrations)[number];

/** Amplitudes of circular Zernike polynomials on the pupil, waves of 800 nm. */
export type Optics = Readonly<Record<Aberration, number>>;

/** A part that is left out does not blur. */
export interface PsfParams {
  readonly kolmogorov?: Kolmogorov;
  readonly optical?: Optics;
}

/** A description of a PSF that cannot be one. */
export class PsfError extends Error {
  override readonly name = 'PsfError';
  readonly code = 'config_invalid';
  readonly hint =
    'write {"kolmogorov": {"fwhm", "e", "beta"}, "optical": {"defocus", "astig1" … "spher"}}, or one of the two';
}

/**
 * The parameters in a JSON record, or in one that has them under `psf`.
 *
 * @throws PsfError `config_invalid` that says what was found and what was expected
 */
export function parsePsf(json: unknown): PsfParams {
  const record = objectOf(json, 'the PSF');
  const psf = 'psf' in record ? objectOf(record.psf, 'psf') : record;
  const unknown = Object.keys(psf).filter((key) => key !== 'kolmogorov' && key !== 'optical');
  if (unknown.length > 0)
    throw new PsfError(`the PSF has a part ${quoted(unknown)}, expected kolmogorov or optical`);
  // Python writes null for what it does not have.
  const kolmogorov = isMissing(psf.kolmogorov) ? undefined : kolmogorovOf(psf.kolmogorov);
  const optical = isMissing(psf.optical) ? undefined : numbersOf(psf.optical, 'optical', aberrations);
  if (kolmogorov === undefined && optical === undefined)
    throw new PsfError('the PSF has neither a kolmogorov nor an optical part');
  return { ...(kolmogorov && { kolmogorov }), ...(optical && { optical }) };
}

function kolmogorovOf(json: unknown): Kolmogorov {
  const kolmogorov = numbersOf(json, 'kolmogorov', ['fwhm', 'e', 'beta'] as const);
  const { fwhm, e } = kolmogorov;
  if (!(fwhm >= 0.05 && fwhm <= 20))
    throw new PsfError(`kolmogorov.fwhm is ${fwhm}, expected 0.05 to 20 (arcsec)`);
  if (!(e >= 0 && e < 1)) throw new PsfError(`kolmogorov.e is ${e}, expected 0 to below 1`);
  return kolmogorov;
}

function numbersOf<const K extends string>(
  json: unknown,
  part: string,
  keys: readonly K[],
): Readonly<Record<K, number>> {
  const record = objectOf(json, part);
  const unknown = Object.keys(record).filter((key) => !(keys as readonly string[]).includes(key));
  if (unknown.length > 0)
    throw new PsfError(`${part} has a value ${quoted(unknown)}, expected ${keys.join(', ')}`);
  for (const key of keys) {
    const value = record[key];
    if (typeof value !== 'number' || !Number.isFinite(value))
      throw new PsfError(`${part}.${key} is ${JSON.stringify(value) ?? 'missing'}, expected a number`);
  }
  return record as Record<K, number>;
}

function objectOf(json: unknown, what: string): Record<string, unknown> {
  if (typeof json === 'object' && json !== null && !Array.isArray(json))
    return json as Record<string, unknown>;
  throw new PsfError(`${what} is ${JSON.stringify(json) ?? 'missing'}, expected an object`);
}

const isMissing = (part: unknown): boolean => part === undefined || part === null;

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

/** A symmetric 2 × 2 matrix. */
export interface Symmetric {
  readonly xx: number;
  readonly xy: number;
  readonly yy: number;
}

/** The area-preserving shear matrix S = [[1+g1, g2], [g2, 1-g1]] / sqrt(1 - g²), squared: S Sᵀ = Sᵀ S. */
export function shearSquared(g1: number, g2: number): Symmetric {
  const scale = 1 / (1 - g1 * g1 - g2 * g2);
  const both = 2 * g2 * scale;
  return {
    xx: ((1 + g1) * (1 + g1) + g2 * g2) * scale,
    xy: both,
    yy: ((1 - g1) * (1 - g1) + g2 * g2) * scale,
  };
}

/**
 * |k| at which the unsheared atmosphere has fallen to 1/e, rad/arcsec: exp(-(k/k0)^(5/3)).
 * 2.9929… = 2π (24 Γ(6/5) / 5)^(-1/2); λ/r0 = fwhm / 0.9758634299 (Fried 1966, JOSA 56, 1372).
 */
export const kolmogorovK0 = (fwhm: number): number => (2.992939911888651 * 0.9758634299) / fwhm;

/** |k' |² / k0² of the sheared atmosphere as a quadratic form of k: transfer is exp(-(form)^(5/6)). */
export function atmosphereForm({ fwhm, e, beta }: Kolmogorov): Symmetric {
  const g = shearOfDistortion(e);
  const { xx, xy, yy } = shearSquared(g * Math.cos(2 * beta), g * Math.sin(2 * beta));
  const scale = kolmogorovK0(fwhm) ** -2;
  return { xx: xx * scale, xy: xy * scale, yy: yy * scale };
}

/** Reduced shear g = (a - b) / (a + b) of a distortion e = (a² - b²) / (a² + b²). */
export const shearOfDistortion = (e: number): number => Math.tanh(Math.atanh(e) / 2);
