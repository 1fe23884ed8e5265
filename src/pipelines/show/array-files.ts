/** Images that are kept as bare arrays: an element of a `.pt` file of the case study, or a `.npy` file. */
import { basename } from 'node:path';
import { EngineError } from '../../engine/errors.js';
import { FormatError } from '../../formats/errors.js';
import { closeRegion, openRegion } from '../../formats/fits/source.js';
import { openNpy } from '../../formats/npy.js';
import { openPt, type PtFile } from '../../formats/pt/read.js';
import type { PtTensor, PtValue } from '../../formats/pt/value.js';
import { type RawPlane, readRawRows } from '../../formats/raw-plane.js';
import type { PixelBox } from '../../science/orientation.js';
import type { Showable, ShownImage } from './image.js';
import type { SourceMark } from './marks.js';

/** What a file knows of the tiles of its image. */
export interface TileTruth {
  /** Side of a tile, pixels. */
  readonly tileSize: number;
  readonly cells: readonly PixelBox[];
  /** Those of them that hold a member of a cluster. */
  readonly members: readonly PixelBox[];
  /** The brightest source of each tile that has one. */
  readonly sources: readonly SourceMark[];
}

export interface ShowablePt extends Showable {
  readonly truth: TileTruth | undefined;
}

/** Bands of an array of four planes; other numbers of planes are counted. */
const fourBands = ['g', 'r', 'i', 'z'];
export const bandsOfPlanes = (planes: number): readonly string[] =>
  planes === 4 ? fourBands : Array.from({ length: planes }, (_, i) => `${i + 1}`);

/**
 * Element `index` of a `.pt` file: a dict with `images` (bands, height, width) and perhaps `tile_catalog`, in a list or
 * alone; or such an array itself.
 *
 * @throws FormatError `pt_unsafe`, `pt_damaged`; EngineError `config_invalid` when there is no such element
 */
export async function showablePt(path: string, index: number | undefined): Promise<ShowablePt> {
  await using file = await openPt(path, { foreign: 'describe' });
  const fields = Array.isArray(file.value) ? (file.value as readonly PtValue[]) : [file.value];
  const field = fields[index ?? 0];
  if (field === undefined) {
    const message = `field ${index ?? 0} is wanted, the file has ${fields.length}${fields.length > 0 ? `: 0 to ${fields.length - 1}` : ''}`;
    throw new EngineError('config_invalid', message, { place: { file: path }, hint: 'give another --field' });
  }
  const images = isTensor(field) ? field : field instanceof Map ? field.get('images') : undefined;
  const [height = 0, width = 0] = isTensor(images) ? images.shape.slice(-2) : [];
  if (!isTensor(images) || images.shape.length < 2 || images.shape.length > 3 || width * height === 0) {
    const found = isTensor(images) ? `an array of ${images.shape.join(' × ')}` : 'no tensor';
    throw new FormatError(
      'pt_damaged',
      `"images" of field ${index ?? 0} is ${found}, expected bands × height × width`,
      {
        place: { file: path },
        hint: 'the layout is [{tile_catalog: {…}, images: (4, H, W)}, …]',
      },
    );
  }
  const planes = images.shape.length === 3 ? (images.shape[0] as number) : 1;
  const bands = bandsOfPlanes(planes);
  return {
    name: `${basename(path)}${fields.length > 1 ? `, field ${index ?? 0} of ${fields.length}` : ''}`,
    bands,
    truth: field instanceof Map ? await tileTruth(file, field.get('tile_catalog'), width, height) : undefined,
    open: (wanted) =>
      openPlanes(path, wanted, async (band) => {
        const plane: PtTensor = {
          ...images,
          shape: [height, width],
          stride: images.stride.slice(-2),
          storageOffset:
            images.storageOffset + (planes === 1 ? 0 : bands.indexOf(band) * (images.stride[0] as number)),
        };
        return await planeOf(path, plane);
      }),
  };
}

/**
 * A `.npy` file of float32 or float64, (height, width) or (bands, height, width).
 *
 * @throws FormatError `npy_damaged`
 */
export async function showableNpy(path: string): Promise<Showable> {
  const { dtype, byteOrder, shape, fortranOrder, dataOffset } = await openNpy(path);
  const [height = 0, width = 0] = shape.slice(-2);
  const elements = { float32: 'f32', float64: 'f64' } as const;
  const element = dtype === 'float32' || dtype === 'float64' ? elements[dtype] : undefined;
  const isPlain = byteOrder === 'little' && !fortranOrder && element !== undefined;
  if (!isPlain || shape.length < 2 || shape.length > 3 || shape.includes(0)) {
    const found = `${byteOrder}-endian ${dtype} (${shape.join(', ')})${fortranOrder ? ' in Fortran order' : ''}`;
    throw new FormatError(
      'npy_damaged',
      `the array is ${found}, expected little-endian float32 or float64 (bands, height, width)`,
      { place: { file: path }, hint: 'numpy.ascontiguousarray(array, "<f4") makes it so' },
    );
  }
  const bands = bandsOfPlanes(shape.length === 3 ? (shape[0] as number) : 1);
  const planeBytes = width * height * (element === 'f32' ? 4 : 8);
  return {
    name: basename(path, '.npy'),
    bands,
    open: (wanted) =>
      openPlanes(path, wanted, async (band) => {
        const start = dataOffset + bands.indexOf(band) * planeBytes;
        return { width, height, raw: { start, width, height, element } };
      }),
  };
}

const isTensor = (value: PtValue | undefined): value is PtTensor =>
  value !== null && typeof value === 'object' && 'kind' in value && value.kind === 'tensor';

/** Rows of one plane: from the file, or from memory where they do not lie there one after the other. */
type Plane = { readonly width: number; readonly height: number } & (
  | { readonly raw: Omit<RawPlane, 'region'> }
  | { readonly values: Float32Array }
);

async function planeOf(path: string, tensor: PtTensor): Promise<Plane> {
  await using file = await openPt(path, { foreign: 'describe' });
  const [height, width] = tensor.shape as [number, number];
  const region = file.regionOf(tensor);
  if (region !== undefined && (tensor.dtype === 'float32' || tensor.dtype === 'float64')) {
    const element = tensor.dtype === 'float32' ? 'f32' : 'f64';
    return { width, height, raw: { start: region.offset, width, height, element } };
  }
  return { width, height, values: Float32Array.from((await file.read(tensor)) as ArrayLike<number>, Number) };
}

/** Bands whose planes lie in one file. */
export async function openPlanes(
  path: string,
  bands: readonly string[],
  find: (band: string) => Promise<Plane>,
): Promise<ShownImage> {
  const planes: Plane[] = [];
  for (const band of bands) planes.push(await find(band));
  const { width, height } = planes[0] as Plane;
  const region = openRegion(path);
  let rows = new Float32Array(0);
  return {
    bands,
    width,
    height,
    wcs: undefined,
    wcsNote: 'the file has no sky coordinates',
    unit: '',
    rowsAtOnce: 1,
    readRows: (band, y0, y1) => {
      const plane = planes[band] as Plane;
      if ('values' in plane) return plane.values.subarray(y0 * width, y1 * width);
      if (rows.length < (y1 - y0) * width) rows = new Float32Array((y1 - y0) * width);
      readRawRows({ ...plane.raw, region }, y0, y1, rows, 0);
      return rows;
    },
    close: async () => closeRegion(region),
  };
}

/** Tiles with members, and the brightest source of each tile; undefined where the file does not say. */
async function tileTruth(
  file: PtFile,
  catalog: PtValue | undefined,
  width: number,
  height: number,
): Promise<TileTruth | undefined> {
  if (!(catalog instanceof Map)) return undefined;
  const read = async (name: string): Promise<readonly number[] | undefined> => {
    const tensor = catalog.get(name);
    return isTensor(tensor)
      ? Array.from((await file.read(tensor)) as ArrayLike<number | bigint>, Number)
      : undefined;
  };
  const shape = catalog.get('n_sources');
  const [ny = 0, nx = 0] = isTensor(shape) ? shape.shape.slice(-2) : [];
  const tileSize = height / ny;
  if (!Number.isInteger(tileSize) || width / nx !== tileSize) return undefined;
  const [counts, locs, membership, types] = [
    await read('n_sources'),
    await read('locs'),
    await read('membership'),
    await read('source_type'),
  ];
  const cells = Array.from({ length: nx * ny }, (_, tile) => ({
    x: (tile % nx) * tileSize,
    y: Math.floor(tile / nx) * tileSize,
    width: tileSize,
    height: tileSize,
  }));
  const perTile = (values: readonly number[] | undefined): number =>
    values === undefined ? 0 : values.length / cells.length;
  const sources = cells.flatMap((cell, tile): SourceMark[] => {
    const at = tile * perTile(locs);
    const [down, right] = [locs?.[at], locs?.[at + 1]];
    if ((counts?.[tile] ?? 0) === 0 || down === undefined || right === undefined) return [];
    const kind = types?.[tile * perTile(types)] === 0 ? 'star' : 'galaxy';
    return [{ x: cell.x + right * tileSize - 0.5, y: cell.y + down * tileSize - 0.5, kind }];
  });
  const members = cells.filter((_, tile) => (membership?.[tile * perTile(membership)] ?? 0) > 0);
  return { tileSize, cells, members, sources };
}
