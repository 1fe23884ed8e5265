import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeNpy } from '../../../src/formats/npy.js';
import { type ShowRequest, showPath } from '../../../src/pipelines/show/subject.js';
import { catalogColumns } from '../../../src/science/catalog.js';
import { type TempFolder, tempFolder } from '../../support/run.js';
import { type Dots, dotsOf, middleOf, plain, usual, wcsOf, writeImage, writeTable } from './pictures.js';

const fixtures = new URL('../../fixtures/', import.meta.url).pathname;
let temp: TempFolder;
beforeAll(async () => {
  temp = await tempFolder();
});
afterAll(() => temp[Symbol.asyncDispose]());
const at = (name: string): string => join(temp.path, name);

async function picture(paths: readonly string[], request: Partial<ShowRequest> = {}) {
  const shown = await showPath(paths, { ...plain, output: at('picture.png'), ...request });
  return { shown, box: shown.picture, dots: await dotsOf(shown.path) };
}

type Rgb = readonly [number, number, number];
const isWhite = ([r, g, b]: Rgb): boolean => r > 250 && g > 250 && b > 250;
/** As the mark of a member, also where its edge is mixed with the grey beneath. */
const isOrange = ([r, g, b]: Rgb): boolean => r > 190 && g > 110 && g < 200 && b < 90;
const isYellow = ([r, g, b]: Rgb): boolean => r > 190 && g > 190 && b < 120;

/** 32 × 24 pixels, all black but one. */
const oneBright = (x: number, y: number) => (column: number, row: number) =>
  column === x && row === y ? 100 : (column + row) % 2;

describe('orientation', () => {
  const [width, height] = [32, 24];
  const cases: [
    string,
    readonly [number, number, number, number],
    (x: number, y: number) => [number, number],
  ][] = [
    ['North up, East left', usual, (x, y) => [x + 0.5, 24 - y - 0.5]],
    ['North down, East left: mirrored', [-1, 0, 0, -1], (x, y) => [x + 0.5, y + 0.5]],
    ['North up, East right: mirrored', [1, 0, 0, 1], (x, y) => [32 - x - 0.5, 24 - y - 0.5]],
    ['North right, East up: a quarter turn', [0, 1, 1, 0], (x, y) => [24 - y - 0.5, 32 - x - 0.5]],
  ];
  it.each(cases)('%s', async (_, cd, expected) => {
    const wcs = wcsOf(width, height, cd);
    const path = writeImage(at('north.fits'), { width, height, wcs, pixels: oneBright(5, 14) });
    const { box, dots } = await picture([path], { minimum: 0, scale: 20 });
    const factor = 20;
    const { u, v, count } = middleOf(dots, { ...box, height: box.height - 20 * 4 }, isWhite);
    const [x, y] = expected(5, 14);
    expect(count).toBeGreaterThanOrEqual(factor * factor);
    expect([(u - box.left) / factor, (v - box.top) / factor]).toEqual([
      expect.closeTo(x, 1),
      expect.closeTo(y, 1),
    ]);
  });
});

describe('marks', () => {
  const [width, height] = [40, 40];
  const flat = (name: string) =>
    writeImage(at(name), {
      width,
      height,
      wcs: wcsOf(width, height, usual),
      pixels: (x, y) => (x * 7 + y * 3) % 5,
    });

  it('lie where the coordinates of the image say, to one dot', async () => {
    const path = flat('flat.fits');
    const [ra, dec] = wcsOf(width, height, usual).toSky([11, 30]);
    const catalog = writeTable(at('members.fits'), { RA: [ra], DEC: [dec], MEM: [1] });
    const { box, dots } = await picture([path], { catalogs: [catalog] });
    const factor = box.width / width;
    const { u, v, count } = middleOf(dots, box, isOrange);
    expect(count).toBeGreaterThan(20);
    expect(Math.abs(u - box.left - 11.5 * factor)).toBeLessThan(1);
    expect(Math.abs(v - box.top - (40 - 30.5) * factor)).toBeLessThan(1);
  });

  it.each([
    [1, 11.5, 30.5],
    [0, 12.5, 31.5],
  ])('of a .dat catalogue count pixels from %i', async (origin, x, y) => {
    const row = catalogColumns.map(
      (name) => ({ X: 12, Y: 31, MEM: 1, FLUX_R: 10, HLR: 1, SOURCE_TYPE: 1 })[name as string] ?? 0,
    );
    await writeFile(at('one.dat'), `${row.join(' ')}\n`);
    const { box, dots } = await picture([flat('flat.fits')], { catalogs: [at('one.dat')], origin });
    const factor = box.width / width;
    const { u, v } = middleOf(dots, box, isOrange);
    expect(Math.abs(u - box.left - x * factor)).toBeLessThan(1);
    expect(Math.abs(v - box.top - (40 - y) * factor)).toBeLessThan(1);
  });

  it('ring a cluster with its radius, in a colour of its own', async () => {
    const catalog = writeTable(at('clusters.fits'), {
      X: [21],
      Y: [21],
      RICHNESS: [23],
      REDSHIFT: [0.5],
      RADIUS_PX: [10],
    });
    const { box, dots } = await picture([flat('flat.fits')], { catalogs: [catalog] });
    const factor = box.width / width;
    const below = {
      ...box,
      top: box.top + Math.round(box.height / 2),
      height: Math.round(box.height / 2) - 1,
    };
    const ring = middleOf(
      dots,
      { ...below, left: Math.round(box.left + 10 * factor), width: Math.round(21 * factor) },
      isYellow,
    );
    expect(ring.count).toBeGreaterThan(50);
    const lowest = Array.from({ length: Math.round(box.height / 2) }, (_, i) => below.top + i).findLast((v) =>
      Array.from({ length: Math.round(20 * factor) }, (_, i) => dots.at(box.left + 10 * factor + i, v)).some(
        isYellow,
      ),
    );
    expect(((lowest ?? 0) - box.top) / factor).toBeCloseTo(19.5 + 10, 0);
  });

  it('can be left out', async () => {
    const catalog = writeTable(at('members.fits'), { X: [12], Y: [31], MEM: [1] });
    const { box, dots } = await picture([flat('flat.fits')], { catalogs: [catalog], hasMarkers: false });
    expect(middleOf(dots, box, isOrange).count).toBe(0);
  });
});

describe('the page', () => {
  const title = (dots: Dots, { left, top, width }: { left: number; top: number; width: number }) =>
    middleOf(dots, { left, top: 0, width, height: top - 2 }, ([r, g, b]) => r + g + b > 500).count;

  it('has words on a machine without fonts: they are outlines', async () => {
    const path = writeImage(at('words.fits'), { width: 20, height: 20, pixels: (x, y) => x + y });
    const { dots, box } = await picture([path]);
    expect(title(dots, box)).toBeGreaterThan(100);
  });

  it('is as wide as asked for, or its pixels are as large', async () => {
    const path = writeImage(at('wide.fits'), { width: 100, height: 50, pixels: (x) => x });
    for (const width of [240, 1000, 1201])
      expect(Math.abs((await picture([path], { width })).shown.width - width)).toBeLessThanOrEqual(2);
    expect((await picture([path], { scale: 3 })).box).toMatchObject({ width: 300, height: 150 });
    expect((await picture([path], { scale: 0.5 })).box).toMatchObject({ width: 50, height: 25 });
  });

  it('shows the part that was cut out', async () => {
    const path = writeImage(at('part.fits'), { width: 32, height: 24, pixels: oneBright(5, 20) });
    const { dots, box } = await picture([path], {
      crop: { x: 4, y: 16, width: 8, height: 8 },
      scale: 20,
      minimum: 0,
    });
    expect(isWhite(dots.at(box.left + 1.5 * 20, box.top + 3.5 * 20))).toBe(true);
    expect(box).toMatchObject({ width: 160, height: 160 });
  });

  it('replaces a picture and leaves nothing else behind', async () => {
    await mkdir(at('out'));
    const path = writeImage(at('again.fits'), { width: 20, height: 20, pixels: (x, y) => x + y });
    await picture([path], { output: at('out/again.png') });
    await picture([path], { output: at('out/again.png'), palette: true });
    expect(await readdir(at('out'))).toEqual(['again.png']);
  });
});

describe('what is shown', () => {
  const tile = `${fixtures}fits/tiles/DES0001-0001`;
  const isColoured = (dots: Dots, box: { left: number; top: number; width: number; height: number }) =>
    middleOf(dots, { ...box, height: Math.floor(box.height / 2) }, ([r, , b]) => Math.abs(r - b) > 20).count >
    50;

  it('is a tile in colour, from its folder or one of its files, and grey in one band', async () => {
    const [file] = (await readdir(tile)).sort();
    const folder = await picture([tile]);
    expect(isColoured(folder.dots, folder.box)).toBe(true);
    const one = await picture([join(tile, file as string)]);
    expect(one.box).toEqual(folder.box);
    expect(isColoured(one.dots, one.box)).toBe(true);
    const grey = await picture([tile], { band: 'z' });
    expect(isColoured(grey.dots, grey.box)).toBe(false);
  });

  it('is a field of a .pt file with the cells that hold members', async () => {
    const { dots, box } = await picture([`${fixtures}pt/file_data_0_size_2.pt`], { field: 1 });
    // Row 2, column 2 of the 4 × 4 tiles holds members (an orange frame), row 0, column 0 does not.
    const cell = box.width / 4;
    const frame = (row: number, column: number) =>
      middleOf(
        dots,
        {
          left: Math.round(box.left + (column + 0.1) * cell),
          top: Math.round(box.top + (4 - row) * cell) - 3,
          width: Math.round(0.8 * cell),
          height: 6,
        },
        ([r, g, b]) => r > 140 && g > 85 && g < 0.8 * r && b < 90,
      ).count;
    expect(frame(2, 2)).toBeGreaterThan(50);
    expect(frame(1, 0)).toBeLessThan(10);
  });

  it('is an array of numpy', async () => {
    const values = Float32Array.from({ length: 4 * 16 * 20 }, (_, i) => (i * 31) % 97);
    writeNpy(at('cube.npy'), { dtype: 'float32', shape: [4, 16, 20] }, [new Uint8Array(values.buffer)]);
    const { box } = await picture([at('cube.npy')], { scale: 10 });
    expect(box).toMatchObject({ width: 200, height: 160 });
  });

  it('is several files as the bands that their names say', async () => {
    const pixels = { i: 90, r: 3, g: 3 };
    const paths = Object.entries(pixels).map(([band, bright]) =>
      writeImage(at(`some_${band}.fits`), {
        width: 24,
        height: 24,
        pixels: (x, y) => (x > 8 && x < 15 && y > 12 && y < 18 ? bright : (x * 5 + y * 11) % 3),
      }),
    );
    const { dots, box } = await picture(paths, { scale: 10, weights: [1, 1, 1] });
    const [r, g, b] = dots.at(box.left + 115, box.top + 85);
    expect(r).toBeGreaterThan(200);
    expect(Math.max(g, b)).toBeLessThan(100);
  });
});

describe('what cannot be shown', () => {
  const refusal = async (paths: readonly string[], request: Partial<ShowRequest> = {}) => {
    const error = await picture(paths, request).then(
      () => undefined,
      (thrown: Error & { code?: string }) => thrown,
    );
    return `${error?.code}: ${error?.message}`;
  };
  const small = () => writeImage(at('small.fits'), { width: 20, height: 10, pixels: (x, y) => x + y });

  it('is said with what was found and what was expected', async () => {
    await writeFile(at('text.fits'), 'no image at all, but long enough to be looked at as one');
    await writeFile(at('readme.txt'), 'text');
    await mkdir(at('empty'));
    await copyFile(small(), at('nan.fits'));
    writeImage(at('nan.fits'), { width: 8, height: 8, pixels: () => Number.NaN });
    expect(await refusal([at('text.fits')])).toMatch(/^fits_not_fits: the file begins with "no image/);
    expect(await refusal([at('gone.fits')])).toMatch(/^ENOENT/);
    expect(await refusal([at('readme.txt')])).toMatch(/^config_invalid: .*nothing that can be shown/);
    expect(await refusal([at('empty')])).toMatch(/^config_invalid: no tiles are here/);
    expect(await refusal([at('nan.fits')])).toMatch(/^config_invalid: there is not one finite pixel/);
    expect(await refusal([small()], { band: 'q' })).toMatch(
      /^config_invalid: there is no band q, there are: image/,
    );
    expect(await refusal([small()], { crop: { x: 15, y: 0, width: 10, height: 10 } })).toMatch(
      /leaves the image, which is 20 × 10 pixels/,
    );
    expect(await refusal([small()], { scale: 1000 })).toMatch(
      /^config_invalid: the picture would have 20000 × 10000 dots, at most 10 million/,
    );
    expect(await refusal([small()], { catalogs: [small()] })).toMatch(
      /^config_invalid: the file holds no table, but: image/,
    );
    expect(
      await refusal([small()], { cells: 1, catalogs: [writeTable(at('t.fits'), { NAME: [1] })] }),
    ).toMatch(/columns NAME; expected X and Y/);
    expect(await refusal([`${fixtures}pt/file_data_0_size_2.pt`], { field: 2 })).toMatch(
      /^config_invalid: field 2 is wanted, the file has 2: 0 to 1/,
    );
    expect(await refusal([`${fixtures}pt/checkpoint.ckpt`])).toMatch(/^config_invalid/);
    expect(await refusal([`${fixtures}dat/none.dat`])).toMatch(/^ENOENT/);
    expect(await refusal([at('text.fits'), at('readme.txt')])).toMatch(/^config_invalid: several files/);
  });

  it('includes bands of different sizes', async () => {
    for (const [band, width] of [
      ['g', 20],
      ['r', 20],
      ['i', 21],
    ] as const)
      writeImage(at(`differ_${band}.fits`), { width, height: 20, pixels: (x) => x });
    expect(await refusal([at('differ_g.fits')])).toMatch(
      /^bands_differ: band r is 20 × 20 pixels, band i is 21 × 20/,
    );
  });

  it('leaves no picture behind', async () => {
    await mkdir(at('none'));
    await refusal([small()], { band: 'q', output: at('none/x.png') });
    expect(await refusal([small()], { output: at('nowhere/x.png') })).toMatch(/^ENOENT/);
    expect(await readdir(at('none'))).toEqual([]);
  });
});
