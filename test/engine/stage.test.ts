import { describe, expect, it } from 'vitest';
import { field, stageSpec } from '../../src/config/spec.js';
import { EngineError } from '../../src/engine/errors.js';
import { operator } from '../../src/engine/stage.js';
import { settle, testRun, until } from '../support/run.js';
import { counted, expanded, Gate, type Names, Progress, recorded, stage, worked } from '../support/stages.js';

/** Fails for one name, so often. */
function failing(name: string, error: () => Error, times = Number.POSITIVE_INFINITY): (names: Names) => void {
  let left = times;
  return (names) => {
    if (!names.includes(name) || left-- <= 0) return;
    throw error();
  };
}

const encoderFails = () => new EngineError('encoder_run', 'the session gave up');

describe('an item whose work fails', () => {
  it('is tried again as often as `retries` says, and goes on as if nothing had been', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const written: string[] = [];
    const summary = await run.execute(
      counted(run, { count: 3 }).pipe(
        worked(run, 'encode', { retries: 2 }, failing('t1', encoderFails, 2)),
        recorded(run, written),
      ),
    );
    expect(written).toEqual(['t0', 't1', 't2']);
    expect(summary).toMatchObject({ end: 'complete', items: { ok: 3, failed: 0 } });
    expect(scene.meters.snapshot().stages[1]).toMatchObject({
      errors: { encoder_run: 2 },
      outcomes: { failed: 0 },
    });
  });

  it('is set aside as `failed`, with cause and attempt, when that did not help; the others go on', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const written: string[] = [];
    const summary = await run.execute(
      counted(run, { count: 3 }).pipe(
        worked(run, 'encode', { retries: 2 }, failing('t1', encoderFails)),
        recorded(run, written),
      ),
    );
    expect(written).toEqual(['t0', 't2']);
    expect(summary).toMatchObject({ end: 'incomplete', items: { ok: 2, failed: 1 }, error: undefined });
    expect(run.ledger.causeOf('t1')).toMatchObject({
      outcome: 'failed',
      stage: 'encode',
      attempt: 3,
      code: 'encoder_run',
      message: 'the session gave up',
      hint: expect.stringContaining('smaller'),
    });
    expect(scene.meters.snapshot().stages[1]).toMatchObject({
      errors: { encoder_run: 3 },
      outcomes: { failed: 1 },
    });
  });

  it('is set aside at once when it cannot be processed, with the place where that was seen', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const truncated = () =>
      Object.assign(new Error('the file ends in row 7'), {
        code: 'fits_truncated',
        place: { file: 'a.fits', row: 7 },
      });
    const summary = await run.execute(
      counted(run, { count: 2 }).pipe(
        worked(run, 'decode', { retries: 5 }, failing('t0', truncated)),
        recorded(run, []),
      ),
    );
    expect(summary).toMatchObject({ end: 'incomplete', items: { ok: 1, unprocessable: 1 } });
    expect(run.ledger.causeOf('t0')).toMatchObject({
      attempt: 1,
      code: 'fits_truncated',
      detail: { file: 'a.fits', row: 7 },
    });
  });

  it('counts as no work, and the run as complete, when there was nothing to do', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const masked = () => new EngineError('masked', 'all of it is masked');
    const summary = await run.execute(
      counted(run, { count: 2 }).pipe(worked(run, 'tile', {}, failing('t0', masked)), recorded(run, [])),
    );
    expect(summary).toMatchObject({ end: 'complete', items: { ok: 1, no_work: 1 } });
  });

  it('gives its memory and its place back before it is tried again', async () => {
    await using scene = await testRun({ memoryBytes: 30 });
    const { run } = scene;
    const summary = await run.execute(
      counted(run, { count: 3, bytes: 10 }).pipe(
        worked(run, 'encode', { bytes: 20, retries: 3 }, failing('t1', encoderFails, 3)),
        recorded(run, []),
      ),
    );
    expect(summary).toMatchObject({ end: 'complete', memoryPeakBytes: 30 });
  });

  it('is not tried again when some of its results have left: they would come twice', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const written: string[] = [];
    let attempts = 0;
    const cut = failing('t1/2', () => {
      attempts += 1;
      return new EngineError('worker_died', 'a thread ended');
    });
    const summary = await run.execute(
      counted(run, { count: 3 }).pipe(expanded(run, 4, { retries: 3 }, cut), recorded(run, written)),
    );
    expect(attempts).toBe(1);
    expect(written).toEqual(['t0/0', 't0/1', 't0/2', 't0/3', 't1/0', 't1/1', 't2/0', 't2/1', 't2/2', 't2/3']);
    expect(summary).toMatchObject({ end: 'incomplete', parents: { ok: 2, failed: 1 } });
    expect(run.ledger.isDone('t1')).toBe(false);
  });

  it('is refused when it needs more than all of the memory, with size, limit and key; the others go on', async () => {
    await using scene = await testRun({ memoryBytes: 1000 });
    const { run } = scene;
    const written: string[] = [];
    const summary = await run.execute(
      counted(run, { count: 3 }).pipe(
        stage(run, 'tile', { itemBytes: 100 }, async ({ value, items }, slot) => {
          const place = await slot.reserve(value[0] === 't1' ? 5000 : 100);
          place.emit(value, items);
        }),
        recorded(run, written),
      ),
    );
    expect(written).toEqual(['t0', 't2']);
    expect(summary).toMatchObject({ end: 'incomplete', items: { ok: 2, unprocessable: 1 } });
    const cause = run.ledger.causeOf('t1');
    expect(cause).toMatchObject({ code: 'item_too_large', message: expect.stringMatching(/5000.*1000/) });
    expect(cause?.hint).toContain('memory=');
  });
});

describe('an error that concerns the run', () => {
  it('ends it, with what is committed kept and nothing held', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const written: string[] = [];
    const full = () => Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const summary = await run.execute(
      counted(run, { count: 50, credit: 3, bytes: 10 }).pipe(
        worked(run, 'encode', { slots: 2, bytes: 10 }, failing('t7', full)),
        recorded(run, written),
      ),
    );
    expect(summary).toMatchObject({
      end: 'failed',
      error: { code: 'disk_full', stage: 'encode', item: 't7', reach: 'run' },
    });
    expect(summary.items.ok).toBe(written.length);
    expect(run.memory.inUse).toBe(0);
  });

  it('ends the waiting of every slot', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const gate = new Gate();
    const work = async (names: Names) => {
      if (names[0] === 't2') throw new EngineError('out_of_files', 'no more files');
      await gate.opened;
    };
    const summary = await run.execute(
      counted(run, { count: 9 }).pipe(worked(run, 'decode', { slots: 3, credit: 3 }, work)),
    );
    expect(summary).toMatchObject({ end: 'failed', error: { code: 'out_of_files' } });
  });
});

describe('a slot', () => {
  it('counts what it waits for under its reason, and not as work', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const gate = new Gate();
    const summary = run.execute(
      counted(run, { count: 1 }).pipe(
        stage(run, 'encode', {}, (_held, slot) => slot.wait('device', gate.opened)),
      ),
    );
    const encode = () => scene.meters.snapshot().stages[1];
    await until(() => (encode()?.blockedSeconds.device ?? 0) > 0.02);
    expect(encode()).toMatchObject({ slotsBusy: 0 });
    expect(encode()?.busySeconds).toBeLessThan(encode()?.blockedSeconds.device ?? 0);
    gate.open();
    await summary;
    expect(encode()).toMatchObject({ slots: 1, slotsBusy: 0 });
  });

  it('may wait for several things at once, also when one of them comes too late', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const late = new Gate();
    const summary = run.execute(
      counted(run, { count: 5 }).pipe(
        stage(run, 'tile', {}, async (_held, slot) => {
          await Promise.all([
            slot.wait('device', settle(1)),
            slot.wait('memory', settle(3)),
            slot.wait('device', Promise.resolve()),
          ]);
          await Promise.race([slot.wait('device', late.opened), Promise.resolve()]);
        }),
      ),
    );
    expect(await summary).toMatchObject({ end: 'complete' });
    late.open();
    await settle();
    expect(scene.meters.snapshot().stages[1]).toMatchObject({ slotsBusy: 0 });
  });

  it('leases memory to work in, and waits for it', async () => {
    await using scene = await testRun({ memoryBytes: 100 });
    const { run } = scene;
    let held = 0;
    let most = 0;
    const stream = counted(run, { count: 9 }).pipe(
      stage(run, 'tile', { slots: 3, workingBytes: 50 }, async (_held, slot) => {
        using _strip = await slot.workspace(50);
        most = Math.max(most, ++held);
        await settle(2);
        held -= 1;
      }),
    );
    expect(await run.execute(stream)).toMatchObject({ end: 'complete', memoryPeakBytes: 100 });
    expect(most).toBe(2);
    expect(scene.meters.snapshot().stages[1]?.blockedSeconds.memory).toBeGreaterThan(0);
  });
});

describe('a stage that cannot be made ready', () => {
  const spec = stageSpec('encode', { takes: 'Window', gives: 'Window' }, 'A stage of a test.', {
    size: field.int({ default: 1, min: 1, doc: 'A number.' }),
  });
  const misfit = async (): Promise<never> => {
    throw new EngineError('encoder_mismatch', 'the encoder was made for bands g, r');
  };
  const needs = async () => ({ facts: {}, itemBytes: 0, workingBytes: 0, slots: 1 });
  const idle = async () => async () => {};

  it.each([
    ['inspect', { inspect: misfit, open: idle }],
    ['open', { inspect: needs, open: misfit }],
  ])(
    'says so in the summary when %s throws; nothing starts and the folder is not bound',
    async (_when, parts) => {
      await using scene = await testRun();
      const { run } = scene;
      const progress = new Progress();
      const refusing = operator<typeof spec, Names, Names>({ spec, operational: [], ...parts });
      const summary = await run.execute(counted(run, { count: 3 }, progress).pipe(refusing({}, run)));
      expect(summary).toMatchObject({ end: 'failed', error: { code: 'encoder_mismatch', reach: 'usage' } });
      expect(progress.made).toBe(0);
      expect(run.ledger.starts).toBe(0);
    },
  );

  it('refuses wrong options with the name of each', async () => {
    await using scene = await testRun();
    const encode = operator<typeof spec, Names, Names>({ spec, operational: [], inspect: needs, open: idle });
    expect(() => encode({ size: 0, retries: -1 }, scene.run)).toThrow(
      expect.objectContaining({
        code: 'config_invalid',
        message: expect.stringMatching(/encode\.size.*encode\.retries/s),
      }),
    );
  });
});

it('measures the work on one item as one run, however often it waited', async () => {
  await using scene = await testRun();
  const { run } = scene;
  await run.execute(
    counted(run, { count: 3 }).pipe(
      stage(run, 'tile', {}, async (_held, slot) => {
        for (let i = 0; i < 4; i++) await slot.wait('device', settle(1));
      }),
    ),
  );
  expect(await scene.meters.text()).toMatch(/^skypass_stage_run_seconds_count{.*stage="tile".*} 3$/m);
});

it('never waits for memory that only its own progress could free', async () => {
  // One byte less than all there is beyond the reserves (10 + 5), while a second item of the source stands in it.
  await using scene = await testRun({ memoryBytes: 100 });
  const { run } = scene;
  const summary = await run.execute(
    counted(run, { count: 3, bytes: 10, credit: 2 }).pipe(
      stage(run, 'tile', { itemBytes: 5 }, async ({ value, items }, slot) => {
        await settle();
        const place = await slot.reserve(value[0] === 't0' ? 89 : 5);
        place.emit(value, items);
      }),
      recorded(run, []),
    ),
  );
  expect(summary).toMatchObject({ end: 'incomplete', items: { ok: 2, unprocessable: 1 } });
  expect(run.ledger.causeOf('t0')).toMatchObject({ code: 'item_too_large' });
});
