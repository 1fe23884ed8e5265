import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDat } from '../../../src/formats/dat.js';
import { openFits } from '../../../src/formats/fits/file.js';
import { readPlane } from '../../../src/formats/fits/plane.js';
import { closeRegion, openRegion } from '../../../src/formats/fits/source.js';
import { writeNpy } from '../../../src/formats/npy.js';
import { imageOfRunItem } from '../../../src/pipelines/show/run-image.js';
import { readRunItem } from '../../../src/pipelines/show/run-item.js';
import { type ShowRequest, showPath } from '../../../src/pipelines/show/subject.js';
import { root, skypass } from '../../support/cli.js';
import { runPipeline } from '../../support/fields-run.js';
import { type TempFolder, tempFolder } from '../../support/run.js';
import { dotsOf, middleOf, plain } from './pictures.js';

const bands = ['g', 'r', 'i', 'z'];
const sky = (name: string): string => join(root, 'test', 'fixtures', 'sample', name);
let temp: TempFolder;
const at = (name: string): string => join(temp.path, name);
const small = ['image_size=128', 'tile_size=64', 'nfiles=3', 'n_catalogs_per_file=2'];

async function make(folder: string, ...more: readonly string[]): Promise<void> {
  const { code, err } = await runPipeline('data-gen', `data_dir=${at(folder)}`, ...small, ...more);
  expect(code, err).toBe(0);
}

/** Runs stages from the temporary folder, with paths as they are written there. */
async function runStages(dir: string, ...stages: readonly string[]): Promise<void> {
  const lines = ['name: again', `run: { dir: ${dir} }`, 'stages:', ...stages.map((stage) => `  - ${stage}`)];
  await writeFile(at(`${dir}.yaml`), `${lines.join('\n')}\n`);
  const { code, err } = await skypass(['run', `${dir}.yaml`, '--metrics-port', '0'], { cwd: temp.path });
  expect(code, err).toBe(0);
}

/** What stands behind a source of catalogues of 256 pixels. */
const encoded = (dir: string, size: number | 'whole' = 256): readonly string[] => [
  'render: {}',
  `tile: { size: ${size}, step: 256 }`,
  'batch: { items: 1 }',
  'encode: { weights: "seeded:cluster-small?seed=1" }',
  `write: { format: hdf5, dir: ${dir}/predictions }`,
];

const imageOf = async (dir: string, name: string) => imageOfRunItem(await readRunItem(at(dir), name), 1);

async function pixelsOfRun(dir: string, name: string): Promise<readonly Float32Array[]> {
  const { image, close } = await imageOf(dir, name);
  try {
    const shown = await image.open(bands);
    return bands.map((_, band) => Float32Array.from(shown.readRows(band, 0, shown.height)));
  } finally {
    await close();
  }
}

function pixelsOfFiles(folder: string, name: string): readonly Float32Array[] {
  return bands.map((band) => {
    const region = openRegion(join(at(folder), `${name}_${band}.fits`));
    try {
      return readPlane(openFits(region), 0) as Float32Array;
    } finally {
      closeRegion(region);
    }
  });
}

const refusal = (dir: string, name: string): Promise<string> =>
  imageOf(dir, name).then(
    async ({ close }) => {
      await close();
      return 'made';
    },
    ({ code, message, hint }) => `${code}: ${message}; ${hint}`,
  );

beforeAll(async () => {
  temp = await tempFolder();
  await make('made');
}, 60_000);
afterAll(() => temp[Symbol.asyncDispose]());

describe('a field of a run', () => {
  it('is drawn again from its seed with the same pixels, alone', async () => {
    const again = await pixelsOfRun('made/run', 'galsim_des_001');
    expect(again).toEqual(pixelsOfFiles('made/images', 'galsim_des_001'));
    expect(again).not.toEqual(pixelsOfFiles('made/images', 'galsim_des_000'));
  });

  it('comes with its sources where they are in the image', async () => {
    const { sources, notes, close } = await imageOf('made/run', 'galsim_des_001');
    await close();
    const { count, columns } = await readDat(join(at('made'), 'catalogs', 'galsim_des_001.dat'));
    expect(sources).toHaveLength(count);
    expect(sources[3]?.x).toBeCloseTo((columns.X[3] as number) - 1, 4);
    expect(notes).toEqual(['drawn again from its seed']);
  });

  it('is found by its place in a list of tiles', async () => {
    const tiles = ['+sample.tiles=des-dr2', '+sample.first=3', 'nfiles=2', 'write.format=[dat,fits]'];
    await make('listed', ...tiles, '+sample.clusters={count: 8, centre: [0.02, 0.98]}');
    const [, item = ''] = (await readdir(at('listed/catalogs'))).map((name) => name.slice(0, -4)).sort();
    expect(item).toMatch(/^DES/);
    expect(await pixelsOfRun('listed/run', item)).toEqual(pixelsOfFiles('listed/images', item));
  });

  it('is drawn again from the catalogue of real sources it was drawn from', async () => {
    const sample = `sample: { size: 256, prefix: real, background_catalogue: { path: ${sky('background.fits')} } }`;
    await runStages('real', sample, ...encoded('real'));
    const [pixels] = await pixelsOfRun('real', 'real_000');
    expect(pixels).toHaveLength(256 * 256);
    const { windows } = await readRunItem(at('real'), 'real_000');
    expect(windows).toMatchObject([{ box: { x: 0, y: 0, width: 256, height: 256 } }]);
  });

  it('is drawn again from its catalogue, which lies where the run was started', async () => {
    const render = 'render: { noise: { preset: des } }';
    await runStages(
      'drawn',
      'read: { from: dat, path: made, size: 128 }',
      render,
      'write: { format: fits, dir: drawn }',
    );
    expect(await pixelsOfRun('drawn', 'galsim_des_002')).toEqual(
      pixelsOfFiles('drawn/images', 'galsim_des_002'),
    );
  });

  it.each(['fits', 'pt'])('is read again from .%s files, with what they know of it', async (from) => {
    await runStages(
      `from-${from}`,
      `read: { from: ${from}, path: made }`,
      `write: { format: fits, dir: from-${from} }`,
    );
    const name = from === 'pt' ? 'file_data_0_size_2_001' : 'galsim_des_001';
    expect(await pixelsOfRun(`from-${from}`, name)).toEqual(pixelsOfFiles('made/images', 'galsim_des_001'));
    const { sources, truth, close } = await imageOf(`from-${from}`, name);
    await close();
    if (from === 'pt') expect(truth).toMatchObject({ tileSize: 64 });
    else expect(sources.length).toBeGreaterThan(0);
  });

  it('is read again from .npy files', async () => {
    await mkdir(at('arrays'));
    const planes = pixelsOfFiles('made/images', 'galsim_des_002');
    const bytes = planes.map((plane) => new Uint8Array(Float32Array.from(plane).buffer));
    writeNpy(at('arrays/field.npy'), { dtype: 'float32', shape: [4, 128, 128] }, bytes);
    await runStages(
      'from-npy',
      'read: { from: npy, path: arrays }',
      'write: { format: fits, dir: from-npy }',
    );
    expect(await pixelsOfRun('from-npy', 'field')).toEqual(planes);
  });
});

describe('what is true', () => {
  /** Dots of the picture that are of a colour, scale bar and compass left out. */
  async function dotsLike(
    paths: readonly string[],
    isLike: (rgb: Rgb) => boolean,
    request: Partial<ShowRequest> = {},
  ) {
    const { path, picture } = await showPath(paths, { ...plain, output: at('picture.png'), ...request });
    const box = { ...picture, height: Math.round(0.8 * picture.height) };
    return middleOf(await dotsOf(path), box, isLike).count;
  }
  type Rgb = readonly [number, number, number];
  const isBlue = ([r, g, b]: Rgb): boolean =>
    Math.abs(r - 0x56) < 12 && Math.abs(g - 0xb4) < 12 && Math.abs(b - 0xe9) < 12;
  const isYellow = ([r, g, b]: Rgb): boolean => r > 220 && g > 210 && b < 110;

  it('is marked in a field of a run, unless it is unwanted', async () => {
    const run = [at('made/run')];
    const tile = 'galsim_des_001';
    expect(await dotsLike(run, isBlue, { tile })).toBeGreaterThan(100);
    expect(await dotsLike(run, isBlue, { tile, hasMarkers: false })).toBeLessThan(20);
  });

  it('is marked in a tile of a survey that knows its clusters, unless it is unwanted', async () => {
    const options = ['tiles=2', 'image_size=768', 'clusters=6', 'seed=2'];
    const { code, err } = await runPipeline('make-survey', `survey_dir=${at('survey')}`, ...options);
    expect(code, err).toBe(0);
    for (const tile of ['DES0001-0541', 'DES0002-5040']) {
      const folder = [at(`survey/${tile}`)];
      const marked = await dotsLike(folder, isYellow);
      const bare = await dotsLike(folder, isYellow, { hasMarkers: false });
      expect(marked - bare, tile).toBeGreaterThan(100);
      expect(await dotsLike([at('survey')], isYellow, { tile }), tile).toBe(marked);
      const given = { catalogs: [at('survey/truth/clusters.fits')] };
      expect(await dotsLike(folder, isYellow, given), tile).toBe(marked);
    }
  });
});

describe('a field that cannot be made again', () => {
  it('is one of another version', async () => {
    const path = join(at('made'), 'run', 'run.json');
    const text = await readFile(path, 'utf8');
    await mkdir(at('older'));
    await copyFile(join(at('made'), 'run', 'ledger.jsonl'), at('older/ledger.jsonl'));
    await writeFile(at('older/run.json'), JSON.stringify({ ...JSON.parse(text), version: '0.0.1' }));
    expect(await refusal('older', 'galsim_des_001')).toMatch(
      /^config_invalid: galsim_des_001 cannot be made again: the run was made by skypass 0\.0\.1.*; use skypass 0\.0\.1/,
    );
  });

  it('is one whose user catalogue is gone, or is another one', async () => {
    await copyFile(sky('background.fits'), at('mine.fits'));
    const formats = ['nfiles=1', 'write.format=[fits]'];
    await make('mine', ...formats, `+sample.background_catalogue={path: ${at('mine.fits')}}`);
    expect(await pixelsOfRun('mine/run', 'galsim_des_000')).toEqual(
      pixelsOfFiles('mine/images', 'galsim_des_000'),
    );
    const bytes = await readFile(at('mine.fits'));
    bytes[bytes.length - 2880] = (bytes[bytes.length - 2880] as number) ^ 1;
    await writeFile(at('mine.fits'), bytes);
    expect(await refusal('mine/run', 'galsim_des_000')).toMatch(
      /^run_mismatch: .*cannot be made again: what it was made from has changed: sample\.background_checksum/,
    );
    await rm(at('mine.fits'));
    expect(await refusal('mine/run', 'galsim_des_000')).toMatch(
      /^no_input: .*cannot be made again: the catalogue cannot be read.*mine\.fits.*; check the path/,
    );
  });

  it('is one whose .dat file is gone, or is another one', async () => {
    await mkdir(at('lists'));
    const list = await readFile(join(at('made'), 'catalogs', 'galsim_des_000.dat'), 'utf8');
    for (const name of ['a', 'b']) await writeFile(at(`lists/${name}.dat`), list);
    await runStages('windows', 'read: { from: dat, path: lists, size: 256 }', ...encoded('windows', 'whole'));
    expect(await refusal('windows', 'a')).toBe('made');
    const { windows } = await readRunItem(at('windows'), 'a');
    expect(windows).toMatchObject([{ box: { x: 0, y: 0, width: 256, height: 256 } }]);
    await writeFile(at('lists/a.dat'), list.split('\n').slice(1).join('\n'));
    expect(await refusal('windows', 'a')).toMatch(
      /^run_mismatch: a cannot be made again: the run read another file/,
    );
    await rename(at('lists/a.dat'), at('lists/elsewhere'));
    expect(await refusal('windows', 'a')).toMatch(
      /^no_input: a cannot be made again: .* gone; put the file back/,
    );
  });

  it('is one that the run does not have', async () => {
    expect(await refusal('made/run', 'galsim_des_003')).toMatch(
      /^config_invalid: the run has no field galsim_des_003 \(did you mean "galsim_des_00/,
    );
  });
});
