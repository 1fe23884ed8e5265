/** The bytes of a configuration file as text. */
import { type Lint, type LintCode, lintAt, type Place, placeOfFile } from './place.js';

/** A pipeline is a page or two; what is much larger is something else. */
export const maxFileBytes = 256 * 1024;

/** A file's bytes as text; a lint when they are not UTF-8 text. */
export function decodeText(
  file: string,
  bytes: Uint8Array,
): { readonly text: string } | { readonly lint: Lint } {
  const refuse = (code: LintCode, message: string, hint: string, at = placeOfFile(file)) => ({
    lint: lintAt(at, code, message, hint),
  });
  if (bytes.length > maxFileBytes) {
    const limit = maxFileBytes / 1024;
    return refuse(
      'too_large',
      `the file has ${bytes.length} bytes, at most ${limit} KiB are read`,
      'is it YAML?',
    );
  }
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (isUtf16) return refuse('encoding', 'the file is UTF-16', 'save it as UTF-8');
  const text = new TextDecoder('utf-8').decode(bytes);
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const at = placeAt(file, text, text.indexOf('\u{FFFD}'));
    return refuse('encoding', 'the bytes here are not UTF-8', 'save the file as UTF-8', at);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  const control = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f\u{FDD0}-\u{FDEF}]/u.exec(text);
  if (control !== null) {
    const name = `U+${control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
    return refuse(
      'encoding',
      `the character ${name} cannot stand in YAML`,
      'is it a text file?',
      placeAt(file, text, control.index),
    );
  }
  return { text };
}

function placeAt(file: string, text: string, offset: number): Place {
  const before = text.slice(0, offset);
  return { file, line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}
