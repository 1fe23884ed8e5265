import { describe, expect, it } from 'vitest';
import { EngineError } from '../../src/engine/errors.js';
import type { Run } from '../../src/engine/run.js';
import { tempFolder, testRun } from '../support/run.js';
import { counted, expanded, type Names, recorded, stage } from '../support/stages.js';

const announced = (count: number, unit: string) => ({
  announced: Array.from({ length: count }, (_, i) => ({ name: `t${i}` })),
  unit,
});

/** Ends what arrives with an outcome of its own, without dividing it. */
const written = (run: Run, area: number) =>
  stage(run, 'write', {}, async ({ value, items }, slot) => {
    const detail = { area_square_degrees: area };
    await run.ledger.append({ type: 'outcome', items, outcome: 'ok', shard: 's', detail });
    (await slot.reserve(0)).emit(value, items);
  });

const failsAt = (index: number) => (i: number) => {
  if (i === index) throw new EngineError('band_missing', 'no i band');
};

describe('the meters of a run whose items are not divided', () => {
  it('count items and area as they end, against what the source announced', async () => {
    await using scene = await testRun();
    const { run, meters } = scene;
    const facts = announced(4, 'fields');
    const summary = await run.execute(
      counted(run, { count: 4, facts, before: failsAt(3) }).pipe(written(run, 0.25)),
    );
    expect(summary).toMatchObject({
      end: 'incomplete',
      items: { ok: 3, unprocessable: 1 },
      parents: { ok: 3, unprocessable: 1 },
    });
    expect(meters.snapshot()).toMatchObject({
      units: { whole: 'fields', part: undefined },
      expected: 4,
      settled: 4,
      squareDegrees: 0.75,
      tiles: { ok: 3, unprocessable: 1 },
      windows: { ok: 0, unprocessable: 0 },
    });
  });

  it('begin with what earlier starts have settled', async () => {
    await using folder = await tempFolder();
    const start = async (count: number) => {
      await using scene = await testRun({ dir: folder.path });
      const { run, meters } = scene;
      const left = counted(run, { count, facts: announced(4, 'fields') });
      const undone = stage(run, 'skip', {}, async ({ value, items }, slot) => {
        if (!run.ledger.isDone((value as Names)[0] as string)) (await slot.reserve(0)).emit(value, items);
      });
      await run.execute(left.pipe(undone, written(run, 1)));
      return meters.snapshot();
    };
    expect(await start(1)).toMatchObject({ expected: 4, settled: 1, squareDegrees: 1 });
    expect(await start(3)).toMatchObject({ expected: 4, settled: 3, squareDegrees: 2, tiles: { ok: 2 } });
  });

  it('expect nothing when nothing was announced', async () => {
    await using scene = await testRun();
    await scene.run.execute(counted(scene.run, { count: 2 }).pipe(written(scene.run, 1)));
    expect(scene.meters.snapshot()).toMatchObject({
      expected: undefined,
      settled: 2,
      units: { whole: 'items' },
    });
  });
});

describe('the meters of a run whose items are divided', () => {
  it('expect the parts that most have, until one says otherwise or is set aside whole', async () => {
    await using folder = await tempFolder();
    const start = async (stops: boolean) => {
      await using scene = await testRun({ dir: folder.path });
      const { run, meters } = scene;
      const source = counted(run, { count: stops ? 2 : 4, facts: announced(4, 'tiles'), before: failsAt(1) });
      const divides = { into: 3, unit: 'windows' };
      await run.execute(source.pipe(expanded(run, 2, { divides }), recorded(run, [])));
      return meters.snapshot();
    };
    // t0 has 2 windows, t1 is one item, t2 and t3 are taken for 3 each.
    expect(await start(true)).toMatchObject({
      expected: 2 + 1 + 3 + 3,
      settled: 3,
      units: { part: 'windows' },
    });
    expect(await start(false)).toMatchObject({ expected: 2 + 1 + 2 + 2, settled: 7 });
  });
});
