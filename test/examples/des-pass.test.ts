import { join } from 'node:path';
import { expect, it } from 'vitest';
import { desPass } from '../../examples/des-pass.js';
import { pass } from '../support/cli.js';
import { grouped, tileRows } from '../support/results.js';
import { tempFolder } from '../support/run.js';
import { fixtureTiles } from '../support/survey.js';

it('gives what the YAML pipeline gives', async () => {
  await using temp = await tempFolder();
  const [byHand, byYaml] = [join(temp.path, 'by-hand'), join(temp.path, 'by-yaml')];
  const summary = await desPass(fixtureTiles, byHand);
  expect(summary).toMatchObject({ end: 'complete', error: undefined });
  expect(summary.items.ok).toBe(4);
  const { code, err } = await pass({ survey: fixtureTiles, dir: byYaml }, 'tile.size=512', 'tile.step=512');
  expect(code, err).toBe(0);
  expect(grouped(byHand).datasets).toEqual(grouped(byYaml).datasets);
  expect(await tileRows(byHand)).toEqual(await tileRows(byYaml));
  // The same work, whatever the stages are written in: a second start finds nothing left to do.
  const again = await pass({ survey: fixtureTiles, dir: byHand }, 'tile.size=512', 'tile.step=512');
  expect(again.code, again.err).toBe(0);
});
