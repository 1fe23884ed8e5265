import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expectUndisturbed, finishIn, killAtRandom, sharedPass } from '../support/disturbed.js';

const pass = sharedPass(8);

describe('a pass killed with SIGKILL', () => {
  it('ends as an undisturbed one after 20 kills at random moments', { timeout: 300_000 }, async () => {
    const seed = Number(process.env.SKYPASS_TEST_SEED ?? Date.now() % 1e6);
    const dir = join(pass.undisturbed.folder, 'killed');
    const done = await killAtRandom(dir, pass.undisturbed, { kills: 20, seed });
    console.info(`seed ${seed}: killed with ${done.join(', ')} windows done`);
    const { code, err } = await finishIn(dir, pass.undisturbed);
    expect(code, `seed ${seed}: ${err}`).toBe(0);
    await expectUndisturbed(dir, pass.undisturbed);
  });
});
