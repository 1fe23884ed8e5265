import { mkdirSync, mkdtempSync, readdirSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ByteRegion } from '../../src/formats/fits/source.js';
import { openZip, type ZipArchive } from '../../src/formats/zip.js';
import { buildZip, type Part } from './zip-builder.js';

const folder = mkdtempSync(join(tmpdir(), 'skypass-zip-'));
const tempDir = join(folder, 'temp');
mkdirSync(tempDir);
afterAll(() => rmSync(folder, { recursive: true }));

/** Bytes that deflate a little, so that packed and unpacked differ. */
const pixels = Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * i) % 251));
const good: Part = { name: 'DES0001-0541/good.fits', data: pixels };

let count = 0;
function write(bytes: Buffer): string {
  const path = join(folder, `${++count}.zip`);
  writeFileSync(path, bytes);
  return path;
}
const openParts = (...parts: Part[]) => openZip(write(buildZip(parts)));

function readAll(region: ByteRegion): Buffer {
  const bytes = Buffer.alloc(region.size);
  expect(readSync(region.fd, bytes, 0, region.size, region.offset)).toBe(region.size);
  return bytes;
}

async function unpacked(archive: ZipArchive, index = 0): Promise<Buffer> {
  const entry = archive.entries[index];
  if (entry === undefined) throw new Error(`the archive offers ${archive.entries.length} entries`);
  await using held = await archive.entryRegion(entry, { tempDir });
  return readAll(held.region);
}

describe('good archives', () => {
  it('reads a stored entry in the archive itself', async () => {
    const path = write(buildZip([{ ...good, method: 0 }]));
    await using archive = await openZip(path);
    const [entry] = archive.entries;
    expect(entry).toMatchObject({
      name: good.name,
      size: 50_000,
      compressedSize: 50_000,
      method: 'stored',
      dataOffset: 30 + good.name.length,
    });
    if (entry === undefined) return;
    const { region } = await archive.entryRegion(entry, { tempDir: '/nowhere' });
    expect(region).toMatchObject({ name: `${path}!/${good.name}`, offset: entry.dataOffset, size: 50_000 });
    expect(readAll(region)).toEqual(pixels);
  });

  it('unpacks a deflated entry into a file without a name', async () => {
    await using archive = await openParts(good);
    expect(archive.entries[0]?.method).toBe('deflated');
    await using held = await archive.entryRegion(archive.entries[0] as never, { tempDir });
    expect(readdirSync(tempDir)).toEqual([]);
    expect(held.region.offset).toBe(0);
    expect(readAll(held.region)).toEqual(pixels);
  });

  it('lists files in the order of the directory and leaves folders out', async () => {
    await using archive = await openParts(
      { name: 'b/', method: 0, data: Buffer.alloc(0) },
      { name: 'b/2' },
      { name: './a/1' },
    );
    expect(archive.entries.map((entry) => entry.name)).toEqual(['b/2', './a/1']);
    expect(archive.problems).toEqual([]);
  });

  it('reads zip64 sizes and end records', async () => {
    await using archive = await openZip(write(buildZip([{ ...good, zip64: true }], { zip64: true })));
    expect(await unpacked(archive)).toEqual(pixels);
  });

  // Written by Info-ZIP 3.0: `zip -r -0 stored.zip DES0001-0541`, `zip -fd deflated-descriptor.zip DES0001-0541/a.fits`.
  it.each(['stored', 'deflated-descriptor'])('reads what Info-ZIP writes: %s', async (name) => {
    await using archive = await openZip(join(import.meta.dirname, `../fixtures/zip/${name}.zip`));
    expect(archive.entries.map((entry) => entry.name)).toEqual(['DES0001-0541/a.fits']);
    expect(await unpacked(archive)).toEqual(pixels.subarray(0, 3000));
  });

  it('reads an archive with a long comment, an empty one, and an empty entry', async () => {
    await using commented = await openZip(write(buildZip([good], { comment: 'c'.repeat(60_000) })));
    expect(await unpacked(commented)).toEqual(pixels);
    await using empty = await openZip(write(buildZip([])));
    expect(empty.entries).toEqual([]);
    await using hollow = await openParts({ name: 'hollow', data: Buffer.alloc(0) });
    expect(await unpacked(hollow)).toEqual(Buffer.alloc(0));
  });

  it('reads an archive of more entries than one read of its directory holds', async () => {
    const parts = Array.from({ length: 4000 }, (_, i) => ({
      name: `tile-${i}/${'n'.repeat(i % 90)}.fits.fz`,
      method: 0,
    }));
    await using archive = await openParts(...parts);
    expect(archive.entries.map((entry) => entry.name)).toEqual(parts.map((part) => part.name));
    expect(archive.problems).toEqual([]);
  });
});

describe('hostile entries are refused one by one', () => {
  const symlink = 0o120777;
  it.each<[string, Part, RegExp]>([
    ['a name that climbs out', { name: '../../etc/passwd' }, /leaves its folder/],
    ['a name that climbs in the middle', { name: 'a/../../b' }, /leaves its folder/],
    ['an absolute name', { name: '/etc/passwd' }, /absolute/],
    ['a drive letter', { name: 'C:/x.fits' }, /absolute/],
    ['backslashes', { name: '..\\x.fits' }, /backslash/],
    ['a NUL', { name: 'a.fits\0.txt' }, /NUL/],
    ['a symbolic link', { name: 'link', unixMode: symlink }, /symbolic link/],
    ['a pipe', { name: 'pipe', unixMode: 0o010644 }, /pipe/],
    ['encryption', { name: 'secret', flags: 1 }, /encrypted/],
    ['an unknown method', { name: 'odd', method: 12 }, /method/],
    ['a size beyond the limit', { name: 'huge', says: { size: 2 ** 40 }, zip64: true }, /1099511627776/],
    ['a ratio that deflate cannot reach', { name: 'bomb', says: { size: 50_000 } }, /1100 : 1/],
  ])('%s', async (_, part, message) => {
    const path = write(buildZip([part, good]));
    await using archive = await openZip(path);
    expect(archive.problems).toHaveLength(1);
    expect(archive.problems[0]).toMatchObject({
      code: 'zip_unsafe',
      message: expect.stringMatching(message),
    });
    expect(archive.problems[0]?.place.file).toBe(`${path}!/${part.name.replace('\0', '\ufffd')}`);
    expect(await unpacked(archive)).toEqual(pixels);
  });

  it('refuses every entry of a name used twice, whatever its spelling', async () => {
    await using archive = await openParts({ name: 'a/b' }, { name: './a//b' }, { name: '__proto__' });
    expect(archive.problems.map((problem) => [problem.code, problem.message])).toEqual(
      Array(2).fill(['zip_unsafe', expect.stringContaining('used by 2 entries')]),
    );
    expect(archive.entries.map((entry) => entry.name)).toEqual(['__proto__']);
  });

  it('refuses entries that share their bytes', async () => {
    const inner = buildZip([good]).subarray(0, 30 + good.name.length + 40);
    const outer: Part = { name: 'outer', method: 0, data: inner };
    const offset = 30 + outer.name.length;
    await using archive = await openParts(
      outer,
      { ...good, says: { offset, compressedSize: 40, size: 100 } },
      { name: 'apart' },
    );
    expect(archive.problems.map((problem) => problem.message)).toEqual(
      Array(2).fill(expect.stringContaining('shared')),
    );
    expect(archive.entries.map((entry) => entry.name)).toEqual(['apart']);
  });

  it('refuses an archive of too many entries before it lists them', async () => {
    const path = write(buildZip([{ name: 'a' }, { name: 'b' }, { name: 'c' }]));
    await expect(openZip(path, { maxEntries: 2 })).rejects.toMatchObject({
      code: 'zip_unsafe',
      place: { file: path },
    });
  });

  it('stops unpacking at the declared size and leaves no file behind', async () => {
    await using archive = await openParts({ ...good, says: { size: 49_999 } });
    await expect(unpacked(archive)).rejects.toMatchObject({
      code: 'zip_damaged',
      message: expect.stringContaining('more than the 49999'),
    });
    expect(readdirSync(tempDir)).toEqual([]);
  });
});

describe('damaged archives', () => {
  const archiveBytes = buildZip([good]);
  it.each<[string, Buffer]>([
    ['empty', Buffer.alloc(0)],
    ['short', Buffer.from('PK')],
    ['something else', Buffer.from('<html>404</html>'.repeat(200))],
    ['cut off', archiveBytes.subarray(0, archiveBytes.length - 30)],
    ['cut off at the front', archiveBytes.subarray(1000)],
    ['only an end record', archiveBytes.subarray(archiveBytes.length - 22)],
    ['zip64 records that point nowhere', buildZip([good], { zip64: true }).subarray(5)],
    [
      'zip64 without its records',
      Buffer.concat([archiveBytes.subarray(0, -22), buildZip([], { zip64: true }).subarray(-22)]),
    ],
  ])('%s', async (_, bytes) => {
    await expect(openZip(write(bytes))).rejects.toMatchObject({
      code: 'zip_damaged',
      place: { file: expect.any(String) },
    });
  });

  it.each<[string, Part, RegExp]>([
    ['a directory that points elsewhere', { name: 'lost', says: { offset: 7 } }, /no entry header/],
    ['a directory that points past the end', { name: 'lost', says: { offset: 2 ** 31 } }, /beyond the end/],
    [
      'data past the end',
      { name: 'long', method: 0, says: { size: 10 ** 6, compressedSize: 10 ** 6 } },
      /beyond the end/,
    ],
    ['two names for one entry', { name: 'seen.fits', localName: 'read.fits' }, /another name/],
    ['stored bytes of two sizes', { name: 'odd', method: 0, says: { size: 2 } }, /stored, yet/],
  ])('%s', async (_, part, message) => {
    await using archive = await openParts(good, part);
    expect(archive.problems).toMatchObject([
      { code: 'zip_damaged', message: expect.stringMatching(message) },
    ]);
    expect(await unpacked(archive)).toEqual(pixels);
  });

  it('notices bytes that changed, by their CRC or because they no longer inflate', async () => {
    await using lying = await openParts({ ...good, says: { crc: 1 } });
    await expect(unpacked(lying)).rejects.toMatchObject({
      code: 'zip_damaged',
      message: expect.stringContaining('CRC-32'),
    });
    const broken = Buffer.from(archiveBytes);
    broken.fill(0xff, 30 + good.name.length, 30 + good.name.length + 50);
    await using archive = await openZip(write(broken));
    await expect(unpacked(archive)).rejects.toMatchObject({
      code: 'zip_damaged',
      message: expect.stringContaining('unpacked'),
    });
    expect(readdirSync(tempDir)).toEqual([]);
  });

  it('survives any flipped byte: an error with a code, a problem, or the entry', async () => {
    const small = buildZip([{ name: 'a.fits', data: Buffer.from('abcabcabc'), zip64: true }, { name: 'b' }], {
      zip64: true,
    });
    for (let at = 0; at < small.length; at++) {
      for (const value of [0, 0x50, 0xff]) {
        const bytes = Buffer.from(small);
        bytes[at] = value;
        const outcome = await openZip(write(bytes)).then(
          async (archive) => {
            for (const index of archive.entries.keys()) {
              await unpacked(archive, index).catch((error) => expect(error.code).toBe('zip_damaged'));
            }
            await archive.close();
            return 'opened';
          },
          (error) => error.code,
        );
        expect(['opened', 'zip_damaged', 'zip_unsafe']).toContain(outcome);
        rmSync(join(folder, `${count}.zip`));
      }
    }
  });
});

it('stops unpacking when told to', async () => {
  await using archive = await openParts(good);
  const entry = archive.entries[0] as never;
  await expect(archive.entryRegion(entry, { tempDir, signal: AbortSignal.abort() })).rejects.toMatchObject({
    name: 'AbortError',
  });
  const abort = new AbortController();
  const running = archive.entryRegion(entry, { tempDir, signal: abort.signal });
  abort.abort();
  await expect(running).rejects.toMatchObject({ name: 'AbortError' });
  expect(readdirSync(tempDir)).toEqual([]);
});

it('passes the errors of the system through', async () => {
  await expect(openZip(join(folder, 'absent.zip'))).rejects.toMatchObject({ code: 'ENOENT' });
  await using archive = await openParts(good);
  const entry = archive.entries[0] as never;
  await expect(archive.entryRegion(entry, { tempDir: join(folder, 'absent') })).rejects.toMatchObject({
    code: 'ENOENT',
  });
});
