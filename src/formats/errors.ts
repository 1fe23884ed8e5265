/** What can be wrong with a file, as a closed list. The strings are those of the engine's list of codes. */
export type FormatErrorCode =
  | 'fits_truncated'
  | 'fits_header'
  | 'fits_not_fits'
  | 'fits_checksum'
  | 'fits_compressed'
  | 'fits_unsupported'
  | 'fits_too_large'
  | 'fits_no_such_hdu'
  | 'wcs_missing'
  | 'wcs_singular'
  | 'wcs_unsupported'
  | 'zip_unsafe'
  | 'zip_damaged'
  | 'hdf5_damaged'
  | 'catalog_columns'
  | 'catalog_values'
  | 'pt_unsafe'
  | 'pt_damaged'
  | 'npy_damaged'
  | 'band_missing'
  | 'band_duplicate'
  | 'tile_duplicate'
  | 'file_unreadable'
  | 'reader_unsupported'
  | 'timed_out';

/** Where in a file something was found. `hdu` and `row` count from 0, `line` and `column` from 1. */
export interface FilePlace {
  readonly file?: string;
  readonly hdu?: number;
  readonly row?: number;
  readonly line?: number;
  readonly column?: number;
}

export interface FormatErrorOptions {
  readonly place?: FilePlace;
  readonly hint?: string;
  readonly cause?: unknown;
}

/** A file is not what it should be: the message says what was found and what was expected, `place` says where. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
  readonly code: FormatErrorCode;
  readonly place: FilePlace;
  readonly hint?: string;

  constructor(code: FormatErrorCode, message: string, options: FormatErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.place = options.place ?? {};
    if (options.hint !== undefined) this.hint = options.hint;
  }
}
