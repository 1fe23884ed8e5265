/** Where in the configuration something stands, and what is wrong there. */

/** A position as people count: first line 1, first column 1. On the command line there is only the text. */
export interface Place {
  /** Path of the file as it was given; `<command line>: tile.size=512` for an override. */
  readonly file: string;
  /** 0 when the place has no lines: an override, or a file as a whole. */
  readonly line: number;
  readonly column: number;
}

export type LintCode =
  | 'file'
  | 'encoding'
  | 'too_large'
  | 'syntax'
  | 'duplicate_key'
  | 'shape'
  | 'unknown_key'
  | 'unknown_group'
  | 'override'
  | 'unknown_override'
  | 'missing_value'
  | 'interpolation'
  | 'unknown_reference'
  | 'circular_reference'
  | 'environment'
  | 'unknown_operator'
  | 'duplicate_stage'
  | 'unknown_option'
  | 'missing_option'
  | 'wrong_value'
  | 'impossible_options'
  | 'impossible_chain'
  | 'check';

/** One problem of the configuration. An `error` keeps the run from starting; a `warning` does not. */
export interface Lint extends Place {
  readonly level: 'error' | 'warning';
  readonly code: LintCode;
  /** What was found and what was expected. */
  readonly message: string;
  /** What to do about it. */
  readonly hint: string | undefined;
}

export const placeOfFile = (file: string): Place => ({ file, line: 0, column: 0 });
export const placeOfOverride = (text: string): Place => placeOfFile(`<command line>: ${text}`);

export const formatPlace = ({ file, line, column }: Place): string =>
  line === 0 ? file : `${file}:${line}:${column}`;

export function lintAt(at: Place, code: LintCode, message: string, hint?: string): Lint {
  return { file: at.file, line: at.line, column: at.column, level: 'error', code, message, hint };
}

/** `file:line:column: message (hint)`. */
export const formatLint = (lint: Lint): string =>
  `${formatPlace(lint)}: ${lint.level === 'warning' ? 'warning: ' : ''}${lint.message}${lint.hint === undefined ? '' : ` (${lint.hint})`}`;

/**
 * By file in the order given, then by position; the command line last. Order of discovery breaks ties. What
 * is said twice of one place (a value used twice) is kept once.
 */
export function sortLints(lints: readonly Lint[], files: readonly string[]): Lint[] {
  const rank = ({ file }: Lint): number => {
    const index = files.indexOf(file);
    return index < 0 ? files.length : index;
  };
  const distinct = new Map(lints.map((lint) => [formatLint(lint), lint]));
  return [...distinct.values()].sort((a, b) => rank(a) - rank(b) || a.line - b.line || a.column - b.column);
}
