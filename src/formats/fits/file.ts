import { type FilePlace, FormatError } from '../errors.js';
import { addOnesComplement, onesComplementSum } from './checksum.js';
import { BLOCK_BYTES, type Header, readHeader } from './header.js';
import { type ByteRegion, readExactly } from './source.js';

/** `empty` has no data; `other` is an extension of a type this reader does not know. */
export type HduKind = 'image' | 'compressed-image' | 'table' | 'ascii-table' | 'empty' | 'other';

/** One header with its data. Offsets count from the first byte of the region. */
export interface Hdu {
  readonly index: number;
  readonly kind: HduKind;
  /** EXTNAME, or ''. */
  readonly name: string;
  /** EXTVER, or 1. */
  readonly version: number;
  readonly header: Header;
  readonly headerOffset: number;
  readonly dataOffset: number;
  /** Without the padding to a whole block. */
  readonly dataBytes: number;
}

export interface FitsFile {
  readonly region: ByteRegion;
  readonly hdus: readonly Hdu[];
  /** Bytes after the last HDU that are no HDU (they are allowed, and ignored). */
  readonly trailingBytes: number;
}

/**
 * Walks all headers of a FITS file. Reads headers only; every size that a header declares is compared with the
 * bytes that are there, so nothing later allocates what a header merely claims.
 *
 * @throws FormatError `fits_not_fits`, `fits_header`, `fits_truncated`
 */
export function openFits(region: ByteRegion): FitsFile {
  const hdus: Hdu[] = [];
  let position = 0;
  while (beginsHdu(region, position, hdus.length)) {
    const hdu = readHdu(region, position, hdus.length);
    hdus.push(hdu);
    position = hdu.dataOffset + Math.ceil(hdu.dataBytes / BLOCK_BYTES) * BLOCK_BYTES;
  }
  return { region, hdus, trailingBytes: Math.max(0, region.size - position) };
}

/** The HDU with this index. @throws FormatError `fits_no_such_hdu` */
export function hduAt(file: FitsFile, index: number): Hdu {
  const hdu = file.hdus[index];
  if (hdu === undefined) {
    throw new FormatError('fits_no_such_hdu', `HDU ${index} is wanted, the file has ${file.hdus.length}`, {
      place: { file: file.region.name, hdu: index },
      hint: 'HDUs are counted from 0, the primary',
    });
  }
  return hdu;
}

/**
 * Compares DATASUM with the data and CHECKSUM with the whole HDU.
 *
 * @returns `absent` when the header has neither
 * @throws FormatError `fits_checksum`
 */
export function verifyChecksum(file: FitsFile, hdu: Hdu): 'ok' | 'absent' {
  const declared = String(hdu.header.get('DATASUM') ?? '').trim();
  const hasChecksum = /\S/.test(String(hdu.header.get('CHECKSUM') ?? ''));
  if (declared === '' && !hasChecksum) return 'absent';
  const { region } = file;
  const padded = Math.ceil(hdu.dataBytes / BLOCK_BYTES) * BLOCK_BYTES;
  const dataSum = onesComplementSum(region, hdu.dataOffset, Math.min(padded, region.size - hdu.dataOffset));
  // 0 and all ones are the two zeros of ones' complement: writers differ in which they note.
  if (declared !== '' && Number(declared) % 0xffffffff !== dataSum % 0xffffffff) {
    const message = `the sum of the data is ${dataSum}, DATASUM says ${declared}`;
    throw new FormatError('fits_checksum', message, { place: hdu.header.place });
  }
  const headerSum = onesComplementSum(region, hdu.headerOffset, hdu.dataOffset - hdu.headerOffset);
  if (hasChecksum && addOnesComplement(headerSum, dataSum) % 0xffffffff !== 0) {
    const message = 'CHECKSUM does not match: the header was changed after it was written';
    throw new FormatError('fits_checksum', message, { place: hdu.header.place });
  }
  return 'ok';
}

/** Whether another HDU begins here. The first one must; after it, bytes that begin none are left alone. */
function beginsHdu(region: ByteRegion, position: number, index: number): boolean {
  const expected = index === 0 ? 'SIMPLE  =' : 'XTENSION=';
  const place = { file: region.name, hdu: index };
  if (region.size < position + expected.length) {
    if (index > 0) return false;
    throw new FormatError(
      'fits_truncated',
      `the file has ${region.size} bytes, a FITS file at least ${BLOCK_BYTES}`,
      { place },
    );
  }
  const start = Buffer.alloc(expected.length);
  readExactly(region, position, start.length, start);
  if (start.toString('latin1') === expected) return true;
  if (index > 0) return false;
  const found = JSON.stringify(start.toString('latin1'));
  throw new FormatError('fits_not_fits', `the file begins with ${found}, a FITS file with "${expected}"`, {
    place,
  });
}

function readHdu(region: ByteRegion, headerOffset: number, index: number): Hdu {
  const place: FilePlace = { file: region.name, hdu: index };
  const { header, end: dataOffset } = readHeader(region, headerOffset, place);
  const axes = header.axes('NAXIS');
  const dataBytes = declaredBytes(header, axes);
  const available = Math.max(0, region.size - dataOffset);
  if (dataBytes > available) {
    const rowBytes = (Math.abs(header.bitpix('BITPIX')) / 8) * (axes[0] ?? 1);
    const row = Math.floor(available / rowBytes);
    throw new FormatError(
      'fits_truncated',
      `the header declares ${dataBytes} bytes of data, the last ${dataBytes - available} of them are missing`,
      row < axes.slice(1).reduce((product, axis) => product * axis, 1)
        ? { place: { ...place, row } }
        : { place },
    );
  }
  const version = header.get('EXTVER');
  return {
    index,
    kind: kindOf(header, dataBytes),
    name: String(header.get('EXTNAME') ?? ''),
    version: typeof version === 'number' ? version : 1,
    header,
    headerOffset,
    dataOffset,
    dataBytes,
  };
}

/** Size of the data: |BITPIX| / 8 · GCOUNT · (PCOUNT + NAXIS1 · … · NAXISn), standard section 4.4.1. */
function declaredBytes(header: Header, axes: readonly number[]): number {
  const bytesPerElement = Math.abs(header.bitpix('BITPIX')) / 8;
  const isRandomGroups = axes[0] === 0 && header.get('GROUPS') === true;
  const shape = isRandomGroups ? axes.slice(1) : axes;
  const elements = shape.length === 0 ? 0 : shape.reduce((product, axis) => product * axis, 1);
  const isExtension = header.has('XTENSION') || isRandomGroups;
  const pcount = isExtension ? header.integer('PCOUNT', 0) : 0;
  const gcount = isExtension ? header.integer('GCOUNT', 1) : 1;
  if (pcount < 0) throw header.unexpected('PCOUNT', 'an integer of 0 or more');
  if (gcount < 0) throw header.unexpected('GCOUNT', 'an integer of 0 or more');
  return bytesPerElement * gcount * (pcount + elements);
}

function kindOf(header: Header, dataBytes: number): HduKind {
  const extension = header.get('XTENSION');
  if (extension === 'BINTABLE' || extension === 'A3DTABLE') {
    return header.get('ZIMAGE') === true ? 'compressed-image' : 'table';
  }
  if (extension === 'TABLE') return 'ascii-table';
  if (extension !== undefined && extension !== 'IMAGE') return 'other';
  if (header.get('GROUPS') === true && header.get('NAXIS1') === 0) return 'other';
  return dataBytes === 0 ? 'empty' : 'image';
}
