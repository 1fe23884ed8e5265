import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { partPath } from '../../src/formats/durable.js';
import { openNpy, writeNpy } from '../../src/formats/npy.js';

const folder = mkdtempSync(join(tmpdir(), 'skypass-npy-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'array.npy');

/** Files that numpy wrote; make_arrays.py is beside them. */
const written: Record<string, string> = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/npy/arrays.json'), 'utf8'),
);
const opened = (content: Uint8Array) => {
  writeFileSync(path, content);
  return openNpy(path);
};
const fixture = (name: string): Buffer => Buffer.from(written[name] as string, 'base64');

/** A file of version 1 with any header. */
const withHeader = (header: string, data = 0): Buffer => {
  const length = Buffer.alloc(2);
  length.writeUInt16LE(header.length);
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\0', 'latin1'),
    length,
    Buffer.from(header),
    Buffer.alloc(data),
  ]);
};

describe('files written by numpy', () => {
  const plain = { byteOrder: 'little', fortranOrder: false, dataOffset: 128 };
  it.each([
    ['float32', { ...plain, dtype: 'float32', shape: [1, 2, 3], bytes: 24 }],
    ['fortran', { ...plain, dtype: 'float64', shape: [2, 3], fortranOrder: true, bytes: 48 }],
    ['big', { ...plain, dtype: 'int16', byteOrder: 'big', shape: [4], bytes: 8 }],
    ['bool', { ...plain, dtype: 'bool', shape: [2], bytes: 2 }],
    ['zero_d', { ...plain, dtype: 'float64', shape: [], bytes: 8 }],
    ['empty', { ...plain, dtype: 'uint16', shape: [0, 5], bytes: 0 }],
    ['version2', { ...plain, dtype: 'int64', shape: [3], bytes: 24 }],
    ['version3', { ...plain, dtype: 'uint8', shape: [3], bytes: 3 }],
  ])('%s: say what they hold and where', async (name, expected) => {
    const content = fixture(name);
    expect(await opened(content)).toEqual(expected);
    expect(expected.dataOffset + expected.bytes).toBe(content.length);
  });

  it('are refused when their elements are objects, which hold a pickle, or no numbers', async () => {
    for (const [name, type] of [
      ['objects', "'|O'"],
      ['text', "'<U2'"],
      ['structured', "[('ra', '<f8'), ('dec', '<f8')]"],
    ] as const) {
      await expect(opened(fixture(name))).rejects.toMatchObject({
        code: 'npy_damaged',
        message: expect.stringContaining(type),
        place: { file: path },
      });
    }
  });
});

describe('damaged files', () => {
  it('say so wherever they are cut', async () => {
    const whole = fixture('float32');
    for (let length = 0; length < whole.length; length++) {
      await expect(opened(whole.subarray(0, length))).rejects.toMatchObject({ code: 'npy_damaged' });
    }
  });

  it.each([
    ['no dict', '[]'],
    ['an expression', "{'descr': '<f4', 'fortran_order': False, 'shape': (exit(),), }"],
    ['no shape', "{'descr': '<f4', 'fortran_order': False, }"],
    ['a shape that is no tuple', "{'descr': '<f4', 'fortran_order': False, 'shape': (3), }"],
    ['a negative shape', "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }"],
    [
      'a shape larger than any file',
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
    ],
    ['a shape larger than this file', "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000,), }"],
    ['a number for fortran_order', "{'descr': '<f4', 'fortran_order': 1, 'shape': (3,), }"],
    [
      'a type that objects of JavaScript have',
      "{'descr': 'constructor', 'fortran_order': False, 'shape': (3,), }",
    ],
  ])('are refused: %s', async (_, header) => {
    await expect(opened(withHeader(header, 12))).rejects.toMatchObject({ code: 'npy_damaged' });
  });

  it('never lead to anything but the error for them, whatever byte is changed', async () => {
    const whole = fixture('float32');
    await fc.assert(
      fc.asyncProperty(fc.nat(127), fc.nat(255), async (at, byte) => {
        const content = Buffer.from(whole);
        content.writeUInt8(byte, at);
        const outcome = await opened(content).catch((error: { code: string }) => error);
        if ('code' in outcome) expect(outcome.code).toBe('npy_damaged');
        else expect(outcome.dataOffset + outcome.bytes).toBeLessThanOrEqual(content.length);
      }),
    );
  });
});

describe('files written here', () => {
  it.each([
    ['float32', 'float32', [1, 2, 3], new Float32Array([0, 1, 2, 3, 4, 5])],
    ['bool', 'bool', [2], Uint8Array.of(1, 0)],
    ['zero_d', 'float64', [], Float64Array.of(2.5)],
    ['empty', 'uint16', [0, 5], new Uint16Array()],
  ] as const)('%s: are those of numpy, byte for byte', (name, dtype, shape, elements) => {
    writeNpy(path, { dtype, shape }, [new Uint8Array(elements.buffer)]);
    expect(readFileSync(path)).toEqual(fixture(name));
  });

  it('are absent when the elements are not as many as the shape says', () => {
    const absent = join(folder, 'absent.npy');
    expect(() => writeNpy(absent, { dtype: 'float32', shape: [3] }, [new Uint8Array(8)])).toThrow(RangeError);
    expect([existsSync(absent), existsSync(partPath(absent))]).toEqual([false, false]);
  });
});
