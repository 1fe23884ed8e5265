import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UpdateSession } from '../../../src/encoders/step/sessions.js';
import { expectClose, formula, golden } from './golden.js';
import { type GoldenNetwork, goldenNetworks } from './networks.js';

/** Debian's chromium brings a Vulkan loader and SwiftShader, a Vulkan in software. */
const chromium = '/usr/lib/chromium';
const driver = `${chromium}/vk_swiftshader_icd.json`;

let child: ChildProcess;
beforeAll(() => {
  const { LD_LIBRARY_PATH: libraries } = process.env;
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: libraries === undefined ? chromium : `${chromium}:${libraries}`,
    VK_ICD_FILENAMES: driver,
    XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? '/tmp',
  };
  child = fork(new URL('./webgpu-child.mjs', import.meta.url), {
    env,
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
});
afterAll(() => {
  child.kill();
});

interface Reply {
  readonly failure?: { readonly code: string; readonly hint: string };
  readonly [output: string]: unknown;
}

async function run(job: object): Promise<Reply> {
  const replied = once(child, 'message');
  child.send(job);
  const [reply] = (await replied) as [Reply];
  return reply;
}

/** Where there is no such driver, the command that mends it must be told instead. */
function expectAvailable({ failure }: Reply): boolean {
  if (existsSync(driver)) expect(failure).toBeUndefined();
  else
    expect(failure).toMatchObject({
      code: 'device_unavailable',
      hint: expect.stringContaining('libvulkan1'),
    });
  return failure === undefined;
}

const adam = { optimizer: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

describe('steps on WebGPU', () => {
  it.each(['cluster-small', 'average-pool', 'pointwise-first', 'six-rows'])(
    'have the gradients of torch: %s',
    async (name) => {
      const found = await run(goldenNetworks.get(name) as GoldenNetwork);
      if (!expectAvailable(found)) return;
      expectClose([found.loss as number], golden(`${name}/loss`));
      expectClose(found.logits as Float32Array, golden(`${name}/logits`));
      expectClose(found.gradient as Float32Array, golden(`${name}/gradient`));
    },
  );

  it('update as on the CPU', async () => {
    const rule = { ...adam, weightDecay: 0.1, clipNorm: 2 };
    const [parameters, gradient] = [formula(50, 1), formula(50, 2)];
    const [moment1, moment2] = [formula(50, 3), formula(50, 4).map(Math.abs)];
    const feeds = { parameters, gradient, moment1, moment2, learningRate: 1e-2, step: 5 };
    const session = await UpdateSession.open(50, rule, { device: 'cpu', threads: 1 });
    const expected = await session.run(feeds);
    await session.release();
    const found = await run({ rule, feeds });
    if (!expectAvailable(found)) return;
    for (const output of ['parameters', 'moment1', 'moment2'] as const)
      expectClose(found[output] as Float32Array, expected[output], 1e-6);
    expect(found.norm).toBeCloseTo(expected.norm, 5);
  });
});
