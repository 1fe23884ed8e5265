import { describe, expect, it } from 'vitest';
import { Terminal } from '../../src/engine/terminal.js';
import { Screen } from '../support/screen.js';

describe('a terminal', () => {
  it('keeps the block below what is printed', () => {
    const screen = new Screen();
    const terminal = new Terminal(screen, {});
    terminal.block([{ text: 'a 1' }, { text: 'b 1' }]);
    terminal.print('hello');
    terminal.block([{ text: 'a 2' }, { text: 'b 2' }]);
    terminal.print('two\nlines\n');
    expect(screen.lines).toEqual(['hello', 'two', 'lines', 'a 2', 'b 2']);
  });

  it('leaves nothing behind when the block shrinks', () => {
    const screen = new Screen();
    const terminal = new Terminal(screen, {});
    terminal.block([{ text: 'long line one' }, { text: 'long line two' }, { text: 'three' }]);
    terminal.block([{ text: 'short' }]);
    expect(screen.lines).toEqual(['short']);
  });

  it('erases all of a block that wrapped because the window was made narrower', () => {
    const screen = new Screen(40);
    const terminal = new Terminal(screen, {});
    terminal.print('above');
    terminal.block([{ text: 'x'.repeat(39) }, { text: 'y' }]);
    screen.resize(10);
    terminal.block([{ text: 'x'.repeat(39) }, { text: 'y' }]);
    expect(screen.lines).toEqual(['above', 'x'.repeat(9), 'y']);
  });

  it('leaves out lines that do not fit the screen, from the end', () => {
    const screen = new Screen(80, 4);
    const terminal = new Terminal(screen, {});
    terminal.block(['a', 'b', 'c', 'd', 'e'].map((text) => ({ text })));
    terminal.print('hello');
    expect(screen.lines).toEqual(['hello', 'a', 'b', 'c']);
  });

  it('lets the block stand once it is released', () => {
    const screen = new Screen();
    const terminal = new Terminal(screen, {});
    terminal.block([{ text: 'done' }]);
    terminal.release();
    terminal.print('goodbye');
    expect(screen.lines).toEqual(['done', 'goodbye']);
  });

  it('colours on a terminal only, and not against NO_COLOR', () => {
    const written = (env: Record<string, string>): string => {
      const screen = new Screen();
      new Terminal(screen, env).block([{ text: 'careful', style: 'warning' }]);
      return screen.written;
    };
    expect(written({})).toBe('\x1b[33mcareful\x1b[0m\n');
    expect(written({ NO_COLOR: '1' })).toBe('careful\n');
    expect(new Terminal(new Screen(), { TERM: 'dumb' }).isTty).toBe(false);
    expect(new Terminal({ write: () => true }, {}).isTty).toBe(false);
  });
});
