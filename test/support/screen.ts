import type { TerminalStream } from '../../src/engine/terminal.js';

/**
 * A terminal window for tests: plays back what is written, with wrapping and the two escape sequences that are
 * used (cursor up, erase below), and shows the rows as a person would see them.
 */
export class Screen implements TerminalStream {
  readonly isTTY = true;
  written = '';
  #rows: string[] = [''];
  #row = 0;

  constructor(
    public columns = 80,
    readonly rows = 24,
  ) {}

  write(text: string): boolean {
    this.written += text;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what a terminal is about
    for (const [token] of text.matchAll(/\x1b\[\d*[A-Za-z]|./gs)) this.#play(token);
    return true;
  }

  /** Makes the window narrower: rows too long wrap, as terminals do; the cursor stays at the end. */
  resize(columns: number): void {
    this.columns = columns;
    this.#rows = this.#rows.flatMap((row) => row.match(new RegExp(`.{1,${columns}}`, 'g')) ?? ['']);
    this.#row = this.#rows.length - 1;
  }

  /** Rows from the top, without the one the cursor waits on. */
  get lines(): string[] {
    return this.#rows.slice(0, -1);
  }

  #play(token: string): void {
    if (token.endsWith('A') && token.length > 1) this.#row -= Number(token.slice(2, -1));
    else if (token === '\x1b[J') this.#rows = [...this.#rows.slice(0, this.#row), ''];
    else if (token === '\n') {
      this.#row += 1;
      this.#rows[this.#row] ??= '';
    } else if (token.length === 1 && token !== '\r') this.#rows[this.#row] += token;
    if (this.#row < 0) throw new Error('the cursor left the top of the screen');
  }
}
