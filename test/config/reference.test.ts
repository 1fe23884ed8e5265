import { describe, expect, it } from 'vitest';
import { listText, referencePage, stageText } from '../../src/config/reference.js';
import { specs } from './workspace.js';

const tile = specs.find(({ operator }) => operator === 'tile');

describe('referencePage', () => {
  const contract = {
    emits: 'every window of an image',
    waits: 'while its edge is full',
    completes: 'after upstream',
    fails: '`tile_too_small`',
    order: 'kept',
    memory: 'one window',
  };
  const page = referencePage(specs, new Map([['tile', contract]]));

  it('has a table for each stage, with contract, unit, default, bounds and meaning', () => {
    expect(page).toContain(`## tile

Cuts windows.

Takes SkyImage, gives Window.

- **emits** every window of an image
- **waits** while its edge is full
- **completes** after upstream
- **fails** \`tile_too_small\`
- **order** kept
- **memory** one window

| option | type | unit | default | bounds | meaning |
| --- | --- | --- | --- | --- | --- |
| \`size\` | int | px | \`2560\` | ≥ 1 | Side of a window. |
| \`step\` | int | px |  | ≥ 1 | Distance \\| between windows. |
| \`credit_items\` | int | items | \`8\` | ≥ 1 | Most results that wait untaken at its output. |

## batch`);
    expect(page).toContain('| `path` | path |  | required |  | Folder of tiles. |');
    expect(page).toContain('| `bands` | list of choice |  | `[g, r]` | ≥ 1 entries | Bands in order. |');
    expect(page).toContain(
      '## aggregate\n\nGroups shards.\n\nTakes Shard, gives Table.\n\nNo options of its own.\n',
    );
    expect(page).toContain('Takes nothing, gives SkyImage.');
  });

  it('describes the common options once', () => {
    expect(page.match(/`credit_bytes`/g)).toHaveLength(1);
    expect(page.endsWith('|\n')).toBe(true);
  });
});

describe('listText', () => {
  it('has one aligned line for each stage', () => {
    expect(listText(specs)).toBe(
      [
        'read       → SkyImage                Reads tiles.',
        'tile       SkyImage → Window         Cuts windows.',
        'batch      Window or Cutout → Batch  Stacks windows.',
        'encode     Batch → Prediction        Runs the encoder.',
        'write      Prediction → Shard        Writes shards.',
        'aggregate  Shard → Table             Groups shards.',
      ].join('\n'),
    );
  });
});

describe('stageText', () => {
  it('has one aligned line for each option', () => {
    const lines = tile === undefined ? [] : stageText(tile).split('\n');
    expect(lines.slice(0, 5)).toEqual([
      'tile: SkyImage → Window',
      'Cuts windows.',
      '',
      '  size          int     = 2560    ≥ 1 px                              Side of a window.',
      '  step          int               ≥ 1 px                              Distance | between windows.',
    ]);
    expect(lines).toHaveLength(9);
  });
});
