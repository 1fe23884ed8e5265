import { crc32, deflateRawSync } from 'node:zlib';

/** One entry of a test archive; what is not said is right, what is said may be a lie. */
export interface Part {
  readonly name: string;
  readonly data?: Buffer;
  readonly method?: number;
  readonly flags?: number;
  readonly unixMode?: number;
  /** What the directory says instead of the truth. */
  readonly says?: { size?: number; compressedSize?: number; crc?: number; offset?: number };
  readonly localName?: string;
  readonly zip64?: boolean;
}

/** Writes a zip archive byte by byte, so that tests can build those that no tool makes. */
export function buildZip(
  parts: readonly Part[],
  options: { zip64?: boolean; comment?: string } = {},
): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  for (const part of parts) {
    const { data = Buffer.from('x'), method = 8, flags = 0, unixMode = 0o100644 } = part;
    const packed = method === 8 ? deflateRawSync(data) : data;
    const crc = part.says?.crc ?? crc32(data);
    const size = part.says?.size ?? data.length;
    const compressedSize = part.says?.compressedSize ?? packed.length;
    const offset = part.says?.offset ?? position;
    const name = Buffer.from(part.name);
    const localName = Buffer.from(part.localName ?? part.name);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(flags, 6);
    local.writeUInt16LE(method, 8);
    local.writeUInt16LE(localName.length, 26);
    bodies.push(local, localName, packed);
    position += 30 + localName.length + packed.length;

    const extra = Buffer.alloc(part.zip64 ? 28 : 0);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE((3 << 8) | 20, 4);
    central.writeUInt16LE(flags, 8);
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(crc, 16);
    central.writeUInt32LE(part.zip64 ? 0xffffffff : compressedSize, 20);
    central.writeUInt32LE(part.zip64 ? 0xffffffff : size, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt16LE(extra.length, 30);
    central.writeUInt32LE((unixMode << 16) >>> 0, 38);
    central.writeUInt32LE(part.zip64 ? 0xffffffff : offset, 42);
    if (part.zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      extra.writeBigUInt64LE(BigInt(size), 4);
      extra.writeBigUInt64LE(BigInt(compressedSize), 12);
      extra.writeBigUInt64LE(BigInt(offset), 20);
    }
    directory.push(central, name, extra);
  }
  const listed = Buffer.concat(directory);
  return Buffer.concat([...bodies, listed, endRecords(parts.length, listed.length, position, options)]);
}

function endRecords(
  count: number,
  bytes: number,
  offset: number,
  { zip64 = false, comment = '' }: { zip64?: boolean; comment?: string },
): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(zip64 ? 0xffff : count, 8);
  end.writeUInt16LE(zip64 ? 0xffff : count, 10);
  end.writeUInt32LE(zip64 ? 0xffffffff : bytes, 12);
  end.writeUInt32LE(zip64 ? 0xffffffff : offset, 16);
  end.writeUInt16LE(comment.length, 20);
  if (!zip64) return Buffer.concat([end, Buffer.from(comment)]);
  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(44n, 4);
  end64.writeBigUInt64LE(BigInt(count), 24);
  end64.writeBigUInt64LE(BigInt(count), 32);
  end64.writeBigUInt64LE(BigInt(bytes), 40);
  end64.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(offset + bytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([end64, locator, end, Buffer.from(comment)]);
}
