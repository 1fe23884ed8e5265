import { concatMap, from, type MonoTypeOperatorFunction, mergeMap, type Observable, take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { drain, filterValues, mapValues, values } from '../../src/engine/flow.js';
import type { Parcel } from '../../src/engine/ports.js';
import type { Run } from '../../src/engine/run.js';
import { marbles, packed, unpacked, wideEdge } from '../support/marbles.js';
import { Probe } from '../support/probe.js';
import { settle, testRun, until } from '../support/run.js';
import {
  counted,
  expanded,
  Gate,
  grouped,
  type Names,
  type Names$,
  Progress,
  produced,
  recorded,
  worked,
} from '../support/stages.js';

/** source → decode (2 slots) → expand (1 → 4) → batch of 3 → encode (2 slots) → write, which waits at the gate. */
function surveyChain(run: Run, count: number, progress: Progress, gate: Gate, written: string[]): Names$ {
  return counted(run, { count, credit: 2, bytes: 100 }, progress).pipe(
    worked(run, 'decode', { slots: 2, credit: 1, bytes: 50 }),
    expanded(run, 4, { credit: 3, bytes: 10 }),
    grouped(run, 3, { credit: 1 }),
    worked(run, 'encode', { slots: 2, credit: 1, bytes: 7 }),
    recorded(run, written, {}, () => gate.opened),
  );
}

/*
 * With the writer stalled, from the end to the beginning:
 *   write    holds 1 batch and waits                                                  1 batch
 *   encode   1 batch on its edge (credit 1), 2 in its slots, each waiting for a place 3 batches
 *   batch    1 batch on its edge (credit 1); it waits for a place for the next        1 batch = 15 rows in all
 *   expand   3 rows on its edge (credit 3), which the waiting batch has not taken     18 rows emitted
 *            18 = 4 × 4 + 2: it holds the fifth item and waits for a place            5 items
 *   decode   1 item on its edge (credit 1), 2 in its slots                            3 items
 *   source   2 items on its edge (credit 2)                                           2 items
 */
const creditOfChain = 5 + 3 + 2;
/*
 * And the memory they hold: 2 + 2 items of the source (on its edge, in the slots of decode), 2 of decode (on its
 * edge, in expand), 12 rows (3 on the edge, 3 batches behind), 2 results of encode (on its edge, in write).
 */
const bytesOfChain = 4 * 100 + 2 * 50 + 12 * 10 + 2 * 7;

describe('a stalled writer', () => {
  it('stops the source after exactly the credit of the chain, and lets everything out once when it goes on', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const [progress, gate, written] = [new Progress(), new Gate(), [] as string[]];
    const summary = run.execute(surveyChain(run, 50, progress, gate, written));
    await until(() => progress.made >= creditOfChain && run.memory.inUse >= bytesOfChain);
    await settle(200);
    expect(progress.made).toBe(creditOfChain);
    expect(run.memory.inUse).toBe(bytesOfChain);

    gate.open();
    expect(await summary).toMatchObject({ end: 'complete', items: { ok: 200 }, parents: { ok: 50 } });
    expect(written.toSorted()).toEqual(
      Array.from({ length: 200 }, (_, i) => `t${Math.floor(i / 4)}/${i % 4}`).toSorted(),
    );
    expect(run.memory.inUse).toBe(0);
  });

  it('keeps memory flat for as long as it stalls, although the source would go on for ever', async () => {
    await using scene = await testRun({ memoryBytes: 1 << 30 });
    const { run } = scene;
    const [progress, gate] = [new Progress(), new Gate()];
    const mebibyte = 1 << 20;
    const stream = produced(run, progress, {
      count: Number.POSITIVE_INFINITY,
      bytes: mebibyte,
      credit: 4,
      itemsOf: (i) => [`t${i}`],
      value: (i) => [Buffer.alloc(mebibyte, i % 256).toString('latin1', 0, 1)],
    }).pipe(
      worked(run, 'encode', { slots: 2, credit: 2, bytes: mebibyte }),
      recorded(run, [], {}, () => gate.opened),
    );
    const summary = run.execute(stream);
    // write 1, its edge 2, the slots of encode 2, the edge of the source 4
    await until(() => progress.made === 9);
    const samples: { made: number; inUse: number; rss: number; heap: number }[] = [];
    for (let i = 0; i < 25; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
      samples.push({ made: progress.made, inUse: run.memory.inUse, rss, heap: heapUsed + arrayBuffers });
    }
    expect(new Set(samples.map(({ made }) => made))).toEqual(new Set([9]));
    expect(new Set(samples.map(({ inUse }) => inUse))).toEqual(new Set([9 * mebibyte]));
    const growth = (of: (sample: (typeof samples)[number]) => number) =>
      Math.max(...samples.map(of)) - of(samples[0] as (typeof samples)[number]);
    expect(growth(({ heap }) => heap)).toBeLessThan(16 * mebibyte);
    expect(growth(({ rss }) => rss)).toBeLessThan(32 * mebibyte);

    run.stop('enough');
    gate.open();
    expect(await summary).toMatchObject({ end: 'interrupted' });
    expect(run.memory.inUse).toBe(0);
  });

  it('does not stop a source behind mergeMap, which buffers without bound: what credit is for', async () => {
    const gate = new Gate();
    let made = 0;
    async function* tiles() {
      while (made < 5000) yield `t${made++}`;
    }
    const stream = from(tiles()).pipe(
      mergeMap(async (tile) => tile, 2),
      concatMap((tile) => gate.opened.then(() => tile)),
    );
    const subscription = stream.subscribe();
    await until(() => made === 5000);
    expect(made).toBeGreaterThan(100 * creditOfChain);
    subscription.unsubscribe();
  });
});

describe('demand', () => {
  it('makes one more item for each that is taken', async () => {
    await using scene = await testRun();
    const progress = new Progress();
    using probe = new Probe(counted(scene.run, { count: 100, credit: 2, bytes: 10 }, progress));
    await until(() => progress.made === 2);
    probe.request(1);
    await probe.expect(['t0']);
    await probe.expectSilence();
    expect(progress.made).toBe(3);
    probe.request(2);
    await probe.expect(['t1'], ['t2']);
    await probe.expectSilence();
    expect(progress.made).toBe(5);
  });

  it('wakes several waiting slots for a single item, and gives it to one of them', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const slow = counted(run, { count: 6, credit: 1, before: () => settle(2) });
    const taken: string[] = [];
    const summary = await run.execute(
      slow.pipe(worked(run, 'decode', { slots: 4 }, (names) => void taken.push(...names))),
    );
    expect(summary).toMatchObject({ end: 'complete', error: undefined });
    expect(taken).toEqual(['t0', 't1', 't2', 't3', 't4', 't5']);
  });

  it('passes the rest of a group on when upstream completes', async () => {
    await using scene = await testRun();
    const { run } = scene;
    using probe = new Probe(counted(run, { count: 5, credit: 3 }).pipe(grouped(run, 3)));
    probe.request(9);
    await probe.expect(['t0', 't1', 't2'], ['t3', 't4']);
    await probe.expectCompletion();
  });

  it('passes a group on that is not full when its time is over', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const gate = new Gate();
    const source = counted(run, { count: 3, credit: 3, before: (i) => (i === 2 ? gate.opened : undefined) });
    using probe = new Probe(source.pipe(grouped(run, 3, { withinMs: 5 })));
    probe.request(9);
    await probe.expect(['t0', 't1']);
    gate.open();
    await probe.expect(['t2']);
    await probe.expectCompletion();
  });

  it('keeps a group waiting on its edge, untaken, until it is full', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const [progress, gate] = [new Progress(), new Gate()];
    const source = counted(
      run,
      { count: 3, credit: 3, bytes: 8, before: (i) => (i === 2 ? gate.opened : undefined) },
      progress,
    );
    using probe = new Probe(source.pipe(grouped(run, 3)));
    probe.request(1);
    await until(() => progress.made === 2);
    await probe.expectSilence();
    expect(scene.meters.snapshot().stages.find(({ name }) => name === 'group')).toMatchObject({
      queue: { items: 2, bytes: 16 },
      received: { items: 0, bytes: 0 },
    });
    gate.open();
    await probe.expect(['t0', 't1', 't2']);
  });
});

describe('ends', () => {
  it('returns all memory when the subscription ends midway', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const stream = counted(run, { count: 100, credit: 3, bytes: 10 }).pipe(
      worked(run, 'decode', { slots: 2, credit: 2, bytes: 5 }),
    );
    const probe = new Probe(stream);
    probe.request(4);
    await probe.next(4);
    probe.unsubscribe();
    await until(() => run.memory.inUse === 0);
    expect(run.memory.inUse).toBe(0);
  });

  it('returns all memory behind an RxJS operator that takes the first few', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const stream = counted(run, { count: 100, credit: 3, bytes: 10 }).pipe(
      worked(run, 'decode', { credit: 2, bytes: 5 }),
      take(3),
    );
    expect(await run.execute(stream)).toMatchObject({ end: 'complete' });
    expect(run.memory.inUse).toBe(0);
  });

  it('drops what waits downstream when upstream fails, and fails with its error', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const source = counted(run, {
      count: 9,
      credit: 3,
      bytes: 10,
      before: (i) => {
        if (i === 3) throw Object.assign(new Error('too many open files'), { code: 'EMFILE' });
      },
    });
    const gate = new Gate();
    const summary = run.execute(source.pipe(worked(run, 'decode', { bytes: 5 }, () => gate.opened)));
    await settle();
    gate.open();
    expect(await summary).toMatchObject({
      end: 'failed',
      error: { code: 'out_of_files', stage: 'source', item: 't3' },
    });
    expect(run.memory.inUse).toBe(0);
  });

  it('counts as received only what a stage has taken', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const gate = new Gate();
    const progress = new Progress();
    const probe = new Probe(
      counted(run, { count: 9, credit: 3 }, progress).pipe(worked(run, 'decode', {}, () => gate.opened)),
    );
    await until(() => progress.made === 4);
    probe.unsubscribe();
    gate.open();
    await settle();
    expect(scene.meters.snapshot().stages.find(({ name }) => name === 'decode')).toMatchObject({
      received: { items: 1 },
      queue: { items: 0 },
    });
  });
});

describe('mapValues and filterValues', () => {
  it('change and drop values, and give the credit of what is dropped back at once', () => {
    const edge = wideEdge();
    marbles(({ cold, expectObservable }) => {
      const even = cold('1-2-3-4-|').pipe(
        packed(edge),
        filterValues((digit) => Number(digit) % 2 === 0),
      );
      expectObservable(unpacked(even.pipe(mapValues((digit) => `${digit}${digit}`)))).toBe('--a---b-|', {
        a: '22',
        b: '44',
      });
    });
    expect(edge.used).toEqual({ items: 0, bytes: 0 });
  });

  it('pass an error on when it comes', () => {
    marbles(({ cold, expectObservable }) => {
      const stream = cold('1-#').pipe(
        packed(wideEdge()),
        mapValues((digit) => Number(digit)),
      );
      expectObservable(unpacked(stream)).toBe('a-#', { a: 1 });
    });
  });

  const noT4 = (names: Names) => {
    if (names[0] === 't4') throw new Error('no t4 please');
    return true;
  };

  it.each([
    ['mapValues', mapValues(noT4)],
    ['filterValues', filterValues(noT4)],
  ])('%s leaves nothing behind when the function given to it throws', async (_name, lifted) => {
    await using scene = await testRun();
    const { run } = scene;
    const stream = counted(run, { count: 9, credit: 3, bytes: 10 });
    const changed: Observable<Parcel<unknown>> = stream.pipe(
      lifted as MonoTypeOperatorFunction<Parcel<Names>>,
    );
    await expect(drain(changed)).rejects.toThrow('no t4 please');
    await until(() => run.memory.inUse === 0);
    expect(run.memory.inUse).toBe(0);
  });
});

describe('values', () => {
  it('gives the values one by one, and holds the memory of one until the next is asked for', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const progress = new Progress();
    const seen: string[] = [];
    for await (const names of values(counted(run, { count: 4, credit: 1, bytes: 10 }, progress))) {
      seen.push(...names);
      await settle();
      // This one, and the next on the edge.
      expect(run.memory.inUse).toBe(progress.made === seen.length ? 10 : 20);
      expect(progress.made - seen.length).toBeLessThanOrEqual(1);
    }
    expect(seen).toEqual(['t0', 't1', 't2', 't3']);
    expect(run.memory.inUse).toBe(0);
  });

  it('stops the source when the loop is left', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const progress = new Progress();
    for await (const names of values(counted(run, { count: 100, credit: 2, bytes: 10 }, progress))) {
      if (names[0] === 't3') break;
    }
    await until(() => run.memory.inUse === 0);
    expect(progress.made).toBeLessThanOrEqual(4 + 2);
  });

  it('throws the error of the stream behind the values before it', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const stream = counted(run, {
      count: 9,
      before: (i) => {
        if (i === 2) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      },
    });
    const seen: string[] = [];
    const loop = async () => {
      for await (const names of values(stream)) seen.push(...names);
    };
    await expect(loop()).rejects.toMatchObject({ code: 'disk_full' });
    expect(seen).toEqual(['t0', 't1']);
  });
});

describe('drain', () => {
  it('resolves when the stream completes, with nothing held', async () => {
    await using scene = await testRun();
    await drain(counted(scene.run, { count: 20, bytes: 10 }));
    expect(scene.run.memory.inUse).toBe(0);
  });

  it('ends with the reason of its signal', async () => {
    await using scene = await testRun();
    const controller = new AbortController();
    const gate = new Gate();
    const drained = drain(counted(scene.run, { count: 20, before: () => gate.opened }), controller.signal);
    controller.abort(new Error('enough'));
    await expect(drained).rejects.toThrow('enough');
    gate.open();
  });
});
