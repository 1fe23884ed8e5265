/**
 * The protocol buffer wire format, as much of it as ONNX and TensorBoard need: varints, fixed floats and
 * length-delimited fields (https://protobuf.dev/programming-guides/encoding).
 */

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Collects the fields of one message. Large byte fields are kept by reference and copied once, by `finish`. */
export class MessageWriter {
  private readonly parts: Uint8Array[] = [];
  private length = 0;

  /** A signed 64-bit or enum field. Values beyond 2^53 are not needed and not representable here. */
  integer(field: number, value: number): this {
    this.push(varint(BigInt(field << 3) | BigInt(VARINT)));
    return this.push(varint(BigInt.asUintN(64, BigInt(value))));
  }

  /** Packed repeated integers. */
  integers(field: number, values: readonly number[]): this {
    return this.bytes(field, concatenate(values.map((value) => varint(BigInt.asUintN(64, BigInt(value))))));
  }

  float(field: number, value: number): this {
    this.push(varint(BigInt((field << 3) | FIXED32)));
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.push(bytes);
  }

  double(field: number, value: number): this {
    this.push(varint(BigInt((field << 3) | FIXED64)));
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return this.push(bytes);
  }

  text(field: number, value: string): this {
    return this.bytes(field, encoder.encode(value));
  }

  bytes(field: number, value: Uint8Array): this {
    this.push(varint(BigInt((field << 3) | LENGTH)));
    this.push(varint(BigInt(value.length)));
    return this.push(value);
  }

  message(field: number, value: MessageWriter): this {
    this.push(varint(BigInt((field << 3) | LENGTH)));
    this.push(varint(BigInt(value.length)));
    this.parts.push(...value.parts);
    this.length += value.length;
    return this;
  }

  finish(): Uint8Array {
    return concatenate(this.parts);
  }

  private push(bytes: Uint8Array): this {
    this.parts.push(bytes);
    this.length += bytes.length;
    return this;
  }
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** One field as it stands on the wire: a number for varints and floats' bits, a view for length-delimited ones. */
export interface WireField {
  readonly field: number;
  readonly integer: number;
  readonly bytes: Uint8Array;
}

const nothing = new Uint8Array(0);

/**
 * The fields of a message, in order, without copying. Throws a plain Error on bytes that are not a
 * message; lengths are checked against what is there, never allocated.
 */
export function* readFields(message: Uint8Array): Generator<WireField> {
  const cursor = { offset: 0 };
  while (cursor.offset < message.length) {
    const tag = readVarint(message, cursor);
    const field = Math.floor(tag / 8);
    if (field === 0) throw new Error(`field number 0 at byte ${cursor.offset}`);
    const kind = tag % 8;
    if (kind === VARINT) yield { field, integer: readVarint(message, cursor), bytes: nothing };
    else if (kind === LENGTH)
      yield { field, integer: 0, bytes: take(message, cursor, readVarint(message, cursor)) };
    else if (kind === FIXED32) yield { field, integer: 0, bytes: take(message, cursor, 4) };
    else if (kind === FIXED64) yield { field, integer: 0, bytes: take(message, cursor, 8) };
    else throw new Error(`wire type ${kind} at byte ${cursor.offset}`);
  }
}

/** Packed or single integers of a repeated field. */
export function readIntegers({ bytes, integer }: WireField): number[] {
  if (bytes.length === 0) return [integer];
  const cursor = { offset: 0 };
  const values: number[] = [];
  while (cursor.offset < bytes.length) values.push(readVarint(bytes, cursor));
  return values;
}

export const readText = ({ bytes }: WireField): string => decoder.decode(bytes);

function take(message: Uint8Array, cursor: { offset: number }, length: number): Uint8Array {
  const end = cursor.offset + length;
  if (length < 0 || end > message.length) {
    throw new Error(
      `a field of ${length} bytes at byte ${cursor.offset}, where ${message.length - cursor.offset} remain`,
    );
  }
  const view = message.subarray(cursor.offset, end);
  cursor.offset = end;
  return view;
}

function readVarint(message: Uint8Array, cursor: { offset: number }): number {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = message[cursor.offset];
    if (byte === undefined) throw new Error(`the bytes end within a number at byte ${cursor.offset}`);
    cursor.offset += 1;
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return Number(BigInt.asIntN(64, value));
  }
  throw new Error(`a number longer than 64 bits at byte ${cursor.offset}`);
}
