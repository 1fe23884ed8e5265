/** What `read` makes of images that are bare arrays. */
import { truncateSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPt } from '../../src/formats/pt/read.js';
import { denseTensor, type PtTensor, type PtValue, ptDict } from '../../src/formats/pt/value.js';
import { PtWriter } from '../../src/formats/pt/write.js';
import { read } from '../../src/operators/read.js';
import type { Window } from '../../src/operators/support/nouns.js';
import { tile } from '../../src/operators/tile.js';
import type { TileCatalog } from '../../src/science/tile-catalog.js';
import { TanWcs } from '../../src/science/wcs.js';
import { anyPixels, bitsOf, type Shape, writeNpyImages, writePtImages } from '../support/arrays.js';
import { root } from '../support/cli.js';
import { factsOf, images, windows } from '../support/read-all.js';
import { type TempFolder, tempFolder, testRun } from '../support/run.js';
import { alter } from '../support/survey.js';
import { type copyOf, takeAll } from '../support/take-all.js';

let folder: TempFolder;
beforeEach(async () => {
  folder = await tempFolder();
});
afterEach(() => folder[Symbol.asyncDispose]());

const at = (...path: string[]): string => join(folder.path, ...path);

/** Compares the windows of an image with its pixels, bit by bit. */
function expectBits(
  taken: readonly ReturnType<typeof copyOf>[],
  size: number,
  [bands, , width]: Shape,
  pixelsOf: (parent: string) => readonly Uint32Array[],
): void {
  for (const { id, parent, x0, y0, values } of taken) {
    const found = bitsOf(values);
    for (let band = 0; band < bands; band++) {
      for (let y = 0; y < size; y++) {
        const start = (y0 + y) * width + x0;
        const row = (band * size + y) * size;
        const wanted = (pixelsOf(parent)[band] as Uint32Array).subarray(start, start + size);
        expect(found.slice(row, row + size), `${id}, band ${band}, row ${y}`).toEqual(wanted.slice());
      }
    }
  }
}

const planesOf = ([bands, height, width]: Shape, pixels: Float32Array): readonly Uint32Array[] =>
  Array.from({ length: bands }, (_, band) =>
    bitsOf(pixels).subarray(band * height * width, (band + 1) * height * width),
  );

/** Where in the file the pixels of the first image begin. */
async function firstPixel(path: string): Promise<number> {
  await using file = await openPt(path);
  const [first] = file.value as readonly [ReadonlyMap<PtValue, PtValue>];
  return file.regionOf(first.get('images') as PtTensor)?.offset ?? Number.NaN;
}

describe('lists of images (.pt)', () => {
  const from = 'pt';
  const shape: Shape = [4, 64, 64];
  const fixture = join(root, 'test', 'fixtures', 'pt', 'file_data_0_size_2.pt');
  const ids = ['file_data_0_size_2_000', 'file_data_0_size_2_001'];

  it('are images one by one, named after the file and their place in it', async () => {
    await mkdir(at('file_data'));
    await copyFile(fixture, at('file_data', 'file_data_0_size_2.pt'));
    for (const path of [folder.path, at('file_data'), fixture]) {
      const { taken, summary } = await images({ from, path });
      expect(summary.end).toBe('complete');
      expect(taken.map(({ id }) => id)).toEqual(ids);
      expect(taken[0]).toMatchObject({
        bands: ['g', 'r', 'i', 'z'],
        width: 64,
        height: 64,
        truth: undefined,
      });
      expect(taken[0]?.inputs).toMatchObject([{ checksum: expect.stringMatching(/^crc32:[0-9a-f]{8}$/) }]);
    }
  });

  it('give through tile the pixels torch saved', async () => {
    const { taken } = await windows({ from, path: fixture }, 64);
    const golden = JSON.parse(await readFile(fixture.replace('.pt', '.json'), 'utf8'));
    for (const [i, { values }] of taken.entries()) {
      // Every 97th element and the sum of all, as torch told them.
      const { every_97th, sum } = golden.list[i].dict[1][1];
      expect([...values].filter((_, at) => at % 97 === 0)).toEqual(every_97th.map(Math.fround));
      expect(values.reduce((total, value) => total + value, 0)).toBeCloseTo(sum, 2);
    }
  });

  it('know their tiles as the file does', async () => {
    const { taken } = await images({ from, path: fixture });
    const golden = JSON.parse(await readFile(fixture.replace('.pt', '.json'), 'utf8'));
    const tensors = Object.fromEntries(golden.list[1].dict[0][1].dict);
    const cells = taken[1]?.cells as TileCatalog;
    expect(cells).toMatchObject({ ny: 4, nx: 4 });
    expect([...cells.membership].map(Boolean)).toEqual(tensors.membership.values);
    expect([...cells.fluxes]).toEqual(tensors.fluxes.values);
    expect([...cells.locs]).toEqual(tensors.locs.values);
    expect([...cells.nSources].map(Number)).toEqual(tensors.n_sources.values);
    expect([...cells.galaxyParams]).toEqual(tensors.galaxy_params.values);
    expect([...cells.redshift]).toEqual(tensors.redshift.values);
    expect([...cells.sourceType].map(Number)).toEqual(tensors.source_type.values);
    expect(await factsOf({ from, path: fixture })).toMatchObject({
      width: 64,
      height: 64,
      hasTruth: false,
      hasCells: true,
      hasSomeTruth: true,
    });
  });

  it('give every bit of a float32 through tile, and round a float64', async () => {
    const count = 4 * 64 * 64;
    const singles = [0, 1].map((seed) => anyPixels(seed, count));
    const doubles = Float64Array.from({ length: count }, (_, i) => Math.sin(i));
    writePtImages(at('a.pt'), [...singles.map((pixels) => ({ shape, pixels })), { shape, pixels: doubles }]);
    const { taken, summary } = await windows({ from, path: folder.path }, 16);
    expect(summary.end).toBe('complete');
    expect(taken).toHaveLength(3 * 16);
    const pixels = [...singles, Float32Array.from(doubles)];
    expectBits(taken, 16, shape, (parent) =>
      planesOf(shape, pixels[Number(parent.slice(-1))] as Float32Array),
    );
    expect(await factsOf({ from, path: folder.path })).toMatchObject({
      hasCells: false,
      hasSomeTruth: false,
    });
    await copyFile(fixture, at('known.pt'));
    expect(await factsOf({ from, path: folder.path })).toMatchObject({ hasCells: false, hasSomeTruth: true });
  });

  it.each<[string, string, (bytes: Buffer) => Buffer]>([
    ['cut short', 'pt_damaged', (bytes) => bytes.subarray(0, 70_000)],
    ['empty', 'pt_damaged', () => Buffer.alloc(0)],
    ['something else', 'pt_damaged', () => Buffer.from('hello '.repeat(100))],
    [
      'asking for what is not on the list',
      'pt_unsafe',
      (bytes) =>
        Buffer.from(
          bytes.toString('latin1').replaceAll('_rebuild_tensor_v2', '_rebuild_tensor_vX'),
          'latin1',
        ),
    ],
  ])('in a file that is %s are set aside as one, and other files go on', async (_what, code, change) => {
    await copyFile(fixture, at('file_data_0_size_2.pt'));
    await copyFile(fixture, at('bad.pt'));
    await alter(at('bad.pt'), change);
    const { taken, summary, causes } = await images({ from, path: folder.path });
    expect(summary.items).toMatchObject({ ok: 2, unprocessable: 1 });
    expect(taken.map(({ id }) => id)).toEqual(ids);
    expect(causes.bad).toMatchObject({ code, stage: 'read', detail: { file: at('bad.pt') } });
  });

  it('whose pixels changed are set aside, unless nobody looks', async () => {
    await copyFile(fixture, at('a.pt'));
    const region = await firstPixel(at('a.pt'));
    await alter(at('a.pt'), (bytes) => {
      bytes.writeUInt8(bytes.readUInt8(region + 10) ^ 1, region + 10);
      return bytes;
    });
    const { taken, causes } = await images({ from, path: folder.path });
    expect(taken.map(({ id }) => id)).toEqual(['a_001']);
    expect(causes.a_000).toMatchObject({ code: 'pt_damaged', message: expect.stringContaining('checksum') });
    expect((await images({ from, path: folder.path, verify: false })).taken).toHaveLength(2);
  });

  it.each<[string, string, readonly number[]]>([
    ['of other bands', 'bands_differ', [3, 64, 64]],
    ['of another size', 'bands_differ', [4, 32, 64]],
    ['without bands', 'pt_damaged', [64, 64]],
    ['without pixels', 'pt_damaged', [4, 0, 64]],
  ])('%s are set aside, and the others of the file go on', async (_what, code, other) => {
    const image = (shape: readonly number[]) => ({
      shape,
      pixels: new Float32Array(shape.reduce((product, side) => product * side, 1)),
    });
    writePtImages(at('a.pt'), [image(shape), image(other), image(shape)]);
    const { taken, causes } = await images({ from, path: folder.path });
    expect(taken.map(({ id }) => id)).toEqual(['a_000', 'a_002']);
    expect(causes.a_001).toMatchObject({ code, stage: 'read' });
  });

  it('that lie column by column are refused, for they are not read row by row', async () => {
    const writer = PtWriter.create(at('a.pt'));
    const { key } = writer.addStorage([new Uint8Array(4 * 4 * 64 * 64)]);
    const columns = { ...denseTensor(key, 'float32', shape), stride: [4096, 1, 64] };
    writer.finish([ptDict({ images: columns })]);
    const { causes } = await images({ from, path: folder.path });
    expect(causes.a_000).toMatchObject({ code: 'pt_damaged', hint: expect.stringContaining('contiguous') });
  });

  it('do not take the memory that a tensor merely claims', async () => {
    const writer = PtWriter.create(at('a.pt'));
    const { key } = writer.addStorage([new Uint8Array(4)]);
    const claimed = { ...denseTensor(key, 'float32', [2 ** 40, 2 ** 4, 2 ** 4]), stride: [0, 0, 0] };
    writer.finish([
      ptDict({ images: claimed }),
      ptDict({ images: { ...claimed, shape: [4, 2 ** 20, 2 ** 20] } }),
    ]);
    const { causes } = await images({ from, path: folder.path });
    expect(causes.a_000).toMatchObject({ code: 'bands_differ' });
    expect(causes.a_001).toMatchObject({ code: 'pt_damaged' });
  });

  it('are not listed when a file claims more of them than anybody keeps', async () => {
    const writer = PtWriter.create(at('a.pt'));
    writer.finish(Array(100_001).fill(null));
    await copyFile(fixture, at('b.pt'));
    const { taken, causes } = await images({ from, path: folder.path });
    expect(taken.map(({ id }) => id)).toEqual(['b_000', 'b_001']);
    expect(causes.a).toMatchObject({
      code: 'file_unreadable',
      message: expect.stringContaining('100001 images'),
    });
  });

  it('that are no list, or of one name with another file, are not read', async () => {
    const writer = PtWriter.create(at('b.pt'));
    writer.finish(ptDict({ state_dict: [] }));
    await copyFile(fixture, at('a.pt'));
    await writeFile(at('a_000.pt'), 'hello');
    const { taken, causes } = await images({ from, path: folder.path });
    expect(taken.map(({ id }) => id)).toEqual(['a_001']);
    expect(causes.b).toMatchObject({ code: 'pt_damaged', hint: expect.stringContaining('list of dicts') });
    expect(causes.a_000).toMatchObject({ code: 'tile_duplicate' });
  });

  it('are read once they are mended', async () => {
    await copyFile(fixture, at('a.pt'));
    await alter(at('a.pt'), (bytes) => bytes.subarray(0, 70_000));
    const dir = at('run');
    const start = async () => {
      await using own = await testRun({ memoryBytes: 256 << 20, dir });
      const { taken, summary } = await takeAll(
        own.run,
        read({ from, path: folder.path }, own.run),
        ({ id }) => id,
      );
      return { taken, items: summary.items };
    };
    expect(await start()).toMatchObject({ taken: [], items: { unprocessable: 1 } });
    await copyFile(fixture, at('a.pt'));
    expect(await start()).toMatchObject({ taken: ['a_000', 'a_001'], items: { ok: 2, unprocessable: 0 } });
    expect(await start()).toMatchObject({ taken: [] });
  });
});

describe('arrays (.npy)', () => {
  const from = 'npy';
  const shape: Shape = [2, 16, 24];
  const bands = ['g', 'r'];
  const count = 2 * 16 * 24;

  it('are one image of a file, or many, every bit of it', async () => {
    const pixels = [0, 1, 2].map((seed) => anyPixels(seed, count));
    writeNpyImages(at('one.npy'), shape, pixels[0] as Float32Array);
    const both = new Float32Array(2 * count);
    both.set(pixels[1] as Float32Array);
    bitsOf(both).set(bitsOf(pixels[1] as Float32Array));
    bitsOf(both).set(bitsOf(pixels[2] as Float32Array), count);
    writeNpyImages(at('many.npy'), [2, ...shape], both);
    const { taken, summary } = await windows({ from, path: folder.path, bands }, 8);
    expect(summary.end).toBe('complete');
    const parents = ['one', 'many_000', 'many_001'];
    expect([...new Set(taken.map(({ parent }) => parent))].sort()).toEqual(parents.toSorted());
    expectBits(taken, 8, shape, (parent) => planesOf(shape, pixels[parents.indexOf(parent)] as Float32Array));
  });

  it('lie where the options say', async () => {
    writeNpyImages(at('a.npy'), shape, new Float64Array(count).fill(1 / 3));
    const { taken } = await windows({ from, path: at('a.npy'), bands, ra: 10, dec: 20, pixel_scale: 1 }, 16);
    expect(taken[0]?.values[0]).toBe(Math.fround(1 / 3));
    const tan = new TanWcs((taken[0] as Window).wcs);
    expect(tan.toSky([11.5, 7.5])[1]).toBeCloseTo(20, 10);
    expect(tan.toSky([11.5, 8.5])[1]).toBeCloseTo(20 + 1 / 3600, 10);
  });

  it.each<[string, string, () => Promise<void> | void]>([
    ['cut short', 'npy_damaged', () => alter(at('bad.npy'), (bytes) => bytes.subarray(0, 500))],
    ['something else', 'npy_damaged', () => writeFile(at('bad.npy'), 'hello')],
    [
      'of other bands',
      'bands_differ',
      () => writeNpyImages(at('bad.npy'), [3, 16, 24], new Float32Array(1152)),
    ],
    [
      'of another size',
      'bands_differ',
      () => writeNpyImages(at('bad.npy'), [2, 24, 16], new Float32Array(count)),
    ],
    ['flat', 'npy_damaged', () => writeNpyImages(at('bad.npy'), [32, 24], new Float32Array(count))],
    [
      'in Fortran order',
      'npy_damaged',
      () =>
        alter(at('bad.npy'), (bytes) =>
          Buffer.from(bytes.toString('latin1').replace('False', 'True '), 'latin1'),
        ),
    ],
    [
      'big-endian',
      'npy_damaged',
      () =>
        alter(at('bad.npy'), (bytes) =>
          Buffer.from(bytes.toString('latin1').replace('<f4', '>f4'), 'latin1'),
        ),
    ],
  ])('that are %s are set aside, and the others go on', async (_what, code, spoil) => {
    for (const name of ['a', 'bad']) writeNpyImages(at(`${name}.npy`), shape, new Float32Array(count));
    await spoil();
    const { taken, causes } = await images({ from, path: folder.path, bands });
    expect(taken.map(({ id }) => id)).toEqual(['a']);
    expect(causes.bad).toMatchObject({ code, stage: 'read', detail: { file: at('bad.npy') } });
  });

  it('that become shorter while they are read lose only the windows that need those rows', async () => {
    writeNpyImages(at('a.npy'), shape, new Float32Array(count));
    await using own = await testRun({ memoryBytes: 64 << 20 });
    const options = { size: 8, step: 8, max_windows: 1 };
    const chain = read({ from, path: folder.path, bands }, own.run).pipe(tile(options, own.run));
    const { taken, summary } = await takeAll(own.run, chain, ({ id }) => {
      truncateSync(at('a.npy'), 128 + 4 * 8 * 24);
      return id;
    });
    expect(summary).toMatchObject({ end: 'incomplete', items: { ok: 3, failed: 3 } });
    expect(taken).toEqual(['a/r0c0', 'a/r0c1', 'a/r0c2']);
    expect(own.run.ledger.causeOf('a/r1c0')).toMatchObject({ code: 'file_unreadable' });
  });
});
