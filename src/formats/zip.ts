/**
 * Tiles inside a `.zip`, read where they lie. A stored entry is a region of the archive itself; a deflated one is
 * unpacked, under hard limits, into a temporary file that has no name any more when its first byte is written.
 * What an archive merely claims (names, sizes, counts) is checked before it is used.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import { FormatError } from './errors.js';
import type { ByteRegion } from './fits/source.js';
import { type DirectoryEntry, readDirectory } from './zip-directory.js';

/** Deflate cannot shrink further than 1032 : 1. */
const MAX_RATIO = 1100;
const LOCAL_HEADER_BYTES = 30;
const LOCAL_SIGNATURE = 0x04034b50;
const CHUNK_BYTES = 1 << 18;

export interface ZipEntry {
  /** Path inside the archive, with `/`. */
  readonly name: string;
  /** Bytes of the unpacked entry. */
  readonly size: number;
  /** Bytes it takes in the archive. */
  readonly compressedSize: number;
  readonly method: 'stored' | 'deflated';
  /** First byte of its data in the archive. */
  readonly dataOffset: number;
  /** CRC-32 of the unpacked entry. */
  readonly crc: number;
}

export interface OpenZipOptions {
  /** Largest unpacked entry that is accepted, in bytes. */
  readonly maxEntryBytes?: number;
  /** Most entries of an archive. */
  readonly maxEntries?: number;
}

export interface EntryRegionOptions {
  /** Folder for the unpacked bytes of a deflated entry. */
  readonly tempDir?: string;
  readonly signal?: AbortSignal;
}

/** The bytes of one entry, until `close`. */
export interface EntryRegion extends AsyncDisposable {
  readonly region: ByteRegion;
  close(): Promise<void>;
}

export interface ZipArchive extends AsyncDisposable {
  readonly path: string;
  /** The files in the archive that can be used, in the order of its directory. */
  readonly entries: readonly ZipEntry[];
  /** One `zip_unsafe` or `zip_damaged` for each entry that was refused; its place is `archive.zip!/entry`. */
  readonly problems: readonly FormatError[];
  /**
   * The bytes of one entry. A stored entry is valid until the archive closes and its CRC is not checked (FITS has
   * its own checksums); a deflated one takes `size` bytes of `tempDir` until it is closed, and is checked.
   *
   * @throws FormatError `zip_damaged` when it unpacks to something else than declared; system errors pass through
   */
  entryRegion(entry: ZipEntry, options?: EntryRegionOptions): Promise<EntryRegion>;
  close(): Promise<void>;
}

/**
 * Opens an archive (also zip64) and checks every entry.
 *
 * @throws FormatError `zip_damaged` when the archive has no readable directory, `zip_unsafe` when it has too many
 *   entries; system errors pass through
 */
export async function openZip(path: string, options: OpenZipOptions = {}): Promise<ZipArchive> {
  const { maxEntryBytes = 4 * 2 ** 30, maxEntries = 1_000_000 } = options;
  const listed = await readDirectory(path, maxEntries);
  const archive = await open(path, 'r');
  try {
    const { entries, problems } = await checkEntries(path, archive, listed, maxEntryBytes);
    const close = () => archive.close();
    return {
      path,
      entries,
      problems,
      entryRegion: (entry, regionOptions = {}) => {
        const name = `${path}!/${entry.name}`;
        return entry.method === 'stored'
          ? Promise.resolve(storedRegion(name, archive.fd, entry))
          : unpack(name, archive, entry, regionOptions);
      },
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await archive.close();
    throw error;
  }
}

async function checkEntries(
  path: string,
  archive: FileHandle,
  listed: readonly DirectoryEntry[],
  maxEntryBytes: number,
): Promise<{ entries: ZipEntry[]; problems: FormatError[] }> {
  const archiveBytes = (await archive.stat()).size;
  const entries: ZipEntry[] = [];
  const problems: FormatError[] = [];
  const refuse = (name: string, code: 'zip_unsafe' | 'zip_damaged', message: string): void => {
    problems.push(new FormatError(code, message, { place: { file: `${path}!/${printable(name)}` } }));
  };
  const timesListed = new Map<string, number>();
  for (const { key } of listed) timesListed.set(key, (timesListed.get(key) ?? 0) + 1);

  const buffer = Buffer.alloc(LOCAL_HEADER_BYTES + 0xffff);
  for (const entry of listed) {
    const unsafe = unsafeName(entry.name) ?? unsafeKind(entry) ?? unsafeSize(entry, maxEntryBytes);
    const times = timesListed.get(entry.key) ?? 0;
    if (unsafe !== undefined) {
      refuse(entry.name, 'zip_unsafe', unsafe);
    } else if (times > 1) {
      refuse(
        entry.name,
        'zip_unsafe',
        `the name is used by ${times} entries: which one is meant cannot be told`,
      );
    } else if (!entry.isDirectory) {
      const found = await locate(archive, entry, buffer, archiveBytes);
      if (typeof found === 'string') refuse(entry.name, 'zip_damaged', found);
      else entries.push(found);
    }
  }
  const overlapping = findOverlaps(entries);
  for (const entry of overlapping) {
    refuse(
      entry.name,
      'zip_unsafe',
      'its bytes are shared with another entry, as in archives made to unpack without end',
    );
  }
  return { entries: entries.filter((entry) => !overlapping.has(entry)), problems };
}

/** What is wrong with a name that would leave its folder, or that systems read differently. */
function unsafeName(name: string): string | undefined {
  if (name === '') return 'the entry has no name';
  if (name.includes('\0')) return 'the name holds a NUL character';
  if (name.includes('\\')) return 'the name holds a backslash';
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name)) return 'the name is an absolute path';
  if (name.split('/').includes('..')) return 'the name leaves its folder with ".."';
  return undefined;
}

function unsafeKind(entry: DirectoryEntry): string | undefined {
  if (entry.fileType === 'symlink') return 'the entry is a symbolic link';
  if (entry.fileType === 'special') return 'the entry is a device, pipe or socket';
  if (entry.isEncrypted) return 'the entry is encrypted';
  if (entry.method === undefined) return 'the entry is packed by a method other than stored and deflate';
  return undefined;
}

function unsafeSize(entry: DirectoryEntry, maxEntryBytes: number): string | undefined {
  if (entry.size > maxEntryBytes)
    return `it unpacks to ${entry.size} bytes, at most ${maxEntryBytes} are accepted`;
  if (entry.size > MAX_RATIO * entry.compressedSize) {
    return `it claims to unpack from ${entry.compressedSize} to ${entry.size} bytes, more than ${MAX_RATIO} : 1`;
  }
  return undefined;
}

/** Where the data of an entry begins, or what is wrong with the header in front of it. */
async function locate(
  archive: FileHandle,
  entry: DirectoryEntry,
  buffer: Buffer,
  archiveBytes: number,
): Promise<ZipEntry | string> {
  const { name, nameBytes, size, compressedSize, method, crc, headerOffset } = entry;
  const { bytesRead } = await archive.read(buffer, 0, LOCAL_HEADER_BYTES + nameBytes, headerOffset);
  if (bytesRead < LOCAL_HEADER_BYTES + nameBytes) return 'its header lies beyond the end of the archive';
  if (buffer.readUInt32LE(0) !== LOCAL_SIGNATURE) return `there is no entry header at byte ${headerOffset}`;
  const localNameBytes = buffer.readUInt16LE(26);
  const localName = buffer.toString('utf8', LOCAL_HEADER_BYTES, LOCAL_HEADER_BYTES + nameBytes);
  if (localNameBytes !== nameBytes || localName !== name) return 'its own header gives it another name';
  const dataOffset = headerOffset + LOCAL_HEADER_BYTES + nameBytes + buffer.readUInt16LE(28);
  if (dataOffset + compressedSize > archiveBytes) return 'its data goes beyond the end of the archive';
  if (method === undefined || buffer.readUInt16LE(8) !== (method === 'stored' ? 0 : 8)) {
    return 'its own header names another method';
  }
  if (method === 'stored' && size !== compressedSize) {
    return `it is stored, yet takes ${compressedSize} bytes for ${size}`;
  }
  return { name, size, compressedSize, method, dataOffset, crc };
}

/** Entries whose data begins before that of an earlier one ends. */
function findOverlaps(entries: readonly ZipEntry[]): Set<ZipEntry> {
  const overlapping = new Set<ZipEntry>();
  let reach: ZipEntry | undefined;
  for (const entry of entries.toSorted((a, b) => a.dataOffset - b.dataOffset)) {
    if (reach !== undefined && entry.dataOffset < reach.dataOffset + reach.compressedSize) {
      overlapping.add(reach).add(entry);
    }
    if (
      reach === undefined ||
      entry.dataOffset + entry.compressedSize > reach.dataOffset + reach.compressedSize
    ) {
      reach = entry;
    }
  }
  return overlapping;
}

function storedRegion(name: string, fd: number, entry: ZipEntry): EntryRegion {
  const close = () => Promise.resolve();
  return {
    region: { name, fd, offset: entry.dataOffset, size: entry.size },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function unpack(
  name: string,
  archive: FileHandle,
  entry: ZipEntry,
  options: EntryRegionOptions,
): Promise<EntryRegion> {
  const { tempDir = tmpdir(), signal } = options;
  signal?.throwIfAborted();
  const file = await openNameless(tempDir);
  const close = () => file.close();
  try {
    await pipeline(
      readPart(archive, entry),
      createInflateRaw({ chunkSize: CHUNK_BYTES }),
      (unpacked: AsyncIterable<Buffer>) => writeChecked(file, name, entry, unpacked),
      signal === undefined ? {} : { signal },
    );
  } catch (error) {
    await close();
    if (!String((error as NodeJS.ErrnoException).code).startsWith('Z_')) throw error;
    const message = `its data cannot be unpacked: ${(error as Error).message}`;
    throw new FormatError('zip_damaged', message, { place: { file: name }, cause: error });
  }
  return { region: { name, fd: file.fd, offset: 0, size: entry.size }, close, [Symbol.asyncDispose]: close };
}

/** A file that only its descriptor reaches: nothing is left of it when the process ends, however it ends. */
async function openNameless(folder: string): Promise<FileHandle> {
  const path = join(folder, `skypass-${randomUUID()}`);
  const file = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o600);
  try {
    await unlink(path);
  } catch (error) {
    await file.close();
    throw error;
  }
  return file;
}

async function* readPart(archive: FileHandle, entry: ZipEntry): AsyncGenerator<Buffer> {
  for (let done = 0; done < entry.compressedSize; ) {
    const length = Math.min(CHUNK_BYTES, entry.compressedSize - done);
    const { bytesRead, buffer } = await archive.read(
      Buffer.allocUnsafe(length),
      0,
      length,
      entry.dataOffset + done,
    );
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    done += bytesRead;
  }
}

/** Writes what an entry unpacks to, and not a byte more than it declared. */
async function writeChecked(
  file: FileHandle,
  name: string,
  entry: ZipEntry,
  unpacked: AsyncIterable<Buffer>,
): Promise<void> {
  const damaged = (message: string) => new FormatError('zip_damaged', message, { place: { file: name } });
  let written = 0;
  let crc = 0;
  for await (const chunk of unpacked) {
    written += chunk.length;
    if (written > entry.size) throw damaged(`it unpacks to more than the ${entry.size} bytes it declares`);
    crc = crc32(chunk, crc);
    await file.appendFile(chunk);
  }
  if (written < entry.size) throw damaged(`it unpacks to ${written} bytes, it declares ${entry.size}`);
  if (crc !== entry.crc) throw damaged(`its CRC-32 is ${hex(crc)}, the archive says ${hex(entry.crc)}`);
}

const hex = (crc: number): string => crc.toString(16).padStart(8, '0');

/** A name from a hostile archive, fit for a log line. */
const printable = (name: string): string => name.replace(/\p{C}/gu, '\u{fffd}').slice(0, 200);
