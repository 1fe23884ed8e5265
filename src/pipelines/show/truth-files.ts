/** Files that say what is in a simulated image, where Skypass puts them. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** `truth/clusters.fits` of the survey that a folder is, or that a tile folder or archive lies in. */
export const surveyTruth = (path: string): readonly string[] =>
  firstOf([path, dirname(resolve(path))].map((folder) => join(folder, 'truth', 'clusters.fits')));

/**
 * What there is beside a file of the image `name`: the clusters of its survey, and the catalogue NAME.dat that an image
 * NAME_g.fits was drawn from. The file may be an entry of an archive, `archive.zip!/entry`.
 */
export function truthBeside(file: string, name: string): readonly string[] {
  const [path] = file.split('!/') as [string];
  const folder = dirname(path);
  const places = [folder, join(folder, 'catalogs'), join(dirname(folder), 'catalogs')];
  const own = firstOf(places.map((place) => join(place, `${name}.dat`)));
  return [...own, ...surveyTruth(path === file ? folder : path)];
}

function firstOf(paths: readonly string[]): readonly string[] {
  const found = paths.find((path) => existsSync(path));
  return found === undefined ? [] : [found];
}
