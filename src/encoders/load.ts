/** Finds an encoder by what a pipeline calls its weights, and checks it before anything starts. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineError } from '../engine/errors.js';
import { buildFromCheckpoint, isCheckpoint } from './checkpoint/import.js';
import { type Manifest, manifestKeys, parseManifest } from './manifest.js';
import { checkModel, describe, invalid, summarise } from './model-check.js';
import { buildSeeded, isSeeded } from './seeded.js';

/** Encoders that come with Skypass, by the word that names them. */
const shipped: Readonly<Record<string, URL>> = {
  'cluster-small': new URL('../../encoders/cluster-small', import.meta.url),
};

export interface Encoder {
  readonly manifest: Manifest;
  /** The `.onnx` file. */
  readonly modelPath: string;
  /** Of the content of the `.onnx` file: the identity of the model, wherever it lies. */
  readonly sha256: string;
}

export interface LoadOptions {
  /** Where encoders that are built, not read, are put. */
  readonly buildDir: string;
}

/**
 * Loads an encoder's description and proves that its model is what the manifest says.
 *
 * @param weights `cluster-small`, which comes with Skypass; a folder with `encoder.onnx` and `manifest.json`; a `X.onnx` with
 *   `X.manifest.json` or `manifest.json` beside it; a checkpoint `X.ckpt` of a training here or of BLISS; or `seeded:FAMILY?seed=N`,
 *   untrained. The last two are built when they are not there yet
 * @throws EngineError `encoder_invalid` when a file is missing, damaged or not what the manifest says;
 *   `encoder_mismatch` when a checkpoint is of another architecture
 */
export async function loadEncoder(weights: string, options: LoadOptions): Promise<Encoder> {
  const { modelPath, manifestPath } = await findFiles(await folderOf(weights, options));
  const manifest = parseManifest(await read(manifestPath, 'utf8'), manifestPath);
  const model = await read(modelPath);
  const sha256 = createHash('sha256').update(model).digest('hex');
  if (manifest.sha256 !== undefined && manifest.sha256 !== sha256) {
    throw invalid(
      modelPath,
      `the model's SHA-256 is ${sha256}; its manifest says ${manifest.sha256}`,
      'fetch both files again',
    );
  }
  checkModel(summarise(model, modelPath), manifest, modelPath);
  return { manifest, modelPath, sha256 };
}

async function folderOf(weights: string, { buildDir }: LoadOptions): Promise<string> {
  const own = shipped[weights];
  if (own !== undefined) return fileURLToPath(own);
  if (isSeeded(weights)) return buildSeeded(weights, buildDir);
  return isCheckpoint(weights) ? buildFromCheckpoint(weights, buildDir) : weights;
}

async function findFiles(weights: string): Promise<{ modelPath: string; manifestPath: string }> {
  const isFolder = await stat(weights).then(
    (found) => found.isDirectory(),
    () => {
      throw invalid(
        weights,
        'there is no such folder or file',
        `set encoder.weights to ${Object.keys(shipped).join(', ')}, a folder, a .onnx file, a .ckpt file or seeded:cluster-small?seed=1`,
      );
    },
  );
  if (isFolder)
    return { modelPath: join(weights, 'encoder.onnx'), manifestPath: join(weights, 'manifest.json') };
  if (!weights.endsWith('.onnx'))
    throw invalid(weights, `${basename(weights)} is neither a folder nor a .onnx or .ckpt file`);
  const own = weights.replace(/\.onnx$/, '.manifest.json');
  for (const manifestPath of [own, join(dirname(weights), 'manifest.json')]) {
    if (await isFile(manifestPath)) return { modelPath: weights, manifestPath };
  }
  const { inputs, outputs } = summarise(await read(weights), weights);
  throw invalid(
    weights,
    `no ${basename(own)} or manifest.json beside it; the model takes ${inputs.map(describe).join(', ')} and gives ${outputs.map(describe).join(', ')}`,
    `write a manifest: ${manifestKeys}`,
  );
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

async function read(path: string): Promise<Uint8Array>;
async function read(path: string, encoding: 'utf8'): Promise<string>;
async function read(path: string, encoding?: 'utf8'): Promise<Uint8Array | string> {
  try {
    return await readFile(path, encoding);
  } catch (cause) {
    throw new EngineError('encoder_invalid', `cannot be read: ${(cause as Error).message}`, {
      place: { file: path },
      cause,
    });
  }
}
