import { describe, expect, it } from 'vitest';
import type { UpdateRule } from '../../../src/encoders/step/graphs.js';
import { slotsOf } from '../../../src/encoders/step/layout.js';
import { ForwardSession, GradientSession, UpdateSession } from '../../../src/encoders/step/sessions.js';
import { expectClose, formula, golden } from './golden.js';
import { type GoldenNetwork, goldenNetworks } from './networks.js';

const cpu = { device: 'cpu', threads: 1 } as const;
const network = (name: string): GoldenNetwork => goldenNetworks.get(name) as GoldenNetwork;

async function gradient({ architecture, shape, feeds }: GoldenNetwork) {
  const session = await GradientSession.open(architecture, shape, cpu);
  const found = await session.run(feeds);
  await session.release();
  return found;
}

describe('gradients', () => {
  it.each([...goldenNetworks.keys()])('are those of torch: %s', async (name) => {
    const found = await gradient(network(name));
    expectClose([found.loss], golden(`${name}/loss`));
    expectClose(found.logits, golden(`${name}/logits`));
    const expected = golden(`${name}/gradient`);
    for (const { offset, length } of slotsOf(network(name).architecture)) {
      const part = (all: Float32Array): Float32Array => all.subarray(offset, offset + length);
      expectClose(part(found.gradient), part(expected));
    }
  });

  it('add up over the rows of a step', async () => {
    const whole = network('cluster-small');
    const { architecture, shape, feeds } = whole;
    const sum = new Float32Array(feeds.parameters.length);
    for (let row = 0; row < shape.rows; row++) {
      const part = (all: Float32Array): Float32Array => {
        const length = all.length / shape.rows;
        return all.slice(row * length, (row + 1) * length);
      };
      const alone = {
        ...feeds,
        image: part(feeds.image),
        target: part(feeds.target),
        weight: part(feeds.weight),
      };
      const found = await gradient({ architecture, shape: { ...shape, rows: 1 }, feeds: alone });
      for (const [i, value] of found.gradient.entries()) sum[i] = (sum[i] as number) + value;
    }
    expectClose(sum, golden('cluster-small/gradient'));
  });

  it('stay finite for logits of any size', async () => {
    const { architecture, shape, feeds } = network('conv-bias');
    const parameters = feeds.parameters.map((value) => 1e6 * value);
    const { loss, gradient: found } = await gradient({
      architecture,
      shape,
      feeds: { ...feeds, parameters },
    });
    expect(loss).toBeGreaterThanOrEqual(0);
    expect([loss, ...found].every(Number.isFinite)).toBe(true);
  });

  it('are refused for images that are not whole cells', async () => {
    const { architecture } = network('cluster-small');
    const opened = GradientSession.open(architecture, { rows: 1, height: 64, width: 100 }, cpu);
    await expect(opened).rejects.toThrow('64 × 100 pooled pixels are not whole cells of 64');
  });
});

describe('the forward pass', () => {
  it('gives the logits of the gradient step', async () => {
    const { architecture, shape, feeds } = network('cluster-small');
    const session = await ForwardSession.open(architecture, shape, cpu);
    const { image, quantiles, parameters } = feeds;
    expectClose(await session.run({ image, quantiles, parameters }), golden('cluster-small/logits'));
    await session.release();
  });
});

const adam: UpdateRule = {
  optimizer: 'adam',
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  clipNorm: undefined,
};
const rules: Record<string, UpdateRule> = {
  adam,
  'adam-clipped': { ...adam, weightDecay: 0.1, clipNorm: 2 },
  adamw: {
    ...adam,
    optimizer: 'adamw',
    beta1: 0.8,
    beta2: 0.95,
    epsilon: 1e-6,
    weightDecay: 0.1,
    clipNorm: 2,
  },
};

describe('updates', () => {
  it.each(Object.entries(rules))('are those of torch over twenty steps: %s', async (name, rule) => {
    const session = await UpdateSession.open(50, rule, cpu);
    let state = {
      parameters: formula(50, 21),
      moment1: new Float32Array(50),
      moment2: new Float32Array(50),
    };
    const norms: number[] = [];
    for (let step = 1; step <= 20; step++) {
      const gradient = formula(50, 99 + step).map((value) => value * (1 + ((step - 1) % 3)));
      const { norm, ...next } = await session.run({ ...state, gradient, learningRate: 1e-2 / step, step });
      state = next as typeof state;
      norms.push(norm);
    }
    await session.release();
    expectClose(state.parameters, golden(`${name}/parameters`));
    expectClose(state.moment1, golden(`${name}/moment1`));
    expectClose(state.moment2, golden(`${name}/moment2`));
    expectClose(norms, golden(`${name}/norms`));
  });
});
