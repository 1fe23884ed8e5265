/** Lists of images as torch.save writes them: `[{images: (bands, height, width), tile_catalog: {…}}, …]`. */
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { FormatError } from '../../../formats/errors.js';
import type { ByteRegion } from '../../../formats/fits/source.js';
import { openPt, type PtFile } from '../../../formats/pt/read.js';
import type { PtTensor, PtValue } from '../../../formats/pt/value.js';
import type { RawPlane } from '../../../formats/raw-plane.js';
import type { ZipEntry } from '../../../formats/zip.js';
import { type ArrayFile, type ArrayImage, arraysForm, openUnchanged } from './arrays.js';
import type { Form, FormContext } from './form.js';
import { cellBytes, isDict, isTensor, readCells } from './tile-tensors.js';

const expected = 'a list of dicts whose images are a tensor (bands, height, width) of float32 or float64';
const chunkBytes = 4 << 20;

export const ptImages = (context: FormContext): Form =>
  arraysForm(context, {
    expected: 'lists of images: files such as file_data_0_size_8.pt, in the folder or in its file_data/',
    ending: '.pt',
    inner: 'file_data',
    open: (path) =>
      openUnchanged(
        path,
        () => openPt(path, { verify: context.options.verify }),
        (file, handle, region) => new PtImages(file, handle, region, context.options.verify),
      ),
  });

class PtImages implements ArrayFile {
  readonly count: number;
  readonly #file: PtFile;
  readonly #handle: FileHandle;
  readonly #region: ByteRegion;
  readonly #verify: boolean;
  readonly #elements: readonly PtValue[];
  readonly #verified = new Map<ZipEntry, Promise<void>>();

  constructor(file: PtFile, handle: FileHandle, region: ByteRegion, verify: boolean) {
    if (!Array.isArray(file.value)) throw otherLayout(file.path, `this is not ${expected}`);
    this.#file = file;
    this.#handle = handle;
    this.#region = region;
    this.#verify = verify;
    this.#elements = file.value;
    this.count = file.value.length;
  }

  image(index: number): ArrayImage {
    const images = this.#imagesOf(index);
    const { shape, stride, storageOffset, dtype } = images;
    const [bands, height, width] = shape as [number, number, number];
    const [apart, ...within] = stride as [number, number, number];
    // Each plane by itself: they need not lie together, but the rows of each must.
    const plane = (band: number): RawPlane => {
      const view = {
        ...images,
        shape: [height, width],
        stride: within,
        storageOffset: storageOffset + band * apart,
      };
      const place = this.#file.regionOf(view);
      if (place === undefined) {
        const message = `the pixels of element ${index} do not lie row by row`;
        throw otherLayout(this.#file.path, message, 'save images.contiguous()');
      }
      const element = dtype === 'float64' ? 'f64' : 'f32';
      return { region: this.#region, start: place.offset, width, height, element };
    };
    return { bands, width, height, plane };
  }

  cellBytes(index: number): number {
    return cellBytes(this.#file, this.#catalogOf(index));
  }

  cells(index: number, size: { readonly width: number; readonly height: number }) {
    return readCells(this.#file, this.#catalogOf(index), size);
  }

  async checksum(index: number): Promise<string> {
    const { start } = this.image(index).plane(0);
    const entry = this.#file.entries.find(
      ({ dataOffset, size }) => dataOffset <= start && start < dataOffset + size,
    ) as ZipEntry;
    if (this.#verify) {
      const verified = this.#verified.get(entry) ?? this.#verifyEntry(entry);
      this.#verified.set(entry, verified);
      await verified;
    }
    return `crc32:${entry.crc.toString(16).padStart(8, '0')}`;
  }

  async close(): Promise<void> {
    await this.#file.close();
    await this.#handle.close();
  }

  #imagesOf(index: number): PtTensor {
    const element = this.#elements[index];
    const images = isDict(element) ? element.get('images') : undefined;
    const isImage =
      isTensor(images) && images.shape.length === 3 && ['float32', 'float64'].includes(images.dtype);
    if (isImage && !images.shape.includes(0)) return images;
    const found = isTensor(images)
      ? `a tensor (${images.shape.join(', ')}) of ${images.dtype}`
      : 'something else';
    throw otherLayout(this.#file.path, `images of element ${index} is ${found}; expected is ${expected}`);
  }

  #catalogOf(index: number): PtValue | undefined {
    const element = this.#elements[index];
    return isDict(element) ? element.get('tile_catalog') : undefined;
  }

  /** In pieces: the storage of an image, or of many, need not fit into memory. */
  async #verifyEntry({ name, dataOffset, size, crc }: ZipEntry): Promise<void> {
    const buffer = Buffer.alloc(Math.min(size, chunkBytes));
    let sum = 0;
    for (let done = 0; done < size; ) {
      const wanted = Math.min(buffer.length, size - done);
      const { bytesRead } = await this.#handle.read(buffer, 0, wanted, dataOffset + done);
      if (bytesRead === 0) break;
      sum = crc32(buffer.subarray(0, bytesRead), sum);
      done += bytesRead;
    }
    if (sum === crc) return;
    const message = `the checksum of ${name} is wrong: its bytes changed after they were written`;
    throw new FormatError('pt_damaged', message, { place: { file: this.#file.path } });
  }
}

const otherLayout = (path: string, message: string, hint = `write ${expected}`): FormatError =>
  new FormatError('pt_damaged', message, { place: { file: path }, hint });
