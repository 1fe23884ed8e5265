/**
 * What can go wrong, as a closed list. The code is the metric label, decides the outcome of the item, and
 * carries the hint that is shown when the place where it happened has no better one.
 */

/** How one item ended. Only `failed` is tried again. */
export const outcomes = [
  'ok',
  'ok_partial',
  'no_work',
  'unprocessable',
  'upstream_incomplete',
  'failed',
] as const;
export type Outcome = (typeof outcomes)[number];

/** `item`: set the item aside and go on. `run`: stop the run, keep what is committed. `usage`: nothing starts. */
export type Reach = 'item' | 'run' | 'usage';

interface CodeMeaning {
  readonly outcome: Outcome;
  readonly reach: Reach;
  readonly hint: string;
  /** The same command would end the run in the same way. */
  readonly isFinal?: true;
}

const unprocessable = (hint: string): CodeMeaning => ({ outcome: 'unprocessable', reach: 'item', hint });
const failed = (hint: string): CodeMeaning => ({ outcome: 'failed', reach: 'item', hint });
const stopsRun = (hint: string): CodeMeaning => ({ outcome: 'failed', reach: 'run', hint });
const usage = (hint: string): CodeMeaning => ({ outcome: 'failed', reach: 'usage', hint });

export const errorCodes = {
  // formats: the file is not what it should be
  fits_truncated: unprocessable('fetch the file again: it is shorter than its header says'),
  fits_header: unprocessable('check the header with fitsverify; the file may be damaged'),
  fits_not_fits: unprocessable('check what was downloaded: the file is not FITS'),
  fits_checksum: unprocessable('fetch the file again: its bytes changed after it was written'),
  fits_compressed: unprocessable('fetch the file again: its compressed pixels cannot be decoded'),
  fits_unsupported: unprocessable('convert the file (funpack, fpack) to a form the reader knows'),
  fits_too_large: unprocessable(
    'the header declares more pixels than a survey image has; fetch the file again',
  ),
  fits_no_such_hdu: unprocessable('name the HDU that holds the image'),
  wcs_missing: unprocessable('the tile needs a celestial WCS (CTYPE, CRVAL, CRPIX, CD) in its image header'),
  wcs_singular: unprocessable('the CD matrix has no inverse: the header is damaged'),
  wcs_unsupported: unprocessable('only TAN projections are read; resample the image'),
  zip_unsafe: unprocessable(
    'the archive holds an entry that would leave its folder or unpack to an absurd size',
  ),
  zip_damaged: unprocessable('fetch the archive again'),
  catalog_columns: unprocessable(
    'the catalogue needs the 17 columns that docs/files.md lists, in their order',
  ),
  catalog_values: unprocessable('mend or leave out the rows that the message names'),
  pt_unsafe: unprocessable(
    'the file asks for code to be run when it is read: do not open it with torch.load either, and ask where it comes from',
  ),
  pt_damaged: unprocessable('write the file again: it is not a whole file of torch.save'),
  npy_damaged: unprocessable('write the file again with numpy.save'),
  hdf5_damaged: failed('the file cannot be read back; delete it and start the run again to redo its items'),
  // read
  band_missing: unprocessable('every band asked for needs one file; fetch it, or change read.bands'),
  band_duplicate: unprocessable('keep one file for each band'),
  bands_differ: unprocessable('all bands of a tile must have the same size'),
  tile_duplicate: unprocessable('two tiles have one name; keep one of them'),
  tile_too_small: unprocessable('use a smaller tile.size, or leave the tile out'),
  file_unreadable: failed('check permissions and the disk, then give the same command again'),
  reader_unsupported: unprocessable('use read.reader=skypass'),
  masked: { outcome: 'no_work', reach: 'item', hint: 'raise tile.max_masked to process it all the same' },
  // flow
  item_too_large: unprocessable('raise memory='),
  timed_out: failed('start again: the item will be tried once more'),
  worker_died: failed('start again: the item will be tried once more'),
  upstream_incomplete: {
    outcome: 'upstream_incomplete',
    reach: 'item',
    hint: 'see what happened to the item it came from',
  },
  // encode
  encoder_not_finite: unprocessable('look at the input of this window: the encoder returned NaN or infinity'),
  encoder_run: failed('look at the cause; a smaller batch or window may fit'),
  encoder_mismatch: usage('use an encoder made for these bands and windows'),
  encoder_invalid: usage('check encoder.weights: a folder with encoder.onnx and manifest.json'),
  device_unavailable: usage('use device: cpu, or install the provider'),
  out_of_memory: stopsRun(
    'use a smaller batch (train.micro_batch, batch.items) or window (tile.size), or a device with more memory',
  ),
  // train, evaluate
  truth_missing: usage('use fields that were simulated, or .pt files whose images have a tile catalogue'),
  splits_invalid: usage('write train.splits as percent of the items, such as 0:60/60:90/90:100'),
  training_diverged: {
    ...stopsRun(
      'lower the learning rate or clip gradients (train.gradient_clip), and begin a new run: the last good checkpoint is kept',
    ),
    isFinal: true,
  },
  checkpoint_mismatch: usage(
    'use the checkpoint with the configuration it was made with, or choose another folder to begin anew',
  ),
  cache_damaged: stopsRun(
    'check the disk and give the same command again: windows that cannot be read back are made anew',
  ),
  // run
  config_invalid: usage('see the messages above'),
  no_input: usage(
    'check the path given to read: survey.path in des-pass, catalog.path in render, cached_data_path in train-cached',
  ),
  prior_columns: usage('the catalogue that sources are drawn from needs the columns the message names'),
  prior_empty: usage('loosen the limit that the message names, or use another catalogue'),
  output_exists: usage(
    'choose another folder, give the run.dir that made it to go on, or overwrite=true to replace it',
  ),
  run_mismatch: usage(
    'choose another folder, see `skypass resume --explain`, or begin a new run here with overwrite=true (run.overwrite=true where the pipeline has no such key)',
  ),
  run_locked: usage('another process works in this run.dir'),
  memory_too_small: usage('raise memory='),
  disk_full: stopsRun('free some space and give the same command again: what is committed is kept'),
  write_failed: stopsRun(
    'look at the cause and the disk, then give the same command again: what is committed is kept',
  ),
  out_of_files: stopsRun('raise the limit of open files (ulimit -n) and give the same command again'),
  ledger_damaged: stopsRun('restore ledger.jsonl, or choose another run.dir'),
  internal: failed('this is a fault in Skypass: report it with the message and its cause'),
} as const satisfies Record<string, CodeMeaning>;

export type ErrorCode = keyof typeof errorCodes;

/** Whether the same command goes on after an error with this code, once what caused it is mended. */
export function canGoOnAfter(code: ErrorCode): boolean {
  const { isFinal }: CodeMeaning = errorCodes[code];
  return !isFinal;
}

/** Where in the input something was found. Every part that is known is said. */
export interface Place {
  readonly file?: string;
  readonly hdu?: number;
  readonly row?: number;
  readonly line?: number;
  readonly column?: number;
}

export interface EngineErrorOptions {
  readonly place?: Place;
  readonly hint?: string;
  readonly stage?: string;
  readonly item?: string;
  readonly attempt?: number;
  readonly cause?: unknown;
}

/** An error that says what was found, what was expected, where, and what to do next. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: ErrorCode;
  readonly outcome: Outcome;
  readonly reach: Reach;
  readonly hint: string;
  readonly place: Place;
  readonly stage: string | undefined;
  readonly item: string | undefined;
  readonly attempt: number;

  constructor(code: ErrorCode, message: string, options: EngineErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const meaning: CodeMeaning = errorCodes[code];
    this.code = code;
    this.outcome = meaning.outcome;
    this.reach = meaning.reach;
    this.hint = options.hint ?? meaning.hint;
    this.place = options.place ?? {};
    this.stage = options.stage;
    this.item = options.item;
    this.attempt = options.attempt ?? 1;
  }

  /** One line for people: `code: message (file, HDU n, row n): hint`. */
  describe(): string {
    const { file, hdu, row, line, column } = this.place;
    const where = [
      file === undefined ? undefined : line === undefined ? file : `${file}:${line}:${column ?? 1}`,
      hdu === undefined ? undefined : `HDU ${hdu}`,
      row === undefined ? undefined : `row ${row}`,
    ].filter((part) => part !== undefined);
    return `${this.code}: ${this.message}${where.length > 0 ? ` (${where.join(', ')})` : ''}; ${this.hint}`;
  }
}

const systemCodes: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'disk_full',
  EDQUOT: 'disk_full',
  EMFILE: 'out_of_files',
  ENFILE: 'out_of_files',
  EACCES: 'file_unreadable',
  EPERM: 'file_unreadable',
  EIO: 'file_unreadable',
  EISDIR: 'file_unreadable',
  ENOENT: 'file_unreadable',
  ENOTDIR: 'file_unreadable',
  ELOOP: 'file_unreadable',
  ENAMETOOLONG: 'file_unreadable',
  ESTALE: 'file_unreadable',
  ETIMEDOUT: 'file_unreadable',
  EEXIST: 'write_failed',
  EROFS: 'write_failed',
};

const isErrorCode = (code: unknown): code is ErrorCode =>
  typeof code === 'string' && Object.hasOwn(errorCodes, code);

/**
 * Any thrown thing as an EngineError. Rooms below the engine throw plain errors with a `code` of the closed
 * list, a `place` and a `hint`; errors of the operating system are named; everything else is `internal`.
 */
export function asEngineError(
  thrown: unknown,
  context: { stage?: string; item?: string; attempt?: number } = {},
): EngineError {
  if (thrown instanceof EngineError && (thrown.stage !== undefined || context.stage === undefined))
    return thrown;
  const error = thrown as { code?: unknown; message?: unknown; place?: Place; hint?: string; path?: string };
  const message = typeof error?.message === 'string' ? error.message : String(thrown);
  const code = isErrorCode(error?.code) ? error.code : (systemCodes[String(error?.code)] ?? 'internal');
  const place = error?.place ?? (typeof error?.path === 'string' ? { file: error.path } : undefined);
  return new EngineError(code, message, {
    ...context,
    ...(place === undefined ? {} : { place }),
    ...(typeof error?.hint === 'string' ? { hint: error.hint } : {}),
    cause: thrown instanceof EngineError ? thrown.cause : thrown,
  });
}
