/** Opens one band of a tile: headers, checksums and the plan of its pixels. */
import { FormatError } from '../../../formats/errors.js';
import { onesComplementSum } from '../../../formats/fits/checksum.js';
import { type FitsFile, type Hdu, openFits, verifyChecksum } from '../../../formats/fits/file.js';
import { type PlanePlan, planPlane } from '../../../formats/fits/plane-plan.js';
import type { ByteRegion } from '../../../formats/fits/source.js';
import { type TanTerms, TanWcs, WcsError } from '../../../science/wcs.js';
import type { InputFile } from '../nouns.js';

export interface BandRequest {
  readonly region: ByteRegion;
  /** Compare checksums: reads the whole file. */
  readonly verify: boolean;
}

export interface OpenBand {
  readonly plane: PlanePlan;
  readonly mask: PlanePlan | undefined;
  readonly wcs: TanTerms;
  readonly input: InputFile;
}

/**
 * Reads the headers of one band's file, plans its image and mask, and verifies their checksums.
 *
 * @throws FormatError `fits_*`, `wcs_*`
 */
export function readBand({ region, verify }: BandRequest): OpenBand {
  const file = openFits(region);
  const science =
    file.hdus.find(({ name }) => name === 'SCI') ??
    file.hdus.find(({ kind }) => kind === 'image' || kind === 'compressed-image');
  if (science === undefined) {
    throw new FormatError('fits_no_such_hdu', 'the file holds no image', { place: { file: region.name } });
  }
  const mask = file.hdus.find(({ name }) => name === 'MSK');
  const plane = planPlane(file, science.index);
  if (plane.depth !== 1) {
    throw new FormatError('fits_unsupported', `the image has ${plane.depth} planes, expected one`, {
      place: { file: region.name, hdu: science.index },
    });
  }
  if (verify) for (const hdu of [science, ...(mask === undefined ? [] : [mask])]) verifyChecksum(file, hdu);
  return {
    plane,
    mask: mask === undefined ? undefined : maskPlane(file, mask.index, plane),
    wcs: wcsOf(file, science.index, region.name),
    input: {
      name: region.name,
      bytes: region.size,
      checksum: checksumOf(file, science, verify),
    },
  };
}

/** DATASUM of the image as the file declares it; where it does not, and files are read whole anyway, as it is. */
function checksumOf({ region }: FitsFile, { header, dataOffset, dataBytes }: Hdu, verify: boolean): string {
  const declared = header.get('DATASUM');
  if (declared !== undefined) return `datasum:${String(declared)}`;
  return verify ? `datasum:${onesComplementSum(region, dataOffset, dataBytes)}` : 'none';
}

function maskPlane(file: FitsFile, hdu: number, image: PlanePlan): PlanePlan {
  const mask = planPlane(file, hdu);
  if (mask.width === image.width && mask.height === image.height) return mask;
  throw new FormatError(
    'fits_header',
    `the mask is ${mask.width} × ${mask.height} pixels, its image ${image.width} × ${image.height}`,
    {
      place: { file: file.region.name, hdu },
    },
  );
}

function wcsOf(file: FitsFile, hdu: number, name: string): TanTerms {
  try {
    const header = (file.hdus[hdu] as FitsFile['hdus'][number]).header;
    return TanWcs.fromHeader((keyword) => header.get(keyword)).terms;
  } catch (error) {
    if (!(error instanceof WcsError)) throw error;
    throw new FormatError(error.code, error.message, { place: { file: name, hdu }, cause: error });
  }
}
