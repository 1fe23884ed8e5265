import { gzipSync } from 'node:zlib';
import { randomCount } from '../dither.js';
import type { CardList } from './card.js';
import { EncodeKernels } from './encode-kernels.js';
import { eachBlock, type HduBody, type PlioImageHdu, type RiceImageHdu } from './hdu.js';
import { checkInt16, opening } from './image.js';
import { PlioEncoder } from './plio-encode.js';
import { TileTable } from './tile-table.js';

/** Pixels of a Rice block. */
const RICE_BLOCK = 32;
const DES_LEVELS = 16;
/** The integer of NaN, which cfitsio reserves. */
const ZBLANK = -2147483647;
/** What cfitsio puts in the place of NaN before it sums up the bytes of the first tile. */
const NULL_FLOAT = -9.11912e-36;

/** A tile-compressed image (standard chapter 10), in tiles of one row. */
export function compressedBody(hdu: RiceImageHdu | PlioImageHdu): HduBody {
  if (hdu.as === 'plio') return plioBody(hdu);
  return hdu.bitpix === -32 ? riceFloatBody(hdu) : riceIntegerBody(hdu);
}

function plioBody(hdu: PlioImageHdu): HduBody {
  const table = new TileTable(hdu, 'I');
  return {
    header: () => imageCards(hdu, table, 'PLIO_1'),
    write(output) {
      const encoder = new PlioEncoder(hdu.width);
      return table.write(output, () =>
        eachRow(hdu, Int32Array, (row, y) => table.append(y, encoder.encode(row, y))),
      );
    },
  };
}

function riceIntegerBody(hdu: RiceImageHdu): HduBody {
  const bytePix = hdu.bitpix === 16 ? 2 : 4;
  const table = new TileTable(hdu, 'B');
  return {
    header: () => imageCards(hdu, table, 'RICE_1', bytePix),
    write(output) {
      const kernels = EncodeKernels.get();
      return table.write(output, () =>
        eachRow(hdu, Int32Array, (row, y) => {
          if (bytePix === 2) checkInt16(row, row.length, row.length, y);
          table.append(y, kernels.packIntegers(row, bytePix));
        }),
      );
    },
  };
}

function riceFloatBody(hdu: RiceImageHdu): HduBody {
  const { quantize = DES_LEVELS } = hdu;
  if (!(quantize > 0 && quantize < Number.POSITIVE_INFINITY))
    throw new RangeError(`quantize is ${quantize}, expected a number above 0`);
  if (hdu.seed !== undefined && !(Number.isInteger(hdu.seed) && hdu.seed >= 1 && hdu.seed <= randomCount))
    throw new RangeError(`seed is ${hdu.seed}, expected an integer from 1 to ${randomCount}`);
  let seed = hdu.seed ?? 1;
  const table = new TileTable(hdu, 'B', true);
  return {
    // The name of the method that, unlike RICE_1, readers without SUBTRACTIVE_DITHER_2 do not know.
    header: () =>
      imageCards(hdu, table, 'RICE_ONE', 4, (list) =>
        list
          .add('ZQUANTIZ', 'SUBTRACTIVE_DITHER_2', 'pixel quantization algorithm')
          .add('ZDITHER0', seed, 'dithering offset when quantizing floats')
          .add('ZBLANK', ZBLANK, 'null value in the compressed integer array'),
      ),
    write(output) {
      const kernels = EncodeKernels.get();
      return table.write(output, () =>
        eachRow(hdu, Float32Array, (row, y) => {
          if (y === 0) seed = hdu.seed ?? byteSum(row) + 1;
          const tile = kernels.packFloats(row, (y + seed - 1) % randomCount, quantize);
          if (tile !== undefined) table.append(y, tile.bytes, tile.scale, tile.zero);
          else table.appendGzip(y, gzipRow(row));
        }),
      );
    },
  };
}

function eachRow<Pixels extends Float32Array | Int32Array>(
  hdu: RiceImageHdu | PlioImageHdu,
  type: { new (length: number): Pixels; readonly name: string },
  use: (row: Pixels, y: number) => void,
): void {
  const { width } = hdu;
  eachBlock(hdu, type, (pixels, y0, rows) => {
    for (let row = 0; row < rows; row++)
      use(pixels.subarray(row * width, (row + 1) * width) as Pixels, y0 + row);
  });
}

function gzipRow(row: Float32Array): Uint8Array {
  const bytes = Buffer.from(new Uint8Array(row.buffer, row.byteOffset, row.byteLength)).swap32();
  return gzipSync(bytes);
}

/** The sum of the bytes of a row modulo 10000, which makes the dither the same whenever the image is written. */
function byteSum(row: Float32Array): number {
  const pixels = row.map((pixel) => (Number.isNaN(pixel) ? NULL_FLOAT : pixel));
  return new Uint8Array(pixels.buffer).reduce((sum, byte) => sum + byte, 0) % randomCount;
}

/** The header of a compressed image, as fpack orders it. */
function imageCards(
  hdu: RiceImageHdu | PlioImageHdu,
  table: TileTable,
  method: string,
  bytePix?: 2 | 4,
  addQuantum: (list: CardList) => CardList = (list) => list,
): CardList {
  const list = table
    .addTo(opening('BINTABLE', 8))
    .add('ZIMAGE', true, 'extension contains compressed image')
    .add('ZTILE1', hdu.width, 'size of tiles to be compressed')
    .add('ZTILE2', 1, 'size of tiles to be compressed')
    .add('ZCMPTYPE', method, 'compression algorithm');
  if (bytePix !== undefined)
    list
      .add('ZNAME1', 'BLOCKSIZE', 'compression block size')
      .add('ZVAL1', RICE_BLOCK, 'pixels per block')
      .add('ZNAME2', 'BYTEPIX', 'bytes per pixel (1, 2, 4, or 8)')
      .add('ZVAL2', bytePix, 'bytes per pixel (1, 2, 4, or 8)');
  list
    .add('ZTENSION', 'IMAGE', 'Image extension')
    .add('ZBITPIX', hdu.bitpix, 'array data type')
    .add('ZNAXIS', 2, 'number of array dimensions')
    .add('ZNAXIS1', hdu.width, 'pixels along x')
    .add('ZNAXIS2', hdu.height, 'pixels along y')
    .add('ZPCOUNT', 0, 'number of parameters')
    .add('ZGCOUNT', 1, 'number of groups');
  if (hdu.name !== undefined) list.add('EXTNAME', hdu.name, 'name of this HDU');
  return addQuantum(list.addAll(hdu.cards ?? []));
}
