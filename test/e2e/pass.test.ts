import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFits } from '../../src/formats/fits/file.js';
import { readPlane } from '../../src/formats/fits/plane.js';
import { closeRegion, openRegion } from '../../src/formats/fits/source.js';
import { buildZip } from '../formats/zip-builder.js';
import { pass } from '../support/cli.js';
import { seededRandom } from '../support/disturbed.js';
import { mean, writeEncoder } from '../support/encoder.js';
import { grouped, outcomesOf, type StoredFile, tileRows } from '../support/results.js';
import { type TempFolder, tempFolder } from '../support/run.js';
import { addTile, bandFile, bands, fixtureTiles, plainFits } from '../support/survey.js';

const tile = 'DES0001-0541';
const side = 512;

let temp: TempFolder;
/** A survey of one tile, and the pass over it that the others are compared with. */
let survey: string;
let plain: StoredFile;

const at = (name: string): string => join(temp.path, name);
let passes = 0;

/** A pass in a folder of its own, to its end. */
async function passed(path: string, ...overrides: readonly string[]) {
  const dir = at(`run-${passes++}`);
  const ended = await pass({ survey: path, dir }, ...overrides);
  return { dir, ...ended };
}

/** As `passed`, which must be complete. */
async function complete(path: string, ...overrides: readonly string[]): Promise<StoredFile> {
  const { dir, code, err } = await passed(path, ...overrides);
  expect(code, err).toBe(0);
  return grouped(dir);
}

/** All datasets but the names of the input files. */
function results({ datasets }: StoredFile): Record<string, unknown> {
  return Object.fromEntries(Object.entries(datasets).filter(([name]) => !name.startsWith('inputs/')));
}

/** One image of one band of a tile of the sample, and the cards of its WCS. */
function readImage(folder: string, band: string, name: string) {
  const region = openRegion(bandFile(folder, band));
  try {
    const file = openFits(region);
    const hdu = file.hdus.find((each) => each.name === name);
    if (hdu === undefined) throw new Error(`there is no ${name}`);
    const cards = hdu.header.cards.filter(({ keyword }) => /^(CTYPE|CRVAL|CRPIX|CD\d_)/.test(keyword));
    return {
      pixels: Float32Array.from(readPlane(file, hdu.index)),
      cards: Object.fromEntries(cards.map(({ keyword, value }) => [keyword, value as string | number])),
    };
  } finally {
    closeRegion(region);
  }
}

beforeAll(async () => {
  temp = await tempFolder();
  survey = at('survey');
  await addTile(survey, tile, join(fixtureTiles, tile));
  plain = await complete(survey);
}, 60_000);
afterAll(() => temp[Symbol.asyncDispose]());

describe('where tiles may lie', () => {
  const zipOf = async (method: 0 | 8): Promise<Buffer> => {
    const folder = join(survey, tile);
    const parts = (await readdir(folder)).map(async (name) => ({
      name: `${tile}/${name}`,
      data: await readFile(join(folder, name)),
      method,
    }));
    return buildZip(await Promise.all(parts));
  };

  it('a single tile folder', async () => {
    expect((await complete(join(survey, tile))).datasets).toEqual(plain.datasets);
  });

  for (const [what, method] of [
    ['stored', 0],
    ['deflated', 8],
  ] as const) {
    it(`an archive of ${what} entries`, async () => {
      const archive = at(`${what}.zip`);
      await writeFile(archive, await zipOf(method));
      const found = await complete(archive);
      expect(results(found)).toEqual(results(plain));
      expect(found.datasets['inputs/name']?.values[0]).toBe(
        `${archive}!/${tile}/${tile}_r4907p01_g_nobkg.fits.fz`,
      );
    });
  }

  it('archives beside folders', async () => {
    const mixed = at('mixed');
    await mkdir(mixed);
    await writeFile(join(mixed, 'some.zip'), await zipOf(0));
    await addTile(mixed, 'DES9999-0001');
    const { datasets } = await complete(mixed);
    expect(datasets.id_str?.values).toHaveLength(8);
    const { predictions } = plain.datasets;
    // The other tile is a copy of the first.
    expect(datasets.predictions?.values).toEqual([
      ...(predictions?.values ?? []),
      ...(predictions?.values ?? []),
    ]);
  });

  describe('plain FITS files', () => {
    let plainSurvey: string;
    beforeAll(async () => {
      plainSurvey = at('plain-survey');
      const folder = join(plainSurvey, tile);
      await mkdir(folder, { recursive: true });
      for (const band of bands) {
        const { pixels, cards } = readImage(join(survey, tile), band, 'SCI');
        await writeFile(bandFile(folder, band, '_nobkg.fits'), plainFits(pixels, side, cards));
      }
    });

    it('give what the compressed ones give', async () => {
      const found = await complete(plainSurvey);
      const { masked_fraction: masked, ...others } = results(found);
      const { masked_fraction: maskedBefore, ...othersBefore } = results(plain);
      expect(others).toEqual(othersBefore);
      // They have no mask: only NaN counts.
      const sum = (of: unknown) => (of as { values: number[] }).values.reduce((a, b) => a + b, 0);
      expect(sum(masked)).toBeGreaterThan(0);
      expect(sum(masked)).toBeLessThan(sum(maskedBefore));
    });

    it('can be read by fitsjs, bit for bit', async () => {
      expect((await complete(plainSurvey, 'read.reader=fitsjs')).datasets).toEqual(
        (await complete(plainSurvey)).datasets,
      );
    });

    it('and no others', async () => {
      const { dir, code, err } = await passed(survey, 'read.reader=fitsjs');
      expect(code, err).toBe(3);
      expect((await outcomesOf(dir)).get(tile)).toMatchObject({
        outcome: 'unprocessable',
        code: 'reader_unsupported',
        message: expect.stringMatching(/compress/),
        hint: expect.stringContaining('read.reader=skypass'),
      });
      expect(await tileRows(dir)).toMatchObject([{ outcome: 'unprocessable', windows: 0 }]);
      expect(await readdir(dir)).not.toContain('grouped.hdf5');
    });
  });
});

describe('what goes through the encoder', () => {
  it('is every pixel of every window at its place, NaN as zero', async () => {
    const random = seededRandom(1);
    const weights = Float32Array.from({ length: 4 * 256 * 256 }, () => random() - 0.5);
    const encoder = await writeEncoder(at('weighted'), {
      answer: (graph, image) => mean(graph, graph.mul(image, graph.constant(weights, [4, 256, 256]))),
    });
    const { datasets } = await complete(survey, 'tile.step=200', `encoder.weights=${encoder}`);
    const images = bands.map((band) => readImage(join(survey, tile), band, 'SCI').pixels);
    const masks = bands.map((band) => readImage(join(survey, tile), band, 'MSK').pixels);
    expect(datasets.id_str?.values).toHaveLength(9);
    for (const [row, id] of (datasets.id_str?.values ?? []).entries()) {
      const [x0, y0] = [datasets.x0?.values[row] as number, datasets.y0?.values[row] as number];
      let [sum, size, masked] = [0, 0, 0];
      for (let y = 0; y < 256; y++) {
        for (let x = 0; x < 256; x++) {
          const pixel = (y0 + y) * side + x0 + x;
          let isMasked = false;
          for (let band = 0; band < 4; band++) {
            const value = images[band]?.[pixel] as number;
            isMasked ||= Number.isNaN(value) || masks[band]?.[pixel] !== 0;
            if (Number.isNaN(value)) continue;
            const product = value * (weights[(band * 256 + y) * 256 + x] as number);
            sum += product;
            size += Math.abs(product);
          }
          if (isMasked) masked += 1;
        }
      }
      const found = datasets.predictions?.values[row] as number;
      expect(Math.abs(found - sum / weights.length), `${id}`).toBeLessThan((1e-5 * size) / weights.length);
      expect(datasets.masked_fraction?.values[row]).toBe(Math.fround(masked / 65_536));
    }
  });

  it('is left out where too much is masked, which is no failure', async () => {
    const fractions = plain.datasets.masked_fraction?.values as number[];
    const limit = ([...fractions].sort((a, b) => a - b)[1] as number) + 1e-6;
    const { dir, code, err } = await passed(survey, `tile.max_masked=${limit}`);
    expect(code, err).toBe(0);
    expect(grouped(dir).datasets.id_str?.values).toHaveLength(2);
    expect(await tileRows(dir)).toMatchObject([
      { outcome: 'ok', windows: 4, windows_ok: 2, windows_no_work: 2, windows_set_aside: 0 },
    ]);
    const none = await passed(survey, 'tile.max_masked=0');
    expect(none.code, none.err).toBe(0);
    expect(none.out).toMatch(/windows +4 no_work\n {2}tiles +1 no_work/);
    expect(await tileRows(none.dir)).toMatchObject([{ outcome: 'no_work', windows_no_work: 4 }]);
  });

  it('keeps NaN when it is told to, and an encoder that cannot take it loses those windows only', async () => {
    const { dir, code, err } = await passed(survey, 'tile.nan=keep');
    expect(code, err).toBe(3);
    const codes = [...(await outcomesOf(dir)).values()].flatMap((line) => (line.code as string) ?? []);
    expect(new Set(codes)).toEqual(new Set(['encoder_not_finite']));
  });

  it('goes through several times for an encoder that answers differently each time', async () => {
    const repeated = await complete(survey, 'encode.passes=3');
    expect(repeated.datasets.predictions?.shape).toEqual([4, 1, 3, 1, 1]);
    const once = plain.datasets.predictions?.values as number[];
    expect(repeated.datasets.predictions?.values).toEqual(once.flatMap((value) => [value, value, value]));

    const encoder = await writeEncoder(at('stochastic'), {
      answer: (graph, image) => graph.node('RandomUniformLike', [mean(graph, image)]),
      isStochastic: true,
    });
    // One session: all of them begin with the same seed.
    const drawn = await complete(
      survey,
      `encoder.weights=${encoder}`,
      'encode.passes=5',
      'encode.sessions=1',
    );
    expect(drawn.datasets.predictions?.shape).toEqual([4, 1, 5, 1, 1]);
    expect(new Set(drawn.datasets.predictions?.values).size).toBe(20);
  });
});

describe('what comes out', () => {
  it('does not depend on how many sessions, threads and shards there are', async () => {
    const one = await complete(fixtureTiles, 'tile.step=128', 'encode.sessions=1', 'tile.threads=1');
    const many = await complete(
      fixtureTiles,
      'tile.step=128',
      'encode.sessions=3',
      'tile.threads=3',
      'tile.credit_items=7',
      'write.tiles_per_shard=1',
    );
    expect(many.datasets).toEqual(one.datasets);
  });

  it('covers the far edge, or not, as torch.unfold leaves it', async () => {
    const columns = async (edge: string) => {
      const { datasets } = await complete(survey, 'tile.step=200', `tile.edge=${edge}`);
      return [...new Set(datasets.x0?.values)];
    };
    expect(await columns('align')).toEqual([0, 200, 256]);
    expect(await columns('drop')).toEqual([0, 200]);
  });

  it('is laid out as zoobot lays out predictions, every dataset with its unit and meaning', () => {
    const { datasets, attributes } = plain;
    const layout = Object.entries(datasets).map(([name, { dtype, shape }]) => [name, dtype, shape]);
    expect(Object.fromEntries(layout.map(([name, ...rest]) => [name, rest]))).toEqual({
      predictions: ['<f', [4, 1, 1, 1, 1]],
      id_str: ['S', [4]],
      label_cols: ['S', [1]],
      ra: ['<d', [4]],
      dec: ['<d', [4]],
      x0: ['<i', [4]],
      y0: ['<i', [4]],
      masked_fraction: ['<f', [4]],
      'inputs/name': ['S', [4]],
      'inputs/checksum': ['S', [4]],
      'inputs/bytes': ['<q', [4]],
    });
    expect(datasets.id_str?.values).toEqual(['r0c0', 'r0c1', 'r1c0', 'r1c1'].map((id) => `${tile}/${id}`));
    expect(datasets.label_cols?.values).toEqual(['membership']);
    expect(datasets.x0?.values).toEqual([0, 256, 0, 256]);
    expect(datasets.y0?.values).toEqual([0, 0, 256, 256]);
    for (const name of ['predictions', 'id_str', 'ra', 'dec', 'x0', 'y0', 'masked_fraction'])
      expect(attributes[name]).toMatchObject({
        description: expect.stringMatching(/\w/),
        unit: expect.any(String),
      });
    expect(attributes.ra?.unit).toBe('deg');
    expect(attributes['/']).toMatchObject({
      run: expect.stringMatching(/^des-pass-/),
      pipeline: 'des-pass',
      skypass_version: expect.stringMatching(/^\d/),
      config_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      encoder: 'cluster-small',
      encoder_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      description: 'predictions of cluster-small',
      complete: 1n,
    });
    expect(datasets['inputs/checksum']?.values[0]).toMatch(/^datasum:\d+$/);
    expect(Number(datasets['inputs/bytes']?.values[0])).toBeGreaterThan(300_000);
  });

  it('says where on the sky each window is', () => {
    const { ra, dec, x0, y0 } = plain.datasets;
    const step = 256 * 0.263;
    expect(dec?.values).toHaveLength(4);
    for (const [row, value] of ((dec?.values ?? []) as number[]).entries()) {
      // The tile is centred on (0.373849, −5.694444) and its pixels are 0.263″; east is to the left.
      const north = ((y0?.values[row] as number) / 256 - 0.5) * step;
      const west = ((x0?.values[row] as number) / 256 - 0.5) * step;
      expect((value + 5.694444) * 3600).toBeCloseTo(north, 2);
      const east = ((ra?.values[row] as number) - 0.373849) * 3600 * Math.cos((value * Math.PI) / 180);
      expect(east).toBeCloseTo(-west, 2);
    }
  });

  it('stays when the files of a tile that is done are gone', async () => {
    const changing = at('changing');
    const folder = await addTile(changing, tile);
    const { dir, code } = await passed(changing);
    expect(code).toBe(0);
    await rm(bandFile(folder, 'z'));
    expect((await pass({ survey: changing, dir })).code).toBe(0);
    expect(grouped(dir).datasets.id_str?.shape).toEqual([4]);
  });
});
