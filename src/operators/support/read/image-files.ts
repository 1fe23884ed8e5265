/** Opens a tile: finds its files, checks them against each other, and gives an image whose rows can be decoded. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { EngineError } from '../../../engine/errors.js';
import type { WorkerPool } from '../../../engine/workers.js';
import { type BandFile, bandPath, type DesTile } from '../../../formats/des-tiles.js';
import { openFits } from '../../../formats/fits/file.js';
import { readWithFitsjs } from '../../../formats/fits/fitsjs.js';
import type { ByteRegion } from '../../../formats/fits/source.js';
import type { ZipArchive } from '../../../formats/zip.js';
import { TanWcs } from '../../../science/wcs.js';
import type { PixelSource } from '../tile/strip.js';
import type { OpenImage } from './form.js';
import { type BandRequest, type OpenBand, readBand } from './open-band.js';
import type { SharedFiles } from './shared-files.js';

export interface OpenTileOptions {
  readonly bands: readonly string[];
  readonly verify: boolean;
  /** `fitsjs` reads plain images whole, into memory. */
  readonly reader: 'skypass' | 'fitsjs';
  /** Folder for entries of archives that must be unpacked. */
  readonly tempDir: string;
  readonly archives: SharedFiles<ZipArchive>;
  /** Opens bands. */
  readonly pool: Pick<WorkerPool, 'run'>;
  readonly signal: AbortSignal;
}

/** Reads headers where it is called: for a single look, starting a thread would take longer. */
export const inThisThread: OpenTileOptions['pool'] = {
  run: async <I, R>(_name: string, request: I) => readBand(request as BandRequest) as R,
};

/** Numbers the images opened by this process: a tile opened again is another image. */
let opened = 0;
/** What the pixels of an image are known by among threads. */
export const imageKey = (id: string): string => `${id}#${++opened}`;

/**
 * Opens the bands of a tile in the order asked.
 *
 * @throws `band_missing`, `bands_differ`, `wcs_*`, `fits_*`, `zip_*`, `file_unreadable`: the tile cannot be read;
 *   `out_of_files`: the run cannot go on
 */
export async function openTile(tile: DesTile, options: OpenTileOptions): Promise<OpenImage> {
  if (tile.problem !== undefined) throw tile.problem;
  const files = options.bands.map((band) => bandOf(tile, band, options.bands));
  const open = new OpenFiles();
  try {
    const regions: ByteRegion[] = [];
    for (const file of files) regions.push(await open.region(file, options));
    const bands = await Promise.all(
      regions.map((region) =>
        options.pool.run<unknown, OpenBand>(
          'openBand',
          { region, verify: options.verify },
          { signal: options.signal },
        ),
      ),
    );
    const pixels =
      options.reader === 'fitsjs' ? await readWhole(tile.name, regions, bands, options.signal) : undefined;
    return image(tile.name, options.bands, bands, open, pixels);
  } catch (error) {
    await open.close();
    throw error;
  }
}

export function bandOf(tile: DesTile, band: string, wanted: readonly string[]): BandFile {
  const file = tile.files.get(band);
  if (file !== undefined) return file;
  const found = [...tile.files.keys()].sort().join(', ') || 'none';
  const any = [...tile.files.values()][0];
  throw new EngineError(
    'band_missing',
    `there is no file of band ${band}; wanted are ${wanted.join(', ')}, found are ${found}`,
    {
      ...(any === undefined ? {} : { place: { file: bandPath(any).replace(/[^/]+$/, '') } }),
    },
  );
}

function image(
  id: string,
  names: readonly string[],
  bands: readonly OpenBand[],
  files: OpenFiles,
  inMemory?: PixelSource,
): OpenImage {
  const first = bands[0] as OpenBand;
  for (const [i, band] of bands.entries()) {
    if (band.plane.width === first.plane.width && band.plane.height === first.plane.height) continue;
    throw new EngineError(
      'bands_differ',
      `band ${names[i]} is ${band.plane.width} × ${band.plane.height} pixels, band ${names[0]} is ${first.plane.width} × ${first.plane.height}`,
      { place: { file: band.input.name } },
    );
  }
  const { width, height } = first.plane;
  return {
    id,
    bands: names,
    width,
    height,
    wcs: first.wcs,
    areaSquareDegrees: width * height * new TanWcs(first.wcs).pixelAreaSquareDegrees,
    inputs: bands.map(({ input }) => input),
    pixels: inMemory ?? {
      kind: 'fits',
      image: imageKey(id),
      planes: bands.map(({ plane }) => plane),
      masks: bands.map(({ mask }) => mask),
    },
    truth: undefined,
    close: () => files.close(),
  };
}

/** All pixels of all bands through fitsjs; masks are not read. */
async function readWhole(
  id: string,
  regions: readonly ByteRegion[],
  bands: readonly OpenBand[],
  signal: AbortSignal,
): Promise<PixelSource> {
  const { width, height } = (bands[0] as OpenBand).plane;
  const pixels: SharedArrayBuffer[] = [];
  for (const [i, region] of regions.entries()) {
    const { data } = await readWithFitsjs(openFits(region), (bands[i] as OpenBand).plane.hdu, { signal });
    const shared = new SharedArrayBuffer(data.byteLength);
    new Float32Array(shared).set(data);
    pixels.push(shared);
  }
  return { kind: 'memory', isFinite: false, image: imageKey(id), width, height, pixels };
}

/** The descriptors of one tile, closed together. */
class OpenFiles {
  readonly #closers: (() => Promise<void>)[] = [];

  async region(file: BandFile, options: OpenTileOptions): Promise<ByteRegion> {
    if (file.kind === 'file') return await this.#plain(file.path);
    const { file: archive, release } = await options.archives.use(file.archive);
    this.#closers.push(release);
    const entry = archive.entries.find(({ name }) => name === file.entry);
    if (entry === undefined)
      throw new EngineError('zip_damaged', 'the entry is no longer in the archive', {
        place: { file: bandPath(file) },
      });
    const { region, close } = await archive.entryRegion(entry, {
      tempDir: options.tempDir,
      signal: options.signal,
    });
    this.#closers.push(close);
    return region;
  }

  async #plain(path: string): Promise<ByteRegion> {
    // Asked before it is opened: to open a pipe would be to wait for whoever writes into it.
    if (!(await stat(path)).isFile())
      throw new EngineError('file_unreadable', 'this is not a file', { place: { file: path } });
    const handle: FileHandle = await open(path, 'r');
    this.#closers.push(() => handle.close());
    return { name: path, fd: handle.fd, offset: 0, size: (await handle.stat()).size };
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}
