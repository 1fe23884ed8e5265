/** The central directory of a zip archive: what node-stream-zip reads of it, once its end records are known to be sane. */
import { open } from 'node:fs/promises';
import { posix } from 'node:path';
import StreamZip from 'node-stream-zip';
import { FormatError } from './errors.js';

/** What the directory says about one entry; nothing of it is to be trusted yet. */
export interface DirectoryEntry {
  readonly name: string;
  /** The name with `.` and double slashes taken out: two entries with one key are the same file. */
  readonly key: string;
  /** Length of the name in the archive. */
  readonly nameBytes: number;
  readonly isDirectory: boolean;
  readonly isEncrypted: boolean;
  /** From the Unix mode, where the archive has one. */
  readonly fileType: 'regular' | 'symlink' | 'special';
  /** `undefined` for a method that is neither. */
  readonly method: 'stored' | 'deflated' | undefined;
  readonly size: number;
  readonly compressedSize: number;
  readonly crc: number;
  readonly headerOffset: number;
}

const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const END_SIGNATURE = Buffer.from('PK\x05\x06', 'latin1');
const END64_BYTES = 56;
const END64_SIGNATURE = Buffer.from('PK\x06\x06', 'latin1');
const LOCATOR_BYTES = 20;
const LOCATOR_SIGNATURE = Buffer.from('PK\x06\x07', 'latin1');
const MIN_ENTRY_BYTES = 46;
const IS_SYMLINK = 0xa000;
const IS_REGULAR = [0, 0x8000, 0x4000];

/**
 * All entries an archive lists.
 *
 * @param maxEntries most entries held in memory, about 500 bytes each
 * @throws FormatError `zip_damaged`, `zip_unsafe` (too many entries); system errors pass through
 */
export async function readDirectory(path: string, maxEntries: number): Promise<DirectoryEntry[]> {
  const declared = await readEntryCount(path);
  if (declared > maxEntries) {
    const message = `the archive lists ${declared} entries, at most ${maxEntries} are accepted`;
    throw new FormatError('zip_unsafe', message, { place: { file: path } });
  }
  // Names are checked one by one later: its own check gives up the whole archive for one bad name.
  const zip = new StreamZip({
    file: path,
    storeEntries: false,
    skipEntryNameValidation: true,
    chunkSize: 1 << 17,
  });
  try {
    return await new Promise((resolve, reject) => {
      const entries: DirectoryEntry[] = [];
      zip.on('entry', (entry) => entries.push(described(entry as ListedEntry)));
      zip.on('ready', () => resolve(entries));
      zip.on('error', reject);
    });
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).syscall === 'string') throw error;
    throw damaged(path, `its directory cannot be read: ${(error as Error).message}`, error);
  } finally {
    zip.close();
  }
}

/** The library's entry with the one field that its types leave out. */
type ListedEntry = StreamZip.ZipEntry & { readonly fnameLen: number };

function described(entry: ListedEntry): DirectoryEntry {
  const unixType = (entry.attr >>> 16) & 0xf000;
  return {
    name: entry.name,
    key: posix.normalize(entry.name),
    nameBytes: entry.fnameLen,
    isDirectory: entry.isDirectory,
    isEncrypted: entry.encrypted,
    fileType: unixType === IS_SYMLINK ? 'symlink' : IS_REGULAR.includes(unixType) ? 'regular' : 'special',
    method: entry.method === 0 ? 'stored' : entry.method === 8 ? 'deflated' : undefined,
    size: entry.size,
    compressedSize: entry.compressedSize,
    crc: entry.crc,
    headerOffset: entry.offset,
  };
}

/**
 * The number of entries the end records declare. They are checked first because node-stream-zip follows their
 * offsets unchecked, and in callbacks where its exceptions would end the process.
 */
async function readEntryCount(path: string): Promise<number> {
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  const tail = Buffer.alloc(Math.min(size, END64_BYTES + LOCATOR_BYTES + END_BYTES + MAX_COMMENT_BYTES));
  const tailStart = size - tail.length;
  const { bytesRead } = await file.read(tail, 0, tail.length, tailStart);
  const end = tail.lastIndexOf(END_SIGNATURE);
  if (bytesRead < tail.length || end < 0 || end + END_BYTES > tail.length) {
    throw damaged(path, 'it has no end record: it is no zip archive, or has been cut off');
  }
  let entries = tail.readUInt16LE(end + 8);
  let offset = tail.readUInt32LE(end + 16);
  let directoryEnd = tailStart + end;
  const isZip64 =
    (entries === 0xffff && tail.readUInt16LE(end + 10) === 0xffff) ||
    tail.readUInt32LE(end + 12) === 0xffffffff ||
    offset === 0xffffffff;
  if (isZip64) {
    const locator = end - LOCATOR_BYTES;
    const end64 = locator - END64_BYTES;
    const isUsual =
      end64 >= 0 &&
      end + END_BYTES === tail.length &&
      tail.lastIndexOf(END64_SIGNATURE) === end64 &&
      LOCATOR_SIGNATURE.equals(tail.subarray(locator, locator + 4)) &&
      tail.readBigUInt64LE(locator + 8) === BigInt(tailStart + end64);
    if (!isUsual) throw damaged(path, 'its zip64 end records are not the last bytes of the file');
    entries = Number(tail.readBigUInt64LE(end64 + 24));
    offset = Number(tail.readBigUInt64LE(end64 + 48));
    directoryEnd = tailStart + end64;
  }
  if (offset + entries * MIN_ENTRY_BYTES > directoryEnd) {
    throw damaged(
      path,
      `its directory of ${entries} entries at byte ${offset} does not fit in ${size} bytes`,
    );
  }
  return entries;
}

function damaged(path: string, message: string, cause?: unknown): FormatError {
  return new FormatError('zip_damaged', message, {
    place: { file: path },
    ...(cause === undefined ? {} : { cause }),
  });
}
