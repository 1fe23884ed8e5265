/** FITS files as something to show: one file, one file per band, or the folder of a DES tile. */
import { existsSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { asEngineError, EngineError } from '../../engine/errors.js';
import { bandPath, listDesTiles } from '../../formats/des-tiles.js';
import { FormatError } from '../../formats/errors.js';
import { type FitsFile, type Hdu, openFits } from '../../formats/fits/file.js';
import { PlaneReader } from '../../formats/fits/plane.js';
import { planPlane } from '../../formats/fits/plane-plan.js';
import type { ByteRegion } from '../../formats/fits/source.js';
import { openZip } from '../../formats/zip.js';
import { TanWcs, WcsError } from '../../science/wcs.js';
import type { Showable, ShownImage } from './image.js';

const letters = ['u', 'g', 'r', 'i', 'z', 'y', 'Y'];
/** The letter of the band, alone between separators; the last one counts. */
const bandLetter = /^(?<head>.*_)(?<band>[ugrizyY])(?<tail>[_.].*)$/;

/** Whether a path is named as FITS files are. */
export const isFitsName = (path: string): boolean => /\.(fits|fit|fts)(\.fz)?$/i.test(path);

/** FITS files: a single one is joined by its siblings in other bands; several are a band each. */
export function showableFiles(paths: readonly string[]): Showable {
  const first = paths[0] as string;
  const files = paths.length > 1 ? namedBands(paths) : (siblings(first) ?? new Map([[bandOf(first), first]]));
  return { name: titleOf(first), bands: [...files.keys()], open: (bands) => openBands(files, bands) };
}

/** A file of one band alone. */
export const showableFile = (path: string, band = bandOf(path)): Showable => ({
  name: titleOf(path),
  bands: [band],
  open: (bands) => openBands(new Map([[band, path]]), bands),
});

/**
 * A folder or archive of DES tiles that holds one tile, or the one of this name.
 *
 * @throws FormatError or EngineError when there is none, or when it is not clear which
 */
export async function showableTile(path: string, name: string | undefined): Promise<Showable> {
  const tiles = await listDesTiles(path);
  const names = tiles.map((tile) => tile.name);
  const tile = tiles.find((each) => (name === undefined ? tiles.length === 1 : each.name === name));
  if (tile === undefined) {
    const some = `${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`;
    const found = names.length === 0 ? 'no tiles are here' : `there are ${names.length} tiles here: ${some}`;
    throw new EngineError('config_invalid', `${found}; expected ${name ?? 'one'}`, {
      place: { file: path },
      hint:
        names.length === 0
          ? 'name a FITS, .pt or .npy file, a tile folder, or the folder of a run'
          : 'add --tile NAME',
    });
  }
  if (tile.problem !== undefined) throw tile.problem;
  return showableBands(
    tile.name,
    [...tile.files].map(([band, file]) => [band, bandPath(file)]),
  );
}

/** Bands whose files are known; an entry of an archive is `archive.zip!/entry`. */
export function showableBands(
  name: string,
  files: Iterable<readonly [band: string, path: string]>,
): Showable {
  const known = new Map([...files].sort(([a], [b]) => letters.indexOf(a) - letters.indexOf(b)));
  return { name, bands: [...known.keys()], open: (bands) => openBands(known, bands) };
}

/** The band a file is named after; `image` when it is named after none. */
export function bandOf(path: string): string {
  const name = basename(path.split('!/').at(-1) as string);
  return (
    /_r\d+p\d+_(?<band>[A-Za-z]+)(_nobkg)?\.fits/.exec(name)?.groups?.band ??
    bandLetter.exec(name)?.groups?.band ??
    'image'
  );
}

function titleOf(path: string): string {
  const name = basename(path).replace(/\.(fits|fit|fts)(\.fz)?$/i, '');
  const { head = '', tail = '' } = bandLetter.exec(`${name}.`)?.groups ?? {};
  const bare = head === '' ? name : `${head.slice(0, -1)}${tail.slice(0, -1)}`;
  return bare.replace(/_r\d+p\d+/, '').replace(/_nobkg$/, '');
}

/** The files of the other bands beside this one; undefined when there are none. */
function siblings(path: string): Map<string, string> | undefined {
  const { head, tail } = bandLetter.exec(basename(path))?.groups ?? {};
  if (head === undefined || tail === undefined) return undefined;
  const found = letters.map((letter) => [letter, join(dirname(path), `${head}${letter}${tail}`)] as const);
  return new Map(found.filter(([, file]) => existsSync(file)));
}

function namedBands(paths: readonly string[]): Map<string, string> {
  const named = new Map(paths.map((path) => [bandOf(path), path]));
  if (named.size === paths.length) return named;
  return new Map(paths.map((path, i) => [`${i + 1}`, path]));
}

interface OpenBand {
  readonly reader: PlaneReader;
  readonly file: FitsFile;
  readonly hdu: Hdu;
}

async function openBands(files: ReadonlyMap<string, string>, bands: readonly string[]): Promise<ShownImage> {
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const each of closers.splice(0).reverse()) await each();
  };
  try {
    const open: OpenBand[] = [];
    for (const band of bands) open.push(readBand(await regionOf(files.get(band) as string, closers)));
    return imageOf(bands, open, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function regionOf(path: string, closers: (() => Promise<void>)[]): Promise<ByteRegion> {
  const [archive, entry] = path.split('!/') as [string, string?];
  if (entry !== undefined) {
    const zip = await openZip(archive);
    closers.push(async () => await zip[Symbol.asyncDispose]());
    const found = zip.entries.find(({ name }) => name === entry);
    if (found === undefined)
      throw new FormatError('zip_damaged', 'the entry is not in the archive', { place: { file: path } });
    const opened = await zip.entryRegion(found);
    closers.push(() => opened.close());
    return opened.region;
  }
  // Asked before it is opened: to open a pipe would be to wait for whoever writes into it.
  if (!(await stat(path)).isFile())
    throw new FormatError('file_unreadable', 'this is not a file', { place: { file: path } });
  const handle = await open(path, 'r');
  closers.push(() => handle.close());
  return { name: path, fd: handle.fd, offset: 0, size: (await handle.stat()).size };
}

function readBand(region: ByteRegion): OpenBand {
  const file = openFits(region);
  const hdu =
    file.hdus.find(({ name }) => name === 'SCI') ??
    file.hdus.find(
      ({ kind, header }) => kind === 'compressed-image' || (kind === 'image' && header.has('NAXIS2')),
    );
  if (hdu === undefined) {
    const kinds = file.hdus.map(({ kind }) => kind).join(', ');
    throw new FormatError('fits_no_such_hdu', `the file holds no image, but: ${kinds}`, {
      place: { file: region.name },
    });
  }
  const plan = planPlane(file, hdu.index);
  if (plan.depth !== 1) {
    throw new FormatError('fits_unsupported', `the image has ${plan.depth} planes, expected one`, {
      place: { file: region.name, hdu: hdu.index },
    });
  }
  return { reader: new PlaneReader(plan), file, hdu };
}

function imageOf(
  bands: readonly string[],
  open: readonly OpenBand[],
  close: () => Promise<void>,
): ShownImage {
  const { reader, hdu } = open[0] as OpenBand;
  const { width, height } = reader.plan;
  for (const [i, band] of open.entries()) {
    const { plan } = band.reader;
    if (plan.width === width && plan.height === height) continue;
    const message = `band ${bands[i]} is ${plan.width} × ${plan.height} pixels, band ${bands[0]} is ${width} × ${height}`;
    throw new EngineError('bands_differ', message, { place: { file: band.file.region.name } });
  }
  const filter = hdu.header.get('FILTER');
  let rows: Float32Array | Float64Array = new Float32Array(0);
  return {
    bands: bands.map((band) =>
      band === 'image' && typeof filter === 'string' ? (filter.split(' ')[0] ?? band) : band,
    ),
    width,
    height,
    ...coordinatesOf(hdu),
    unit: String(hdu.header.get('BUNIT') ?? '').trim(),
    rowsAtOnce: Math.max(
      ...open.map(({ reader: { plan } }) => (plan.storage.kind === 'tiles' ? plan.storage.tileHeight : 1)),
    ),
    readRows: (index, y0, y1) => {
      const { reader } = open[index] as OpenBand;
      const Rows = reader.plan.dtype === 'f32' ? Float32Array : Float64Array;
      const count = (y1 - y0) * width;
      if (!(rows instanceof Rows) || rows.length < count) rows = new Rows(count);
      reader.readRows(y0, y1, rows);
      return rows;
    },
    close,
  };
}

/** A picture can do with coordinates a little off: a distortion is left out, and said to be. */
export function coordinatesOf({ header }: Pick<Hdu, 'header'>): Pick<ShownImage, 'wcs' | 'wcsNote'> {
  const get = (keyword: string) => header.get(keyword);
  try {
    return { wcs: TanWcs.fromHeader(get), wcsNote: undefined };
  } catch (error) {
    if (!(error instanceof WcsError)) throw error;
    if (error.code !== 'wcs_unsupported')
      return { wcs: undefined, wcsNote: `no usable sky coordinates (${error.message})` };
  }
  const projection =
    String(get('CTYPE1') ?? '')
      .slice(5)
      .replace(/^-+/, '') || 'TAN';
  const isNearlyTan = (keyword: string): boolean => !/^(PV\d|[AB]P?_|C[PQ]DIS|D[PQ]\d|LONPOLE)/.test(keyword);
  try {
    const wcs = TanWcs.fromHeader((keyword) => {
      if (!isNearlyTan(keyword)) return undefined;
      const value = get(keyword);
      return /^CTYPE[12]$/.test(keyword) && typeof value === 'string'
        ? value.replace(/(TPV|TAN-SIP|TAN)$/, 'TAN')
        : value;
    });
    return { wcs, wcsNote: `sky coordinates without the distortion of the header (${projection})` };
  } catch (error) {
    return { wcs: undefined, wcsNote: `no usable sky coordinates (${asEngineError(error).message})` };
  }
}
