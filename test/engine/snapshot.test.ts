import { describe, expect, it } from 'vitest';
import { RunMeters } from '../../src/engine/meters.js';
import type { BlockedReason } from '../../src/engine/metrics.js';
import type { RunSnapshot, StageSnapshot } from '../../src/engine/snapshot.js';
import { growth, slowestStage } from '../../src/engine/snapshot.js';

type Shares = { busy?: number; slots?: number } & Partial<Record<BlockedReason, number>>;

/** A run of 100 s whose stages spent these shares of it per slot. */
function run(shares: Record<string, Shares>, elapsedSeconds = 100): RunSnapshot {
  const empty = new RunMeters('test');
  const stages = Object.entries(shares).map(([name, { busy = 0, slots = 1, ...blocked }]): StageSnapshot => {
    const seconds = (share = 0): number => share * slots * elapsedSeconds;
    empty.stage(name, name);
    return {
      ...(empty.snapshot().stages.at(-1) as StageSnapshot),
      slots,
      busySeconds: seconds(busy),
      blockedSeconds: {
        upstream: seconds(blocked.upstream),
        downstream: seconds(blocked.downstream),
        memory: seconds(blocked.memory),
        device: seconds(blocked.device),
      },
    };
  });
  return { ...empty.snapshot(), elapsedSeconds, stages };
}

describe('slowestStage', () => {
  it('names the stage that has no slot to spare', () => {
    const verdict = slowestStage(
      run({
        read: { busy: 0.4, downstream: 0.6, slots: 2 },
        tile: { busy: 0.1, downstream: 0.9 },
        encode: { busy: 0.97, slots: 2 },
        write: { busy: 0.05, upstream: 0.95 },
      }),
    );
    expect(verdict).toEqual({
      stage: 'encode',
      cause: 'busy',
      share: 0.97,
      sentence: 'encode is what holds the pass back: busy 97 %',
    });
  });

  it('counts busy time per slot: eight slots half busy hold nothing back', () => {
    const verdict = slowestStage(run({ read: { busy: 0.5, slots: 8 }, write: { busy: 0.9, upstream: 0.1 } }));
    expect(verdict?.stage).toBe('write');
  });

  it('tells two full stages apart by the one that others wait for', () => {
    const verdict = slowestStage(
      run({
        read: { busy: 0.98 },
        tile: { busy: 0.2, downstream: 0.7 },
        encode: { busy: 0.95 },
        write: { busy: 0.1 },
      }),
    );
    expect(verdict?.stage).toBe('encode');
  });

  it('names a stage whose slots queue for their device', () => {
    const verdict = slowestStage(run({ read: { busy: 0.6 }, encode: { busy: 0.3, device: 0.65, slots: 4 } }));
    expect(verdict).toMatchObject({
      stage: 'encode',
      cause: 'device',
      sentence: 'encode is what holds the pass back: busy 30 %, waiting for its device 65 %',
    });
  });

  it('names the byte budget when waiting for it outweighs all work', () => {
    const verdict = slowestStage(
      run({ read: { busy: 0.2, memory: 0.8 }, encode: { busy: 0.5, upstream: 0.5 } }),
    );
    expect(verdict).toMatchObject({
      stage: 'read',
      cause: 'memory',
      sentence: 'memory is what holds the pass back: read waits for it 80 % of the time',
    });
  });

  it('says so when nothing is busy', () => {
    const verdict = slowestStage(run({ read: { busy: 0.3 }, encode: { busy: 0.1, upstream: 0.9 } }));
    expect(verdict).toMatchObject({
      cause: 'idle',
      sentence: 'no stage is busy half of the time; read is busiest, 30 %',
    });
  });

  it('judges the time between two snapshots only', () => {
    const before = run({ read: { busy: 1 }, encode: { busy: 0 } }, 100);
    const after = run({ read: { busy: 0.55 }, encode: { busy: 0.45 } }, 200);
    expect(slowestStage(after)?.stage).toBe('read');
    expect(slowestStage(after, before)).toMatchObject({ stage: 'encode', share: 0.9 });
  });

  it('says nothing before anything has happened', () => {
    expect(slowestStage(run({}))).toBeUndefined();
    expect(slowestStage(run({ read: {} }))).toBeUndefined();
    expect(slowestStage(run({ read: { busy: 1 } }, 0))).toBeUndefined();
  });
});

describe('growth', () => {
  it('is per second between two snapshots, and counts a stage that is new in the second from zero', () => {
    const before = run({ read: { busy: 1 } }, 10);
    const after = run({ read: { busy: 1 }, write: { busy: 0.5 } }, 20);
    const [read, write] = after.stages as [StageSnapshot, StageSnapshot];
    expect(growth(after, before, read, (of) => of.busySeconds)).toBe(1);
    expect(growth(after, before, write, (of) => of.busySeconds)).toBe(1);
    expect(growth(after, undefined, write, (of) => of.busySeconds)).toBe(0.5);
    expect(growth(after, after, read, (of) => of.busySeconds)).toBe(0);
  });
});
