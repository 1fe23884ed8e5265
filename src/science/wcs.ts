/**
 * The gnomonic (TAN) world coordinates of an image, after Calabretta & Greisen 2002 (A&A 395, 1077).
 *
 * This is the only file that converts between FITS pixels, whose first centre is (1, 1), and array pixels `[x, y]`,
 * whose first centre is (0, 0).
 */

export type WcsErrorCode = 'wcs_missing' | 'wcs_singular' | 'wcs_unsupported';

/** A header has no world coordinates, or none that can be used. The caller adds the file to the message's place. */
export class WcsError extends Error {
  override readonly name = 'WcsError';
  readonly code: WcsErrorCode;

  constructor(code: WcsErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Array coordinates: x along a row, y across rows, both from 0 at the centre of the first pixel. */
export type PixelPosition = readonly [x: number, y: number];
/** Right ascension (0 to 360) and declination, in degrees. */
export type SkyPosition = readonly [ra: number, dec: number];

/** What defines a TAN projection; plain data that survives JSON and structured clone. */
export interface TanTerms {
  /** Reference point on the sky, degrees. */
  readonly crval: SkyPosition;
  /** Reference point in FITS pixels (from 1). */
  readonly crpix: readonly [number, number];
  /** Degrees per pixel: CD1_1, CD1_2, CD2_1, CD2_2. */
  readonly cd: readonly [number, number, number, number];
  readonly radesys: string | undefined;
  readonly equinox: number | undefined;
}

/** A card of a FITS header that is to be written. */
export type WcsCard = readonly [keyword: string, value: string | number, comment: string];

const RADIAN = 180 / Math.PI;
/** A matrix whose determinant is this small beside its elements has lost one of its directions. */
const SINGULAR = 1e-12;

export class TanWcs {
  readonly terms: TanTerms;
  private readonly inverse: readonly [number, number, number, number];
  private readonly sinDec: number;
  private readonly cosDec: number;

  /** @throws WcsError `wcs_singular` */
  constructor(terms: TanTerms) {
    const [a, b, c, d] = terms.cd;
    const determinant = a * d - b * c;
    if (!(Math.abs(determinant) > SINGULAR * (a * a + b * b + c * c + d * d))) {
      throw new WcsError('wcs_singular', `the matrix CD = [[${a}, ${b}], [${c}, ${d}]] has no inverse`);
    }
    this.terms = terms;
    this.inverse = [d / determinant, -b / determinant, -c / determinant, a / determinant];
    this.sinDec = Math.sin(terms.crval[1] / RADIAN);
    this.cosDec = Math.cos(terms.crval[1] / RADIAN);
  }

  /**
   * Reads CTYPE, CRVAL, CRPIX, CUNIT and the matrix (CD, else PC with CDELT, else CROTA2 with CDELT).
   *
   * @param get the value of a header keyword, undefined when absent
   * @throws WcsError `wcs_missing`, `wcs_singular`, or `wcs_unsupported` with the name of what is not read
   */
  static fromHeader(get: (keyword: string) => unknown): TanWcs {
    refuseOthers(get);
    const number = (keyword: string, fallback?: number): number => {
      const value = get(keyword) ?? fallback;
      if (typeof value === 'number' && Number.isFinite(value)) return value;
      throw new WcsError(
        'wcs_missing',
        `${keyword} is ${value === undefined ? 'missing' : String(value)}, expected a number`,
      );
    };
    const crval: SkyPosition = [number('CRVAL1'), number('CRVAL2')];
    if (Math.abs(crval[1]) > 90)
      throw new WcsError('wcs_missing', `CRVAL2 is ${crval[1]}, expected -90 to 90`);
    // At the pole itself the default of LONPOLE is 0, elsewhere 180 (paper II, section 2.2).
    const lonpole = number('LONPOLE', crval[1] === 90 ? 0 : 180);
    if (lonpole !== 180) throw new WcsError('wcs_unsupported', `LONPOLE is ${lonpole}, only 180 is read`);
    const radesys = get('RADESYS');
    const equinox = get('EQUINOX');
    return new TanWcs({
      crval,
      crpix: [number('CRPIX1'), number('CRPIX2')],
      cd: readMatrix(get, number),
      radesys: typeof radesys === 'string' && radesys !== '' ? radesys : undefined,
      equinox: typeof equinox === 'number' ? equinox : undefined,
    });
  }

  /** The sky position of an array position. */
  toSky([x, y]: PixelPosition): SkyPosition {
    const { cd, crpix, crval } = this.terms;
    const dx = x + 1 - crpix[0];
    const dy = y + 1 - crpix[1];
    const xi = (cd[0] * dx + cd[1] * dy) / RADIAN;
    const eta = (cd[2] * dx + cd[3] * dy) / RADIAN;
    // A vector along the line of sight: towards the reference meridian, eastwards, towards the pole.
    const forward = this.cosDec - eta * this.sinDec;
    const up = this.sinDec + eta * this.cosDec;
    const ra = crval[0] + Math.atan2(xi, forward) * RADIAN;
    return [((ra % 360) + 360) % 360, Math.atan2(up, Math.hypot(xi, forward)) * RADIAN];
  }

  /** The array position of a sky position; NaN on the half of the sky that a TAN projection does not show. */
  toPixel([ra, dec]: SkyPosition): PixelPosition {
    const { crpix, crval } = this.terms;
    const deltaRa = (ra - crval[0]) / RADIAN;
    const sin = Math.sin(dec / RADIAN);
    const cos = Math.cos(dec / RADIAN);
    // 1 - cos by the half angle keeps the digits that a difference of two near numbers would lose.
    const versine = 2 * Math.sin(deltaRa / 2) ** 2;
    const depth = this.sinDec * sin + this.cosDec * cos * (1 - versine);
    if (depth <= 0) return [Number.NaN, Number.NaN];
    const xi = ((cos * Math.sin(deltaRa)) / depth) * RADIAN;
    const deltaDec = Math.sin((dec - crval[1]) / RADIAN);
    const eta = ((deltaDec + this.sinDec * cos * versine) / depth) * RADIAN;
    const [a, b, c, d] = this.inverse;
    return [a * xi + b * eta + crpix[0] - 1, c * xi + d * eta + crpix[1] - 1];
  }

  /** The coordinates of a window whose first pixel is the parent's `(dx, dy)`. */
  shifted(dx: number, dy: number): TanWcs {
    const { crpix } = this.terms;
    return new TanWcs({ ...this.terms, crpix: [crpix[0] - dx, crpix[1] - dy] });
  }

  /** Sky area of one pixel at the reference point. */
  get pixelAreaSquareDegrees(): number {
    const [a, b, c, d] = this.terms.cd;
    return Math.abs(a * d - b * c);
  }

  /** The cards of this projection, for a FITS header. */
  cards(): WcsCard[] {
    const { crval, crpix, cd, radesys, equinox } = this.terms;
    return [
      ['WCSAXES', 2, 'number of world coordinate axes'],
      ['CTYPE1', 'RA---TAN', 'right ascension, gnomonic projection'],
      ['CTYPE2', 'DEC--TAN', 'declination, gnomonic projection'],
      ['CUNIT1', 'deg', 'unit of CRVAL1'],
      ['CUNIT2', 'deg', 'unit of CRVAL2'],
      ['CRVAL1', crval[0], '[deg] right ascension of the reference point'],
      ['CRVAL2', crval[1], '[deg] declination of the reference point'],
      ['CRPIX1', crpix[0], '[pixel] reference point, x from 1'],
      ['CRPIX2', crpix[1], '[pixel] reference point, y from 1'],
      ['CD1_1', cd[0], '[deg/pixel]'],
      ['CD1_2', cd[1], '[deg/pixel]'],
      ['CD2_1', cd[2], '[deg/pixel]'],
      ['CD2_2', cd[3], '[deg/pixel]'],
      ...(radesys === undefined ? [] : [['RADESYS', radesys, 'celestial reference system'] as const]),
      ...(equinox === undefined ? [] : [['EQUINOX', equinox, '[yr] equinox of the coordinates'] as const]),
    ];
  }

  /** Plain data for JSON and for other threads; `new TanWcs(terms)` makes it whole again. */
  toJSON(): TanTerms {
    return this.terms;
  }
}

/** Everything but a plain TAN in degrees is refused by its name: near enough is wrong by arcseconds. */
function refuseOthers(get: (keyword: string) => unknown): void {
  for (const [axis, expected] of [
    [1, 'RA---TAN'],
    [2, 'DEC--TAN'],
  ] as const) {
    const type = get(`CTYPE${axis}`);
    if (typeof type !== 'string' || type.trim() === '') {
      throw new WcsError('wcs_missing', `CTYPE${axis} is missing, expected ${expected}`);
    }
    if (type.trim() !== expected) {
      throw new WcsError('wcs_unsupported', `CTYPE${axis} is ${type.trim()}, only ${expected} is read`);
    }
    const unit = get(`CUNIT${axis}`);
    if (typeof unit === 'string' && !['', 'deg'].includes(unit.trim())) {
      throw new WcsError('wcs_unsupported', `CUNIT${axis} is ${unit.trim()}, only deg is read`);
    }
    // SCAMP once wrote its polynomial under the plain name TAN; SIP and lookup tables come beside it, too.
    const distortions = [
      ['SIP', `${axis === 1 ? 'A' : 'B'}_ORDER`],
      ['lookup table', `CPDIS${axis}`],
      ['lookup table', `CQDIS${axis}`],
      ...Array.from({ length: 40 }, (_, term) => ['PV polynomial', `PV${axis}_${term}`] as const),
    ] as const;
    for (const [name, keyword] of distortions) {
      if (get(keyword) === undefined) continue;
      throw new WcsError(
        'wcs_unsupported',
        `${keyword} declares a ${name} distortion, only plain TAN is read`,
      );
    }
  }
}

type NumberOf = (keyword: string, fallback?: number) => number;

/** The matrix in degrees per pixel, from whichever of the three ways the header uses. */
function readMatrix(get: (keyword: string) => unknown, number: NumberOf): TanTerms['cd'] {
  const elements = ['1_1', '1_2', '2_1', '2_2'] as const;
  if (elements.some((element) => get(`CD${element}`) !== undefined)) {
    return [number('CD1_1', 0), number('CD1_2', 0), number('CD2_1', 0), number('CD2_2', 0)];
  }
  const x = number('CDELT1');
  const y = number('CDELT2');
  if (get('CROTA2') !== undefined && elements.every((element) => get(`PC${element}`) === undefined)) {
    const angle = number('CROTA2') / RADIAN;
    return [x * Math.cos(angle), -y * Math.sin(angle), x * Math.sin(angle), y * Math.cos(angle)];
  }
  return [x * number('PC1_1', 1), x * number('PC1_2', 0), y * number('PC2_1', 0), y * number('PC2_2', 1)];
}
