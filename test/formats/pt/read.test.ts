import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openPt, type PtFile } from '../../../src/formats/pt/read.js';
import type { PtTensor, PtValue } from '../../../src/formats/pt/value.js';
import { buildZip } from '../zip-builder.js';
import { bytes, ops, tensorOps } from './pickles.js';

const fixtures = join(import.meta.dirname, '../../fixtures/pt');
const folder = mkdtempSync(join(tmpdir(), 'skypass-pt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the listings beside the fixtures say of a value, as make_pt_fixtures.py writes it. */
type Described =
  | { dict: [string, Described][] }
  | { list: Described[] }
  | { tuple: Described[] }
  | { value: unknown }
  | {
      tensor: string;
      shape: number[];
      stride: number[];
      storage_offset: number;
      requires_grad: boolean;
      values?: (number | string | boolean)[];
      every_97th?: number[];
      sum?: number;
    };

const isTensor = (value: PtValue): value is PtTensor =>
  value !== null && typeof value === 'object' && 'kind' in value && value.kind === 'tensor';

/** A listing's word for a number. */
const asListed = (value: number | bigint, dtype: string): unknown => {
  if (dtype === 'bool') return value === 1;
  const number = Number(value);
  return Number.isFinite(number) ? number : String(number).replace('Infinity', 'inf').replace('NaN', 'nan');
};

async function expectAs(file: PtFile, value: PtValue, described: Described): Promise<number> {
  let tensors = 0;
  if ('dict' in described) {
    const dict = value as ReadonlyMap<PtValue, PtValue>;
    expect([...dict.keys()].map(String)).toEqual(described.dict.map(([key]) => key));
    for (const [key, inner] of described.dict)
      tensors += await expectAs(file, dict.get(key) as PtValue, inner);
  } else if ('list' in described || 'tuple' in described) {
    const inner = 'list' in described ? described.list : described.tuple;
    const list = value as readonly PtValue[];
    expect(list).toHaveLength(inner.length);
    for (const [index, element] of inner.entries())
      tensors += await expectAs(file, list[index] as PtValue, element);
  } else if ('tensor' in described) {
    if (!isTensor(value)) throw new Error(`expected a tensor, found ${String(value)}`);
    const { dtype, shape, stride, storageOffset, requiresGrad } = value;
    expect([dtype, shape, stride, storageOffset, requiresGrad]).toEqual([
      described.tensor,
      described.shape,
      described.stride,
      described.storage_offset,
      described.requires_grad,
    ]);
    const elements = Array.from((await file.read(value)) as Iterable<number | bigint>, (one) =>
      asListed(one, dtype),
    );
    if (described.values !== undefined) expect(elements).toEqual(described.values);
    else {
      expect(elements.filter((_, index) => index % 97 === 0)).toEqual(described.every_97th);
      expect((elements as number[]).reduce((a, b) => a + b, 0)).toBeCloseTo(described.sum as number, 6);
    }
    tensors = 1;
  } else expect(value).toEqual(described.value);
  return tensors;
}

describe('files written by torch', () => {
  it.each([
    ['file_data_0_size_2.pt', 16],
    ['dataset_0_size_2.pt', 18],
    ['views.pt', 19],
    ['checkpoint.ckpt', 9],
  ])('%s: every tensor has the values torch lists', async (name, tensors) => {
    await using file = await openPt(join(fixtures, name));
    const listing = readFileSync(join(fixtures, name.replace(/\.\w+$/, '.json')), 'utf8');
    expect(await expectAs(file, file.value, JSON.parse(listing))).toBe(tensors);
  });

  it('include those of torch 2.13, with all it puts beside the tensors', async () => {
    await using file = await openPt(join(fixtures, 'newer.pt'));
    const names = file.entries.map(({ name }) => name.slice(name.indexOf('/') + 1));
    expect(names).toEqual(expect.arrayContaining(['byteorder', '.format_version', '.data/serialization_id']));
    const value = file.value as ReadonlyMap<string, PtTensor>;
    const elementsOf = async (name: string) => [...(await file.read(value.get(name) as PtTensor))];
    expect(await elementsOf('transposed')).toEqual([0, 3, 1, 4, 2, 5]);
    expect(await elementsOf('half')).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await elementsOf('count')).toEqual([7n]);
    expect(value.get('parameter')).toMatchObject({ shape: [2], requiresGrad: true });
    expect(value.get('dtype')).toMatchObject({ kind: 'named', name: 'torch.int64' });
  });

  it('of a training run are read without what else is in them, which is described when asked for', async () => {
    const path = join(fixtures, 'foreign.ckpt');
    await expect(openPt(path)).rejects.toMatchObject({
      code: 'pt_unsafe',
      message: expect.stringContaining('functools.partial'),
      place: { file: path },
    });
    await using file = await openPt(path, { foreign: 'describe' });
    const checkpoint = file.value as ReadonlyMap<string, ReadonlyMap<string, PtValue>>;
    const weight = checkpoint.get('state_dict')?.get('weight') as PtTensor;
    expect([...(await file.read(weight))]).toEqual([1.5, -2]);
    const hyper = checkpoint.get('hyper_parameters');
    expect(hyper?.get('path')).toMatchObject({ name: 'pathlib.PosixPath', args: ['/', 'data', 'des'] });
    expect(hyper?.get('dtype')).toMatchObject({ name: 'torch.float32', args: undefined });
    expect(hyper?.get('counts')).toMatchObject({
      name: 'collections.defaultdict',
      entries: new Map([['g', [1]]]),
    });
    expect([...(hyper?.keys() ?? [])]).toEqual(['optimizer', 'path', 'dtype', 'seed', 'counts', 'bands']);
  });

  it('tells where the rows of a contiguous tensor lie, and of no other', async () => {
    const path = join(fixtures, 'views.pt');
    await using file = await openPt(path);
    const views = file.value as ReadonlyMap<string, PtTensor>;
    const region = file.regionOf(views.get('row2') as PtTensor);
    expect(region?.bytes).toBe(24);
    const raw = readFileSync(path).subarray(region?.offset, (region?.offset ?? 0) + 24);
    expect([...new Float32Array(new Uint8Array(raw).buffer)]).toEqual([12, 13, 14, 15, 16, 17]);
    for (const name of ['column', 'transposed', 'expanded']) {
      expect(file.regionOf(views.get(name) as PtTensor)).toBeUndefined();
    }
    expect(file.regionOf(views.get('empty') as PtTensor)).toMatchObject({ bytes: 0 });
  });
});

/** A file of `torch.save` with the pickle and the entries given. */
function written(
  name: string,
  pickle: Buffer,
  extra: Readonly<Record<string, Buffer>> = {},
  { root = 'archive', method = 0 } = {},
): string {
  const path = join(folder, name);
  const entries = { 'data.pkl': pickle, version: Buffer.from('3\n'), ...extra };
  const parts = Object.entries(entries).map(([entry, data]) => ({ name: `${root}/${entry}`, data, method }));
  writeFileSync(path, buildZip(parts));
  return path;
}

const floats = (...values: number[]): Buffer => Buffer.from(new Float32Array(values).buffer);
const oneTensor = bytes(ops.proto, tensorOps({ count: 2, shape: [2], stride: [1] }), ops.stop);

describe('archives of other versions of torch', () => {
  it('are read whatever the folder is called and whatever else lies in it', async () => {
    const path = written(
      'new.pt',
      oneTensor,
      {
        byteorder: Buffer.from('little'),
        '.format_version': Buffer.from('1'),
        '.storage_alignment': Buffer.from('64'),
        'data/0': floats(1.5, -2),
        '.data/serialization_id': Buffer.from('0123456789'),
      },
      { root: 'any näme' },
    );
    await using file = await openPt(path);
    expect([...(await file.read(file.value as PtTensor))]).toEqual([1.5, -2]);
  });

  it('are refused with their byte order when it is the other one', async () => {
    const path = written('big.pt', oneTensor, { byteorder: Buffer.from('big'), 'data/0': floats(1, 2) });
    await expect(openPt(path)).rejects.toMatchObject({
      code: 'pt_damaged',
      message: expect.stringContaining('"big"'),
      place: { file: path },
    });
  });

  it('are refused with the way to mend it when they have the form of before 1.6', async () => {
    const path = join(folder, 'legacy.pt');
    writeFileSync(path, Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex'));
    await expect(openPt(path)).rejects.toMatchObject({
      code: 'pt_damaged',
      hint: 'load it with torch and save it again',
    });
  });
});

describe('damaged archives', () => {
  it.each([0.1, 0.5, 0.9, 0.999])('say so when only the first %d is there', async (part) => {
    const path = join(folder, `cut-${part}.pt`);
    const from = join(fixtures, 'file_data_0_size_2.pt');
    copyFileSync(from, path);
    truncateSync(path, Math.floor(part * readFileSync(from).length));
    await expect(openPt(path)).rejects.toMatchObject({ code: 'pt_damaged', place: { file: path } });
  });

  it('say what they are when they are none', async () => {
    for (const [content, message] of [
      ['', 'the file is empty'],
      ['x', 'no archive'],
      ['SIMPLE  =                    T', 'no archive'],
    ] as const) {
      const path = join(folder, 'other.pt');
      writeFileSync(path, content);
      await expect(openPt(path)).rejects.toMatchObject({
        code: 'pt_damaged',
        message: expect.stringContaining(message),
      });
    }
  });

  it('say that there is no pickle, or more than one', async () => {
    const none = join(folder, 'none.pt');
    writeFileSync(none, buildZip([{ name: 'a/version', data: Buffer.from('3'), method: 0 }]));
    await expect(openPt(none)).rejects.toThrow('0 entries called data.pkl');
    const two = join(folder, 'two.pt');
    const data = oneTensor;
    writeFileSync(
      two,
      buildZip([
        { name: 'a/data.pkl', data, method: 0 },
        { name: 'b/data.pkl', data, method: 0 },
      ]),
    );
    await expect(openPt(two)).rejects.toThrow('2 entries called data.pkl');
  });

  it('pass on what is unsafe about the archive itself', async () => {
    const path = written('leave.pt', oneTensor, { 'data/0': floats(1, 2), '../evil': Buffer.from('x') });
    await expect(openPt(path)).rejects.toMatchObject({ code: 'zip_unsafe' });
  });

  it('are not unpacked when their entries are compressed', async () => {
    const path = written('deflated.pt', oneTensor, { 'data/0': floats(1, 2) }, { method: 8 });
    await expect(openPt(path)).rejects.toThrow('is compressed');
  });

  it('are noticed by the checksum of a storage, unless it is not to be compared', async () => {
    const path = join(folder, 'flipped.pt');
    copyFileSync(join(fixtures, 'file_data_0_size_2.pt'), path);
    const imageOf = (file: PtFile) =>
      ((file.value as readonly PtValue[])[0] as ReadonlyMap<string, PtTensor>).get('images') as PtTensor;
    const content = readFileSync(path);
    {
      await using file = await openPt(path);
      const at = (file.regionOf(imageOf(file))?.offset ?? 0) + 1000;
      content.writeUInt8(content.readUInt8(at) ^ 1, at);
    }
    writeFileSync(path, content);
    await using file = await openPt(path);
    await expect(file.read(imageOf(file))).rejects.toThrow('checksum');
    await using trusting = await openPt(path, { verify: false });
    expect(await trusting.read(imageOf(trusting))).toHaveLength(4 * 64 * 64);
  });

  it('do not make a small storage unfold without end', async () => {
    const tensor = tensorOps({ count: 1, shape: [2 ** 30, 2 ** 10], stride: [0, 0] });
    const path = written('expanded.pt', bytes(ops.proto, tensor, ops.stop), { 'data/0': floats(1) });
    await using file = await openPt(path);
    await expect(file.read(file.value as PtTensor)).rejects.toThrow('is made of a storage of 4');
  });

  it('let system errors pass', async () => {
    await expect(openPt(join(folder, 'absent.pt'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(openPt(folder)).rejects.toMatchObject({ code: 'EISDIR' });
  });
});
