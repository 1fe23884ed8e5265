/**
 * Writes predictions into an HDF5 file that is whole or absent: it grows as `<path>.part`, can be read there by others
 * after every flush, and gets its name when it is finished. What a kill leaves behind as `.part` is not to be trusted.
 */
import { commitPart, partPath, removeIfThere } from '../durable.js';
import {
  checkLayout,
  checkRows,
  chunkRowsWithin,
  formatName,
  type Input,
  type PredictionRows,
  rowShapeOf,
  rowSizeOf,
  type ShardLayout,
} from './layout.js';
import { Hdf5File } from './library.js';
import { seal } from './seal.js';

export interface ShardOptions {
  /** Most rows and most bytes of one chunk; the last one takes its whole room on disk. Default 128 rows, 64 KiB. */
  readonly chunk?: { readonly rows: number; readonly bytes: number };
  /** gzip level 1 to 9 for numbers. Default 0: predictions shrink by a tenth and take thirty times as long. */
  readonly gzip?: number;
}

export class ShardFile {
  #file: Hdf5File | undefined;
  #rows = 0;

  private constructor(
    readonly path: string,
    readonly layout: ShardLayout,
    file: Hdf5File,
  ) {
    this.#file = file;
  }

  /**
   * Starts `<path>.part`. A part that an earlier process left there is deleted, so only one process may work on a path.
   *
   * Errors: the system's (`ENOSPC`, `EMFILE`, `EACCES`, …); `TypeError` for an impossible layout.
   */
  static create(path: string, layout: ShardLayout, options: ShardOptions = {}): ShardFile {
    checkLayout(layout);
    removeIfThere(partPath(path));
    const { chunk = { rows: 128, bytes: 65_536 }, gzip = 0 } = options;
    let shard: ShardFile | undefined;
    try {
      shard = new ShardFile(path, layout, Hdf5File.create(partPath(path)));
      shard.#describe(chunkRowsWithin(4 * rowSizeOf(layout), chunk.bytes, chunk.rows), gzip);
      return shard;
    } catch (error) {
      shard?.abandon();
      removeIfThere(partPath(path));
      throw error;
    }
  }

  #describe(chunkRows: number, gzip: number): void {
    const file = this.#open();
    const { layout } = this;
    file.setAttributes('/', {
      format: formatName,
      description: layout.description,
      columns: layout.columns.map(({ name }) => name),
      ...layout.attributes,
    });
    file.createStrings('id_str', chunkRows);
    file.setAttributes('id_str', { unit: '', description: 'identity of the item' });
    file.createStrings('label_cols', layout.answers.length);
    file.writeRows('label_cols', 0, layout.answers);
    file.setAttributes('label_cols', { unit: '', description: 'the answers, in the order of predictions' });
    file.createRows('predictions', 'f32', rowShapeOf(layout), chunkRows, gzip);
    file.setAttributes('predictions', { unit: '', description: 'what the encoder said of each item' });
    file.labelSides(
      'predictions',
      ['item', 'answer', 'pass', 'y', 'x'].slice(0, rowShapeOf(layout).length + 1),
    );
    for (const { name, type, unit, doc } of layout.columns) {
      file.createRows(name, type, [], chunkRows, gzip);
      file.setAttributes(name, { unit, description: doc });
    }
  }

  /** Rows written so far. */
  get rows(): number {
    return this.#rows;
  }

  /**
   * Adds rows at the end. When that fails (`ENOSPC`) the part is deleted and the shard closed: the rows written before
   * are in the journal. Rows that do not fit the layout are refused with a `TypeError`, and nothing happens.
   */
  append(rows: PredictionRows): void {
    checkRows(this.layout, rows);
    this.#try((file) => {
      file.writeRows('predictions', this.#rows, rows.values);
      for (const { name } of this.layout.columns) file.writeRows(name, this.#rows, rows.columns[name] ?? []);
      file.writeRows('id_str', this.#rows, rows.ids);
      this.#rows += rows.ids.length;
    });
  }

  /** Lets other processes read what was appended. It survives a kill of this process, not a power cut. */
  flush(): void {
    this.#try((file) => file.flush());
  }

  /** Notes the files the predictions were made from, closes, seals, forces to disk and gives the file its name. */
  finish(inputs: readonly Input[]): void {
    this.#try((file) => {
      file.createGroup('inputs');
      file.createStrings('inputs/name', 64);
      file.writeRows(
        'inputs/name',
        0,
        inputs.map(({ name }) => name),
      );
      file.createStrings('inputs/checksum', 64);
      file.writeRows(
        'inputs/checksum',
        0,
        inputs.map(({ checksum }) => checksum),
      );
      file.createRows('inputs/bytes', 'i64', [], 64);
      file.writeRows(
        'inputs/bytes',
        0,
        inputs.map(({ bytes }) => bytes),
      );
      file.setAttributes('inputs', { description: 'the files the predictions were made from' });
      file.setAttributes('inputs/bytes', { unit: 'byte', description: 'length of the file' });
      file.setAttributes('/', { complete: 1 });
      file.flush();
      this.#file = undefined;
      file.close();
      seal(partPath(this.path));
      commitPart(this.path);
    });
  }

  /** Closes and deletes the part. Does nothing when the file is finished or was abandoned before. */
  abandon(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    try {
      file.close();
    } catch {
      // A full disk keeps the library from writing what it still holds, and that is no longer wanted.
    }
    removeIfThere(partPath(this.path));
  }

  #open(): Hdf5File {
    if (this.#file !== undefined) return this.#file;
    throw new Error(`${this.path} is closed`);
  }

  #try(write: (file: Hdf5File) => void): void {
    const file = this.#open();
    try {
      write(file);
    } catch (error) {
      this.#file ??= file;
      this.abandon();
      throw error;
    }
  }
}
