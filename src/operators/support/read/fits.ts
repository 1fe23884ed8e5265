/** Images as FITS files, NAME_{band}.fits or .fits.fz, with the catalogue they were drawn from where there is one. */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { BandFile } from '../../../formats/des-tiles.js';
import { FormatError } from '../../../formats/errors.js';
import { type BandItem, bandFilesForm } from './band-files.js';
import { catalogBytes, openCatalog, oversize } from './dat.js';
import { type Form, type FormContext, type FoundFile, filesAt } from './form.js';

interface FitsItem extends BandItem {
  /** The catalogue the image was drawn from. */
  readonly catalog: { readonly path: string; readonly bytes: number } | undefined;
}

interface BandFound extends FoundFile {
  readonly band: string;
}

const fileName = /^(?<name>.+)_(?<band>[A-Za-z0-9]+)\.fits(?:\.fz)?$/;

export const fitsImages = (context: FormContext): Form<FitsItem> =>
  bandFilesForm(context, {
    expected: `images: files such as galsim_des_000_${context.options.bands[0]}.fits (or .fits.fz), one for each band, in the folder or in its images/`,
    unit: 'fields',
    list: (path) => listImages(path, context.options.bands),
    truth: (items) => ({
      hasTruth: items.length > 0 && items.every(({ catalog }) => catalog !== undefined),
      hasSomeTruth: items.some(({ catalog }) => catalog !== undefined),
      bytes: catalogBytes(items.reduce((most, { catalog }) => Math.max(most, catalog?.bytes ?? 0), 0)),
    }),
    withTruth: async ({ catalog }, image) => {
      if (catalog === undefined) return image;
      return { ...image, truth: await openCatalog(catalog.path, image) };
    },
  });

/** Images with a file of at least one of the bands; other files are not ours. */
async function listImages(path: string, bands: readonly string[]): Promise<readonly FitsItem[]> {
  const found = await filesAt(path, 'images', (name) => fileName.test(name));
  const images = new Map<string, BandFound[]>();
  for (const file of found) {
    const { name = '', band = '' } = fileName.exec(file.name)?.groups ?? {};
    images.set(name, [...(images.get(name) ?? []), { ...file, band }]);
  }
  const items: FitsItem[] = [];
  for (const name of [...images.keys()].sort()) {
    const ours = (images.get(name) ?? []).filter(({ band }) => bands.includes(band));
    if (ours.length > 0) items.push(await itemOf(name, images.get(name) ?? [], ours));
  }
  return items;
}

async function itemOf(
  name: string,
  all: readonly BandFound[],
  ours: readonly BandFound[],
): Promise<FitsItem> {
  const first = ours[0] as BandFound;
  const beside = await catalogBeside(dirname(first.path), name);
  const large = beside && oversize(beside.path, beside.bytes);
  return {
    name,
    files: new Map(all.map(({ band, path }): [string, BandFile] => [band, { kind: 'file', path }])),
    problem: ours.find(({ problem }) => problem !== undefined)?.problem ?? duplicate(ours) ?? large,
    paths: [...ours.map(({ path }) => path), ...(beside === undefined ? [] : [beside.path])],
    catalog: large === undefined ? beside : undefined,
  };
}

/** Nobody can say which of two files is meant, so neither is read. */
function duplicate(files: readonly BandFound[]): FormatError | undefined {
  const twice = files.find(({ band, path }) =>
    files.some((other) => other.band === band && other.path !== path),
  );
  if (twice === undefined) return undefined;
  const names = files.filter(({ band }) => band === twice.band).map(({ name }) => name);
  return new FormatError(
    'band_duplicate',
    `band ${twice.band} has ${names.length} files: ${names.join(', ')}`,
    { place: { file: twice.path } },
  );
}

/** The catalogue NAME.dat in the folder of the images, in its catalogs/, or in the one beside images/. */
async function catalogBeside(folder: string, name: string): Promise<FitsItem['catalog']> {
  const file = `${name}.dat`;
  const places = [join(folder, file), join(folder, 'catalogs', file)];
  if (basename(folder) === 'images') places.push(join(dirname(folder), 'catalogs', file));
  for (const place of places) {
    const info = await stat(place).catch(() => undefined);
    if (info?.isFile()) return { path: place, bytes: info.size };
  }
  return undefined;
}
