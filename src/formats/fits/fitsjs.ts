/** The optional reader `fitsjs`: for the plain images that it reads right, in a thread that can be ended. */
import { Worker } from 'node:worker_threads';
import { builtUrl } from '../../config/built.js';
import { FormatError } from '../errors.js';
import { type FitsFile, type Hdu, hduAt } from './file.js';
import type { FitsjsImage, FitsjsReply } from './fitsjs-worker.js';
import { BLOCK_BYTES } from './header.js';

export type { FitsjsImage } from './fitsjs-worker.js';

/** fitsjs holds an image whole, about three times over. */
const MAX_IMAGE_BYTES = 2 ** 29;

export interface FitsjsOptions {
  /** After this time the thread is ended. */
  readonly timeLimitMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Why fitsjs 0.6.6 must not read an HDU: it would fail, loop, or return other pixels than are stored.
 *
 * @returns the reason, to stand after "fitsjs cannot read it: "; `undefined` when it reads the HDU right
 */
export function fitsjsRefusal({ kind, header, dataBytes }: Hdu): string | undefined {
  if (kind === 'compressed-image') {
    return `it is compressed (ZCMPTYPE ${header.text('ZCMPTYPE', 'unknown')}), and fitsjs loses nulls and misplaces dither, or fails`;
  }
  if (kind !== 'image') return `the HDU holds no image but is of kind "${kind}"`;
  const axes = header.axes('NAXIS');
  if (axes.length !== 2) return `the image has ${axes.length} axes, only 2 are read`;
  const bitpix = header.bitpix('BITPIX');
  if (bitpix === -64) return 'it takes 64-bit floats (BITPIX -64) for 32-bit ones';
  if (bitpix === 64) return 'it does not know BITPIX 64';
  const bzero = header.number('BZERO', 0);
  if (bzero !== 0 && bitpix > 0) return `unsigned and shifted integers (BZERO ${bzero}) wrap around in it`;
  if (bzero !== 0) return `it has BZERO ${bzero}, only 0 is read`;
  const bscale = header.number('BSCALE', 1);
  if (bscale !== 1) return `it has BSCALE ${bscale}, only 1 is read`;
  if (bitpix > 0 && header.has('BLANK')) return 'it would take nulls (BLANK) for pixels';
  if (dataBytes > MAX_IMAGE_BYTES)
    return `the image has ${dataBytes} bytes, at most ${MAX_IMAGE_BYTES} are read whole`;
  return undefined;
}

/**
 * Reads one plain image with fitsjs, in a thread of its own.
 *
 * @returns float32 pixels, row by row, the first stored row first; integers beyond 2^24 are rounded
 * @throws FormatError `reader_unsupported` when fitsjs cannot read the HDU right, or fails; `timed_out`;
 *   `fits_no_such_hdu`; AbortError
 */
export async function readWithFitsjs(
  file: FitsFile,
  index: number,
  options: FitsjsOptions = {},
): Promise<FitsjsImage> {
  const { timeLimitMs = 60_000, signal } = options;
  const place = { file: file.region.name, hdu: index };
  const hdu = hduAt(file, index);
  const refusal = fitsjsRefusal(hdu);
  if (refusal !== undefined) {
    throw new FormatError('reader_unsupported', `fitsjs cannot read it: ${refusal}`, { place });
  }
  signal?.throwIfAborted();
  const limit = AbortSignal.timeout(timeLimitMs);
  // fitsjs prints warnings about headers to the console: they are drawn off, unread.
  const worker = new Worker(builtUrl(import.meta.url, './fitsjs-worker.js'), {
    workerData: { fitsjsRegion: hduRegion(file, hdu) },
    stdout: true,
    stderr: true,
  });
  try {
    const reply = await firstReply(worker, signal === undefined ? limit : AbortSignal.any([limit, signal]));
    if ('image' in reply) return reply.image;
    throw new FormatError('reader_unsupported', `fitsjs failed: ${reply.failure}`, { place });
  } catch (error) {
    signal?.throwIfAborted();
    if (!limit.aborted) throw error;
    throw new FormatError('timed_out', `fitsjs did not finish in ${timeLimitMs} ms and was ended`, { place });
  } finally {
    await worker.terminate();
  }
}

/** One HDU as a file of its own: what stands before and after it is not shown to fitsjs. */
function hduRegion({ region }: FitsFile, { headerOffset, dataOffset, dataBytes }: Hdu) {
  const end = dataOffset + Math.ceil(dataBytes / BLOCK_BYTES) * BLOCK_BYTES;
  return { name: region.name, fd: region.fd, offset: region.offset + headerOffset, size: end - headerOffset };
}

function firstReply(worker: Worker, signal: AbortSignal): Promise<FitsjsReply> {
  return new Promise((resolve, reject) => {
    const failed = (failure: string) => resolve({ failure });
    worker.once('message', resolve);
    worker.once('error', (error) => failed(error.message));
    worker.once('exit', (code) => failed(`its thread ended with code ${code}`));
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
