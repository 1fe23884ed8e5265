import { readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { field, stageSpec } from '../../src/config/spec.js';
import { EngineError } from '../../src/engine/errors.js';
import type { Run } from '../../src/engine/run.js';
import { lockFolder } from '../../src/engine/run-lock.js';
import { operator } from '../../src/engine/stage.js';
import { settle, tempFolder, testRun, until } from '../support/run.js';
import {
  counted,
  expanded,
  Gate,
  grouped,
  type Names,
  Progress,
  recorded,
  stage,
  worked,
} from '../support/stages.js';

describe('a plan', () => {
  it('needs the working memory of every stage, and as many results of each as the next takes at once', async () => {
    await using scene = await testRun();
    const { run } = scene;
    counted(run, { count: 1, bytes: 100 }).pipe(
      worked(run, 'tile', { bytes: 10, workingBytes: 1000, credit: 4 }),
      grouped(run, 4),
      worked(run, 'encode', { bytes: 1 }),
    );
    const plan = await run.plan();
    expect(plan.map(({ reservedWork, reservedResults }) => [reservedWork, reservedResults])).toEqual([
      [0, 100],
      [1000, 40],
      [0, 0],
      [0, 1],
    ]);
  });

  it('is refused when memory is too small, with the smallest that would do for all stages; nothing starts', async () => {
    await using scene = await testRun({ memoryBytes: 2 << 20 });
    const { run } = scene;
    const progress = new Progress();
    const mebibyte = 1 << 20;
    const summary = await run.execute(
      counted(run, { count: 3, bytes: mebibyte }, progress).pipe(
        worked(run, 'tile', { bytes: 2 * mebibyte }),
        worked(run, 'encode', { bytes: 1, workingBytes: 3 * mebibyte }),
      ),
    );
    expect(summary).toMatchObject({
      end: 'failed',
      error: {
        code: 'memory_too_small',
        reach: 'usage',
        hint: 'use memory=7MiB or more',
        message: expect.stringContaining(
          `6 MiB to move one item through, but memory is 2 MiB (${6 * mebibyte + 1} and`,
        ),
      },
    });
    expect(progress.made).toBe(0);
    expect(run.ledger.starts).toBe(0);
  });

  it.each([
    ['more items than may wait before it', { credit: 2 }, 'use source.credit_items=3'],
    [
      'more bytes than may wait before it',
      { credit: 3, bytes: 1 << 20, creditBytes: 1 << 20 },
      'use source.credit_bytes=3MiB',
    ],
  ])('is refused when a stage takes %s, which it would wait for for ever', async (_what, options, hint) => {
    await using scene = await testRun({ memoryBytes: 1 << 30 });
    const { run } = scene;
    const summary = await run.execute(counted(run, { count: 9, ...options }).pipe(grouped(run, 3)));
    expect(summary).toMatchObject({ end: 'failed', error: { code: 'config_invalid', hint } });
  });

  it('is refused when the stages were made in another order than they are chained in', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const decode = worked(run, 'decode');
    const summary = await run.execute(counted(run, { count: 1 }).pipe(decode));
    expect(summary).toMatchObject({
      end: 'failed',
      error: {
        code: 'config_invalid',
        message: expect.stringContaining('decode was made as stage 1 of the run, but stands at place 2'),
      },
    });
  });

  it('is refused when two stages have one name', async () => {
    await using scene = await testRun();
    worked(scene.run, 'encode');
    expect(() => worked(scene.run, 'encode')).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: 'two stages are named encode' }),
    );
  });
});

describe('a folder', () => {
  const spec = stageSpec('tile', { takes: 'Window', gives: 'Window' }, 'A stage of a test.', {
    size: field.int({ default: 2560, min: 1, doc: 'Side.' }),
    edge: field.optional(field.string({ doc: 'Edge.' })),
    threads: field.int({ default: 1, min: 1, doc: 'Threads.' }),
  });
  const tileOf = (hash: string) =>
    operator<typeof spec, Names, Names>({
      spec,
      operational: ['threads'],
      inspect: async () => ({
        facts: {},
        itemBytes: 0,
        workingBytes: 0,
        slots: 1,
        identity: { model: hash },
      }),
      open: async (self) => (ports) =>
        self.each<Names, Names>(ports, 1, async ({ value, items }, slot) =>
          (await slot.reserve(0)).emit(value, items),
        ),
    });
  const pass = (run: Run, options: { size?: number; threads?: number; name?: string }, hash = 'm1') =>
    run.execute(counted(run, { count: 2 }).pipe(tileOf(hash)(options, run), recorded(run, [])));

  it('takes the same configuration again, and keeps the name of the run', async () => {
    await using folder = await tempFolder();
    const names: string[] = [];
    for (const options of [{ size: 512 }, { size: 512, threads: 4 }]) {
      await using scene = await testRun({ dir: folder.path });
      const summary = await pass(scene.run, options);
      expect(summary).toMatchObject({ end: 'complete', resumed: names.length > 0, items: { ok: 2 } });
      names.push(summary.run);
    }
    expect(names[1]).toBe(names[0]);
  });

  it('refuses another configuration, and names the options that changed and no others', async () => {
    await using folder = await tempFolder();
    {
      await using scene = await testRun({ dir: folder.path });
      await pass(scene.run, { size: 2560 });
    }
    await using scene = await testRun({ dir: folder.path });
    const summary = await pass(scene.run, { size: 512, threads: 8 }, 'm2');
    expect(summary).toMatchObject({ end: 'failed', error: { code: 'run_mismatch', reach: 'usage' } });
    expect(summary.error?.message).toMatch(/\(tile\.size: 2560 → 512; tile\.model: "m1" → "m2"\)$/);
    expect(scene.run.ledger.starts).toBe(1);
  });

  it('begins a new run beside the old ledger when it is told to overwrite', async () => {
    await using folder = await tempFolder();
    const ledger = join(folder.path, 'ledger.jsonl');
    const start = async (size: number, overwrite = true) => {
      await using scene = await testRun({ dir: folder.path, overwrite });
      const summary = await pass(scene.run, { size });
      return { summary, expected: scene.meters.snapshot() };
    };
    const { summary: first } = await start(2560);
    const before = await readFile(ledger);
    const { summary: same } = await start(2560);
    expect(same).toMatchObject({ end: 'complete', resumed: true, run: first.run });
    expect(await readFile(ledger)).not.toEqual(before);
    const gone = await readFile(ledger);

    const { summary: other } = await start(512);
    expect(other).toMatchObject({ end: 'complete', resumed: false, items: { ok: 2 } });
    expect(other.run).not.toBe(first.run);
    expect(await readFile(`${ledger}.before`)).toEqual(gone);
    expect((await start(512, false)).summary).toMatchObject({ resumed: true, run: other.run });
  });

  it('keeps its ledger when the run that was to overwrite it could not start', async () => {
    await using folder = await tempFolder();
    {
      await using scene = await testRun({ dir: folder.path });
      await pass(scene.run, { size: 2560 });
    }
    const before = await readFile(join(folder.path, 'ledger.jsonl'));
    const refusals = [
      async (run: Run) => {
        const misfit = () => {
          throw new EngineError('encoder_mismatch', 'made for other bands');
        };
        return run.execute(counted(run, { count: 2 }).pipe(worked(run, 'encode', { onOpen: misfit })));
      },
      async (run: Run) => run.execute(counted(run, { count: 2, workingBytes: 2 << 20 })),
    ];
    for (const refused of refusals) {
      await using scene = await testRun({ dir: folder.path, overwrite: true });
      expect(await refused(scene.run)).toMatchObject({ end: 'failed', error: { reach: 'usage' } });
      expect(await readFile(join(folder.path, 'ledger.jsonl'))).toEqual(before);
    }
    expect(await readdir(folder.path)).not.toContain('ledger.jsonl.before');
    await using scene = await testRun({ dir: folder.path });
    expect(await pass(scene.run, { size: 2560 })).toMatchObject({ end: 'complete', resumed: true });
  });

  it('leaves no trace where nothing could start', async () => {
    await using folder = await tempFolder();
    {
      await using scene = await testRun({ dir: join(folder.path, 'data', 'run') });
      expect(await scene.run.execute(counted(scene.run, { count: 2, workingBytes: 2 << 20 }))).toMatchObject({
        error: { code: 'memory_too_small' },
      });
    }
    expect(await readdir(folder.path)).toEqual([]);
  });

  it('leaves the folders that were there, and what others put into its own', async () => {
    await using folder = await tempFolder();
    {
      await using scene = await testRun({ dir: join(folder.path, 'run') });
      await writeFile(join(folder.path, 'run', 'notes.txt'), '');
      await scene.run.execute(counted(scene.run, { count: 2, workingBytes: 2 << 20 }));
    }
    expect(await readdir(join(folder.path, 'run'))).toEqual(['notes.txt']);
  });

  it('refuses the same stages in another order', async () => {
    await using folder = await tempFolder();
    const ends: unknown[] = [];
    for (const [first, second] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      await using scene = await testRun({ dir: folder.path });
      const { run } = scene;
      const summary = await run.execute(
        counted(run, { count: 1 }).pipe(worked(run, first), worked(run, second), recorded(run, [])),
      );
      ends.push(summary.error?.code ?? summary.end);
    }
    expect(ends).toEqual(['complete', 'run_mismatch']);
  });

  it('may be tried with another configuration as long as nothing could start', async () => {
    await using folder = await tempFolder();
    {
      await using scene = await testRun({ dir: folder.path });
      const { run } = scene;
      const misfit = () => {
        throw new EngineError('encoder_mismatch', 'made for other bands');
      };
      const stream = counted(run, { count: 2 }).pipe(worked(run, 'encode', { onOpen: misfit }));
      expect(await run.execute(stream)).toMatchObject({ end: 'failed', error: { code: 'encoder_mismatch' } });
    }
    await using scene = await testRun({ dir: folder.path });
    expect(await pass(scene.run, {})).toMatchObject({ end: 'complete', resumed: false });
  });
});

describe('the lock of a folder', () => {
  const lockPath = (dir: string) => join(dir, 'run.lock');

  it('refuses a second run while the first lives, and lets it in afterwards', async () => {
    await using folder = await tempFolder();
    {
      await using _scene = await testRun({ dir: folder.path });
      await expect(testRun({ dir: folder.path })).rejects.toMatchObject({
        code: 'run_locked',
        message: expect.stringContaining(`process ${process.pid} on`),
      });
    }
    await using scene = await testRun({ dir: folder.path });
    expect(scene.run.ledger.starts).toBe(0);
  });

  it.each([
    ['a process that is gone', { host: hostname(), pid: 2 ** 22 + 1, started: '1' }],
    ['another process that had this number before', { host: hostname(), pid: process.pid, started: '1' }],
  ])('is taken over from %s', async (_who, holder) => {
    await using folder = await tempFolder();
    await writeFile(lockPath(folder.path), JSON.stringify(holder));
    await using _scene = await testRun({ dir: folder.path });
    expect(JSON.parse(await readFile(lockPath(folder.path), 'utf8'))).toMatchObject({ pid: process.pid });
  });

  it('is taken over when a power cut left it empty', async () => {
    await using folder = await tempFolder();
    await writeFile(lockPath(folder.path), '');
    await using scene = await testRun({ dir: folder.path });
    expect(scene.run.dir).toBe(folder.path);
  });

  it('is not taken over from another host, whose processes cannot be seen', async () => {
    await using folder = await tempFolder();
    const text = JSON.stringify({ host: 'node-17', pid: 1, started: '' });
    await writeFile(lockPath(folder.path), text);
    await expect(testRun({ dir: folder.path })).rejects.toMatchObject({
      code: 'run_locked',
      message: 'process 1 on node-17 works in this folder',
      hint: expect.stringContaining('run.lock'),
    });
    expect(await readFile(lockPath(folder.path), 'utf8')).toBe(text);
  });

  it('goes to one of many who take a stale one over at the same time', async () => {
    for (let round = 0; round < 50; round++) {
      await using folder = await tempFolder();
      await writeFile(
        lockPath(folder.path),
        JSON.stringify({ host: hostname(), pid: 2 ** 22 + 1, started: '1' }),
      );
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder.path)));
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    }
  });
});

describe('stop', () => {
  it('finishes what is in flight, begins nothing new, and says that the run was interrupted', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const [progress, gate, written] = [new Progress(), new Gate(), [] as string[]];
    const summary = run.execute(
      counted(run, { count: 1000, credit: 2, bytes: 10 }, progress).pipe(
        worked(run, 'encode', { slots: 2, bytes: 5 }),
        recorded(run, written, {}, () => gate.opened),
      ),
    );
    // write 1, its edge 1, the slots of encode 2, the edge of the source 2
    await until(() => progress.made === 6);
    await settle();
    run.stop('SIGTERM');
    gate.open();
    expect(await summary).toMatchObject({
      end: 'interrupted',
      error: undefined,
      items: { ok: written.length },
    });
    // The source was waiting for a place when it was told to stop; what it had begun is finished.
    expect(written.length).toBeGreaterThanOrEqual(6);
    expect(written.length).toBeLessThanOrEqual(7);
    expect(written).toHaveLength(progress.made);
    expect(run.memory.inUse).toBe(0);
  });

  it('a second time ends everything at once', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const progress = new Progress();
    const summary = run.execute(
      counted(run, { count: 1000, bytes: 10 }, progress).pipe(recorded(run, [], {}, () => new Gate().opened)),
    );
    await until(() => progress.made === 2);
    run.stop('SIGINT');
    run.stop('SIGINT again');
    expect(await summary).toMatchObject({ end: 'interrupted', error: undefined, items: { ok: 0 } });
    expect(run.memory.inUse).toBe(0);
  });

  it('waits for what is in flight only so long', async () => {
    await using scene = await testRun({ drainMs: 10 });
    const { run } = scene;
    const progress = new Progress();
    const summary = run.execute(
      counted(run, { count: 1000, bytes: 10 }, progress).pipe(recorded(run, [], {}, () => new Gate().opened)),
    );
    await until(() => progress.made === 2);
    run.stop('SIGTERM');
    expect(await summary).toMatchObject({ end: 'interrupted' });
  });

  it('after the end does nothing, and leaves no timer', async () => {
    await using scene = await testRun();
    const { run } = scene;
    await run.execute(counted(run, { count: 1 }));
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    run.stop('too late');
    expect(timers()).toBe(before);
    expect(run.signal.aborted).toBe(false);
  });

  it('is continued by a second start, which does only what is left', async () => {
    await using folder = await tempFolder();
    const written: string[] = [];
    const start = async (stopAfter: number) => {
      await using scene = await testRun({ dir: folder.path });
      const { run } = scene;
      const chain = counted(run, { count: 10 }).pipe(
        stage(run, 'skip', {}, async ({ value, items }, slot) => {
          if (run.ledger.isDone(items[0] as string)) return;
          (await slot.reserve(0)).emit(value, items);
        }),
        recorded(run, written, {}, () => {
          if (written.length === stopAfter) run.stop('enough');
        }),
      );
      return await run.execute(chain);
    };
    expect(await start(4)).toMatchObject({ end: 'interrupted', resumed: false });
    expect(await start(-1)).toMatchObject({ end: 'complete', resumed: true, items: { ok: 10 } });
    expect(written.toSorted()).toEqual(Array.from({ length: 10 }, (_, i) => `t${i}`));
  });
});

describe('the summary', () => {
  it('counts items and parents so that the counts add up', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const fails = (names: Names) => {
      const [name] = names as [string];
      if (name.startsWith('t1/')) throw new EngineError('encoder_not_finite', 'NaN');
      if (name === 't2/0') throw new EngineError('encoder_run', 'gave up');
      if (name === 't3/1') throw new EngineError('masked', 'nothing to see');
    };
    const summary = await run.execute(
      counted(run, {
        count: 5,
        before: (i) => {
          if (i === 4) throw new EngineError('band_missing', 'no i band');
        },
      }).pipe(expanded(run, 2), worked(run, 'encode', {}, fails), recorded(run, [])),
    );
    expect(summary).toMatchObject({
      end: 'incomplete',
      items: { ok: 4, failed: 1, no_work: 1, unprocessable: 3, ok_partial: 0, upstream_incomplete: 0 },
      parents: { ok: 2, unprocessable: 2, ok_partial: 1, failed: 0 },
    });
    expect(scene.meters.snapshot()).toMatchObject({
      windows: { ok: 4, failed: 1, no_work: 1, unprocessable: 2 },
      tiles: { ok: 2, unprocessable: 2, ok_partial: 1 },
    });
  });

  it('fails a run that lost something: a part that never ended', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const stream = counted(run, { count: 2 }).pipe(
      expanded(run, 2),
      stage(run, 'lose', {}, async ({ value, items }, slot) => {
        if (value[0] !== 't1/1') (await slot.reserve(0)).emit(value, items);
      }),
      recorded(run, []),
    );
    expect(await run.execute(stream)).toMatchObject({
      end: 'failed',
      error: { code: 'internal', message: 't1 ended with 1 of 2 parts accounted for' },
    });
  });

  it('fails a run that kept memory', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const leak = stage.bind(undefined, run, 'leak', { workingBytes: 7 });
    const stream = counted(run, { count: 1 }).pipe(
      leak(async (_held, slot) => void (await slot.workspace(7))),
    );
    expect(await run.execute(stream)).toMatchObject({
      end: 'failed',
      error: { code: 'internal', message: '7 bytes of memory were not given back' },
    });
  });

  it('says interrupted, not failed, when the run was aborted from outside', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const summary = run.execute(
      counted(run, { count: 9 }).pipe(worked(run, 'decode', {}, () => new Gate().opened)),
    );
    await settle();
    run.abort(new DOMException('the caller left', 'AbortError'));
    expect(await summary).toMatchObject({ end: 'interrupted', error: undefined });
  });

  it('says which error the system gave, and where', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const full = () => {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
        code: 'ENOSPC',
        path: '/data/s0.hdf5.part',
      });
    };
    expect(await run.execute(counted(run, { count: 9 }).pipe(worked(run, 'write', {}, full)))).toMatchObject({
      end: 'failed',
      error: { code: 'disk_full', stage: 'write', place: { file: '/data/s0.hdf5.part' } },
    });
  });
});

describe('the end of a run', () => {
  it('closes what the stages opened, last opened first, also when closing one fails', async () => {
    await using scene = await testRun();
    const { run } = scene;
    const closed: string[] = [];
    const closing = (name: string, error?: Error) => ({
      onOpen: () =>
        run.onClose(async () => {
          closed.push(name);
          if (error !== undefined) throw error;
        }),
    });
    const stream = counted(run, { count: 1, ...closing('source') }).pipe(
      worked(run, 'decode', closing('decode', new Error('cannot close'))),
      worked(run, 'encode', closing('encode')),
    );
    expect(await run.execute(stream)).toMatchObject({ end: 'failed', error: { message: 'cannot close' } });
    // Opened downstream first.
    expect(closed).toEqual(['source', 'decode', 'encode']);
  });

  it('waits for every body, also of a chain that was left early', async () => {
    await using scene = await testRun();
    const { run } = scene;
    let hasBegun = false;
    let hasEnded = false;
    const stream = counted(run, { count: 9 }).pipe(
      stage(run, 'slow', {}, async (_held, _slot, _stage, signal) => {
        hasBegun = true;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        await settle();
        hasEnded = true;
      }),
    );
    const summary = run.execute(stream);
    await until(() => hasBegun);
    run.abort(new DOMException('now', 'AbortError'));
    await summary;
    expect(hasEnded).toBe(true);
  });
});
