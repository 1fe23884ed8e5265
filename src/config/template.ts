/** The syntax of `${…}`: text with references in it, as parts. */

/** Text with references: each part is literal text or a reference, whose inside is a template again. */
export type Template = readonly (string | Reference)[];

export interface Reference {
  readonly inside: Template;
}

const maxNesting = 16;

/** True when the text has anything for {@link parseTemplate} to do. */
export const isTemplate = (text: string): boolean => text.includes('${');

/**
 * Splits text into parts. `\${` is a literal `${`; of several backslashes before it, two stand for one.
 *
 * @returns the parts, or what is wrong
 */
export function parseTemplate(text: string): Template | { readonly problem: string } {
  const tokens = /\$\{|\}/g;

  const parse = (nesting: number): Template => {
    const parts: (string | Reference)[] = [];
    let literal = '';
    const finish = (): Template => [...parts, literal].filter((part) => part !== '');
    for (;;) {
      const start = tokens.lastIndex;
      const token = tokens.exec(text);
      if (token === null) {
        if (nesting > 0) throw new SyntaxError(`"\${" is never closed by "}"`);
        literal += text.slice(start);
        return finish();
      }
      const before = text.slice(start, token.index);
      if (token[0] === '}') {
        literal += before;
        if (nesting > 0) return finish();
        literal += '}';
        continue;
      }
      const backslashes = trailingBackslashes(before);
      literal += before.slice(0, before.length - Math.ceil(backslashes / 2));
      if (backslashes % 2 === 1) {
        literal += '${';
        continue;
      }
      if (nesting === maxNesting) throw new SyntaxError(`"\${" is nested more than ${maxNesting} deep`);
      parts.push(literal, { inside: parse(nesting + 1) });
      literal = '';
    }
  };

  try {
    return parse(0);
  } catch (error) {
    if (error instanceof SyntaxError) return { problem: error.message };
    throw error;
  }
}

function trailingBackslashes(text: string): number {
  let count = 0;
  while (text[text.length - 1 - count] === '\\') count++;
  return count;
}
