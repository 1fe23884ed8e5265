import { createHash } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { partPath } from '../../../src/formats/durable.js';
import { openPt } from '../../../src/formats/pt/read.js';
import { denseTensor, type PtTensor, type PtValue } from '../../../src/formats/pt/value.js';
import { PtWriter } from '../../../src/formats/pt/write.js';
import { openZip } from '../../../src/formats/zip.js';
import { writeFloats, writeLarge, writeSet } from './written-set.js';

const folder = mkdtempSync(join(tmpdir(), 'skypass-pt-write-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);

/** What torch saw when these files were shown to it. */
const golden = JSON.parse(readFileSync(join(import.meta.dirname, '../../fixtures/pt/written.json'), 'utf8'));
const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

const raw = (values: { readonly buffer: ArrayBuffer }): Uint8Array => new Uint8Array(values.buffer);

/** A value that was read, with its tensors' elements in their place, as read_written.py notes it. */
async function noted(file: { value: PtValue; read(tensor: PtTensor): Promise<Iterable<number | bigint>> }) {
  const note = async (value: PtValue): Promise<unknown> => {
    if (Array.isArray(value)) return { list: await Promise.all(value.map(note)) };
    if (value instanceof Map) {
      return { dict: await Promise.all([...value].map(async ([key, one]) => [key, await note(one)])) };
    }
    if (typeof value === 'bigint') return String(value);
    if (typeof value === 'number') return number(value);
    if (value === null || typeof value !== 'object') return value;
    const tensor = value as PtTensor;
    const values = Array.from(await file.read(tensor), (one) =>
      tensor.dtype === 'bool' ? one === 1 : number(Number(one)),
    );
    return { tensor: tensor.dtype, shape: tensor.shape, requires_grad: tensor.requiresGrad, values };
  };
  const number = (value: number) =>
    Number.isFinite(value) ? value : String(value).replace('Infinity', 'inf').replace('NaN', 'nan');
  return note(file.value);
}

describe('the files that torch has read', () => {
  it('are written again byte for byte, and read here as torch read them', async () => {
    for (const [name, write] of [
      ['set', writeSet],
      ['floats', writeFloats],
    ] as const) {
      const file = path(`${name}.pt`);
      write(file);
      expect(sha256(readFileSync(file))).toBe(golden[name].sha256);
      await using opened = await openPt(file);
      expect(await noted(opened)).toEqual(golden[name].value);
    }
  });

  it('include one of more than 4 GiB', async () => {
    const file = path('large.pt');
    const { zeros } = writeLarge(file);
    expect(statSync(file).size).toBe(golden.large.bytes);
    const tail = Buffer.alloc(4096);
    const fd = openSync(file, 'r');
    readSync(fd, tail, 0, tail.length, golden.large.bytes - tail.length);
    closeSync(fd);
    expect(sha256(tail)).toBe(golden.large.tail_sha256);
    await using opened = await openPt(file);
    const [first, behind] = opened.value as [PtTensor, PtTensor];
    expect(first.shape).toEqual([zeros]);
    expect(opened.regionOf(first)).toEqual({ offset: 128, bytes: zeros });
    expect([...(await opened.read(behind))]).toEqual(golden.large.behind);
    expect(opened.entries.map(({ name, size }) => [name, size])).toEqual(
      golden.large.entries.map(([name, size]: [string, number]) => [name, size]),
    );
  });
});

describe('a writer', () => {
  it('aligns every storage, and lets any tool check it', async () => {
    const file = path('aligned.pt');
    const writer = PtWriter.create(file);
    for (const length of [1, 63, 0, 64, 65]) {
      const { offset, bytes } = writer.addStorage([new Uint8Array(length).fill(length)]);
      expect([offset % 64, bytes]).toEqual([0, length]);
    }
    const { bytes } = writer.finish([]);
    expect(statSync(file).size).toBe(bytes);
    await using zip = await openZip(file);
    expect(zip.problems).toEqual([]);
    expect(zip.entries.map(({ name }) => name)).toEqual(
      ['data/0', 'data/1', 'data/2', 'data/3', 'data/4', 'data.pkl', 'byteorder', 'version'].map(
        (name) => `archive/${name}`,
      ),
    );
  });

  it('does not care how a storage is cut into chunks', () => {
    const content = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);
    fc.assert(
      fc.property(fc.array(fc.nat(1000)), (cuts) => {
        const edges = [0, ...cuts.toSorted((a, b) => a - b), 1000];
        const chunks = edges.slice(1).map((end, index) => content.subarray(edges[index], end));
        const file = path('chunks.pt');
        const writer = PtWriter.create(file);
        const { key } = writer.addStorage(chunks);
        writer.finish(denseTensor(key, 'uint8', [1000]));
        return sha256(readFileSync(file)) === once;
      }),
    );
  });

  const once = (() => {
    const file = path('once.pt');
    const writer = PtWriter.create(file);
    const { key } = writer.addStorage([Uint8Array.from({ length: 1000 }, (_, index) => index % 251)]);
    writer.finish(denseTensor(key, 'uint8', [1000]));
    return sha256(readFileSync(file));
  })();

  it('goes on after any storage with what its state says, and ends with the same bytes', () => {
    const storages = [3, 100, 0, 64].map((length) => raw(Float32Array.from({ length }, (_, index) => index)));
    const value = storages.map((bytes, index) => denseTensor(String(index), 'float32', [bytes.length / 4]));
    const whole = path('whole.pt');
    const writer = PtWriter.create(whole);
    const states = [writer.state];
    for (const bytes of storages) {
      writer.addStorage([bytes]);
      writer.sync();
      states.push(JSON.parse(JSON.stringify(writer.state)));
    }
    writer.finish(value);

    for (const [done, state] of states.entries()) {
      const file = path('resumed.pt');
      const first = PtWriter.create(file);
      for (const bytes of storages.slice(0, done)) first.addStorage([bytes]);
      first.close();
      appendFileSync(partPath(file), 'half a storage that was being written');
      const second = PtWriter.resume(file, state);
      for (const bytes of storages.slice(done)) second.addStorage([bytes]);
      second.finish(value);
      expect(sha256(readFileSync(file))).toBe(sha256(readFileSync(whole)));
    }
  });

  it('does not go on with a part that is shorter than its state', () => {
    const file = path('short.pt');
    const writer = PtWriter.create(file);
    writer.addStorage([new Uint8Array(1000)]);
    writer.close();
    truncateSync(partPath(file), 500);
    expect(() => PtWriter.resume(file, writer.state)).toThrow('the part has 500 bytes, 1128 were written');
    rmSync(partPath(file));
    expect(() => PtWriter.resume(file, writer.state)).toThrow('ENOENT');
  });

  it('goes on after a storage whose chunks failed, as if it had not been begun', async () => {
    const file = path('failed.pt');
    const writer = PtWriter.create(file);
    const failing = function* () {
      yield new Uint8Array(100_000);
      throw new Error('the renderer failed');
    };
    expect(() => writer.addStorage(failing())).toThrow('the renderer failed');
    expect(writer.state).toEqual({ storages: [], end: 0 });
    const { key } = writer.addStorage([Uint8Array.of(1, 2, 3)]);
    const { bytes } = writer.finish(denseTensor(key, 'uint8', [3]));
    expect(statSync(file).size).toBe(bytes);
    await using opened = await openPt(file);
    expect([...(await opened.read(opened.value as PtTensor))]).toEqual([1, 2, 3]);
  });

  it('gives the file its name only when it is whole, and leaves the one of before until then', () => {
    const file = path('named.pt');
    PtWriter.create(file).finish('before');
    const before = readFileSync(file);
    const writer = PtWriter.create(file);
    writer.addStorage([new Uint8Array(10)]);
    expect(readFileSync(file)).toEqual(before);
    writer.discard();
    expect(existsSync(partPath(file))).toBe(false);
    expect(readFileSync(file)).toEqual(before);
  });

  it('refuses tensors that torch would read otherwise than they are meant', () => {
    const finish = (value: (key: string) => PtValue) => () => {
      const writer = PtWriter.create(path('refused.pt'));
      const { key } = writer.addStorage([new Uint8Array(12)]);
      writer.finish(value(key));
    };
    expect(finish((key) => denseTensor(key, 'float32', [4]))).toThrow('reaches outside its storage of 3');
    expect(finish((key) => denseTensor(key, 'float64', [1]))).toThrow('does not hold whole elements');
    expect(finish(() => denseTensor('7', 'float32', [3]))).toThrow('there is no storage 7');
    expect(finish((key) => [denseTensor(key, 'float32', [3]), denseTensor(key, 'int32', [3])])).toThrow(
      'two types',
    );
    expect(finish(() => new Uint8Array(3))).toThrow(TypeError);
    expect(existsSync(path('refused.pt'))).toBe(false);
  });

  it('keeps plain values as they are', async () => {
    const scalar = fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.double(),
      fc.maxSafeInteger(),
      fc.string({ unit: 'grapheme' }),
      fc.bigInt().filter((value) => !Number.isSafeInteger(Number(value))),
    );
    const { value } = fc.letrec<{ value: PtValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        scalar,
        fc.array(tie('value')),
        fc.array(fc.tuple(fc.string(), tie('value'))).map((pairs) => new Map(pairs)),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(value, async (plain) => {
        const file = path('plain.pt');
        PtWriter.create(file).finish(plain);
        await using opened = await openPt(file);
        expect(opened.value).toEqual(plain);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps views of any shape and stride', async () => {
    const elements = Float32Array.from({ length: 60 }, (_, index) => index);
    const sides = fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 })), {
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(sides, fc.nat(8), async (axes, storageOffset) => {
        const file = path('view.pt');
        const writer = PtWriter.create(file);
        const { key } = writer.addStorage([raw(elements)]);
        const [shape, stride] = [axes.map(([side]) => side), axes.map(([, step]) => step)];
        writer.finish({ ...denseTensor(key, 'float32', shape), stride, storageOffset });
        await using opened = await openPt(file);
        expect([...(await opened.read(opened.value as PtTensor))]).toEqual(
          walk(shape, stride, storageOffset),
        );
      }),
      { numRuns: 100 },
    );
  });
});

/** Indices of the elements of a view, last side fastest. */
function walk(
  [side, ...shape]: readonly number[],
  [step, ...stride]: readonly number[],
  offset: number,
): number[] {
  if (side === undefined) return [offset];
  return Array.from({ length: side }, (_, index) =>
    walk(shape, stride, offset + index * (step as number)),
  ).flat();
}
