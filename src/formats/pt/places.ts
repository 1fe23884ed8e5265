/**
 * A .pt file of equal records whose places are known before any of them is written: record n lies where it lies
 * whatever came before, so that several threads write at once, in any order, and the bytes are always the same.
 *
 * A place tells by itself whether it is filled: its headers, with the checksums of what follows, are written last.
 */
import { closeSync, constants, fdatasyncSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { partPath, syncFolderOf, writeFully } from '../durable.js';
import { FormatError } from '../errors.js';
import { denseTensor, elementCount, type PtDtype, type PtTensor, type PtValue, ptDtypes } from './value.js';
import { ALIGNMENT, nameOf, type PtStorageEntry, PtWriter } from './write.js';
import { dataOffsetOf, localHeader, type StoredEntry } from './zip-records.js';

/** One tensor of a record. */
export interface PlannedTensor {
  readonly dtype: PtDtype;
  readonly shape: readonly number[];
}

/** The tensors of every record, each with a storage of its own. */
export type RecordPlan = readonly PlannedTensor[];

interface Place {
  readonly entries: readonly (Omit<StoredEntry, 'crc32'> & { readonly key: string })[];
  readonly end: number;
}

export const bytesOfTensor = ({ dtype, shape }: PlannedTensor): number =>
  ptDtypes[dtype].bytes * elementCount(shape);

const keyOf = (plan: RecordPlan, place: number, index: number): string => String(place * plan.length + index);

/** The tensors of the record at a place, as the pickle describes them. */
export const tensorsAt = (plan: RecordPlan, place: number): readonly PtTensor[] =>
  plan.map(({ dtype, shape }, index) => denseTensor(keyOf(plan, place, index), dtype, shape));

/** Where the storages of the records lie, from the first record on. */
function* walkPlaces(plan: RecordPlan): Generator<Place, never> {
  let end = 0;
  // Names, and with them headers, grow with their number: there is no shorter way than to count.
  for (let place = 0; ; place++) {
    const entries = plan.map((tensor, index) => {
      const key = keyOf(plan, place, index);
      const headerOffset = end;
      const offset = dataOffsetOf(headerOffset, nameOf(key), ALIGNMENT);
      const bytes = bytesOfTensor(tensor);
      end = offset + bytes;
      return { key, name: nameOf(key), headerOffset, offset, bytes };
    });
    yield { entries, end };
  }
}

/** The first `count` places. */
function firstPlaces(plan: RecordPlan, count: number): readonly Place[] {
  const places = walkPlaces(plan);
  return Array.from({ length: count }, () => places.next().value);
}

const placeAt = (plan: RecordPlan, place: number): Place => firstPlaces(plan, place + 1).at(-1) as Place;

/**
 * Writes one record into its place. It is on disk when this returns. A place may be filled again.
 *
 * @param path the part file; made when it is not there
 * @param contents the bytes of tensor `index`, little-endian; a chunk may be reused when the next is asked for
 * @throws RangeError when they are not as many as planned; the system's errors (`ENOSPC`)
 */
export function fillPlace(
  path: string,
  plan: RecordPlan,
  place: number,
  contents: (index: number) => Iterable<Uint8Array>,
): void {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
  try {
    const isNew = fstatSync(fd).size === 0;
    const headers = placeAt(plan, place).entries.map((entry, index) => {
      let bytes = 0;
      let crc = 0;
      for (const chunk of contents(index)) {
        const at = entry.offset + bytes;
        bytes += chunk.length;
        // What is too much would lie in the next place.
        if (bytes > entry.bytes) break;
        writeFully(fd, chunk, at);
        crc = crc32(chunk, crc);
      }
      if (bytes !== entry.bytes) {
        throw new RangeError(`tensor ${index} has ${entry.bytes} bytes, another number came`);
      }
      return { at: entry.headerOffset, bytes: localHeader({ ...entry, crc32: crc }) };
    });
    for (const { at, bytes } of headers) writeFully(fd, bytes, at);
    fdatasyncSync(fd);
    if (isNew) syncFolderOf(path);
  } finally {
    closeSync(fd);
  }
}

/** Which of these places are filled; none when there is no such file. */
export function filledPlaces(path: string, plan: RecordPlan, places: readonly number[]): readonly number[] {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  try {
    const all = firstPlaces(plan, Math.max(-1, ...places) + 1);
    return places.filter((place) => storagesAt(fd, all[place] as Place) !== undefined);
  } finally {
    closeSync(fd);
  }
}

/** The storages of a record from the headers of its place; undefined when it is not filled. */
function storagesAt(fd: number, { entries, end }: Place): readonly PtStorageEntry[] | undefined {
  if (fstatSync(fd).size < end) return undefined;
  const found: PtStorageEntry[] = [];
  for (const { key, name, headerOffset, offset, bytes } of entries) {
    const header = Buffer.alloc(offset - headerOffset);
    readSync(fd, header, 0, header.length, headerOffset);
    const crc = header.readUInt32LE(14);
    if (!header.equals(localHeader({ name, headerOffset, offset, bytes, crc32: crc }))) return undefined;
    found.push({ key, offset, bytes, crc32: crc });
  }
  return found;
}

const zeros = new Uint8Array(1 << 20);

function* zerosOf(bytes: number): Generator<Uint8Array> {
  for (let left = bytes; left > 0; left -= zeros.length)
    yield zeros.subarray(0, Math.min(left, zeros.length));
}

/**
 * Describes the records in these places and gives the file its name. A place before the last that is not among them
 * is filled with zeros that nothing refers to.
 *
 * @param path what the file is called when it is whole; it lies at `path.part`
 * @param places in ascending order
 * @param describe the value to be unpickled, of the tensors of each record
 * @returns its size
 * @throws FormatError `pt_damaged` when a place is not filled; the system's errors
 */
export function finishPlaces(
  path: string,
  plan: RecordPlan,
  places: readonly number[],
  describe: (records: readonly (readonly PtTensor[])[]) => PtValue,
): number {
  const part = partPath(path);
  const all = firstPlaces(plan, Math.max(-1, ...places) + 1);
  const wanted = new Set(places);
  for (const place of all.keys()) {
    if (wanted.has(place)) continue;
    fillPlace(part, plan, place, (index) => zerosOf(bytesOfTensor(plan[index] as PlannedTensor)));
  }
  const fd = openSync(part, 'r');
  let storages: PtStorageEntry[];
  try {
    storages = all.flatMap((place, index) => {
      const found = storagesAt(fd, place);
      if (found !== undefined) return found;
      const message = `the place of record ${index} is not filled`;
      throw new FormatError('pt_damaged', message, { place: { file: part } });
    });
  } finally {
    closeSync(fd);
  }
  const end = all.at(-1)?.end ?? 0;
  const writer = PtWriter.resume(path, { storages, end });
  return writer.finish(describe(places.map((place) => tensorsAt(plan, place)))).bytes;
}
