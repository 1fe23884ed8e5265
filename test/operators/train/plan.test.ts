import { describe, expect, it } from 'vitest';
import { checkedOptions } from '../../../src/config/options.js';
import type { OptionsInput } from '../../../src/config/spec.js';
import { requireMemory, trainingBytes } from '../../../src/operators/support/train/needs.js';
import { planTraining, type TrainOptions } from '../../../src/operators/support/train/plan.js';
import { train, trainSpec } from '../../../src/operators/train.js';
import { batchFacts } from '../../support/nouns.js';
import { testRun } from '../../support/run.js';

const bands = ['g', 'r', 'i', 'z'];
const facts = {
  ...batchFacts(bands, 512, 4),
  announced: Array.from({ length: 50 }, (_, i) => ({ name: `field_${i}`, problem: undefined })),
  hasTruth: true,
};
type Written = OptionsInput<typeof trainSpec>;
const options = (written: Partial<Written> = {}): TrainOptions =>
  checkedOptions(trainSpec, { into: 'x', device: 'cpu', lanes: 2, loaders: 2, ...written });

describe('a training', () => {
  it('knows its windows and steps before it starts', () => {
    const { shape, epochSizes, steps, microBatch } = planTraining(options({ epochs: 3 }), facts);
    expect(shape).toEqual({ bands: 4, side: 128, cells: 2 });
    expect(epochSizes).toEqual({ first: 30, later: 30, perStep: 4 });
    expect([steps, microBatch]).toEqual([24, 1]);
  });

  it('visits again only what its cache has a place for', () => {
    const windowBytes = 24 + 4 * 4 * 128 ** 2 + 4;
    const { epochSizes, kept } = planTraining(options({ cache: { size: 25 * windowBytes } }), facts);
    expect(epochSizes).toMatchObject({ first: 30, later: 5 });
    expect(kept.size).toBe(25);
  });

  it.each([
    [
      'bands in another order',
      { bands: ['r', 'g', 'i', 'z'] },
      {},
      'encoder_mismatch',
      /render.bands.*\[g, r, i, z\]/,
    ],
    ['windows that are no whole cells', { size: 600 }, {}, 'encoder_mismatch', /tile.size=512/],
    ['images that nobody knows the content of', { hasTruth: false }, {}, 'truth_missing', /simulated/],
    ['an empty set', {}, { splits: '0:60/60:61/61:100' }, 'splits_invalid', /train.splits=/],
    [
      'a cache without a place to visit again',
      {},
      { cache: { size: 20 * 262_200 } },
      'config_invalid',
      /train.cache.size/,
    ],
  ] as const)('refuses %s', (_what, given, written, code, hint) => {
    expect(() => planTraining(options(written), { ...facts, ...given })).toThrow(
      expect.objectContaining({ code, hint: expect.stringMatching(hint) }),
    );
  });

  it('says what is wrong with the images where none can be read', () => {
    const problem = Object.assign(new Error('the image has 5 planes'), { code: 'bands_differ' });
    const announced = facts.announced.map(({ name }) => ({ name, problem }));
    expect(() => planTraining(options(), { ...facts, size: 1, announced })).toThrow(
      expect.objectContaining({
        code: 'no_input',
        item: 'field_0',
        message: 'none of 50 images can be read: the image has 5 planes',
      }),
    );
  });

  it('says what would fit when memory is too small', () => {
    const plan = planTraining(options({ micro_batch: 4 }), facts);
    const memory = trainingBytes({ ...plan, microBatch: 2 });
    expect(() => requireMemory(plan, memory, 256)).toThrow(
      expect.objectContaining({
        code: 'memory_too_small',
        hint: expect.stringMatching(
          /memory=\d+MiB or more, or train.micro_batch=2, or train.lanes=1, or batch.items=\d, or tile.size=256/,
        ),
      }),
    );
    expect(() => requireMemory(plan, trainingBytes(plan), 256)).not.toThrow();
  });
});

describe('the identity of a training', () => {
  const identity = async (written: Partial<Written>) => {
    await using own = await testRun({ memoryBytes: 2 ** 32 });
    return (await train.inspect(options(written) as never, facts, own.run)).identity;
  };

  it('leaves the number of epochs open unless the schedule ends with them', async () => {
    expect(await identity({ epochs: 5 })).toEqual(await identity({ epochs: 6 }));
    expect(await identity({ epochs: 1 })).not.toEqual(await identity({ epochs: 2 }));
    const schedule = { kind: 'cosine' } as const;
    expect(await identity({ epochs: 5, schedule })).not.toEqual(await identity({ epochs: 6, schedule }));
  });

  it('has the size of the cache, and not its place', async () => {
    expect(await identity({ cache: { dir: 'a' } })).toEqual(await identity({ cache: { dir: 'b' } }));
    expect(await identity({ cache: { size: '1GiB' } })).not.toEqual(
      await identity({ cache: { size: '2GiB' } }),
    );
  });
});
