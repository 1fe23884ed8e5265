/**
 * fitsjs, a library for browsers, in a worker thread. It asks for three things of a browser: `File` and `Blob`,
 * which Node has, and `FileReader`, which is given here over a byte region; and it wants itself as the global
 * `astro`. Decoding, which fitsjs would do in a Worker made from a blob URL, happens at once: this already is a
 * worker, and its owner may end it at any time, for on damaged input fitsjs may loop for ever.
 */
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { type ByteRegion, readExactly } from './source.js';

/** Pixels row by row, x fastest, the first (southernmost) row first, as they are stored. */
export interface FitsjsImage {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array<ArrayBuffer>;
}

export type FitsjsReply = { readonly image: FitsjsImage } | { readonly failure: string };

type Pixels = Int16Array | Int32Array | Uint16Array | Float32Array;

interface FitsjsImageUnit {
  readonly width: number;
  readonly height: number;
  readonly bitpix: number;
  readonly bzero: number;
  readonly bscale: number;
  _getFrame(buffer: ArrayBuffer, bitpix: number, bzero: number, bscale: number): Pixels;
  _getFrameAsync(buffers: ArrayBuffer[], callback: (pixels: Float32Array<ArrayBuffer>) => void): void;
  getFrame(frame: number, callback: (pixels: Float32Array<ArrayBuffer>) => void): void;
}

interface Fitsjs {
  new (
    file: RegionFile,
    whenParsed: (fits: { readonly hdus: readonly { readonly data?: FitsjsImageUnit }[] }) => void,
  ): unknown;
  readonly Image: { readonly prototype: FitsjsImageUnit };
}

/** What fitsjs takes for a `File`: a size, and slices that are read later. */
class RegionFile {
  constructor(
    private readonly region: ByteRegion,
    private readonly begin: number,
    readonly size: number,
    readonly fail: (thrown: unknown) => void,
  ) {}

  slice(from: number, to = this.size): RegionFile {
    if (from >= this.size) throw new RangeError(`byte ${from} is wanted, there are ${this.size}`);
    return new RegionFile(
      this.region,
      this.begin + from,
      Math.max(0, Math.min(to, this.size) - from),
      this.fail,
    );
  }

  read(): ArrayBuffer {
    const bytes = new Uint8Array(this.size);
    readExactly(this.region, this.begin, this.size, bytes);
    return bytes.buffer;
  }
}

/** What fitsjs takes for a `FileReader`. What its callbacks throw becomes the failure of the whole reading. */
class RegionReader {
  result: ArrayBuffer | undefined;
  onloadend: ((event: { readonly target: RegionReader }) => void) | undefined;

  readAsArrayBuffer(file: RegionFile): void {
    queueMicrotask(() => {
      try {
        this.result = file.read();
        this.onloadend?.({ target: this });
      } catch (thrown) {
        file.fail(thrown);
      }
    });
  }
}

let loaded: Fitsjs | undefined;

function loadFitsjs(): Fitsjs {
  if (loaded === undefined) {
    const { astro } = createRequire(import.meta.url)('fitsjs') as {
      readonly astro: { readonly FITS: Fitsjs };
    };
    Object.assign(globalThis, { astro, FileReader: RegionReader });
    astro.FITS.Image.prototype._getFrameAsync = decodeHere;
    loaded = astro.FITS;
  }
  return loaded;
}

function decodeHere(
  this: FitsjsImageUnit,
  buffers: ArrayBuffer[],
  callback: (pixels: Float32Array<ArrayBuffer>) => void,
): void {
  const data = new Float32Array(
    buffers.reduce((bytes, buffer) => bytes + buffer.byteLength, 0) / (Math.abs(this.bitpix) / 8),
  );
  let at = 0;
  for (const buffer of buffers) {
    const pixels = this._getFrame(buffer, this.bitpix, this.bzero, this.bscale);
    data.set(pixels, at);
    at += pixels.length;
  }
  callback(data);
}

/**
 * Reads the image of one HDU with fitsjs. Memory: about three times the image.
 *
 * @param region exactly one HDU: its header, its data and the padding
 * @throws whatever fitsjs throws, mostly strings; may never return on damaged input
 */
export function readImage(region: ByteRegion): Promise<FitsjsImage> {
  return new Promise((resolve, reject) => {
    const Fits = loadFitsjs();
    new Fits(new RegionFile(region, 0, region.size, reject), ({ hdus }) => {
      const unit = hdus[0]?.data;
      if (unit === undefined) throw new Error('it finds no image');
      unit.getFrame(0, (data) => resolve({ width: unit.width, height: unit.height, data }));
    });
  });
}

/** Runs only in the thread that `readWithFitsjs` starts. */
async function answer({ fitsjsRegion }: { readonly fitsjsRegion: ByteRegion }): Promise<void> {
  try {
    const image = await readImage(fitsjsRegion);
    parentPort?.postMessage({ image } satisfies FitsjsReply, [image.data.buffer]);
  } catch (thrown) {
    const failure = thrown instanceof Error ? thrown.message : String(thrown);
    parentPort?.postMessage({ failure } satisfies FitsjsReply);
  }
}

if (parentPort !== null && Object.hasOwn(Object(workerData), 'fitsjsRegion')) await answer(workerData);
