import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { trainEncoder } from '../../examples/train.js';
import { loadEncoder } from '../../src/encoders/load.js';
import { tempFolder } from '../support/run.js';

it('leaves an encoder that can be used, and trains on with more epochs', async () => {
  await using temp = await tempFolder();
  for (const epochs of [2, 3]) {
    expect(await trainEncoder(5, 256, epochs, temp.path)).toMatchObject({
      end: 'complete',
      error: undefined,
    });
    const scores = JSON.parse(await readFile(join(temp.path, 'scores.json'), 'utf8'));
    const { manifest, sha256 } = await loadEncoder(join(temp.path, 'encoder'), { buildDir: temp.path });
    expect(manifest).toMatchObject({ trained: true, provenance: { epochs, windows: { train: 3 } } });
    expect(scores.encoder_sha256).toBe(sha256);
  }
}, 30_000);
