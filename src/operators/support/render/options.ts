/** What the options of `render` say of the PSF and the noise, and what they come to for one field. */
import { readFile } from 'node:fs/promises';
import { field } from '../../../config/field.js';
import { EngineError } from '../../../engine/errors.js';
import type { CatalogBand } from '../../../science/catalog.js';
import { type Distribution, draw } from '../../../science/distribution.js';
import { deriveSeed, Random } from '../../../science/random.js';
import { type BandNoise, desDepth, noiseSeed, sigmaOfDepth } from '../../../science/render/noise.js';
import { aberrations, type PsfParams, parsePsf } from '../../../science/render/psf.js';

const aberration = (sigma: number, doc: string) =>
  field.distribution({ default: { normal: [0, sigma] }, unit: 'waves', doc });

const psfFields = field.group(
  {
    fwhm: field.distribution({
      default: { bins: [0.6, 0.7, 0.8, 0.9, 1, 1.1], probabilities: [0.05, 0.15, 0.3, 0.35, 0.15] },
      min: 0.05,
      max: 20,
      unit: 'arcsec',
      doc: 'Full width at half maximum of the atmosphere (Kolmogorov).',
    }),
    e: field.distribution({
      default: { uniform: [0.01, 0.03] },
      min: 0,
      max: 0.9,
      doc: 'Distortion (a² - b²)/(a² + b²) of the atmosphere.',
    }),
    beta: field.distribution({
      default: { uniform: [0, 2 * Math.PI] },
      unit: 'rad',
      doc: 'Position angle of that distortion, from +x to +y.',
    }),
    defocus: aberration(0.13, 'Defocus: coefficient of Zernike polynomial Noll 4.'),
    astig1: aberration(0.13, 'Astigmatism, Noll 5.'),
    astig2: aberration(0.14, 'Astigmatism, Noll 6.'),
    coma1: aberration(0.06, 'Coma, Noll 7.'),
    coma2: aberration(0.06, 'Coma, Noll 8.'),
    trefoil1: aberration(0.05, 'Trefoil, Noll 9.'),
    trefoil2: aberration(0.06, 'Trefoil, Noll 10.'),
    spher: aberration(0.03, 'Spherical aberration, Noll 11.'),
  },
  { doc: 'Drawn once for each field; tails of normal distributions are cut at the limits.' },
);

export const psfField = field.oneOf(
  [field.path({ doc: 'A JSON file with a PSF, or with one under the key psf.' }), psfFields],
  { default: {}, doc: 'PSF, the same in all bands: a JSON file, or how its parameters are drawn.' },
);

/** How the parameters of a PSF are drawn. */
type PsfDistributions = Readonly<Record<'fwhm' | 'e' | 'beta' | (typeof aberrations)[number], Distribution>>;

/**
 * Reads the JSON file that the option names, if it names one.
 *
 * @throws EngineError `config_invalid` when it cannot be read, or is no PSF
 */
export async function readPsf(option: string | PsfDistributions): Promise<PsfParams | PsfDistributions> {
  if (typeof option !== 'string') return option;
  try {
    return parsePsf(JSON.parse(await readFile(option, 'utf8')));
  } catch (error) {
    const { message, hint } = error as Error & { hint?: string };
    throw new EngineError('config_invalid', `render.psf cannot be read: ${message}`, {
      place: { file: option },
      hint: hint ?? 'name a JSON file with a PSF',
      cause: error,
    });
  }
}

/** The PSF of the field with this seed. */
export function psfOf(option: PsfParams | PsfDistributions, seed: string): PsfParams {
  if (!('fwhm' in option)) return option;
  const random = new Random(deriveSeed(seed, 'psf'));
  const kolmogorov = {
    fwhm: within(draw(option.fwhm, random), 0.05, 20),
    e: within(draw(option.e, random), 0, 0.9),
    beta: draw(option.beta, random),
  };
  const waves = aberrations.map((name) => [name, draw(option[name], random)] as const);
  return parsePsf({ kolmogorov, optical: Object.fromEntries(waves) });
}

const within = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

export const noiseField = field.group(
  {
    preset: field.choice(['none', 'bliss', 'des'], {
      default: 'bliss',
      doc: 'bliss: nearly none, the same variance in all bands. des: as deep as the coadds of DES DR2.',
    }),
    variance: field.optional(
      field.distribution({
        min: 0,
        doc: 'Of preset bliss: variance of a pixel at zero point 30, drawn once for each field; left out: from 0.002 to 0.006.',
        example: { uniform: [0.002, 0.006] },
      }),
    ),
    depth: field.optional(
      field.list(field.number({ doc: 'Magnitude.', min: 10, max: 40 }), {
        unit: 'mag',
        min: 1,
        doc: 'Of preset des: magnitude at S/N 10 in an aperture of 1.95″, one for each band; left out: those of DES DR2.',
      }),
    ),
    shared: field.bool({
      default: false,
      doc: 'Every band gets the same noise, scaled to its depth, as in BLISS; otherwise each has its own.',
    }),
  },
  {
    doc: 'Noise of the sky: normal, and independent from pixel to pixel.',
    check: ({ preset, variance, depth }) =>
      Object.entries({ variance: [variance, 'bliss'], depth: [depth, 'des'] }).flatMap(
        ([path, [value, of]]) =>
          value === undefined || preset === of
            ? []
            : [
                {
                  path,
                  message: `${path} belongs to preset ${of}, not ${preset}`,
                  hint: `use noise.preset=${of}`,
                },
              ],
      ),
  },
);

export interface NoiseOption {
  readonly preset: 'none' | 'bliss' | 'des';
  readonly variance: Distribution | undefined;
  readonly depth: readonly number[] | undefined;
  readonly shared: boolean;
}

/** The noise of each band of the field with this seed; undefined for none. */
export function noiseOf(
  option: NoiseOption,
  bands: readonly CatalogBand[],
  seed: string,
): readonly BandNoise[] | undefined {
  if (option.preset === 'none') return undefined;
  const distribution = option.variance ?? { uniform: [0.002, 0.006] };
  const variance = Math.max(0, draw(distribution, new Random(deriveSeed(seed, 'noise_variance'))));
  return bands.map((band, index) => ({
    sigma:
      option.preset === 'bliss' ? Math.sqrt(variance) : sigmaOfDepth(option.depth?.[index] ?? desDepth[band]),
    seed: noiseSeed(seed, option.shared ? 'all' : band),
  }));
}
