/** Small files of images, as torch and numpy would write them. */
import { type NpyArray, writeNpy } from '../../src/formats/npy.js';
import { denseTensor, type PtValue, ptDict } from '../../src/formats/pt/value.js';
import { PtWriter } from '../../src/formats/pt/write.js';

export type Shape = readonly [bands: number, height: number, width: number];

/**
 * Pixels of every kind of bits: denormals, infinities, and NaNs with their payloads among them.
 *
 * @param seed other pixels
 */
export function anyPixels(seed: number, count: number): Float32Array<ArrayBuffer> {
  const bits = Uint32Array.from({ length: count }, (_, i) => Math.imul(i + 1 + 1000 * seed, 0x9e3779b1));
  return new Float32Array(bits.buffer);
}

export const bitsOf = (pixels: Float32Array): Uint32Array =>
  new Uint32Array(pixels.buffer, pixels.byteOffset, pixels.length);

const bytesOf = (values: Float32Array | Float64Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** Writes a list of images without tile catalogues, each with the shape and the pixels given. */
export function writePtImages(
  path: string,
  images: readonly { readonly shape: readonly number[]; readonly pixels: Float32Array | Float64Array }[],
): void {
  const writer = PtWriter.create(path);
  const elements = images.map(({ shape, pixels }): PtValue => {
    const { key } = writer.addStorage([bytesOf(pixels)]);
    const dtype = pixels instanceof Float64Array ? 'float64' : 'float32';
    return ptDict({ images: denseTensor(key, dtype, shape) });
  });
  writer.finish(elements);
}

export function writeNpyImages(
  path: string,
  shape: NpyArray['shape'],
  pixels: Float32Array | Float64Array,
): void {
  const dtype = pixels instanceof Float64Array ? 'float64' : 'float32';
  writeNpy(path, { dtype, shape }, [bytesOf(pixels)]);
}
