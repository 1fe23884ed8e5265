import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FitsFile, verifyChecksum } from '../../../../src/formats/fits/file.js';
import type { FitsHdu, RowSource } from '../../../../src/formats/fits/write/hdu.js';
import { writeFits } from '../../../../src/formats/fits/write/writer.js';
import { withFits } from '../fixtures.js';

/** Gives a new folder for the time of one call. */
export function inFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'skypass-fits-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Writes a file, checks all its checksums, and opens it for the time of one call. */
export function written<T>(hdus: readonly FitsHdu[], use: (file: FitsFile, path: string) => T): T {
  return inFolder((folder) => {
    const path = join(folder, 'written.fits');
    writeFits(path, hdus);
    return withFits(path, (file) => {
      for (const hdu of file.hdus)
        if (verifyChecksum(file, hdu) !== 'ok') throw new Error(`HDU ${hdu.index} has no checksum`);
      if (file.trailingBytes !== 0) throw new Error(`${file.trailingBytes} bytes after the last HDU`);
      return use(file, path);
    });
  });
}

/** Pixels in memory as rows. */
export function rowsOf(pixels: Float32Array | Int32Array, width: number): RowSource {
  return {
    width,
    height: pixels.length / width,
    rows: (y0, y1) => pixels.subarray(y0 * width, y1 * width),
  };
}
