/** Catalogues as `.dat` files: fields that are still to be drawn, and the truth of images that were. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { EngineError } from '../../../engine/errors.js';
import { parseDat } from '../../../formats/dat.js';
import { FormatError } from '../../../formats/errors.js';
import { checkSources } from '../../../science/catalog-check.js';
import { fieldWcs } from '../../../science/field-wcs.js';
import { deriveSeed } from '../../../science/random.js';
import { TanWcs } from '../../../science/wcs.js';
import type { CatalogFacts } from '../facts.js';
import type { Catalog } from '../nouns.js';
import {
  type Form,
  type FormContext,
  type FormItem,
  type FormOptions,
  type FoundFile,
  filesAt,
  type OpenCatalog,
} from './form.js';

/** A field, but for what is in it. */
export type Field = Pick<Catalog, 'id' | 'width' | 'height' | 'wcs' | 'areaSquareDegrees'>;

interface DatItem extends FormItem {
  readonly path: string;
  readonly bytes: number;
}

const ending = '.dat';
/** A million sources: more than a field of any survey has. */
const mostFileBytes = 256 << 20;
/** A source takes 17 doubles (136 bytes) in memory, and at least 34 bytes of text. */
const bytesOfTextByte = 4;

/** Bytes that the sources of a catalogue may take, from the size of its file. */
export const catalogBytes = (fileBytes: number): number => bytesOfTextByte * fileBytes;

export const datCatalogs = ({ options }: FormContext): Form<DatItem> => ({
  expected: `catalogues: files such as galsim_des_000${ending}, in the folder or in its catalogs/`,

  list: async (path) => (await filesAt(path, 'catalogs', (name) => name.endsWith(ending))).map(itemOf),

  survey: async (items) => {
    const { width, height, areaSquareDegrees } = fieldOf('', options);
    const facts: CatalogFacts = {
      kind: 'Catalog',
      width,
      height,
      areaSquareDegrees,
      announced: items,
      unit: 'fields',
    };
    const sizes = items.filter(({ problem }) => problem === undefined).map(({ bytes }) => bytes);
    return { facts, itemBytes: catalogBytes(sizes.reduce((most, bytes) => Math.max(most, bytes), 1)) };
  },

  open: async (item) => {
    if (item.problem !== undefined) throw item.problem;
    return await openCatalog(item.path, fieldOf(item.name, options));
  },

  [Symbol.asyncDispose]: async () => {},
});

const itemOf = ({ path, name, bytes, problem }: FoundFile): DatItem => ({
  name: name.slice(0, -ending.length),
  path,
  bytes,
  paths: [path],
  problem: problem ?? oversize(path, bytes),
});

/** What is wrong with a file that cannot be the catalogue of one field, whatever is in it. */
export function oversize(path: string, bytes: number): FormatError | undefined {
  if (bytes <= mostFileBytes) return undefined;
  return new FormatError(
    'catalog_values',
    `the file has ${bytes} bytes, more than the catalogue of one field (${mostFileBytes})`,
    { place: { file: path }, hint: 'check that this is a catalogue, and cut it into fields' },
  );
}

/** The field of a catalogue: files say nothing of its size and place on the sky, so the options do. */
function fieldOf(id: string, { size, ra, dec, pixel_scale }: FormOptions): Field {
  if (size === undefined) throw new EngineError('config_invalid', 'the size of the fields is missing');
  const [width, height] = typeof size === 'number' ? [size, size] : (size as readonly [number, number]);
  return { id, width, height, ...placeOf(width, height, { ra, dec, pixel_scale }) };
}

/** Where a field lies that does not say it itself. */
export function placeOf(
  width: number,
  height: number,
  { ra, dec, pixel_scale }: Pick<FormOptions, 'ra' | 'dec' | 'pixel_scale'>,
): Pick<Field, 'wcs' | 'areaSquareDegrees'> {
  const wcs = fieldWcs(width, height, ra, dec, pixel_scale);
  return { wcs, areaSquareDegrees: width * height * new TanWcs(wcs).pixelAreaSquareDegrees };
}

/**
 * Reads the sources of a field and checks their values.
 *
 * @throws `catalog_columns`, `catalog_values`, system errors
 */
export async function openCatalog(path: string, field: Field): Promise<OpenCatalog> {
  const bytes = await readFile(path);
  const sources = parseDat(bytes, path);
  checkSources(sources, { width: field.width, height: field.height, file: path });
  const { id, width, height, wcs, areaSquareDegrees } = field;
  const checksum = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return {
    id,
    width,
    height,
    wcs,
    areaSquareDegrees,
    sources,
    clusters: [],
    seed: deriveSeed(0, id),
    inputs: [{ name: path, bytes: bytes.length, checksum }],
  };
}
