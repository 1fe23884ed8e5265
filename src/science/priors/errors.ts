export type PriorErrorCode = 'prior_columns' | 'prior_empty';

/** Nothing can be drawn: the message says which limit or column stands in the way. */
export class PriorError extends Error {
  override readonly name = 'PriorError';
  readonly code: PriorErrorCode;
  readonly place: { readonly file?: string; readonly hdu?: number };

  constructor(
    code: PriorErrorCode,
    message: string,
    place: { readonly file?: string; readonly hdu?: number } = {},
  ) {
    super(message);
    this.code = code;
    this.place = place;
  }
}
