import { describe, expect, it } from 'vitest';
import { EngineError } from '../../src/engine/errors.js';
import { createLog } from '../../src/engine/log.js';
import { Terminal } from '../../src/engine/terminal.js';
import { Screen } from '../support/screen.js';

const truncated = new EngineError('fits_truncated', 'found 100 bytes, expected 2880', {
  place: { file: 'a.fz', hdu: 1 },
  stage: 'read',
  item: 'DES0001-0001',
  cause: new Error('short read'),
});

function toPipe(level: 'info' | 'debug' = 'info') {
  const written: string[] = [];
  const terminal = new Terminal({ write: (text) => written.push(text) });
  return { log: createLog({ terminal, level }), records: () => written.map((line) => JSON.parse(line)) };
}

describe('the log into a pipe', () => {
  it('writes one JSON record a line, with level and time as words, before the call returns', () => {
    const { log, records } = toPipe();
    log.child({ stage: 'read' }).info({ item: 'DES0001-0001' }, 'tile opened');
    expect(records()).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        stage: 'read',
        item: 'DES0001-0001',
        msg: 'tile opened',
      },
    ]);
  });

  it('gives an error its code, place and cause, and no stack', () => {
    const { log, records } = toPipe();
    log.warn({ err: truncated }, 'tile set aside');
    const [{ err }] = records();
    expect(err).toMatchObject({
      code: 'fits_truncated',
      outcome: 'unprocessable',
      place: { file: 'a.fz', hdu: 1 },
      cause: { type: 'Error', message: 'short read' },
    });
    expect(err).not.toHaveProperty('stack');
    expect(err.cause).not.toHaveProperty('stack');
  });

  it('keeps the stack of a fault of its own', () => {
    const { log, records } = toPipe();
    log.error({ err: new EngineError('internal', 'no such place') }, 'stopped');
    expect(records()[0].err.stack).toContain('log.test.ts');
  });

  it('keeps quiet below its level', () => {
    const { log, records } = toPipe();
    log.debug('details');
    expect(records()).toEqual([]);
    const { log: chatty, records: all } = toPipe('debug');
    chatty.debug('details');
    expect(all()).toHaveLength(1);
  });
});

describe('the log on a terminal', () => {
  it('writes for people, above the progress block', () => {
    const screen = new Screen(200);
    const terminal = new Terminal(screen, { NO_COLOR: '1' });
    const log = createLog({ terminal });
    terminal.block([{ text: 'encode ███' }]);
    log.child({ stage: 'read' }).warn({ err: truncated }, 'tile set aside');
    expect(screen.lines).toEqual([
      expect.stringMatching(/^\[\d\d:\d\d:\d\d\] WARN: read: tile set aside *$/),
      '    err: "fits_truncated: found 100 bytes, expected 2880 (a.fz, HDU 1); fetch the file again: it is shorter than its header says"',
      'encode ███',
    ]);
  });
});
