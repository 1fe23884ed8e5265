/** Where in the input something was found. Every part that is known is said. */
export interface Place {
  readonly file?: string;
  readonly hdu?: number;
  readonly row?: number;
  readonly line?: number;
  readonly column?: number;
}

/** A file that is not what it should be: what was found, what was expected, where, and how to go on. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
  readonly code: string;
  readonly place: Place;
  readonly hint?: string;

  constructor(
    code: string,
    message: string,
    options: { place?: Place; hint?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.place = options.place ?? {};
    if (options.hint !== undefined) this.hint = options.hint;
  }
}
