/** Checks an image and plans how its rows are read, before any of them is. */
import { FormatError } from '../errors.js';
import { type Element, elementOfBitpix, type Scaling } from './elements.js';
import { type FitsFile, type Hdu, hduAt } from './file.js';
import type { Header } from './header.js';
import type { ByteRegion } from './source.js';
import type { TileStorage } from './tile-storage.js';
import { planTiles } from './tiles.js';

/** Above this a header is not believed: 65536 pixels squared. */
const MAX_PIXELS = 2 ** 32;

/**
 * Everything needed to decode the rows of one image: plain data that a worker thread can be sent. What is large in
 * it is shared memory, so sending costs nothing.
 */
export interface PlanePlan {
  readonly region: ByteRegion;
  readonly hdu: number;
  readonly width: number;
  readonly height: number;
  /** Product of the axes beyond the second; a plane after the other, there are `height · depth` rows. */
  readonly depth: number;
  /** `f32` for float32 and integers of at most 16 bits, `f64` for the rest: what holds every pixel exactly. */
  readonly dtype: 'f32' | 'f64';
  readonly scaling: Scaling;
  readonly storage: TileStorage | PlainStorage;
}

/** Pixels as they are, row after row. */
export interface PlainStorage {
  readonly kind: 'plain';
  readonly element: Element;
  /** First byte of the pixels, from the start of the region. */
  readonly start: number;
}

/**
 * Checks an image HDU, compressed or not, and plans how its rows are read.
 *
 * @throws FormatError `fits_no_such_hdu`, `fits_header`, `fits_compressed`, `fits_unsupported`, `fits_too_large`
 */
export function planPlane(file: FitsFile, hduIndex: number): PlanePlan {
  const hdu = hduAt(file, hduIndex);
  if (hdu.kind !== 'image' && hdu.kind !== 'compressed-image') {
    const images = file.hdus.filter(({ kind }) => kind.endsWith('image')).map(({ index }) => index);
    const message = `HDU ${hduIndex} holds no image (it is: ${hdu.kind}); images are in: ${images.join(', ') || 'none'}`;
    throw new FormatError('fits_no_such_hdu', message, { place: hdu.header.place });
  }
  const isCompressed = hdu.kind === 'compressed-image';
  const { header } = hdu;
  const bitpix = header.bitpix(isCompressed ? 'ZBITPIX' : 'BITPIX');
  const [width = 0, height = 1, ...further] = header.axes(isCompressed ? 'ZNAXIS' : 'NAXIS');
  const depth = further.reduce((product, axis) => product * axis, 1);
  const pixels = width * height * depth;
  if (pixels > MAX_PIXELS) {
    const message = `the image is declared to have ${width} x ${height} x ${depth} pixels, at most ${MAX_PIXELS} are read`;
    throw new FormatError('fits_too_large', message, { place: header.place });
  }
  if (pixels === 0)
    throw new FormatError('fits_header', 'the image has an axis of length 0', { place: header.place });
  return {
    region: file.region,
    hdu: hduIndex,
    width,
    height,
    depth,
    dtype: bitpix === 8 || bitpix === 16 || bitpix === -32 ? 'f32' : 'f64',
    scaling: readScaling(header, bitpix),
    storage: isCompressed ? planTiles(file, hdu, [width, height, depth]) : planPlain(hdu, bitpix),
  };
}

function planPlain(hdu: Hdu, bitpix: number): PlainStorage {
  return { kind: 'plain', element: elementOfBitpix(bitpix), start: hdu.dataOffset };
}

function readScaling(header: Header, bitpix: number): Scaling {
  const blank = header.get('BLANK') ?? header.get('ZBLANK');
  const isInteger = typeof blank === 'bigint' || Number.isInteger(blank);
  return {
    slope: header.number('BSCALE', 1),
    zero: header.number('BZERO', 0),
    blank: bitpix > 0 && isInteger ? (blank as number | bigint) : undefined,
  };
}
