/**
 * The records of a zip archive of stored entries (APPNOTE 6.3.10), with the zip64 forms where a number needs them. Dates
 * are 1980-01-01, so that equal contents make equal bytes.
 */

export interface StoredEntry {
  readonly name: string;
  /** First byte of its header, and of its data. */
  readonly headerOffset: number;
  readonly offset: number;
  readonly bytes: number;
  readonly crc32: number;
}

const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const ZIP64_BYTES = 4 + 16;
const PADDING_HEAD_BYTES = 4;
/** 'FB', as torch marks its padding. */
const PADDING_ID = 0x4246;
const ZIP64_ID = 1;
const MAX_32 = 0xffffffff;
const MAX_16 = 0xffff;
const DATE = (1 << 5) | 1;
const UTF8_FLAG = 0x800;

/** Where the data of an entry goes whose header begins at `headerOffset`: a multiple of `alignment`, whatever its size. */
export function dataOffsetOf(headerOffset: number, name: string, alignment: number): number {
  const least = headerOffset + LOCAL_BYTES + Buffer.byteLength(name) + ZIP64_BYTES + PADDING_HEAD_BYTES;
  return Math.ceil(least / alignment) * alignment;
}

/** The header in front of an entry's data, padded up to it. */
export function localHeader(entry: StoredEntry): Buffer {
  const name = Buffer.from(entry.name);
  const header = Buffer.alloc(entry.offset - entry.headerOffset);
  const needs64 = entry.bytes >= MAX_32;
  header.writeUInt32LE(0x04034b50, 0);
  writeCommon(header, 4, entry, needs64);
  header.writeUInt16LE(name.length, 26);
  const extra = LOCAL_BYTES + name.length;
  header.writeUInt16LE(header.length - extra, 28);
  name.copy(header, LOCAL_BYTES);
  let at = extra;
  if (needs64) at = writeZip64(header, at, [entry.bytes, entry.bytes]);
  header.writeUInt16LE(PADDING_ID, at);
  header.writeUInt16LE(header.length - at - PADDING_HEAD_BYTES, at + 2);
  return header;
}

/** The directory and the end records, for the end of an archive, which they begin at `offset`. */
export function directoryOf(entries: readonly StoredEntry[], offset: number): Buffer {
  const central = Buffer.concat(entries.map(centralHeader));
  const end = Buffer.alloc(22);
  const needs64 = entries.length >= MAX_16 || offset >= MAX_32 || central.length >= MAX_32;
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries.length, MAX_16), 8);
  end.writeUInt16LE(Math.min(entries.length, MAX_16), 10);
  end.writeUInt32LE(Math.min(central.length, MAX_32), 12);
  end.writeUInt32LE(Math.min(offset, MAX_32), 16);
  return Buffer.concat([
    central,
    needs64 ? end64(entries.length, central.length, offset) : Buffer.alloc(0),
    end,
  ]);
}

function centralHeader(entry: StoredEntry): Buffer {
  const name = Buffer.from(entry.name);
  const needs64 = entry.bytes >= MAX_32;
  const isFar = entry.headerOffset >= MAX_32;
  const large = [...(needs64 ? [entry.bytes, entry.bytes] : []), ...(isFar ? [entry.headerOffset] : [])];
  const extraBytes = large.length === 0 ? 0 : 4 + 8 * large.length;
  const header = Buffer.alloc(CENTRAL_BYTES + name.length + extraBytes);
  header.writeUInt32LE(0x02014b50, 0);
  writeCommon(header, 6, entry, needs64 || isFar);
  header.writeUInt16LE(header.readUInt16LE(6), 4);
  header.writeUInt32LE(needs64 ? MAX_32 : entry.bytes, 20);
  header.writeUInt32LE(needs64 ? MAX_32 : entry.bytes, 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extraBytes, 30);
  header.writeUInt32LE(isFar ? MAX_32 : entry.headerOffset, 42);
  name.copy(header, CENTRAL_BYTES);
  if (large.length > 0) writeZip64(header, CENTRAL_BYTES + name.length, large);
  return header;
}

/** What both headers of an entry have in a row: version, flags, method, time, date, checksum, sizes. */
function writeCommon(header: Buffer, at: number, entry: StoredEntry, is64: boolean): void {
  const size = entry.bytes >= MAX_32 ? MAX_32 : entry.bytes;
  header.writeUInt16LE(is64 ? 45 : 20, at);
  header.writeUInt16LE(UTF8_FLAG, at + 2);
  header.writeUInt16LE(DATE, at + 8);
  header.writeUInt32LE(entry.crc32, at + 10);
  header.writeUInt32LE(size, at + 14);
  header.writeUInt32LE(size, at + 18);
}

function writeZip64(into: Buffer, at: number, numbers: readonly number[]): number {
  into.writeUInt16LE(ZIP64_ID, at);
  into.writeUInt16LE(8 * numbers.length, at + 2);
  numbers.forEach((number, index) => {
    into.writeBigUInt64LE(BigInt(number), at + 4 + 8 * index);
  });
  return at + 4 + 8 * numbers.length;
}

function end64(entries: number, bytes: number, offset: number): Buffer {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeUInt16LE(45, 12);
  record.writeUInt16LE(45, 14);
  record.writeBigUInt64LE(BigInt(entries), 24);
  record.writeBigUInt64LE(BigInt(entries), 32);
  record.writeBigUInt64LE(BigInt(bytes), 40);
  record.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(offset + bytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, locator]);
}
