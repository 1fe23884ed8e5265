import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FitsHdu } from '../../../../src/formats/fits/write/hdu.js';
import { encodeChecksum } from '../../../../src/formats/fits/write/seal.js';
import { writeFits } from '../../../../src/formats/fits/write/writer.js';
import { root } from '../../../support/cli.js';
import { tempFolder } from '../../../support/run.js';
import { smallDisk } from '../../../support/small-disk.js';
import { randomSource } from '../kernels-reference.js';
import { inFolder, rowsOf, written } from './written.js';

/** Where another process finds the writer. */
const built = join(root, 'dist/formats/fits/write/writer.js');

const image = (width: number, height: number): FitsHdu => ({
  kind: 'image',
  bitpix: 32,
  ...rowsOf(Int32Array.from({ length: width * height }, randomSource(1)), width),
});

describe('a file', () => {
  it('begins with an image where it can, else with an empty primary HDU', () => {
    const kinds = (hdus: readonly FitsHdu[]) => written(hdus, (file) => file.hdus.map(({ kind }) => kind));
    const mask: FitsHdu = { kind: 'compressed', as: 'plio', bitpix: 32, ...rowsOf(new Int32Array(6), 3) };
    expect(kinds([image(3, 2), mask])).toEqual(['image', 'compressed-image']);
    expect(kinds([mask, image(3, 2)])).toEqual(['empty', 'compressed-image', 'image']);
    expect(kinds([])).toEqual(['empty']);
    expect(kinds([{ kind: 'empty', cards: [['ORIGIN', 'simulated']] }])).toEqual(['empty']);
    expect(() => kinds([image(3, 2), { kind: 'empty' }])).toThrow('only the first HDU may be empty');
  });

  it('has whatever cards it is given, and each checksum right, for data of any sum', () => {
    for (let size = 1; size < 60; size++) {
      const hdu: FitsHdu = {
        ...image(size, 3),
        name: 'SCI',
        cards: [['SIZE', size, "CHECKSUM= 'no'"]],
      } as FitsHdu;
      written([hdu], (file) => {
        expect(file.hdus[0]?.header.get('SIZE')).toBe(size);
        expect(file.hdus[0]?.name).toBe('SCI');
      });
    }
  });

  it('names the file and the HDU of a card that cannot be written', () => {
    const hdus: FitsHdu[] = [image(3, 2), { ...image(3, 2), cards: [['bad', 1]] } as FitsHdu];
    expect(() => written(hdus, () => {})).toThrow(
      expect.objectContaining({
        code: 'fits_header',
        place: { file: expect.stringContaining('written.fits'), hdu: 1 },
      }),
    );
    expect(() =>
      written([{ ...image(3, 2), name: 'A', cards: [['EXTNAME', 'B']] } as FitsHdu], () => {}),
    ).toThrow('EXTNAME stands twice');
  });

  it('refuses images without pixels, rows of the wrong kind and rows that are too short', () => {
    const write = (more: object) => () => written([{ ...image(3, 2), ...more } as FitsHdu], () => {});
    expect(write({ width: 0 })).toThrow('width is 0, expected an integer of 1 or more');
    expect(write({ height: 1.5 })).toThrow('height is 1.5');
    expect(write({ rows: () => new Float32Array(6) })).toThrow('rows give a Int32Array');
    expect(write({ rows: () => new Int32Array(5) })).toThrow('rows 0 to 2 have 6 pixels, 5 came');
  });
});

describe('a file that cannot be finished', () => {
  const failing: FitsHdu = {
    ...image(1000, 3000),
    rows(y0: number, y1: number) {
      if (y0 > 0) throw new Error('the source broke');
      return new Int32Array((y1 - y0) * 1000);
    },
  } as FitsHdu;

  it('leaves nothing, and the file of before untouched', () => {
    inFolder((folder) => {
      const path = join(folder, 'image.fits');
      expect(() => writeFits(path, [failing])).toThrow('the source broke');
      expect(readdirSync(folder)).toEqual([]);
      writeFileSync(path, 'before');
      expect(() => writeFits(path, [failing])).toThrow('the source broke');
      expect(readdirSync(folder)).toEqual(['image.fits']);
      expect(readFileSync(path, 'utf8')).toBe('before');
      writeFits(path, [image(10, 10)]);
      expect(readdirSync(folder)).toEqual(['image.fits']);
      expect(readFileSync(path).length % 2880).toBe(0);
    });
  });

  it('leaves nothing on a full disk and says so', async () => {
    {
      await using folder = await tempFolder();
      await using disk = await smallDisk(join(folder.path, 'disk'), 6_000_000);
      const path = join(disk.path, 'image.fits');
      const script = `
        const { writeFits } = await import(${JSON.stringify(built)});
        const rows = (y0, y1) => new Float32Array((y1 - y0) * 1000).map((_, i) => Math.sin(i * i));
        writeFits(${JSON.stringify(path)}, [{ kind: 'image', bitpix: -32, width: 1000, height: 4000, rows }]);`;
      const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
        env: { ...process.env, ...disk.env },
        encoding: 'utf8',
      });
      expect(stderr).toContain('ENOSPC');
      expect(status).not.toBe(0);
      expect(existsSync(path)).toBe(false);
      expect(readdirSync(disk.path)).toEqual([]);
    }
  });
});

describe('a checksum in letters', () => {
  it('is the example of the standard (complement of 868229149)', () => {
    expect(encodeChecksum(~868229149 >>> 0)).toBe('hcHjjc9ghcEghc9g');
  });

  it('sums up to the bits that it stands for, and is letters and digits', () => {
    const next = randomSource(4);
    for (const value of [0, 0xffffffff, ...Array.from({ length: 2000 }, next)]) {
      const text = encodeChecksum(value);
      expect(text).toMatch(/^[0-9A-Za-z]{16}$/);
      const bytes = Buffer.from(text.slice(1) + text.slice(0, 1), 'latin1');
      const sum = [0, 4, 8, 12].reduce((total, at) => total + bytes.readUInt32BE(at), 0) - 4 * 0x30303030;
      expect(sum % 0xffffffff).toBe(value % 0xffffffff);
    }
  });
});
