/** Small surveys made of the four tiles of the fixtures, whole or damaged. */
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { root } from './cli.js';

export const bands = ['g', 'r', 'i', 'z'] as const;
export type Band = (typeof bands)[number];

export const fixtureTiles = join(root, 'test', 'fixtures', 'survey', 'tiles');
/** A tile whose bands have SCI and MSK only. */
export const fixtureTile = join(root, 'test', 'fixtures', 'fits', 'tiles', 'DES0001-0001');
export const corruptFiles = join(root, 'test', 'fixtures', 'fits', 'corrupt');

/** Names that a tile of the survey could have, in order. */
export const tileName = (index: number): string =>
  `DES${String(index).padStart(4, '0')}-${String(1000 + index).padStart(4, '0')}`;

export const bandFile = (folder: string, band: string, ending = '_nobkg.fits.fz'): string =>
  join(folder, `${basename(folder)}_r4907p01_${band}${ending}`);

/** Copies a tile of four bands into a survey under a name of its own. Returns its folder. */
export async function addTile(
  survey: string,
  name: string,
  from = join(fixtureTiles, 'DES0001-0541'),
): Promise<string> {
  const folder = join(survey, name);
  await mkdir(folder, { recursive: true });
  for (const file of await readdir(from)) {
    const band = /_([griz])_nobkg/.exec(file)?.[1];
    if (band !== undefined) await copyFile(join(from, file), bandFile(folder, band));
  }
  return folder;
}

/** A survey of so many tiles, made of those of the fixtures in turn. */
export async function makeSurvey(survey: string, tiles: number): Promise<string> {
  const sources = (await readdir(fixtureTiles)).sort();
  for (let i = 0; i < tiles; i++)
    await addTile(survey, tileName(i), join(fixtureTiles, sources[i % sources.length] as string));
  return survey;
}

/** Changes the bytes of a file. */
export async function alter(path: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  await writeFile(path, change(await readFile(path)));
}

const card = (keyword: string, value: string | number): string =>
  `${keyword.padEnd(8)}= ${typeof value === 'number' ? String(value).padStart(20) : `'${value}'`}`.padEnd(80);

/**
 * Changes cards of the first extension of a FITS file: a value replaces, `undefined` takes the card away. Checksums
 * of the extension are taken away, too, so that only the change is wrong.
 */
export const alterHeader = (
  path: string,
  cards: Readonly<Record<string, string | number | undefined>>,
): Promise<void> =>
  alter(path, (bytes) => {
    const changes = { ...cards, CHECKSUM: undefined, DATASUM: undefined };
    const start = bytes.indexOf('XTENSION=');
    for (const [keyword, value] of Object.entries(changes)) {
      let at = start;
      while (bytes.toString('latin1', at, at + 8) !== keyword.padEnd(8)) {
        at += 80;
        if (bytes.toString('latin1', at, at + 8) === 'END     ') throw new Error(`there is no ${keyword}`);
      }
      bytes.write(value === undefined ? ''.padEnd(80) : card(keyword, value), at, 'latin1');
    }
    return bytes;
  });

/** A FITS file of one float32 image, plain, with the cards of its WCS. */
export function plainFits(
  pixels: Float32Array,
  width: number,
  cards: Readonly<Record<string, string | number>>,
): Buffer {
  const header = [
    'SIMPLE  =                    T'.padEnd(80),
    card('BITPIX', -32),
    card('NAXIS', 2),
    card('NAXIS1', width),
    card('NAXIS2', pixels.length / width),
    ...Object.entries(cards).map(([keyword, value]) => card(keyword, value)),
    'END'.padEnd(80),
  ].join('');
  const data = Buffer.alloc(Math.ceil(pixels.byteLength / 2880) * 2880);
  for (const [i, value] of pixels.entries()) data.writeFloatBE(value, 4 * i);
  return Buffer.concat([Buffer.from(header.padEnd(Math.ceil(header.length / 2880) * 2880)), data]);
}
