import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crc32c, EventFile, maskedCrc32c, recordOf } from '../../src/formats/tfevents.js';

/** CRC-32C bit by bit: division by x³² + 0x1EDC6F41, every byte and the rest mirrored. */
function crcByDefinition(bytes: Uint8Array): number {
  const mirrored = (bits: bigint, width: number) =>
    BigInt(`0b${bits.toString(2).padStart(width, '0').split('').reverse().join('')}`);
  let register = 0xffffffffn;
  for (const byte of bytes) {
    register ^= mirrored(BigInt(byte), 8) << 24n;
    for (let bit = 0; bit < 8; bit++) {
      register <<= 1n;
      if (register >> 32n) register ^= 0x11edc6f41n;
    }
  }
  return Number(mirrored(register ^ 0xffffffffn, 32));
}

const masked = (bytes: Uint8Array): number => {
  const crc = BigInt(crcByDefinition(bytes));
  return Number((((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn);
};

type Fields = ReadonlyMap<number, readonly (bigint | Buffer)[]>;

/** A protocol buffer message by the rules of the wire format. */
function decoded(message: Buffer): Fields {
  const fields = new Map<number, (bigint | Buffer)[]>();
  let at = 0;
  const varint = (): bigint => {
    let number = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message.readUInt8(at++);
      number |= BigInt(byte & 127) << shift;
      if (byte < 128) return number;
    }
  };
  const bytes = (length: number): Buffer => {
    const part = message.subarray(at, at + length);
    expect(part.length).toBe(length);
    at += length;
    return part;
  };
  while (at < message.length) {
    const tag = Number(varint());
    const found = fields.get(tag >> 3) ?? [];
    fields.set(tag >> 3, found);
    if ((tag & 7) === 0) found.push(varint());
    else if ((tag & 7) === 1) found.push(bytes(8));
    else if ((tag & 7) === 5) found.push(bytes(4));
    else if ((tag & 7) === 2) found.push(bytes(Number(varint())));
    else throw new Error(`wire type ${tag & 7}`);
  }
  return fields;
}

const part = (fields: Fields, field: number): Buffer => fields.get(field)?.[0] as Buffer;
const inside = (fields: Fields, field: number): Fields => decoded(part(fields, field));

interface Seen {
  readonly step: number;
  readonly wallTime: number;
  readonly what: string;
  readonly fields: Fields;
}

/** All events of a file, lengths and checksums proven. */
function eventsOf(path: string): readonly Seen[] {
  const file = readFileSync(path);
  const seen: Seen[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    expect(file.readUInt32LE(at + 8)).toBe(masked(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(data.length).toBe(length);
    expect(file.readUInt32LE(at + 12 + length)).toBe(masked(data));
    at += 16 + length;
    const fields = decoded(data);
    const what = fields.has(3)
      ? 'version'
      : fields.has(5)
        ? 'summary'
        : fields.has(7)
          ? 'session'
          : 'nothing';
    seen.push({
      step: Number(fields.get(2)?.[0] ?? 0n),
      wallTime: part(fields, 1).readDoubleLE(),
      what,
      fields,
    });
  }
  return seen;
}

const summaryOf = ({ fields }: Seen): Fields => inside(inside(fields, 5), 1);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tfevents-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('checksums', () => {
  it('are CRC-32C', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    // RFC 3720, appendix B.4.
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(new Uint8Array(0))).toBe(0);
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * i * 31) & 255);
    expect(crc32c(bytes)).toBe(crcByDefinition(bytes));
  });

  it('are masked as TensorFlow masks them', () => {
    expect(maskedCrc32c(Uint8Array.of(24, 0, 0, 0, 0, 0, 0, 0))).toBe(0x224b7fa3);
  });
});

describe('records', () => {
  it('have the bytes of a file that tf.summary.scalar("accuracy", 0.99, step=77) wrote', () => {
    const version = Buffer.from('0900008038 99d6d741 1a0d'.replaceAll(' ', ''), 'hex');
    expect(Buffer.from(recordOf(Buffer.concat([version, Buffer.from('brain.Event:2')])))).toEqual(
      Buffer.concat([
        Buffer.from('1800000000000000a37f4b22', 'hex'),
        version,
        Buffer.from('brain.Event:2'),
        Buffer.from('124b36ab', 'hex'),
      ]),
    );
    const scalar = Buffer.from(
      '09c405b73d99d6d741104d2a250a230a086163637572616379420a080112002204a4707d3f4a0b0a090a077363616c617273',
      'hex',
    );
    const record = Buffer.from(recordOf(scalar));
    expect(record.subarray(0, 12).toString('hex')).toBe('3200000000000000241956ec');
    expect(record.subarray(-4).toString('hex')).toBe('a55b6433');
  });
});

describe('an event file', () => {
  it('begins with the bytes TensorFlow begins with', () => {
    const file = EventFile.open(folder, { wallTime: Buffer.from('0000803899d6d741', 'hex').readDoubleLE() });
    file.close();
    expect(readFileSync(file.path).subarray(0, 40).toString('hex')).toBe(
      '1800000000000000a37f4b220900008038' + '99d6d7411a0d627261696e2e4576656e743a32124b36ab',
    );
  });

  it('tells of numbers by tag and step', () => {
    const file = EventFile.open(folder, { wallTime: 1.6e9 });
    file.scalar('loss/train', 0.25, 1, 1.6e9 + 0.5);
    file.scalar('loss/train', Number.NaN, 3_000_000_000, 1.6e9 + 1);
    file.scalar('note é', -1.1, 2);
    file.close();
    const [version, session, first, second, third] = eventsOf(file.path) as [Seen, Seen, Seen, Seen, Seen];
    expect(part(version.fields, 3).toString()).toBe('brain.Event:2');
    expect([session.what, session.step]).toEqual(['session', 0]);
    expect([first.step, first.wallTime]).toEqual([1, 1.6e9 + 0.5]);
    expect(part(summaryOf(first), 1).toString()).toBe('loss/train');
    expect(part(summaryOf(first), 2).readFloatLE()).toBe(0.25);
    expect(second.step).toBe(3_000_000_000);
    expect(part(summaryOf(second), 2).readFloatLE()).toBeNaN();
    expect(part(summaryOf(third), 1).toString()).toBe('note é');
    expect(part(summaryOf(third), 2).readFloatLE()).toBe(Math.fround(-1.1));
  });

  it('holds pictures with their size', () => {
    const png = Buffer.from(
      'iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAADklEQVR4nGNgQAX/GRgABQ4B/zvdqBAAAAAASUVORK5CYII=',
      'base64',
    );
    const file = EventFile.open(folder);
    file.image('examples', png, 12);
    file.close();
    const picture = inside(summaryOf(eventsOf(file.path)[2] as Seen), 4);
    expect([picture.get(1), picture.get(2), picture.get(3)]).toEqual([[2n], [3n], [3n]]);
    expect(part(picture, 4)).toEqual(png);
  });

  it('refuses a picture that is no PNG', () => {
    using file = EventFile.open(folder);
    expect(() => file.image('examples', Buffer.from('GIF89a'), 1)).toThrow(
      /expected a PNG file, found 6 bytes/,
    );
  });

  it('lets TensorBoard forget what an earlier file has from its first step on', () => {
    const first = EventFile.open(folder, { wallTime: 2e9 });
    for (let step = 1; step <= 5; step++) first.scalar('loss', step, step);
    first.close();
    const second = EventFile.open(folder, { step: 4, wallTime: 2e9 + 60 });
    second.scalar('loss', 40, 4);
    second.close();
    // What TensorBoard does: files by name; a START after the first purges what is not before its step.
    const curve = new Map<number, number>();
    let starts = 0;
    for (const name of readdirSync(folder).sort()) {
      for (const seen of eventsOf(join(folder, name))) {
        if (seen.what === 'session') {
          expect(inside(seen.fields, 7).get(1)).toEqual([1n]);
          if (starts++ > 0) for (const step of [...curve.keys()]) if (step >= seen.step) curve.delete(step);
        } else if (seen.what === 'summary') curve.set(seen.step, part(summaryOf(seen), 2).readFloatLE());
      }
    }
    expect([...curve]).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 40],
    ]);
  });

  it('sorts behind the files before it, though the clock was set back', () => {
    writeFileSync(join(folder, 'events.out.tfevents.1700000000.elsewhere.7.0'), '');
    writeFileSync(join(folder, 'notes.txt'), '');
    const paths = [1_600_000_000, 1_600_000_000, 1_800_000_000].map((wallTime) => {
      using file = EventFile.open(folder, { wallTime });
      return file.path;
    });
    expect(paths.map((path) => /tfevents\.(\d+)\./.exec(path)?.[1])).toEqual([
      '1700000001',
      '1700000002',
      '1800000000',
    ]);
  });

  it('is read up to its last flush while it grows', () => {
    using file = EventFile.open(folder);
    file.scalar('loss', 1, 1);
    expect(eventsOf(file.path)).toHaveLength(0);
    file.flush();
    expect(eventsOf(file.path)).toHaveLength(3);
  });

  it('keeps little in memory without being flushed', () => {
    using file = EventFile.open(folder);
    for (let step = 0; step < 8000; step++) file.scalar('loss', 1, step);
    expect(eventsOf(file.path).length).toBeGreaterThan(1000);
  });

  it('says that it is closed', () => {
    const file = EventFile.open(folder);
    file.close();
    file.close();
    expect(() => file.scalar('loss', 1, 1)).toThrow(/is closed/);
  });

  it('leaves a file that ends within a record alone', () => {
    const first = EventFile.open(folder);
    first.close();
    appendFileSync(first.path, Buffer.from([7, 0, 0]));
    const before = readFileSync(first.path);
    EventFile.open(folder, { step: 9 }).close();
    expect(readFileSync(first.path)).toEqual(before);
  });
});
