import { describe, expect, it } from 'vitest';
import { RunMeters } from '../../src/engine/meters.js';
import { amount, duration, Rate, startProgress } from '../../src/engine/progress.js';
import { Terminal } from '../../src/engine/terminal.js';
import { Screen } from '../support/screen.js';

/** A run whose clock, timer and screen are in the hands of the test. */
function scene({ isTty = true, columns = 100, isDivided = true } = {}) {
  let time = 0;
  let tick = (): void => {};
  let period = Number.POSITIVE_INFINITY;
  const screen = new Screen(columns);
  const said: string[] = [];
  const stream = isTty ? screen : { write: (text: string) => said.push(...text.trimEnd().split('\n')) };
  const meters = new RunMeters('des-pass', () => time);
  meters.units(isDivided ? { whole: 'tiles', part: 'windows' } : { whole: 'fields', part: undefined });
  const start = () =>
    startProgress({
      meters,
      terminal: new Terminal(stream, { NO_COLOR: '1' }),
      now: () => time,
      every: (seconds, callback) => {
        period = seconds;
        tick = callback;
        return () => {
          tick = () => {};
        };
      },
    });
  const pass = (seconds: number, eachTick: () => void = () => {}): void => {
    for (const end = time + seconds; time < end; ) {
      time += period;
      eachTick();
      tick();
    }
  };
  return { meters, screen, said, start, pass };
}

describe('progress on a terminal', () => {
  it('shows stages, speeds, time left and what holds the pass back', () => {
    const { meters, screen, start, pass } = scene();
    const read = meters.stage('read', 'read');
    const encode = meters.stage('encode', 'encode');
    read.limits(4, 1e9);
    encode.limits(16, 1e9);
    encode.queue(12, 1e6);
    meters.memory(2 ** 30, 3 * 2 ** 30);
    meters.expected(400);
    meters.settled(100);
    start();
    encode.running();
    let settled = 100;
    pass(30, () => {
      settled += 0.5;
      encode.sent(2, 100);
      meters.window('ok', 2);
      meters.sky(0.25);
      meters.settled(Math.floor(settled));
    });
    expect(screen.lines).toEqual([
      'des-pass  130 of 400 windows (32 %) · 0:30 gone · 4:30 left',
      '1,800 deg²/h · 4 windows/s · memory 1 of 3 GiB',
      'encode is what holds the pass back: busy 100 %',
      '  read    ░░░░░░░░░░   0 %  queue   0/4          0 out       0/s',
      '  encode  ██████████ 100 %  queue 12/16        120 out       4/s',
    ]);
  });

  it('counts what could not be done', () => {
    const { meters, screen, start, pass } = scene();
    meters.tile('unprocessable');
    meters.window('unprocessable', 2);
    meters.window('failed');
    meters.window('no_work', 5);
    start();
    pass(1);
    expect(screen.lines).toContain('3 unprocessable · 1 failed');
  });

  it('claims no speed and no time left before it knows them', () => {
    const { meters, screen, start, pass } = scene();
    meters.expected(10);
    start();
    pass(5);
    expect(screen.lines[0]).toBe('des-pass  0 of 10 windows (0 %) · 0:05 gone · – left');
    expect(screen.lines[1]).toContain('– deg²/h · – windows/s');
    meters.settled(1);
    pass(5);
    expect(screen.lines[0]).toContain('– left');
    meters.settled(2);
    pass(5);
    expect(screen.lines[0]).toBe('des-pass  2 of 10 windows (20 %) · 0:15 gone · 1:00 left');
  });

  it('does not take what earlier starts settled for speed', () => {
    const { meters, screen, start, pass } = scene();
    meters.expected(1000);
    meters.settled(900);
    start();
    let ticks = 0;
    pass(20, () => {
      ticks += 1;
      meters.settled(900 + Math.floor(ticks / 2));
    });
    expect(screen.lines[0]).toContain('1:20 left');
  });

  it('draws a last time at the end, with the speeds of the whole run, and leaves it standing', () => {
    const { meters, screen, start, pass } = scene();
    meters.expected(3);
    const progress = start();
    pass(1);
    meters.settled(3);
    meters.window('ok', 6);
    pass(2);
    progress.stop();
    const { lines } = screen;
    expect(lines.slice(0, 2)).toEqual([
      'des-pass  3 of 3 windows (100 %) · in 0:03',
      '0 deg²/h · 2 windows/s · memory 0 of 0 GiB',
    ]);
    pass(5);
    progress.stop();
    expect(screen.lines).toEqual(lines);
  });

  it('counts what the source makes where nothing is divided', () => {
    const { meters, screen, start, pass } = scene({ isDivided: false });
    meters.expected(8);
    const progress = start();
    pass(2, () => {
      meters.tile('ok');
      meters.settled(2);
    });
    progress.stop();
    expect(screen.lines.slice(0, 2)).toEqual([
      'des-pass  2 of 8 fields (25 %) · in 0:02',
      '0 deg²/h · 2 fields/s · memory 0 of 0 GiB',
    ]);
  });

  it('tells the time left of a run that trains by its steps, whatever is settled', () => {
    const { meters, screen, start, pass } = scene();
    meters.expected(40);
    meters.settled(40);
    meters.training.plan({ steps: 6000, epochs: 6, step: 1200, epoch: 2 });
    const progress = start();
    pass(1);
    expect(screen.lines.slice(0, 3)).toEqual([
      'des-pass  step 1,200 of 6,000 (20 %) · 0:01 gone · – left',
      '– samples/s · memory 0 of 0 GiB',
      'epoch 2 of 6',
    ]);
    let step = 1200;
    // Before the last half minute there was nothing to learn from.
    const steps = (seconds: number, waitSeconds: number) =>
      pass(seconds, () => {
        step += 1;
        const of = { step, epoch: 2, loss: 0.05123, learningRate: 1e-3, gradientNorm: 1, samples: 4 };
        meters.training.step({ ...of, seconds: 0.5 - waitSeconds, waitSeconds });
      });
    steps(30, 0.4);
    meters.training.scores({ loss: 0.06, f1: 0.8149 });
    steps(31, 0.01);
    expect(screen.lines.slice(0, 3)).toEqual([
      'des-pass  step 1,322 of 6,000 (22 %) · 1:02 gone · 38:59 left',
      '8 samples/s · memory 0 of 0 GiB',
      'epoch 2 of 6 · loss 0.0512 · F1 0.81 · waits for data 2 %',
    ]);
    progress.stop();
    expect(screen.lines.slice(0, 3)).toEqual([
      'des-pass  step 1,322 of 6,000 (22 %) · in 1:02',
      '7.87 samples/s · memory 0 of 0 GiB',
      'epoch 2 of 6 · loss 0.0512 · F1 0.81 · waits for data 40 %',
    ]);
  });

  it('stays within a narrow window', () => {
    const { meters, screen, start, pass } = scene({ columns: 30 });
    meters.stage('read', 'read');
    start();
    pass(3);
    expect(screen.lines).toHaveLength(3);
    for (const line of screen.lines) expect(line.length).toBeLessThan(30);
  });
});

describe('progress without a terminal', () => {
  it('says one line every ten seconds and one at the end', () => {
    const { meters, said, start, pass } = scene({ isTty: false });
    meters.expected(100);
    let ticks = 0;
    const progress = start();
    pass(29, () => {
      ticks += 1;
      meters.settled(Math.floor(ticks / 2));
    });
    progress.stop();
    expect(said).toEqual([
      '10 of 100 windows (10 %) · – deg²/h · – windows/s · 0:10 gone · 1:30 left',
      '20 of 100 windows (20 %) · – deg²/h · – windows/s · 0:20 gone · 1:20 left',
      '29 of 100 windows (29 %) · 0 deg²/h · 0 windows/s · in 0:29',
    ]);
  });

  it('says the same of a run that trains', () => {
    const { meters, said, start, pass } = scene({ isTty: false });
    meters.training.plan({ steps: 100, epochs: 1 });
    start();
    let step = 0;
    pass(10, () => {
      step += 1;
      const of = { step, epoch: 1, loss: 0.5, learningRate: 1e-3, gradientNorm: 1, samples: 1 };
      meters.training.step({ ...of, seconds: 0.5, waitSeconds: 0 });
    });
    expect(said).toEqual([
      'step 20 of 100 (20 %) · 2 samples/s · 0:10 gone · 0:40 left · epoch 1 of 1 · loss 0.5 · waits for data 0 %',
    ]);
  });

  it('says nothing of a run that never started', () => {
    const { meters, said, start } = scene({ isTty: false });
    meters.expected(9);
    meters.settled(9);
    start().stop(false);
    expect(said).toEqual([]);
  });
});

describe('a rate', () => {
  it('follows a change of speed within its window', () => {
    const rate = new Rate();
    for (let second = 0; second <= 300; second += 1) rate.add(second, 10 * second);
    for (let second = 301; second <= 600; second += 1) rate.add(second, 3000 + 2 * (second - 300));
    expect(rate.perSecond(600)).toBeCloseTo(2);
    expect(rate.overall(600)).toBeCloseTo(6);
  });

  it('reaches further back when steps are rare', () => {
    const rate = new Rate();
    for (let second = 0; second <= 3000; second += 1) rate.add(second, Math.floor(second / 200));
    expect(rate.perSecond(3000)).toBeCloseTo(1 / 200);
  });

  it('falls while the total stands still', () => {
    const rate = new Rate();
    for (let second = 0; second <= 60; second += 1) rate.add(second, second);
    rate.add(90, 60);
    expect(rate.perSecond(90)).toBeCloseTo(0.5);
  });
});

describe('numbers for people', () => {
  it.each([
    [0, '0'],
    [0.01234, '0.0123'],
    [9.876, '9.88'],
    [10_169, '10,169'],
    [undefined, '–'],
    [Number.POSITIVE_INFINITY, '–'],
  ])('writes %s as %s', (value, text) => expect(amount(value)).toBe(text));

  it.each([
    [0, '0:00'],
    [59.6, '1:00'],
    [245, '4:05'],
    [3845, '1:04:05'],
    [86_400 * 12 + 3845, '12 d 1:04:05'],
    [86_400, '1 d 0:00:00'],
    [undefined, '–'],
    [Number.POSITIVE_INFINITY, '–'],
  ])('writes %s seconds as %s', (seconds, text) => expect(duration(seconds)).toBe(text));
});
