import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type FitsFile, openFits } from '../../../src/formats/fits/file.js';
import { closeRegion, openRegion } from '../../../src/formats/fits/source.js';

export const fixturePath = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/fits/${name}`, import.meta.url));

export function fixtureJson<T>(name: string): T {
  return JSON.parse(readFileSync(fixturePath(name), 'utf8')) as T;
}

/** Opens a FITS file for the time of one call. */
export function withFits<T>(path: string, use: (file: FitsFile) => T): T {
  const region = openRegion(path);
  try {
    return use(openFits(region));
  } finally {
    closeRegion(region);
  }
}
