/**
 * Files of `torch.save` (since torch 1.6): a zip archive with a pickle that describes the value and an entry for each
 * storage. Nothing in them is run, nothing is unpacked to disk; the elements of a tensor are read when asked for.
 *
 * Layout: caffe2/serialize/inline_container.cc of PyTorch. Entries are `ROOT/data.pkl`, `ROOT/data/KEY`, and beside
 * them `version`, `byteorder`, `.data/serialization_id` and the like.
 */

import { read as readCallback } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { FormatError } from '../errors.js';
import { openZip, type ZipArchive, type ZipEntry } from '../zip.js';
import { decodeElements, gatherElements, type PtArray } from './elements.js';
import type { Foreign } from './rebuild.js';
import { unpickle } from './unpickle.js';
import {
  elementCount,
  isContiguous,
  type PtTensor,
  type PtValue,
  ptDtypes,
  reachOf,
  tensorFault,
} from './value.js';

export interface OpenPtOptions {
  /**
   * What becomes of names that are not needed to read tensors: `'refuse'` (the default) the file, or make each a
   * description of itself (`'describe'`), as checkpoints of Lightning need. Neither calls anything.
   */
  readonly foreign?: Foreign;
  /** Whether checksums of storages read whole are compared; torch can be told to write none. Default true. */
  readonly verify?: boolean;
}

export interface PtFile extends AsyncDisposable {
  readonly path: string;
  /** What was saved. */
  readonly value: PtValue;
  /** The entries of the archive. */
  readonly entries: readonly ZipEntry[];
  /**
   * The elements of a tensor in row-major order, in memory of their own: halves as float32, int64 as bigints, booleans
   * as 0 and 1. Takes the tensor's size; twice that, and what lies between its elements, when it is no contiguous view.
   *
   * @throws FormatError `pt_damaged` (bytes that changed since they were written, a view that unfolds to more than
   *   64 MiB and its storage); the system's errors
   */
  read(tensor: PtTensor): Promise<PtArray>;
  /** Where in the file the elements lie, little-endian and row by row; undefined for any other view. */
  regionOf(tensor: PtTensor): { readonly offset: number; readonly bytes: number } | undefined;
  close(): Promise<void>;
}

const LOCAL_SIGNATURE = 0x04034b50;
const MAX_ENTRIES = 200_000;
const MAX_PICKLE_BYTES = 64 * 2 ** 20;
/** An expanded tensor (stride 0) may take this much more than its storage has. */
const MAX_UNFOLDED_BYTES = 64 * 2 ** 20;
/** Small enough to be summed while it is still in the processor's cache. */
const CHUNK_BYTES = 4 * 2 ** 20;
const readAt = promisify(readCallback);

/**
 * Opens a file and reads all of it but the elements of its tensors.
 *
 * @throws FormatError `pt_unsafe` when the file asks for anything else than tensors; `pt_damaged` when it is no such
 *   file, cut off, or contradicts itself; `zip_unsafe` or `zip_damaged` when its archive does; the system's errors
 */
export async function openPt(path: string, options: OpenPtOptions = {}): Promise<PtFile> {
  await refuseOthers(path);
  const zip = await openArchive(path);
  try {
    return await read(zip, options);
  } catch (error) {
    await zip.close();
    throw error;
  }
}

const damaged = (path: string, message: string, hint?: string, cause?: unknown): FormatError =>
  new FormatError('pt_damaged', message, {
    place: { file: path },
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });

/** Names what is no archive before the archive reader has to guess. */
async function refuseOthers(path: string): Promise<void> {
  await using file = await open(path, 'r');
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
  if (buffer.readUInt32LE() === LOCAL_SIGNATURE) return;
  if (bytesRead === 0) throw damaged(path, 'the file is empty');
  // The first opcode of a pickle: those files begin with a magic number, pickled.
  if (buffer[0] === 0x80) {
    throw damaged(
      path,
      'the file has the form that torch wrote before version 1.6, which is not read',
      'load it with torch and save it again',
    );
  }
  throw damaged(path, 'the file is no archive of torch.save');
}

async function openArchive(path: string): Promise<ZipArchive> {
  try {
    return await openZip(path, { maxEntryBytes: Number.MAX_SAFE_INTEGER, maxEntries: MAX_ENTRIES });
  } catch (error) {
    if (!(error instanceof FormatError && error.code === 'zip_damaged')) throw error;
    throw damaged(path, error.message, undefined, error);
  }
}

async function read(zip: ZipArchive, { foreign = 'refuse', verify = true }: OpenPtOptions): Promise<PtFile> {
  const { path, entries } = zip;
  const [problem] = zip.problems;
  if (problem !== undefined) throw problem;
  const root = rootOf(zip);
  const within = new Map(
    entries
      .filter(({ name }) => name.startsWith(root))
      .map((entry) => [entry.name.slice(root.length), entry]),
  );
  const bytesOf = async (entry: ZipEntry, first: number, length: number): Promise<ArrayBuffer> => {
    const { region } = await zip.entryRegion(stored(path, entry));
    const isWhole = verify && first === 0 && length === entry.size;
    const bytes = new Uint8Array(length);
    const crc = await readSummed(region.fd, region.offset + first, bytes, isWhole);
    if (crc === undefined) {
      throw damaged(path, `the file ends within ${entry.name}: it was cut since it was opened`);
    }
    if (isWhole && crc !== entry.crc) {
      throw damaged(
        path,
        `the checksum of ${entry.name} is wrong: its bytes changed after they were written`,
        'write the file again, or read it with verify=false if torch was told to leave checksums out',
      );
    }
    return bytes.buffer;
  };

  await refuseBigEndian(path, within.get('byteorder'), bytesOf);
  const pickle = within.get('data.pkl') as ZipEntry;
  if (pickle.size > MAX_PICKLE_BYTES) {
    throw damaged(path, `its data.pkl has ${pickle.size} bytes, at most ${MAX_PICKLE_BYTES} are read`);
  }
  const value = unpickle(new Uint8Array(await bytesOf(pickle, 0, pickle.size)), {
    file: path,
    foreign,
    storageBytes: (key) => within.get(`data/${key}`)?.size,
  });

  /** The entry a tensor lies in, and the bytes of it that the tensor reaches. */
  const locate = (tensor: PtTensor) => {
    const entry = within.get(`data/${tensor.storage}`);
    const fault = entry === undefined ? 'a tensor of another file' : tensorFault(tensor, entry.size);
    if (entry === undefined || fault !== undefined) throw damaged(path, fault ?? '');
    const { first, end } = reachOf(tensor);
    const { bytes } = ptDtypes[tensor.dtype];
    return { entry: stored(path, entry), first: first * bytes, length: (end - first) * bytes };
  };
  return {
    path,
    value,
    entries,
    read: async (tensor) => {
      const { entry, first, length } = locate(tensor);
      const wanted = elementCount(tensor.shape) * ptDtypes[tensor.dtype].bytes;
      if (wanted > entry.size + MAX_UNFOLDED_BYTES) {
        throw damaged(path, `a tensor of ${wanted} bytes is made of a storage of ${entry.size}`);
      }
      const reached = await bytesOf(entry, first, length);
      const elements = isContiguous(tensor) ? reached : gatherElements(tensor, new Uint8Array(reached));
      return decodeElements(tensor.dtype, elements);
    },
    regionOf: (tensor) => {
      if (!isContiguous(tensor)) return undefined;
      const { entry, first, length } = locate(tensor);
      return { offset: entry.dataOffset + first, bytes: length };
    },
    close: () => zip.close(),
    [Symbol.asyncDispose]: () => zip.close(),
  };
}

/**
 * Fills `bytes` from a file; undefined when it ends before. Gives their CRC-32 if it is asked for: each chunk is summed
 * while the next is read.
 */
async function readSummed(
  fd: number,
  offset: number,
  bytes: Uint8Array,
  isSummed: boolean,
): Promise<number | undefined> {
  const readFrom = (at: number) =>
    readAt(fd, bytes, at, Math.min(CHUNK_BYTES, bytes.length - at), offset + at);
  let crc = 0;
  let done = 0;
  let reading = readFrom(0);
  while (done < bytes.length) {
    const { bytesRead } = await reading;
    if (bytesRead === 0) return undefined;
    const chunk = bytes.subarray(done, done + bytesRead);
    done += bytesRead;
    if (done < bytes.length) reading = readFrom(done);
    if (isSummed) crc = crc32(chunk, crc);
  }
  await reading;
  return crc;
}

/** The one folder that everything is in, with its slash; torch names it after the file, or `archive`. */
function rootOf({ path, entries }: ZipArchive): string {
  const roots = entries.flatMap(({ name }) => /^([^/]+\/)data\.pkl$/.exec(name)?.[1] ?? []);
  const [root] = roots;
  if (root !== undefined && roots.length === 1) return root;
  throw damaged(
    path,
    `the archive has ${roots.length} entries called data.pkl, expected one in a folder of its own`,
  );
}

function stored(path: string, entry: ZipEntry): ZipEntry {
  if (entry.method === 'stored') return entry;
  throw damaged(
    path,
    `${entry.name} is compressed: torch.save stores it as it is`,
    'load it with torch and save it again',
  );
}

async function refuseBigEndian(
  path: string,
  entry: ZipEntry | undefined,
  bytesOf: (entry: ZipEntry, first: number, length: number) => Promise<ArrayBuffer>,
): Promise<void> {
  if (entry === undefined) return;
  const order = Buffer.from(await bytesOf(entry, 0, Math.min(entry.size, 16))).toString('latin1');
  if (order === 'little') return;
  throw damaged(
    path,
    `the file was written on a machine whose byte order is ${JSON.stringify(order)}; only "little" is read`,
    'load it with torch there and save it again on an ordinary machine',
  );
}
