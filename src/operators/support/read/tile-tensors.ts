/** The tile catalogue of an image, as the tensors of a .pt file have it. */
import { FormatError } from '../../../formats/errors.js';
import type { PtArray } from '../../../formats/pt/elements.js';
import type { PtFile } from '../../../formats/pt/read.js';
import { elementCount, type PtDtype, type PtTensor, type PtValue } from '../../../formats/pt/value.js';
import type { TileCatalog } from '../../../science/tile-catalog.js';

export type PtDict = ReadonlyMap<PtValue, PtValue>;

export const isDict = (value: PtValue | undefined): value is PtDict => value instanceof Map;

export const isTensor = (value: PtValue | undefined): value is PtTensor =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'tensor';

const floats: readonly PtDtype[] = ['float64', 'float32'];
const integers: readonly PtDtype[] = ['int64', 'int32', 'int16', 'int8', 'uint8', 'bool'];

/** The sides of each tensor behind those of the grid of tiles, and what its elements are. */
const layout = {
  locs: { sides: [1, 2], dtypes: floats },
  n_sources: { sides: [], dtypes: integers },
  fluxes: { sides: [1, 4], dtypes: floats },
  membership: { sides: [1, 1], dtypes: integers },
  redshift: { sides: [1, 1], dtypes: floats },
  galaxy_params: { sides: [1, 4], dtypes: floats },
  source_type: { sides: [1, 1], dtypes: integers },
} as const satisfies Record<string, { sides: readonly number[]; dtypes: readonly PtDtype[] }>;
type Name = keyof typeof layout;
const names = Object.keys(layout) as readonly Name[];

interface Tensors {
  readonly ny: number;
  readonly nx: number;
  readonly of: Readonly<Record<Name, PtTensor>>;
}

/** The tensors of a tile catalogue of one source a tile; undefined when it has another form. */
function tensorsOf(file: PtFile, catalog: PtValue | undefined): Tensors | undefined {
  const counts = isDict(catalog) ? catalog.get('n_sources') : undefined;
  if (!isDict(catalog) || !isTensor(counts) || counts.shape.length !== 2) return undefined;
  const [ny, nx] = counts.shape as [number, number];
  const found: Partial<Record<Name, PtTensor>> = {};
  for (const name of names) {
    const tensor = catalog.get(name);
    const { sides, dtypes } = layout[name];
    const isOne =
      isTensor(tensor) &&
      String(tensor.shape) === String([ny, nx, ...sides]) &&
      (dtypes as readonly PtDtype[]).includes(tensor.dtype) &&
      // What is unfolded from fewer bytes than it has elements could be of any size.
      file.regionOf(tensor) !== undefined;
    if (!isOne) return undefined;
    found[name] = tensor;
  }
  return ny * nx > 0 ? { ny, nx, of: found as Record<Name, PtTensor> } : undefined;
}

/** Most bytes the tile catalogue takes in memory; 0 when there is none that can be read. */
export function cellBytes(file: PtFile, catalog: PtValue | undefined): number {
  const tensors = tensorsOf(file, catalog);
  if (tensors === undefined) return 0;
  return names.reduce((sum, name) => sum + 8 * elementCount(tensors.of[name].shape), 0);
}

/**
 * Reads the tile catalogue of an image of this size.
 *
 * @throws FormatError `pt_damaged` when its tiles do not fill the image; `catalog_values` when a number is none
 */
export async function readCells(
  file: PtFile,
  catalog: PtValue | undefined,
  { width, height }: { readonly width: number; readonly height: number },
): Promise<TileCatalog | undefined> {
  const tensors = tensorsOf(file, catalog);
  if (tensors === undefined) return undefined;
  const { ny, nx, of } = tensors;
  if (height % ny !== 0 || height / ny !== width / nx) {
    throw new FormatError(
      'pt_damaged',
      `the tile catalogue has ${ny} × ${nx} tiles, which are no squares of an image of ${height} × ${width} pixels`,
      { place: { file: file.path }, hint: 'look at what wrote the file' },
    );
  }
  const read = async (name: Name): Promise<PtArray> => {
    const values = await file.read(of[name]);
    const bad = values.findIndex(
      (value: number | bigint) => typeof value === 'number' && !Number.isFinite(value),
    );
    if (bad < 0) return values;
    const tile = Math.floor(bad / (values.length / (ny * nx)));
    throw new FormatError(
      'catalog_values',
      `${name} of tile (${Math.floor(tile / nx)}, ${tile % nx}) is ${values[bad]}, expected a finite number`,
      { place: { file: file.path } },
    );
  };
  return {
    tileSize: height / ny,
    ny,
    nx,
    locs: Float32Array.from(numbers(await read('locs'))),
    nSources: bigints(await read('n_sources')),
    fluxes: Float64Array.from(numbers(await read('fluxes'))),
    membership: Uint8Array.from(numbers(await read('membership')), (value) => (value > 0 ? 1 : 0)),
    redshift: Float64Array.from(numbers(await read('redshift'))),
    galaxyParams: Float64Array.from(numbers(await read('galaxy_params'))),
    sourceType: bigints(await read('source_type')),
  };
}

const numbers = (values: PtArray): Iterable<number> & ArrayLike<number> =>
  values instanceof BigInt64Array ? Float64Array.from(values, Number) : values;

const bigints = (values: PtArray): BigInt64Array =>
  values instanceof BigInt64Array ? values : BigInt64Array.from(Array.from(values, BigInt));
