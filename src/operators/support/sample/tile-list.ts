/** Lists of the tiles of a survey: names, and where they are. */
import { readFile } from 'node:fs/promises';
import { EngineError } from '../../../engine/errors.js';

/** A tile by its name, with its centre in degrees. */
export interface ListedTile {
  readonly name: string;
  readonly ra: number;
  readonly dec: number;
}

/** Lists that come with Skypass, by the word that names them. */
const known: Readonly<Record<string, URL>> = {
  'des-dr2': new URL('../../../../conf/survey/des-dr2-tiles.csv', import.meta.url),
};

const columns = ['tilename', 'rall', 'decll', 'raur', 'decur'] as const;

/**
 * Reads a list of tiles (`des-dr2`: the 10,169 of DES DR2, which come with Skypass) as DES publishes it: a table of text
 * with a header, separated by semicolons or commas, with the name of each tile and two opposite corners (`rall`, `decll`,
 * `raur`, `decur`, degrees). The centre is half-way.
 *
 * @throws EngineError `no_input` when there is no such table, with the line
 */
export async function readTileList(path: string): Promise<readonly ListedTile[]> {
  const problem = (message: string, line?: number): EngineError =>
    new EngineError('no_input', message, {
      place: line === undefined ? { file: path } : { file: path, line },
      hint: 'sample.tiles takes des-dr2, or a table with the columns tilename, rall, decll, raur and decur',
    });
  let text: string;
  try {
    text = await readFile(known[path] ?? path, 'utf8');
  } catch (error) {
    throw problem(`the list of tiles cannot be read: ${(error as Error).message}`);
  }
  const [header = '', ...lines] = text.split(/\r?\n/);
  const separator = header.includes(';') ? ';' : ',';
  const names = header.split(separator).map((name) => name.trim().toLowerCase());
  const missing = columns.filter((name) => !names.includes(name));
  if (missing.length > 0)
    throw problem(`the list of tiles has no ${missing.join(', ')}; there are: ${names.join(', ')}`, 1);
  const seen = new Set<string>();
  const tiles = lines.flatMap((line, index): ListedTile[] => {
    if (line.trim() === '') return [];
    const cells = line.split(separator);
    const cell = (name: (typeof columns)[number]): string => (cells[names.indexOf(name)] ?? '').trim();
    const name = cell('tilename');
    if (!/^[A-Za-z0-9][\w.+-]*$/.test(name) || seen.has(name))
      throw problem(
        `the name of a tile is ${JSON.stringify(name)}, expected a word that is not there twice`,
        index + 2,
      );
    seen.add(name);
    const [rall, decll, raur, decur] = columns
      .slice(1)
      .map((key) => (cell(key) === '' ? Number.NaN : Number(cell(key))));
    return [{ name, ...centre(rall as number, decll as number, raur as number, decur as number, index) }];
  });
  if (tiles.length === 0) throw problem('the list has no tiles', 1);
  return tiles;

  function centre(ra0: number, dec0: number, ra1: number, dec1: number, index: number) {
    const dec = (dec0 + dec1) / 2;
    // The shorter way from corner to corner, which may lead across 0 h.
    const across = ((ra1 - ra0 + 540) % 360) - 180;
    const ra = (ra0 + across / 2 + 360) % 360;
    if (ra >= 0 && Math.abs(dec) <= 90) return { ra, dec };
    throw problem('the corners of a tile are not numbers of degrees', index + 2);
  }
}
