/**
 * HDF5 through h5wasm, with every failure said. Calls are synchronous; one copy of the library per thread.
 *
 * h5wasm drops the status of most of the library's calls: a chunk that could not be written because the disk is full
 * goes unnoticed. But the library describes each failure on its standard error stream, so that stream is read here,
 * and whatever is said there while a call runs becomes the error of that call.
 */
import { Dataset, File, FS, Group, type GuessableDataTypes, Module, ready } from 'h5wasm/node';
import { FormatError } from '../errors.js';
import type { NumberType } from './layout.js';

await ready;

export type AttributeValue = string | number | readonly string[];

const dtypes = { f32: '<f', f64: '<d', i32: '<i', i64: '<q' } as const;
const arrays = { f32: Float32Array, f64: Float64Array, i32: Int32Array, i64: BigInt64Array } as const;

let complaint = '';

interface Descriptors {
  write(stream: { nfd: number }, bytes: Int8Array, offset: number, length: number, position?: number): number;
}
const descriptors = FS as unknown as Descriptors;
const writeThrough = descriptors.write;
descriptors.write = (stream, bytes, offset, length, position) => {
  if (stream.nfd !== 2) return writeThrough(stream, bytes, offset, length, position);
  if (complaint.length < 16_384) complaint += Buffer.from(bytes.buffer, offset, length).toString();
  return length;
};

/** The library numbers the system's errors as WASI does. */
const systemErrors: Readonly<Record<number, string>> = {
  2: 'EACCES',
  19: 'EDQUOT',
  20: 'EEXIST',
  22: 'EFBIG',
  29: 'EIO',
  31: 'EISDIR',
  33: 'EMFILE',
  41: 'ENFILE',
  44: 'ENOENT',
  51: 'ENOSPC',
  63: 'EPERM',
  69: 'EROFS',
};

/** The library's error stack as one error: the system's when it was the system's, else damage with the deepest reason. */
function asError(said: string, action: string, path: string, cause: unknown): Error {
  const code = systemErrors[Number(/errno = (\d+)/.exec(said)?.[1])];
  if (code !== undefined) {
    const system = new Error(`${code}: HDF5 could not ${action}, '${path}'`, { cause: new Error(said) });
    return Object.assign(system, { code, path });
  }
  const reason = [...said.matchAll(/ in \w+\(\): (.*)/g)].at(-1)?.[1];
  return new FormatError(
    'hdf5_damaged',
    `HDF5 could not ${action}: ${reason ?? (cause as Error)?.message ?? said}`,
    {
      place: { file: path },
      cause: cause ?? new Error(said),
    },
  );
}

function checked<T>(path: string, action: string, call: () => T): T {
  complaint = '';
  let result: T;
  try {
    result = call();
  } catch (error) {
    throw asError(complaint, action, path, error);
  }
  if (complaint !== '') throw asError(complaint, action, path, undefined);
  return result;
}

/** Puts strings into an existing dataset of variable-length strings, which h5wasm only writes whole. */
function writeStrings(file: File, name: string, start: number, strings: readonly string[]): void {
  const text = Buffer.from(`${strings.join('\0')}\0`);
  const pointerBytes = 4 * strings.length;
  const block = Module._malloc(pointerBytes + text.length);
  if (block === 0) throw new RangeError(`no memory for ${text.length} bytes of text`);
  try {
    const pointers = new Uint32Array(strings.length);
    let next = block + pointerBytes;
    strings.forEach((string, index) => {
      pointers[index] = next;
      next += Buffer.byteLength(string) + 1;
    });
    Module.HEAPU8.set(new Uint8Array(pointers.buffer), block);
    Module.HEAPU8.set(text, block + pointerBytes);
    const count = [BigInt(strings.length)];
    Module.set_dataset_data(file.file_id, `/${name}`, count, [BigInt(start)], [1n], BigInt(block));
  } finally {
    Module._free(block);
  }
}

/** One open HDF5 file. Every method throws the system's errors (`ENOSPC`, `EMFILE`, …) or `hdf5_damaged`. */
export class Hdf5File {
  private constructor(
    readonly path: string,
    private readonly file: File,
  ) {}

  /** A new file; one that is there already is refused. Readable by HDF5 1.8 and later. */
  static create(path: string): Hdf5File {
    return new Hdf5File(
      path,
      checked(path, 'create the file', () => new File(path, 'x', { libver: 'v108' })),
    );
  }

  static open(path: string): Hdf5File {
    return new Hdf5File(
      path,
      checked(path, 'open the file', () => new File(path, 'r')),
    );
  }

  /** An empty dataset of rows of `rowShape` numbers (none: one number per row), growing by `writeRows`. */
  createRows(name: string, type: NumberType, rowShape: readonly number[], chunkRows: number, gzip = 0): void {
    this.#do(`create ${name}`, () => {
      this.file.create_dataset({
        name,
        data: new arrays[type](0),
        dtype: dtypes[type],
        shape: [0, ...rowShape],
        maxshape: [null, ...rowShape],
        chunks: [chunkRows, ...rowShape],
        ...(gzip > 0 ? { compression: 'gzip', compression_opts: gzip } : {}),
      });
    });
  }

  /** An empty dataset of variable-length UTF-8 strings, growing by `writeRows`. */
  createStrings(name: string, chunkRows: number): void {
    this.#do(`create ${name}`, () => {
      this.file.create_dataset({
        name,
        data: [],
        dtype: 'S',
        shape: [0],
        maxshape: [null],
        chunks: [chunkRows],
      });
    });
  }

  createGroup(name: string): void {
    this.#do(`create ${name}`, () => this.file.create_group(name));
  }

  /** Writes rows at `start`; the dataset grows to end with them. Numbers of an `i64` dataset must be integers. */
  writeRows(name: string, start: number, values: ArrayLike<number> | readonly string[]): void {
    this.#do(`write ${name}`, () => {
      const dataset = new Dataset(this.file.file_id, `/${name}`);
      const [, ...rowShape] = dataset.shape ?? [];
      const stop = start + values.length / rowShape.reduce((product, side) => product * side, 1);
      dataset.resize([stop, ...rowShape]);
      if (values.length === 0) return;
      if (typeof values[0] === 'string') writeStrings(this.file, name, start, values as readonly string[]);
      else dataset.write_slice([[start, stop]], this.#asStored(dataset, values as ArrayLike<number>));
    });
  }

  #asStored(dataset: Dataset, values: ArrayLike<number>): GuessableDataTypes {
    switch (dataset.dtype) {
      case '<f':
        return values instanceof Float32Array ? values : Float32Array.from(values);
      case '<d':
        return values instanceof Float64Array ? values : Float64Array.from(values);
      case '<i':
        return Int32Array.from(values);
      default:
        return BigInt64Array.from(Array.from(values, BigInt));
    }
  }

  has(name: string): boolean {
    return this.#do(`look for ${name}`, () => this.file.get(name) !== null);
  }

  /** Sides of a dataset, rows first, or undefined when there is no such dataset. */
  shapeOf(name: string): readonly number[] | undefined {
    const entity = this.#do(`look for ${name}`, () => this.file.get(name));
    return entity instanceof Dataset
      ? (this.#do(`read ${name}`, () => entity.shape) ?? undefined)
      : undefined;
  }

  typeOf(name: string): NumberType | 'string' | undefined {
    const dtype = this.#do(`read ${name}`, () => new Dataset(this.file.file_id, `/${name}`).dtype);
    if (dtype === 'S' || dtype === 'A') return 'string';
    return (Object.keys(dtypes) as NumberType[]).find((type) => dtypes[type] === dtype);
  }

  /** Rows `start` to `stop`, flattened. 64-bit integers come as float64. */
  readNumbers(name: string, start: number, stop: number): Float32Array | Float64Array | Int32Array {
    const values = stop > start ? this.#slice(name, start, stop) : new Float64Array(0);
    if (values instanceof BigInt64Array) return Float64Array.from(values, Number);
    if (values instanceof Float32Array || values instanceof Float64Array || values instanceof Int32Array)
      return values;
    throw new FormatError('hdf5_damaged', `${name} holds no numbers of a known type`, {
      place: { file: this.path },
    });
  }

  readStrings(name: string, start: number, stop: number): string[] {
    const values = stop > start ? this.#slice(name, start, stop) : [];
    if (Array.isArray(values) && values.every((value) => typeof value === 'string')) return values;
    throw new FormatError('hdf5_damaged', `${name} holds no strings`, { place: { file: this.path } });
  }

  #slice(name: string, start: number, stop: number) {
    return this.#do(`read ${name}`, () => new Dataset(this.file.file_id, `/${name}`).slice([[start, stop]]));
  }

  /** Sets attributes of a dataset or group (`/` is the file). Integers are stored as int64, other numbers as float64. */
  setAttributes(name: string, attributes: Readonly<Record<string, AttributeValue>>): void {
    this.#do(`describe ${name}`, () => {
      const target = new Group(this.file.file_id, name === '/' ? name : `/${name}`);
      for (const [key, value] of Object.entries(attributes)) {
        if (typeof value !== 'number') target.create_attribute(key, value as string | string[]);
        else target.create_attribute(key, value, [], Number.isSafeInteger(value) ? '<q' : '<d');
      }
    });
  }

  attributesOf(name: string): Record<string, AttributeValue> {
    return this.#do(`read the attributes of ${name}`, () => {
      const target = new Group(this.file.file_id, name === '/' ? name : `/${name}`);
      return Object.fromEntries(
        Object.entries(target.attrs).map(([key, { value }]) => [
          key,
          typeof value === 'bigint' ? Number(value) : (value as AttributeValue),
        ]),
      );
    });
  }

  /** Names the sides of a dataset, as `h5py` shows them in `dataset.dims`. */
  labelSides(name: string, labels: readonly string[]): void {
    this.#do(`label ${name}`, () => {
      const dataset = new Dataset(this.file.file_id, `/${name}`);
      for (const [index, label] of labels.entries()) dataset.set_dimension_label(index, label);
    });
  }

  /** Hands everything to the operating system: other processes can read it from here on. */
  flush(): void {
    this.#do('flush the file', () => this.file.flush());
  }

  close(): void {
    this.#do('close the file', () => this.file.close());
  }

  #do<T>(action: string, call: () => T): T {
    return checked(this.path, action, call);
  }
}
