/** Folders of encoders that are built here: `encoder.onnx` and `manifest.json`, each whole or absent. */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { partPath, writeWhole } from '../formats/durable.js';
import { cellSize, familyBands, type Memory } from './families.js';
import type { Manifest } from './manifest.js';

/** What differs between the manifests of encoders that are built here. */
export interface BuiltFacts {
  readonly name: string;
  readonly description: string;
  readonly version: string;
  readonly trained: boolean;
  readonly provenance: Readonly<Record<string, unknown>>;
  readonly memory: Memory;
}

/** The manifest of a model whose content has this SHA-256. */
export const builtManifest = (facts: BuiltFacts, sha256: string): Manifest => ({
  ...facts,
  provenance: { ...facts.provenance },
  bands: [...familyBands],
  input: { name: 'image', layout: 'NCHW', window: { multiple_of: cellSize, min: cellSize, max: 16_384 } },
  tile_side: cellSize,
  output: { name: 'logits', kind: 'bernoulli-logits', map: true, labels: ['membership'] },
  stochastic: false,
  sha256,
});

/**
 * Writes a model and its manifest, replacing those that are there. The system's errors pass through.
 *
 * @returns the SHA-256 of the model
 */
export function writeEncoder(folder: string, model: Uint8Array, facts: BuiltFacts): string {
  const sha256 = hashOf(model);
  mkdirSync(folder, { recursive: true });
  const manifest = `${JSON.stringify(builtManifest(facts, sha256), undefined, 2)}\n`;
  for (const [name, content] of [
    ['encoder.onnx', model],
    ['manifest.json', manifest],
  ] as const) {
    const path = join(folder, name);
    // Several processes may build the same one at the same time.
    writeWhole(path, content, partPath(`${path}.${process.pid}`));
  }
  return sha256;
}

/** Whether a folder holds a whole model and the manifest it would be given today. */
export async function isBuilt(folder: string, facts: BuiltFacts): Promise<boolean> {
  try {
    const [model, manifest] = await Promise.all([
      readFile(join(folder, 'encoder.onnx')),
      readFile(join(folder, 'manifest.json'), 'utf8'),
    ]);
    const expected = builtManifest(facts, hashOf(model));
    return JSON.stringify(JSON.parse(manifest)) === JSON.stringify(expected);
  } catch {
    return false;
  }
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
