import { join } from 'node:path';
import { expect, it } from 'vitest';
import { expectUndisturbed, finishIn, killAtRandom, undisturbedPass } from '../support/disturbed.js';
import { tempFolder } from '../support/run.js';

it('ends as an undisturbed pass after 200 kills at random moments', async () => {
  await using temp = await tempFolder();
  const undisturbed = await undisturbedPass(temp.path, 24);
  const seed = Number(process.env.SKYPASS_TEST_SEED ?? Date.now() % 1e6);
  const dir = join(temp.path, 'killed');
  const done = await killAtRandom(dir, undisturbed, { kills: 200, seed });
  console.info(`seed ${seed}: killed with ${done.join(', ')} windows done`);
  const { code, err } = await finishIn(dir, undisturbed);
  expect(code, `seed ${seed}: ${err}`).toBe(0);
  await expectUndisturbed(dir, undisturbed);
});
