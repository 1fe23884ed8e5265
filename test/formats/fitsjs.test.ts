import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { type FitsFile, openFits } from '../../src/formats/fits/file.js';
import { fitsjsRefusal, readWithFitsjs } from '../../src/formats/fits/fitsjs.js';
import { readPlane } from '../../src/formats/fits/plane.js';
import { closeRegion, openRegion } from '../../src/formats/fits/source.js';

const images = join(import.meta.dirname, '../fixtures/fits/images');
const manifest = JSON.parse(readFileSync(join(images, '../manifest.json'), 'utf8')) as {
  images: { file: string; hdus: { hdu: number; sha256: string; shape: number[] }[] }[];
};
const folder = mkdtempSync(join(tmpdir(), 'skypass-fitsjs-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function withFits<T>(path: string, work: (file: FitsFile) => T | Promise<T>): Promise<T> {
  const region = openRegion(path);
  try {
    return await work(openFits(region));
  } finally {
    closeRegion(region);
  }
}

const fixture = <T>(name: string, work: (file: FitsFile) => T | Promise<T>) =>
  withFits(join(images, name), work);

/** A fixture with more cards in its header; there is room for some before the first block ends. */
function withCards(name: string, ...cards: string[]): string {
  const bytes = readFileSync(join(images, name));
  const end = bytes.indexOf('END'.padEnd(80));
  bytes.write([...cards, 'END'].map((card) => card.padEnd(80)).join(''), end, 'latin1');
  const path = join(folder, `${cards.join('').replace(/\W/g, '')}.fits`);
  writeFileSync(path, bytes);
  return path;
}

it.each([
  ['f32_nan.fits', 0],
  ['i16.fits', 0],
  ['u8.fits', 0],
  ['multi_hdu.fits', 1],
  ['multi_hdu.fits', 4],
])('reads %s HDU %i bit for bit as astropy does', async (name, index) => {
  const known = manifest.images
    .find(({ file }) => file === `images/${name}`)
    ?.hdus.find(({ hdu }) => hdu === index);
  const { width, height, data } = await fixture(name, (file) => readWithFitsjs(file, index));
  expect([height, width]).toEqual(known?.shape);
  expect(createHash('sha256').update(data).digest('hex')).toBe(known?.sha256);
});

it('reads int32 as its own reader does, rounded to float32', async () => {
  await fixture('i32.fits', async (file) => {
    expect((await readWithFitsjs(file, 0)).data).toEqual(Float32Array.from(readPlane(file, 0)));
  });
});

it.each<[string, number, RegExp]>([
  ['rice_f32_dither2.fits.fz', 1, /compressed \(ZCMPTYPE RICE_ONE\)/],
  ['plio_i16_mask.fits.fz', 1, /compressed \(ZCMPTYPE PLIO_1\)/],
  ['u16_bzero.fits', 0, /BZERO 32768/],
  ['i8_bzero.fits', 0, /BZERO -128/],
  ['i16_bscale_blank.fits', 0, /BZERO 12.5/],
  ['f64.fits', 0, /64-bit floats/],
  ['cube.fits', 0, /3 axes/],
  ['vector.fits', 0, /1 axes/],
  ['multi_hdu.fits', 0, /kind "empty"/],
  ['multi_hdu.fits', 3, /kind "table"/],
])('refuses %s HDU %i with the reason', async (name, index, reason) => {
  await fixture(name, async (file) => {
    await expect(readWithFitsjs(file, index)).rejects.toMatchObject({
      code: 'reader_unsupported',
      message: expect.stringMatching(reason),
      place: { file: join(images, name), hdu: index },
    });
  });
});

it('refuses scaled floats and integers with nulls', async () => {
  const refusal = (path: string) => withFits(path, (file) => file.hdus[0] && fitsjsRefusal(file.hdus[0]));
  expect(await refusal(withCards('f32_nan.fits', 'BSCALE  = 2.0'))).toMatch(/BSCALE 2/);
  expect(await refusal(withCards('f32_nan.fits', 'BZERO   = 1.0'))).toMatch(/BZERO 1/);
  expect(await refusal(withCards('i16.fits', 'BLANK   = -32768'))).toMatch(/BLANK/);
  expect(await refusal(withCards('f32_nan.fits', 'BSCALE  = 1.0', 'BZERO   = 0.0'))).toBeUndefined();
});

it('says what fitsjs said when it fails', async () => {
  // Of two cards fitsjs takes the last, our own reader the first.
  const path = withCards('i16.fits', 'BITPIX  = 12');
  await withFits(path, async (file) => {
    await expect(readWithFitsjs(file, 0)).rejects.toMatchObject({
      code: 'reader_unsupported',
      message: expect.stringContaining('BITPIX value 12 is not permitted'),
    });
  });
});

it('fails where fitsjs would look for headers for ever', async () => {
  const path = withCards('i16.fits', 'NAXIS2  = 90');
  await withFits(path, async (file) => {
    await expect(readWithFitsjs(file, 0)).rejects.toMatchObject({
      code: 'reader_unsupported',
      message: expect.stringMatching(/byte \d+ is wanted/),
    });
  });
});

it('ends the thread after the time limit, or when told to', async () => {
  // NAXIS2 of the last card takes fitsjs back to where it began, again and again.
  const path = withCards('i16.fits', 'NAXIS2  = -1', 'PCOUNT  = -2680');
  await withFits(path, async (file) => {
    await expect(readWithFitsjs(file, 0, { timeLimitMs: 400 })).rejects.toMatchObject({ code: 'timed_out' });
    await expect(readWithFitsjs(file, 0, { signal: AbortSignal.timeout(300) })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    await expect(readWithFitsjs(file, 0, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});
