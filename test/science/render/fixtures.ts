/** What GalSim 2.8.4 drew, and what draws it here. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderKernels } from '../../../src/operators/support/render/task.js';
import {
  type CatalogColumn,
  catalogColumns,
  emptySources,
  type SourceTable,
} from '../../../src/science/catalog.js';
import { parsePsf } from '../../../src/science/render/psf.js';
import { modelPsf, type PsfModel } from '../../../src/science/render/psf-model.js';
import { type DrawOptions, type ImageRows, Renderer } from '../../../src/science/render/render.js';

const folder = join(import.meta.dirname, '../../fixtures/galsim');

const renderer = new Renderer(renderKernels());

export const json = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));

export function floats(name: string): Float32Array {
  const bytes = readFileSync(join(folder, name));
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

const models = new Map<unknown, PsfModel>();

/** The PSF of a fixture's record, computed once. */
export function psfOf(record: unknown): PsfModel {
  const model = models.get(record) ?? modelPsf(parsePsf(record));
  models.set(record, model);
  return model;
}

/** Sources with these values in these columns, 0 in the others. */
export function sourcesOf(rows: readonly Partial<Record<CatalogColumn, number>>[]): SourceTable {
  const table = emptySources(rows.length);
  for (const [row, values] of rows.entries())
    for (const name of catalogColumns) table.columns[name][row] = values[name] ?? 0;
  return table;
}

/** The catalogue of the field's fixture: 48 sources, the first without flux. */
export function fieldSources(): SourceTable {
  const lines = readFileSync(join(folder, 'field.dat'), 'utf8').trim().split('\n');
  return sourcesOf(
    lines.map((line) =>
      Object.fromEntries(line.split(' ').map((value, i) => [catalogColumns[i] as string, Number(value)])),
    ),
  );
}

export const parity: DrawOptions = { origin: 1, truncate: 'galsim' };

export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly bands: ImageRows['bands'];
}

/** Draws a whole image, in parts of so many rows. */
export function drawn(
  psf: PsfModel,
  sources: SourceTable,
  { width, height, bands }: Canvas,
  options: DrawOptions = parity,
  parts: readonly number[] = [height],
): readonly Float32Array[] {
  const image = bands.map(() => new Float32Array(width * height));
  let y0 = 0;
  for (const rows of parts) {
    const y1 = y0 + rows;
    const pixels = image.map((band) => band.subarray(y0 * width, y1 * width));
    renderer.draw(psf, sources, { width, y0, y1, bands, pixels }, options);
    y0 = y1;
  }
  return image;
}

/** The largest difference of two images, over the largest value of the second. */
export function difference(image: Float32Array, reference: Float32Array): number {
  let largest = 0;
  let peak = 0;
  for (let i = 0; i < reference.length; i++) {
    largest = Math.max(largest, Math.abs((image[i] as number) - (reference[i] as number)));
    peak = Math.max(peak, reference[i] as number);
  }
  return largest / peak;
}

/** Whether two images are the same bit by bit. */
export const isSame = (image: readonly Float32Array[], other: readonly Float32Array[]): boolean =>
  image.length === other.length &&
  image.every((band, index) => Buffer.compare(bytesOf(band), bytesOf(other[index] as Float32Array)) === 0);

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Buffer =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
