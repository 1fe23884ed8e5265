/** The files that torch has been shown: see test/fixtures/pt/read_written.py. Made the same on every machine. */
import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { partPath, writeFully } from '../../../src/formats/durable.js';
import { denseTensor, type PtTensor, type PtValue, ptDict } from '../../../src/formats/pt/value.js';
import { PtWriter } from '../../../src/formats/pt/write.js';
import { dataOffsetOf, localHeader } from '../../../src/formats/pt/zip-records.js';

const raw = (values: { readonly buffer: ArrayBuffer }): Uint8Array[] => [new Uint8Array(values.buffer)];

/** One field in the layout of the case study, tensors of every type and awkward views; no Python floats. */
export function writeSet(path: string): void {
  const writer = PtWriter.create(path);
  const add = (chunks: Iterable<Uint8Array>): string => writer.addStorage(chunks).key;
  const images = Float32Array.from({ length: 4 * 8 * 8 }, (_, index) => ((index * 7919) % 1000) / 8 - 50);
  const tiles = ptDict({
    locs: denseTensor(add(raw(Float32Array.of(0.25, 0.5, 0, 0))), 'float32', [1, 2, 1, 2]),
    n_sources: denseTensor(add(raw(BigInt64Array.of(1n, 0n))), 'int64', [1, 2]),
    fluxes: denseTensor(add(raw(Float64Array.of(0.1, 1e-300, 5e4, -0, 0, 0, 0, 0))), 'float64', [1, 2, 1, 4]),
    membership: denseTensor(add([Uint8Array.of(1, 0)]), 'bool', [1, 2, 1, 1]),
  });
  const half = Uint16Array.of(0x3c00, 0xc000, 0x7c00, 0x0001);
  const bfloat = Uint16Array.of(0x3f80, 0xc000, 0x7f80, 0x0001);
  const shared = add(raw(Float32Array.from({ length: 24 }, (_, index) => index)));
  const view = (shape: number[], stride: number[], storageOffset: number): PtTensor => ({
    ...denseTensor(shared, 'float32', shape),
    stride,
    storageOffset,
  });
  writer.finish([
    ptDict({
      tile_catalog: tiles,
      images: denseTensor(
        add([...raw(images.slice(0, 100)), ...raw(images.slice(100))]),
        'float32',
        [4, 8, 8],
      ),
      dtypes: ptDict({
        float16: denseTensor(add(raw(half)), 'float16', [4]),
        bfloat16: denseTensor(add(raw(bfloat)), 'bfloat16', [4]),
        int32: denseTensor(add(raw(Int32Array.of(-(2 ** 31), 7))), 'int32', [2]),
        int16: denseTensor(add(raw(Int16Array.of(-(2 ** 15), 7))), 'int16', [2]),
        int8: denseTensor(add(raw(Int8Array.of(-128, 7))), 'int8', [2]),
        uint8: denseTensor(add([Uint8Array.of(255, 7)]), 'uint8', [2]),
      }),
      views: [
        view([4, 6], [6, 1], 0),
        view([6, 4], [1, 6], 0),
        view([4], [6], 3),
        view([2, 3], [0, 2], 1),
        view([], [], 5),
      ],
      empty: denseTensor(add([]), 'float32', [0, 5]),
      requires_grad: { ...view([2], [1], 22), requiresGrad: true },
    }),
    ptDict({
      int: 7,
      big: 2 ** 40,
      huge: 10n ** 30n,
      negative: -129,
      none: null,
      yes: true,
      no: false,
      text: 'gálaxie',
      list: [],
    }),
    new Map<PtValue, PtValue>([[3, 'int key']]),
  ]);
}

/** Numbers only a reader that takes Python floats reads. */
export function writeFloats(path: string): void {
  PtWriter.create(path).finish([0.1, -0, 1e300, Number.NaN, Number.NEGATIVE_INFINITY]);
}

/** 5 GiB of zeros, which take no space, and three numbers behind them. */
export function writeLarge(path: string): { readonly zeros: number } {
  const zeros = 5 * 2 ** 30;
  const name = 'archive/data/0';
  const offset = dataOffsetOf(0, name, 64);
  const fd = openSync(partPath(path), 'w');
  writeFully(fd, localHeader({ name, headerOffset: 0, offset, bytes: zeros, crc32: 0 }), 0);
  ftruncateSync(fd, offset + zeros);
  closeSync(fd);
  const writer = PtWriter.resume(path, {
    storages: [{ key: '0', offset, bytes: zeros, crc32: 0 }],
    end: offset + zeros,
  });
  const behind = writer.addStorage(raw(Float32Array.of(1, 2, 3)));
  writer.finish([denseTensor('0', 'uint8', [zeros]), denseTensor(behind.key, 'float32', [3])]);
  return { zeros };
}
