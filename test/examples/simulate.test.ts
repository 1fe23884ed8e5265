import { join } from 'node:path';
import { expect, it } from 'vitest';
import { simulate } from '../../examples/simulate.js';
import { runPipeline } from '../support/fields-run.js';
import { grouped, tileRows } from '../support/results.js';
import { tempFolder } from '../support/run.js';

it('gives what the YAML pipeline gives, and goes on with more fields', async () => {
  await using temp = await tempFolder();
  const [byHand, byYaml] = [join(temp.path, 'by-hand'), join(temp.path, 'by-yaml')];
  for (const fields of [2, 3]) {
    const summary = await simulate(fields, 256, byHand);
    expect(summary).toMatchObject({ end: 'complete', error: undefined });
  }
  const { code, err } = await runPipeline(
    'simulate',
    `run.dir=${byYaml}`,
    'fields=3',
    'image_size=256',
    'noise=des',
    'render.psf={fwhm: 0.9}',
  );
  expect(code, err).toBe(0);
  expect(grouped(byHand).datasets).toEqual(grouped(byYaml).datasets);
  expect(await tileRows(byHand)).toEqual(await tileRows(byYaml));
});
