import { describe, expect, it } from 'vitest';
import { listText, referencePage } from '../../src/config/reference.js';
import { field, stageSpec } from '../../src/config/spec.js';
import { lint, pipelineFile } from './workspace.js';

const read = stageSpec(
  'read',
  { takes: null, gives: ['SkyImage', 'Catalog'] },
  'Reads.',
  { from: field.choice(['fits', 'dat'], { default: 'fits', doc: 'What is read.' }) },
  { flow: ({ from }) => ({ gives: from === 'dat' ? 'Catalog' : 'SkyImage' }) },
);
const render = stageSpec('render', { takes: 'Catalog', gives: 'SkyImage' }, 'Draws.', {});
const write = stageSpec(
  'write',
  { takes: ['Prediction', 'SkyImage', 'Catalog'], gives: 'Shard' },
  'Writes.',
  { format: field.choice(['hdf5', 'fits', 'pt'], { default: 'fits', doc: 'Form.' }) },
  {
    flow: ({ format }) => {
      if (format === 'pt') return { takes: ['SkyImage', 'Catalog'] };
      return { takes: format === 'fits' ? 'SkyImage' : 'Prediction' };
    },
  },
);
const specs = [read, render, write];

const at = async (stages: string) =>
  (await lint(`stages: ${stages}`, [], [], specs)).messages.map((text) =>
    text.replace(`${pipelineFile}:`, ''),
  );

describe('what a stage takes and gives', () => {
  it('is narrowed by its options', () => {
    const options = { name: undefined, credit_items: 1, credit_bytes: 1, retries: 0 };
    expect(read.flow({ ...options, from: 'dat' })).toEqual({ takes: null, gives: ['Catalog'] });
    expect(write.flow({ ...options, format: 'hdf5' })).toEqual({ takes: ['Prediction'], gives: ['Shard'] });
    expect(render.flow(options)).toEqual({ takes: ['Catalog'], gives: ['SkyImage'] });
    expect(read.gives).toEqual(['SkyImage', 'Catalog']);
  });

  it('decides whether a chain is possible', async () => {
    expect(await at('[read, write]')).toEqual([]);
    expect(await at('[{ read: { from: dat } }, render, write]')).toEqual([]);
    expect(await at('[{ read: { from: dat } }, { write: { format: pt } }]')).toEqual([]);
    expect(await at('[read, render, write]')).toEqual([
      '1:16: render takes Catalog, but read gives SkyImage (read gives Catalog with other options)',
    ]);
    expect(await at('[read, { write: { format: hdf5 } }]')).toEqual([
      '1:18: write takes Prediction, but read gives SkyImage (write takes SkyImage with other options)',
    ]);
    expect(await at('[{ read: { from: dat } }]')).toEqual([
      '1:12: the pipeline ends with read, and nobody keeps the Catalog it gives (end with write)',
    ]);
    expect(await at('[write]')).toEqual(['1:10: write takes SkyImage, but stands first (begin with read)']);
  });

  it('is all that it can be while its options are wrong', async () => {
    expect(await at('[{ read: { from: csv } }, render, write]')).toEqual([
      '1:26: read.from should be one of fits, dat, but is "csv" (text) (known: fits, dat)',
    ]);
  });

  it('is shown as all that it can be on the reference page and in the list', () => {
    expect(referencePage(specs)).toContain('Takes nothing, gives SkyImage or Catalog.');
    expect(listText(specs).split('\n')[0]).toBe('read    → SkyImage or Catalog                      Reads.');
  });
});
