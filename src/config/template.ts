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
  let position = 0;

  const parse = (nesting: number): Template => {
    const parts: (string | Reference)[] = [];
    let literal = '';
    while (position < text.length) {
      const [opening] = /^\\*\$\{/.exec(text.slice(position, position + 64)) ?? [];
      if (opening !== undefined) {
        const backslashes = opening.length - 2;
        literal += '\\'.repeat(Math.floor(backslashes / 2));
        position += opening.length;
        if (backslashes % 2 === 1) {
          literal += '${';
          continue;
        }
        if (nesting === maxNesting) throw new SyntaxError(`"\${" is nested more than ${maxNesting} deep`);
        parts.push(literal, { inside: parse(nesting + 1) });
        literal = '';
      } else if (nesting > 0 && text[position] === '}') {
        position++;
        return [...parts, literal].filter((part) => part !== '');
      } else {
        literal += text.charAt(position++);
      }
    }
    if (nesting > 0) throw new SyntaxError(`"\${" is never closed by "}"`);
    return [...parts, literal].filter((part) => part !== '');
  };

  try {
    return parse(0);
  } catch (error) {
    if (error instanceof SyntaxError) return { problem: error.message };
    throw error;
  }
}
