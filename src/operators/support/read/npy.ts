/** Images as numpy.save writes them: an array (bands, height, width), or (images, bands, height, width) for a list. */
import type { FileHandle } from 'node:fs/promises';
import { FormatError } from '../../../formats/errors.js';
import type { ByteRegion } from '../../../formats/fits/source.js';
import { type NpyArray, openNpy } from '../../../formats/npy.js';
import { type ArrayFile, arraysForm, openUnchanged } from './arrays.js';
import type { Form, FormContext } from './form.js';

export const npyImages = (context: FormContext): Form =>
  arraysForm(context, {
    expected: 'arrays: files such as galsim_des_000.npy, in the folder or in its images/',
    ending: '.npy',
    inner: 'images',
    open: (path) =>
      openUnchanged(
        path,
        async () => ({ array: await openNpy(path), close: async () => {} }),
        ({ array }, handle, region) => imagesOf(array, handle, region),
      ),
  });

/** @throws `npy_damaged` */
function imagesOf(array: NpyArray, handle: FileHandle, region: ByteRegion): ArrayFile {
  const { dtype, shape, byteOrder, fortranOrder, dataOffset } = array;
  const isFloat = dtype === 'float32' || dtype === 'float64';
  const isImages = (shape.length === 3 || shape.length === 4) && !shape.includes(0);
  if (!isFloat || !isImages || byteOrder === 'big' || fortranOrder) {
    const order = `${byteOrder}-endian${fortranOrder ? ', in Fortran order' : ''}`;
    throw new FormatError(
      'npy_damaged',
      `the file holds an array (${shape.join(', ')}) of ${dtype}, ${order}; expected is (bands, height, width) or (images, bands, height, width) of float32 or float64, little-endian, in C order`,
      { place: { file: region.name }, hint: "save numpy.ascontiguousarray(images, dtype='<f4')" },
    );
  }
  const [count, bands, height, width] = (shape.length === 3 ? [1, ...shape] : shape) as [
    number,
    number,
    number,
    number,
  ];
  const planeBytes = width * height * (dtype === 'float32' ? 4 : 8);
  return {
    count: shape.length === 3 ? undefined : count,
    image: (index) => ({
      bands,
      width,
      height,
      plane: (band) => {
        const start = dataOffset + (index * bands + band) * planeBytes;
        return { region, start, width, height, element: dtype === 'float32' ? 'f32' : 'f64' };
      },
    }),
    cellBytes: () => 0,
    cells: async () => undefined,
    // Such files declare none.
    checksum: async () => 'none',
    close: () => handle.close(),
  };
}
