/**
 * An append-only file of binary records that can be trusted after a kill or a power cut, up to where it is whole.
 *
 * Layout, little endian: the magic `SKYJRNL1`, then records of
 *   crc     uint32   CRC-32 of what follows, continued from the crc of the record before
 *   length  uint32   bytes of the payload
 *   payload
 * The first record is the description, as JSON. Because every crc continues from the one before, a record is valid
 * only behind its own predecessors: neither a run of zeros nor bytes left over from another time can pass for one.
 */
import { closeSync, constants, fdatasyncSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { removeIfThere, syncFolderOf, writeFully } from './durable.js';
import { FormatError } from './errors.js';

const magic = Buffer.from('SKYJRNL1', 'latin1');
const prefixBytes = 8;

export type Description = Readonly<Record<string, unknown>>;

/** What stood behind the trusted records when the journal was opened, and was cut off. */
export interface Lost {
  /** Byte at which the trusted records end. */
  readonly offset: number;
  readonly bytes: number;
  /** `torn`: the last record was cut short, as by a kill. `corrupt`: the bytes are all there, but not the right ones. */
  readonly reason: 'torn' | 'corrupt';
}

interface Found {
  readonly payload: Uint8Array;
  readonly crc: number;
  readonly end: number;
}

/** Reads up to `length` bytes; fewer only at the end of the file. */
function readAt(fd: number, length: number, position: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const count = readSync(fd, bytes, done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return bytes.subarray(0, done);
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The record at `offset`, or why there is none. Allocates no more than the file has bytes. */
function recordAt(fd: number, offset: number, size: number, crcBefore: number): Found | Lost['reason'] {
  if (size - offset < prefixBytes) return 'torn';
  const prefix = viewOf(readAt(fd, prefixBytes, offset));
  const length = prefix.getUint32(4, true);
  if (length > size - offset - prefixBytes) return 'torn';
  const checked = readAt(fd, 4 + length, offset + 4);
  const crc = crc32(checked, crcBefore);
  if (crc !== prefix.getUint32(0, true)) return 'corrupt';
  return { payload: checked.subarray(4), crc, end: offset + prefixBytes + length };
}

/** The bytes of `payloads` as consecutive records, and the crc the next one continues from. */
function encodeRecords(
  payloads: readonly Uint8Array[],
  crcBefore: number,
): { bytes: Uint8Array; crc: number } {
  const total = payloads.reduce((sum, payload) => sum + prefixBytes + payload.length, 0);
  const bytes = new Uint8Array(total);
  const view = viewOf(bytes);
  let at = 0;
  let crc = crcBefore;
  for (const payload of payloads) {
    const end = at + prefixBytes + payload.length;
    view.setUint32(at + 4, payload.length, true);
    bytes.set(payload, at + prefixBytes);
    crc = crc32(bytes.subarray(at + 4, end), crc);
    view.setUint32(at, crc, true);
    at = end;
  }
  return { bytes, crc };
}

/** Where a trusted record ends, and the crc the next one continues from. */
interface Mark {
  readonly end: number;
  readonly crc: number;
}

export class Journal {
  /** Ends at the description record. */
  readonly #start: Mark;
  #last: Mark;
  #failure: Error | undefined;

  private constructor(
    readonly path: string,
    private readonly fd: number,
    /** What the journal was started with; the caller compares it with what it would start it with today. */
    readonly description: Description,
    /** Set when something was cut off at opening. */
    readonly lost: Lost | undefined,
    start: Mark,
    last: Mark,
  ) {
    this.#start = start;
    this.#last = last;
  }

  /**
   * Opens the journal at `path`, or starts it with `description`. Everything up to the first record that is not whole
   * is trusted; what stands behind it is cut off and reported in `lost`. A journal whose own beginning is not whole
   * holds nothing to trust and is started again.
   *
   * Errors: `hdf5_damaged` when the file is no journal of this version (it is left as it is); the system's errors.
   */
  static open(path: string, description: Description): Journal {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
    try {
      return Journal.#recover(path, description, fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  static #recover(path: string, description: Description, fd: number): Journal {
    const size = fstatSync(fd).size;
    const found = readAt(fd, magic.length, 0);
    if (!magic.subarray(0, found.length).equals(found)) {
      throw new FormatError('hdf5_damaged', `this is no journal: it begins with other bytes than ${magic}`, {
        place: { file: path },
        hint: 'delete it, and its items will be done again',
      });
    }
    const head = recordAt(fd, magic.length, size, 0);
    if (typeof head === 'string') return Journal.#begin(path, description, fd, size, head);

    let last: Mark = head;
    let lost: Lost | undefined;
    while (last.end < size) {
      const next = recordAt(fd, last.end, size, last.crc);
      if (typeof next === 'string') {
        lost = { offset: last.end, bytes: size - last.end, reason: next };
        ftruncateSync(fd, last.end);
        fdatasyncSync(fd);
        break;
      }
      last = { end: next.end, crc: next.crc };
    }
    return new Journal(path, fd, JSON.parse(Buffer.from(head.payload).toString()), lost, head, last);
  }

  static #begin(
    path: string,
    description: Description,
    fd: number,
    size: number,
    reason: Lost['reason'],
  ): Journal {
    const head = encodeRecords([Buffer.from(JSON.stringify(description))], 0);
    ftruncateSync(fd, 0);
    writeFully(fd, Buffer.concat([magic, head.bytes]), 0);
    fdatasyncSync(fd);
    syncFolderOf(path);
    const start = { end: magic.length + head.bytes.length, crc: head.crc };
    return new Journal(
      path,
      fd,
      description,
      size > 0 ? { offset: 0, bytes: size, reason } : undefined,
      start,
      start,
    );
  }

  /** Bytes of the file that are trusted or were appended since. */
  get bytes(): number {
    return this.#last.end;
  }

  /** The trusted and the appended payloads, in order, one in memory at a time. */
  *replay(): Generator<Uint8Array> {
    for (let mark = this.#start; mark.end < this.#last.end; ) {
      const record = recordAt(this.fd, mark.end, this.#last.end, mark.crc);
      if (typeof record === 'string') {
        throw new FormatError('hdf5_damaged', `the record at byte ${mark.end} changed after it was read`, {
          place: { file: this.path },
        });
      }
      yield record.payload;
      mark = record;
    }
  }

  /**
   * Appends one record for each payload, in one write. They count as kept only after `sync`. When the write fails
   * (disk full) the journal is as it was before.
   */
  append(payloads: readonly Uint8Array[]): void {
    this.#refuseAfterFailure();
    const { bytes, crc } = encodeRecords(payloads, this.#last.crc);
    try {
      writeFully(this.fd, bytes, this.#last.end);
    } catch (error) {
      ftruncateSync(this.fd, this.#last.end);
      throw error;
    }
    this.#last = { end: this.#last.end + bytes.length, crc };
  }

  /** Returns when all that was appended is on disk. */
  sync(): void {
    this.#refuseAfterFailure();
    try {
      fdatasyncSync(this.fd);
    } catch (error) {
      // The system may have dropped the pages it could not write: a later sync would succeed without them.
      this.#failure = error as Error;
      throw error;
    }
  }

  close(): void {
    closeSync(this.fd);
  }

  /** Closes and deletes the journal: what it kept is whole elsewhere. */
  remove(): void {
    this.close();
    removeIfThere(this.path);
    syncFolderOf(this.path);
  }

  #refuseAfterFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
