/**
 * `.npy` files, versions 1 to 3 of the format (NEP 1, numpy/lib/format.py). The header is a Python literal; it is parsed
 * here as the few forms numpy writes, and arrays of Python objects, which hold a pickle, are refused.
 */
import { open } from 'node:fs/promises';
import { NewFile, writeFully } from './durable.js';
import { FormatError } from './errors.js';

/** The element types that are read, by what numpy calls them in the header, and their bytes. */
const dtypes = {
  f8: ['float64', 8],
  f4: ['float32', 4],
  f2: ['float16', 2],
  i8: ['int64', 8],
  i4: ['int32', 4],
  i2: ['int16', 2],
  i1: ['int8', 1],
  u8: ['uint64', 8],
  u4: ['uint32', 4],
  u2: ['uint16', 2],
  u1: ['uint8', 1],
  b1: ['bool', 1],
} as const;
export type NpyDtype = (typeof dtypes)[keyof typeof dtypes][0];

/** An array in a file. */
export interface NpyArray {
  readonly dtype: NpyDtype;
  readonly byteOrder: 'little' | 'big';
  readonly shape: readonly number[];
  /** The first side is the fastest. */
  readonly fortranOrder: boolean;
  /** First byte of the elements in the file. */
  readonly dataOffset: number;
  /** Bytes of all elements. */
  readonly bytes: number;
}

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');
/** Numpy refuses to read more than 10,000 characters; a plain array has some 100. */
const MAX_HEADER_BYTES = 1 << 16;
/** Numpy aligns the elements to this since version 1.14. */
const ALIGNMENT = 64;

/**
 * Reads the header of a file and checks that its elements are there.
 *
 * @throws FormatError `npy_damaged`; the system's errors pass through
 */
export async function openNpy(path: string): Promise<NpyArray> {
  const damaged = (message: string): FormatError =>
    new FormatError('npy_damaged', message, { place: { file: path } });
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  const start = Buffer.alloc(12);
  const { bytesRead } = await file.read(start, 0, start.length, 0);
  if (!start.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged('the file is no .npy file');
  const version = start.readUInt8(6);
  if (!(version >= 1 && version <= 3)) throw damaged(`the file has version ${version}, 1 to 3 are read`);
  const lengthBytes = version === 1 ? 2 : 4;
  const headerStart = 8 + lengthBytes;
  const length = start.readUIntLE(8, lengthBytes);
  if (length > MAX_HEADER_BYTES)
    throw damaged(`the header has ${length} bytes, at most ${MAX_HEADER_BYTES} are read`);
  const dataOffset = headerStart + length;
  if (bytesRead < headerStart || dataOffset > size) throw damaged('the file ends within its header');
  const header = Buffer.alloc(length);
  await file.read(header, 0, length, headerStart);
  const array = parseHeader(header.toString(version === 3 ? 'utf8' : 'latin1'), damaged);
  if (!(dataOffset + array.bytes <= size)) {
    const found = size - dataOffset;
    throw damaged(`an array of shape (${array.shape}) takes ${array.bytes} bytes, the file has ${found}`);
  }
  return { ...array, dataOffset };
}

/** `{'descr': '<f4', 'fortran_order': False, 'shape': (4, 256, 256), }` */
function parseHeader(text: string, damaged: (message: string) => FormatError): Omit<NpyArray, 'dataOffset'> {
  const body = /^\{(.*)\}\s*$/s.exec(text)?.[1];
  if (body === undefined) throw damaged('the header is no dict');
  const fields = new Map<string, string>();
  let rest = body.trim();
  while (rest !== '') {
    // A key, then a string, True or False, a tuple, or the list of a structured type.
    const found = /^(['"])(\w+)\1\s*:\s*('[^']*'|"[^"]*"|True|False|\([^()]*\)|\[.*\])\s*(,\s*|$)/s.exec(
      rest,
    );
    if (found === null) throw damaged(`the header has ${JSON.stringify(rest.slice(0, 40))} in it`);
    fields.set(found[2] as string, found[3] as string);
    rest = rest.slice(found[0].length);
  }
  const field = (name: string): string => {
    const value = fields.get(name);
    if (value === undefined) throw damaged(`the header has no ${name}`);
    return value;
  };
  const descr = field('descr');
  const [, order, code] = /^['"]([<>=|]?)(\w+)['"]$/.exec(descr) ?? [];
  const type =
    code !== undefined && Object.hasOwn(dtypes, code) ? dtypes[code as keyof typeof dtypes] : undefined;
  if (type === undefined) {
    const expected = Object.values(dtypes).map(([name]) => name);
    throw damaged(
      `the array has elements of the type ${descr.slice(0, 80)}; read are ${expected.join(', ')}`,
    );
  }
  const tuple = field('shape');
  if (!/^\(\s*(\d+\s*,\s*)*(\d+\s*)?\)$/.test(tuple) || /^\(\s*\d+\s*\)$/.test(tuple)) {
    throw damaged(`the shape is ${tuple.slice(0, 80)}, expected a tuple of whole numbers`);
  }
  const shape = (tuple.match(/\d+/g) ?? []).map(Number);
  const bytes = shape.reduce((product, side) => product * side, type[1]);
  const isSafe = shape.every(Number.isSafeInteger) && Number.isSafeInteger(bytes);
  if (!isSafe) throw damaged(`an array of shape ${tuple.slice(0, 80)} is larger than any file`);
  const fortran = field('fortran_order');
  if (fortran !== 'True' && fortran !== 'False') throw damaged(`fortran_order is ${fortran.slice(0, 80)}`);
  return {
    dtype: type[0],
    byteOrder: order === '>' ? 'big' : 'little',
    shape,
    fortranOrder: fortran === 'True',
    bytes,
  };
}

/**
 * Writes an array in version 1 of the format, row-major and little-endian; a file already there is replaced in one step.
 *
 * @param chunks the elements, in as many pieces as the caller likes
 * @throws RangeError when they are not as many as the shape says; the system's errors. The part is deleted then.
 */
export function writeNpy(
  path: string,
  { dtype, shape }: Pick<NpyArray, 'dtype' | 'shape'>,
  chunks: Iterable<Uint8Array>,
): void {
  const [code, [, elementBytes]] = Object.entries(dtypes).find(([, [name]]) => name === dtype) as [
    string,
    readonly [NpyDtype, number],
  ];
  const order = elementBytes === 1 ? '|' : '<';
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dict = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${sides}), }`;
  const dataOffset = Math.ceil((MAGIC.length + 4 + dict.length + 1) / ALIGNMENT) * ALIGNMENT;
  const header = Buffer.alloc(dataOffset, ' ');
  MAGIC.copy(header);
  header.writeUInt16LE(1, 6);
  header.writeUInt16LE(dataOffset - 10, 8);
  header.write(dict, 10, 'latin1');
  header.write('\n', dataOffset - 1);

  const expected = shape.reduce((product, side) => product * side, elementBytes);
  using file = new NewFile(path);
  writeFully(file.fd, header, 0);
  let bytes = 0;
  for (const chunk of chunks) {
    writeFully(file.fd, chunk, dataOffset + bytes);
    bytes += chunk.length;
  }
  if (bytes !== expected) throw new RangeError(`${bytes} bytes for an array of ${expected}`);
  file.commit();
}
