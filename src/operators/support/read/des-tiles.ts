/** The tiles of DES DR2: a folder for each, as they are downloaded, or archives of them. */
import { type DesTile, listDesTiles } from '../../../formats/des-tiles.js';
import { type BandItem, bandFilesForm } from './band-files.js';
import type { Form, FormContext } from './form.js';

export const desTiles = (context: FormContext): Form<BandItem> =>
  bandFilesForm(context, {
    expected: 'tiles: files such as DES0001-0041/DES0001-0041_r4907p01_g_nobkg.fits.fz',
    unit: 'tiles',
    list: async (path) => (await listDesTiles(path)).map((tile) => ({ ...tile, paths: pathsOf(tile) })),
    truth: () => ({ hasTruth: false, bytes: 0 }),
    withTruth: async (_item, image) => image,
  });

/** The files a tile lies in, archives among them. */
const pathsOf = ({ files }: DesTile): readonly string[] =>
  [...new Set([...files.values()].map((file) => (file.kind === 'file' ? file.path : file.archive)))].sort();
