import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  expectUndisturbed,
  finishIn,
  killAtRandom,
  type Undisturbed,
  undisturbedPass,
} from '../support/disturbed.js';
import { type TempFolder, tempFolder } from '../support/run.js';

let temp: TempFolder;
let undisturbed: Undisturbed;

beforeAll(async () => {
  temp = await tempFolder();
  undisturbed = await undisturbedPass(temp.path, 8);
}, 120_000);
afterAll(() => temp[Symbol.asyncDispose]());

describe('a pass killed with SIGKILL', () => {
  it('ends as an undisturbed one after 20 kills at random moments', { timeout: 300_000 }, async () => {
    const seed = Number(process.env.SKYPASS_TEST_SEED ?? Date.now() % 1e6);
    const dir = join(temp.path, 'killed');
    const done = await killAtRandom(dir, undisturbed, { kills: 20, seed });
    console.info(`seed ${seed}: killed with ${done.join(', ')} windows done`);
    const { code, err } = await finishIn(dir, undisturbed);
    expect(code, `seed ${seed}: ${err}`).toBe(0);
    await expectUndisturbed(dir, undisturbed);
  });
});
