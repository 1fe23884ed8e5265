import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Journal } from '../../src/formats/journal.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'journal-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const description = { shard: 'shard-00007', config: 'c0ffee' };
const payloads = [
  new Uint8Array([1, 2, 3]),
  new Uint8Array(),
  new Uint8Array(40).fill(9),
  new Uint8Array([7]),
];

/** The payloads a journal made of these bytes gives back, and what it cut off. */
function recover(bytes: Uint8Array) {
  const path = join(folder, 'recover.journal');
  writeFileSync(path, bytes);
  const journal = Journal.open(path, description);
  try {
    return { kept: [...journal.replay()], lost: journal.lost, found: journal.description, path };
  } finally {
    journal.close();
  }
}

/** A whole journal as bytes, and the byte at which each of its records ends. */
function wholeJournal(): { bytes: Buffer; ends: number[] } {
  const path = join(folder, 'whole.journal');
  rmSync(path, { force: true });
  const journal = Journal.open(path, description);
  const ends = [journal.bytes];
  for (const payload of payloads) {
    journal.append([payload]);
    ends.push(journal.bytes);
  }
  journal.sync();
  journal.close();
  return { bytes: readFileSync(path), ends };
}

describe('Journal', () => {
  it('gives back the description and every payload, and goes on where it ended', () => {
    const path = join(folder, 'again.journal');
    const first = Journal.open(path, description);
    expect(first.lost).toBeUndefined();
    first.append(payloads.slice(0, 2));
    first.sync();
    expect([...first.replay()]).toEqual(payloads.slice(0, 2));
    first.close();

    const second = Journal.open(path, { other: true });
    expect(second.description).toEqual(description);
    second.append(payloads.slice(2));
    second.sync();
    second.close();

    const third = Journal.open(path, {});
    expect([...third.replay()]).toEqual(payloads);
    expect(third.lost).toBeUndefined();
    third.remove();
    expect(() => readFileSync(path)).toThrow('ENOENT');
  });

  it('keeps exactly the whole records when cut at any byte', () => {
    const { bytes, ends } = wholeJournal();
    for (let cut = 0; cut < bytes.length; cut++) {
      const { kept, lost } = recover(bytes.subarray(0, cut));
      const whole = ends.filter((end) => end <= cut).length - 1;
      expect(kept, `cut at ${cut}`).toEqual(payloads.slice(0, Math.max(whole, 0)));
      const trusted = whole < 0 ? 0 : (ends[whole] ?? 0);
      expect(lost, `cut at ${cut}`).toEqual(
        cut === trusted ? undefined : { offset: trusted, bytes: cut - trusted, reason: 'torn' },
      );
    }
  });

  it('can be appended to after a torn tail was cut off', () => {
    const { bytes } = wholeJournal();
    const { path } = recover(bytes.subarray(0, bytes.length - 1));
    const journal = Journal.open(path, description);
    journal.append([new Uint8Array([5, 5])]);
    journal.sync();
    journal.close();
    const again = Journal.open(path, description);
    expect([...again.replay()]).toEqual([...payloads.slice(0, -1), new Uint8Array([5, 5])]);
    again.close();
  });

  it('ends the trusted records at any flipped bit and reports it', () => {
    const { bytes, ends } = wholeJournal();
    for (let at = 8; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      const { kept, lost } = recover(flipped);
      const whole = ends.filter((end) => end <= at).length - 1;
      expect(kept, `flip at ${at}`).toEqual(payloads.slice(0, Math.max(whole, 0)));
      const trusted = whole < 0 ? 0 : (ends[whole] ?? 0);
      expect(lost, `flip at ${at}`).toMatchObject({ offset: trusted, bytes: bytes.length - trusted });
    }
  });

  it('takes neither zeros nor records from another place for its own', () => {
    const { bytes, ends } = wholeJournal();
    expect(recover(Buffer.concat([bytes, Buffer.alloc(64)]))).toMatchObject({
      kept: payloads,
      lost: { offset: bytes.length, bytes: 64, reason: 'corrupt' },
    });
    const third = bytes.subarray(ends[2], ends[3]);
    expect(recover(Buffer.concat([bytes, third])).lost).toMatchObject({
      offset: bytes.length,
      reason: 'corrupt',
    });
  });

  it('reads no more than the file has when a length claims gigabytes', () => {
    const { bytes } = wholeJournal();
    const claim = Buffer.from([0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    expect(recover(Buffer.concat([bytes, claim]))).toMatchObject({
      kept: payloads,
      lost: { reason: 'torn' },
    });
  });

  it('refuses a file that is something else, and leaves it as it is', () => {
    const path = join(folder, 'letter.txt');
    writeFileSync(path, 'Dear reader');
    expect(() => Journal.open(path, description)).toThrow(
      expect.objectContaining({ code: 'hdf5_damaged', place: { file: path } }),
    );
    expect(readFileSync(path, 'utf8')).toBe('Dear reader');
  });
});
