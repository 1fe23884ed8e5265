/**
 * Files that `torch.load` reads, also with `weights_only=True`, written storage by storage without holding any of them.
 *
 * The storages come first and the pickle that describes them last, so that a file can be interrupted after any storage
 * and taken up again: what has been written is told by `state`, plain JSON. Equal contents make equal bytes.
 */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { commitPart, partPath, removeIfThere, writeFully } from '../durable.js';
import { FormatError } from '../errors.js';
import { pickle } from './pickle.js';
import { type PtDtype, type PtTensor, type PtValue, ptDtypes, tensorFault } from './value.js';
import { dataOffsetOf, directoryOf, localHeader, type StoredEntry } from './zip-records.js';

/** A storage in the file. */
export interface PtStorageEntry {
  /** What tensors call it (`PtTensor.storage`). */
  readonly key: string;
  /** First byte in the file; a multiple of 64. */
  readonly offset: number;
  readonly bytes: number;
  readonly crc32: number;
}

/** What is needed to go on with a part file. */
export interface PtWriterState {
  readonly storages: readonly PtStorageEntry[];
  /** Bytes of the part file that are good. */
  readonly end: number;
}

/** As torch names the folder of what it saves to a stream; the name of the file does not matter to it. */
const ROOT = 'archive';
/** Torch wants the elements of a tensor to begin at such a multiple. */
export const ALIGNMENT = 64;
export const nameOf = (key: string): string => `${ROOT}/data/${key}`;

/** Writes one file. Everything is synchronous: it is made for a worker thread. */
export class PtWriter {
  private readonly storages: PtStorageEntry[];
  private end: number;
  private isOpen = true;

  private constructor(
    readonly path: string,
    private readonly fd: number,
    state: PtWriterState,
  ) {
    this.storages = [...state.storages];
    this.end = state.end;
  }

  /** Begins a file at `path.part`; one that is there is replaced. The system's errors pass through. */
  static create(path: string): PtWriter {
    return new PtWriter(path, openSync(partPath(path), 'w'), { storages: [], end: 0 });
  }

  /**
   * Goes on with the part file of a writer that was in `state`; what was written after that is cut off.
   *
   * @throws FormatError `pt_damaged` when the part file is shorter than its state says; the system's errors (`ENOENT`)
   */
  static resume(path: string, state: PtWriterState): PtWriter {
    const fd = openSync(partPath(path), 'r+');
    try {
      const { size } = fstatSync(fd);
      if (size < state.end) {
        throw new FormatError('pt_damaged', `the part has ${size} bytes, ${state.end} were written`, {
          place: { file: partPath(path) },
          hint: 'delete the part: the file is then made again from its beginning',
        });
      }
      ftruncateSync(fd, state.end);
      return new PtWriter(path, fd, state);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** What has been written so far: give it to `resume`. Call `sync` before it is recorded. */
  get state(): PtWriterState {
    return { storages: [...this.storages], end: this.end };
  }

  /**
   * Appends a storage: the elements of one tensor, or of several, little-endian. A chunk may be reused when the next is
   * asked for. When it fails (`ENOSPC`) the writer is as before and can go on.
   */
  addStorage(chunks: Iterable<Uint8Array>): PtStorageEntry {
    const key = String(this.storages.length);
    const { offset, bytes, crc32 } = this.append(nameOf(key), chunks);
    const entry: PtStorageEntry = { key, offset, bytes, crc32 };
    this.storages.push(entry);
    return entry;
  }

  /** Forces what has been written to disk. */
  sync(): void {
    fsyncSync(this.fd);
  }

  /**
   * Describes the storages and gives the file its name; a file already there is replaced in one step. The writer is
   * closed then, and also when it fails; the part file stays in that case.
   *
   * @param value plain values, arrays, Maps and tensors of the storages added; whole numbers become Python ints
   * @throws RangeError for a tensor that does not fit its storage, TypeError for what cannot be written
   */
  finish(value: PtValue): { readonly bytes: number } {
    try {
      const listed = this.storages.map((entry, index) => {
        const before = this.storages[index - 1];
        const headerOffset = before === undefined ? 0 : before.offset + before.bytes;
        return { ...entry, name: nameOf(entry.key), headerOffset };
      });
      const described = pickle(value, this.checkedStorage());
      listed.push(
        ...[
          { name: 'data.pkl', content: described },
          { name: 'byteorder', content: Buffer.from('little') },
          { name: 'version', content: Buffer.from('3\n') },
        ].map(({ name, content }) => ({ key: name, ...this.append(`${ROOT}/${name}`, [content]) })),
      );
      const directory = directoryOf(listed, this.end);
      writeFully(this.fd, directory, this.end);
      const bytes = this.end + directory.length;
      ftruncateSync(this.fd, bytes);
      this.close();
      commitPart(this.path);
      return { bytes };
    } finally {
      this.close();
    }
  }

  /** Lets go of the part file, which stays to be resumed. Does nothing when called again. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    closeSync(this.fd);
  }

  /** Closes and deletes the part file. */
  discard(): void {
    this.close();
    removeIfThere(partPath(this.path));
  }

  private append(name: string, chunks: Iterable<Uint8Array>): StoredEntry {
    const headerOffset = this.end;
    const offset = dataOffsetOf(headerOffset, name, ALIGNMENT);
    let bytes = 0;
    let crc = 0;
    for (const chunk of chunks) {
      writeFully(this.fd, chunk, offset + bytes);
      crc = crc32(chunk, crc);
      bytes += chunk.length;
    }
    const entry: StoredEntry = { name, headerOffset, offset, bytes, crc32: crc };
    writeFully(this.fd, localHeader(entry), headerOffset);
    this.end = offset + bytes;
    return entry;
  }

  /** Bytes of the storage of a tensor, once it is known that the tensor fits and that torch will understand it. */
  private checkedStorage(): (tensor: PtTensor) => number {
    const sizes = new Map(this.storages.map(({ key, bytes }) => [key, bytes]));
    const dtypes = new Map<string, PtDtype>();
    return (tensor) => {
      const { storage: key, dtype } = tensor;
      const bytes = sizes.get(key);
      if (bytes === undefined) throw new RangeError(`there is no storage ${key}`);
      const fault = tensorFault(tensor, bytes);
      if (fault !== undefined) throw new RangeError(fault);
      if (bytes % ptDtypes[dtype].bytes !== 0) {
        throw new RangeError(`the storage ${key} of ${bytes} bytes does not hold whole elements of ${dtype}`);
      }
      // A storage has one type in the file: torch would read it as that of the first tensor.
      if ((dtypes.get(key) ?? dtype) !== dtype)
        throw new RangeError(`the storage ${key} has tensors of two types`);
      dtypes.set(key, dtype);
      return bytes;
    };
  }
}
