/**
 * Event files, as TensorBoard reads them: records of TensorFlow's TFRecord format, each an `Event` message
 * (https://github.com/tensorflow/tensorboard, compat/proto/event.proto and summary.proto).
 *
 * Scalars and images are written as plain values, without a tensor and a plugin's metadata: all versions of TensorBoard
 * show them, and so do the readers that know only this form (`EventAccumulator.Scalars`, TensorFlow's `summary_iterator`).
 */
import { closeSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { writeFully } from './durable.js';
import { MessageWriter } from './protobuf.js';

/** Field numbers of the messages. */
const event = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
const summary = { value: 1 } as const;
const value = { tag: 1, simpleValue: 2, image: 4 } as const;
const image = { height: 1, width: 2, colorspace: 3, encoded: 4 } as const;
const sessionLog = { status: 1 } as const;
const started = 1;
const rgb = 3;

const namePattern = /^events\.out\.tfevents\.(\d+)\./;
/** With more bytes than these, events do not wait for `flush`. */
const pendingBytes = 256 * 1024;

/**
 * One file of a folder that TensorBoard watches. Nobody can go on in an event file; whoever starts again after a crash
 * opens another one, with the step from which on it writes. Its first event tells TensorBoard to forget what earlier
 * files of the folder have at this step and later, so a stretch that is done twice is shown once.
 *
 *     using events = EventFile.open('runs/a/tensorboard', { step: checkpoint.step + 1 });
 *     events.scalar('loss/train', 0.31, 101, Date.now() / 1000);
 *     events.flush();
 *
 * Events wait in memory until `flush`, or until they are 256 KiB. They are a view of the training, not its truth: they are
 * not forced to disk, and a file that ends within a record, after a power cut, is read up to there.
 */
export class EventFile implements Disposable {
  readonly #fd: number;
  #pending: Uint8Array[] = [];
  #pendingLength = 0;
  #written = 0;
  #isOpen = true;

  private constructor(readonly path: string) {
    this.#fd = openSync(path, 'wx');
  }

  /**
   * Begins a file in a folder, which is made if need be. Its name sorts behind those of all event files there, even when
   * the clock was set back, as TensorBoard reads them in this order.
   *
   * @param step the first step this file will tell of
   * @param wallTime seconds since 1970
   * @throws the system's errors
   */
  static open(
    folder: string,
    { step = 0, wallTime = Date.now() / 1000 }: { readonly step?: number; readonly wallTime?: number } = {},
  ): EventFile {
    mkdirSync(folder, { recursive: true });
    const taken = readdirSync(folder).map((name) => Number(namePattern.exec(name)?.[1] ?? -1));
    const second = taken.reduce((latest, each) => Math.max(latest, each + 1), Math.floor(wallTime));
    const host = hostname().replace(/[^\w.-]/g, '_');
    const name = `events.out.tfevents.${String(second).padStart(10, '0')}.${host}.${process.pid}.0`;
    const file = new EventFile(join(folder, name));
    file.#add(new MessageWriter().double(event.wallTime, wallTime).text(event.fileVersion, 'brain.Event:2'));
    const log = new MessageWriter().integer(sessionLog.status, started);
    file.#add(eventAt(step, wallTime).message(event.sessionLog, log));
    return file;
  }

  /**
   * Adds a number.
   *
   * @param tag its curve; what stands before a `/` groups curves
   * @param number kept as float32; NaN and infinities are shown as such
   * @param wallTime seconds since 1970
   */
  scalar(tag: string, number: number, step: number, wallTime = Date.now() / 1000): void {
    this.#summarise(
      new MessageWriter().text(value.tag, tag).float(value.simpleValue, number),
      step,
      wallTime,
    );
  }

  /**
   * Adds a picture.
   *
   * @param png a whole PNG file
   * @throws Error when it is none
   */
  image(tag: string, png: Uint8Array, step: number, wallTime = Date.now() / 1000): void {
    const { width, height } = pngSize(png);
    const picture = new MessageWriter()
      .integer(image.height, height)
      .integer(image.width, width)
      .integer(image.colorspace, rgb)
      .bytes(image.encoded, png);
    this.#summarise(new MessageWriter().text(value.tag, tag).message(value.image, picture), step, wallTime);
  }

  /** Gives all events to the system. Throws its errors; the events are kept then, and the next call tries again. */
  flush(): void {
    if (this.#pendingLength === 0) return;
    const bytes = Buffer.concat(this.#pending);
    writeFully(this.#fd, bytes, this.#written);
    this.#written += bytes.length;
    this.#pending = [];
    this.#pendingLength = 0;
  }

  /** Flushes and ends the file; nothing can be added afterwards. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      this.flush();
    } finally {
      closeSync(this.#fd);
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #summarise(one: MessageWriter, step: number, wallTime: number): void {
    this.#add(
      eventAt(step, wallTime).message(event.summary, new MessageWriter().message(summary.value, one)),
    );
    if (this.#pendingLength > pendingBytes) this.flush();
  }

  #add(message: MessageWriter): void {
    if (!this.#isOpen) throw new Error(`${this.path} is closed: no event can be added to it`);
    const record = recordOf(message.finish());
    this.#pending.push(record);
    this.#pendingLength += record.length;
  }
}

const eventAt = (step: number, wallTime: number): MessageWriter =>
  new MessageWriter().double(event.wallTime, wallTime).integer(event.step, step);

/** A TFRecord: length, its checksum, the bytes, their checksum; numbers little-endian. */
export function recordOf(data: Uint8Array): Uint8Array {
  const record = Buffer.alloc(data.length + 16);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(maskedCrc32c(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
  return record;
}

/** The remainder of each byte for the Castagnoli polynomial, bits in reverse. */
const remainders = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0x82f63b78 : 0);
  return rest;
});

/** CRC-32C (RFC 3720, appendix B.4). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++)
    crc = (remainders[(crc ^ (bytes[i] as number)) & 255] as number) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** As TFRecord stores it, lest a checksum be taken of bytes that hold their own: turned by 15 bits, and a constant added. */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

const pngStart = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1');

/** Width and height that a PNG file gives in its first chunk. */
function pngSize(png: Uint8Array): { readonly width: number; readonly height: number } {
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength);
  if (bytes.length < 24 || !bytes.subarray(0, 16).equals(pngStart))
    throw new Error(`expected a PNG file, found ${bytes.length} bytes that do not begin as one`);
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}
