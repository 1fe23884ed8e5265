/**
 * One owner for standard error, so that log lines and the progress block do not tear each other: what is
 * printed scrolls away above, the block stays below and is redrawn in place.
 */

/** The part of a `tty.WriteStream` that is used. */
export interface TerminalStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export interface BlockLine {
  readonly text: string;
  readonly style?: 'bold' | 'dim' | 'warning';
}

const styles = { bold: '\x1b[1m', dim: '\x1b[2m', warning: '\x1b[33m' } as const;
const plain = '\x1b[0m';

export class Terminal {
  /** Whether a block can be redrawn. Never on `TERM=dumb`. */
  readonly isTty: boolean;
  /** Whether colour is wanted: on a terminal, unless `NO_COLOR` is set (no-color.org). */
  readonly hasColour: boolean;
  readonly #stream: TerminalStream;
  #block: readonly BlockLine[] = [];
  /** Length of every line as it stands on the screen; all have a newline behind them. */
  #drawn: readonly number[] = [];

  constructor(stream: TerminalStream, env: Readonly<Record<string, string | undefined>> = process.env) {
    this.#stream = stream;
    this.isTty = stream.isTTY === true && env.TERM !== 'dumb';
    this.hasColour = this.isTty && !env.NO_COLOR;
  }

  /** Columns of the terminal; 80 when it does not say. */
  get columns(): number {
    return this.#stream.columns || 80;
  }

  /** Prints whole lines above the block. */
  print(text: string): void {
    this.#stream.write(this.#erase() + (text.endsWith('\n') ? text : `${text}\n`) + this.#draw());
  }

  /** Replaces the block. Lines too long are cut; lines that would not fit the screen are left out from the end. */
  block(lines: readonly BlockLine[]): void {
    this.#block = lines;
    this.#stream.write(this.#erase() + this.#draw());
  }

  /** Leaves the block where it stands: what is printed from now on comes below it. */
  release(): void {
    this.#block = [];
    this.#drawn = [];
  }

  #erase(): string {
    // A terminal made narrower since has wrapped what was drawn.
    const rows = this.#drawn.reduce((sum, length) => sum + Math.max(1, Math.ceil(length / this.columns)), 0);
    return rows === 0 ? '' : `\x1b[${rows}A\r\x1b[J`;
  }

  #draw(): string {
    // The cursor stands one row below the block; a block that reaches the top of the screen cannot be erased.
    const lines = this.#block.slice(0, Math.max(1, (this.#stream.rows || 24) - 1));
    const cut = lines.map(({ text, style }) => ({ text: text.slice(0, this.columns - 1), style }));
    this.#drawn = cut.map(({ text }) => text.length);
    return cut
      .map(({ text, style }) =>
        style === undefined || !this.hasColour ? text : styles[style] + text + plain,
      )
      .map((text) => `${text}\n`)
      .join('');
  }
}
