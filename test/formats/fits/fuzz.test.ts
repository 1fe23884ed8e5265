import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { FormatError } from '../../../src/formats/errors.js';
import { type FitsFile, verifyChecksum } from '../../../src/formats/fits/file.js';
import { PlaneReader } from '../../../src/formats/fits/plane.js';
import { planPlane } from '../../../src/formats/fits/plane-plan.js';
import { readTable } from '../../../src/formats/fits/table.js';
import { fixturePath, withFits } from './fixtures.js';

const folder = mkdtempSync(join(tmpdir(), 'fits-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Reads everything there is, row by row, so that a header that claims much costs time but no memory. */
function readAll(fits: FitsFile): void {
  for (const hdu of fits.hdus) {
    verifyOrNot(fits, hdu.index);
    if (hdu.kind === 'table' || hdu.kind === 'ascii-table') readTable(fits, hdu.index);
    if (hdu.kind !== 'image' && hdu.kind !== 'compressed-image') continue;
    const plan = planPlane(fits, hdu.index);
    const row = plan.dtype === 'f32' ? new Float32Array(plan.width) : new Float64Array(plan.width);
    const reader = new PlaneReader(plan);
    for (let y = 0; y < Math.min(plan.height * plan.depth, 100); y++) reader.readRows(y, y + 1, row);
  }
}

function verifyOrNot(fits: FitsFile, index: number): void {
  try {
    verifyChecksum(fits, fits.hdus[index] as FitsFile['hdus'][number]);
  } catch (error) {
    if (!(error instanceof FormatError && error.code === 'fits_checksum')) throw error;
  }
}

describe('a file with random damage', () => {
  const files = [
    'images/rice_f32_mixed_rows_dither2.fits.fz',
    'images/rice_f32_tiles2d.fits.fz',
    'images/gzip2_i32.fits.fz',
    'images/plio_i16_mask.fits.fz',
    'images/nocompress_f32.fits.fz',
    'images/multi_hdu.fits',
    'tables/columns.fits',
    'tables/ascii.fits',
    'extra/nulls.fits',
  ];

  it.each(files)('%s is read or refused with its place, and nothing else', (name) => {
    const original = readFileSync(fixturePath(name));
    const path = join(folder, 'damaged.fits');
    // most of the damage goes to digits of header values: bytes anywhere else rarely mean anything
    const digits = [...original.keys()].filter((at) =>
      /\d/.test(String.fromCharCode(original[at] as number)),
    );
    const anywhere = fc.tuple(fc.nat(original.length - 1), fc.nat(255));
    const inDigits = fc.tuple(fc.constantFrom(...digits), fc.constantFrom(...Buffer.from('0123456789- ')));
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 1, arbitrary: anywhere }, { weight: 3, arbitrary: inDigits }), {
          minLength: 1,
          maxLength: 6,
        }),
        (damage) => {
          const bytes = Buffer.from(original);
          for (const [at, value] of damage) bytes[at] = value;
          writeFileSync(path, bytes);
          try {
            withFits(path, readAll);
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^fits_/), place: { file: path } });
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
