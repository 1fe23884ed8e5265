import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadEncoder } from '../../src/encoders/load.js';
import { checkFit, type Manifest, memoryBytes, outputShape } from '../../src/encoders/manifest.js';

type Json = Record<string, object>;

const root = mkdtempSync(join(tmpdir(), 'encoders-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const buildDir = join(root, 'built');
const load = (weights: string) => loadEncoder(weights, { buildDir });

let built = '';
beforeAll(async () => {
  const { modelPath } = await load('seeded:cluster-small?seed=7');
  built = join(modelPath, '..');
});

/** A copy of the built encoder whose manifest is changed. */
function altered(name: string, change: (manifest: Json) => void): string {
  const folder = join(root, name);
  cpSync(built, folder, { recursive: true });
  const path = join(folder, 'manifest.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Json;
  change(manifest);
  writeFileSync(path, JSON.stringify(manifest));
  return folder;
}

describe('the encoder that comes with Skypass', () => {
  it('is found by its name, is trained, and tells how', async () => {
    const { manifest, modelPath } = await load('cluster-small');
    expect(manifest).toMatchObject({
      name: 'cluster-small',
      trained: true,
      bands: ['g', 'r', 'i', 'z'],
      tile_side: 256,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      provenance: {
        pipeline: 'train',
        seed: expect.any(Number),
        scores: { test: { f1: expect.any(Number) } },
      },
    });
    expect(statSync(modelPath).size).toBeLessThan(2e6);
  });
});

describe('a seeded encoder', () => {
  it('is built once, says that it is untrained, and is taken as it is the second time', async () => {
    const first = await load('seeded:cluster-small?seed=7');
    expect(first.manifest).toMatchObject({
      name: 'cluster-small',
      trained: false,
      bands: ['g', 'r', 'i', 'z'],
      tile_side: 256,
    });
    const { mtimeMs } = statSync(first.modelPath);
    expect(await load('seeded:cluster-small?seed=7')).toEqual(first);
    expect(statSync(first.modelPath).mtimeMs).toBe(mtimeMs);
  });

  it('is built again when the file that is there is not whole', async () => {
    const { modelPath, sha256 } = await load('seeded:cluster-small?seed=8');
    truncateSync(modelPath, 1000);
    expect((await load('seeded:cluster-small?seed=8')).sha256).toBe(sha256);
    expect(statSync(modelPath).size).toBeGreaterThan(900_000);
  });

  it.each([
    ['seeded:cluster-smal?seed=1', 'there are cluster-small, bliss'],
    ['seeded:cluster-small?sed=1', 'no option "sed"'],
    ['seeded:cluster-small?seed=-1', 'not a whole number'],
    ['seeded:cluster-small?plan=fast', 'there are striped, whole'],
  ])('%s is refused', async (weights, message) => {
    await expect(load(weights)).rejects.toMatchObject({
      code: 'encoder_invalid',
      message: expect.stringContaining(message),
    });
  });
});

describe('an encoder on disk', () => {
  it('is known by its content, from a folder or as a .onnx with its manifest', async () => {
    const { sha256 } = await load(built);
    const single = join(root, 'mine.onnx');
    cpSync(join(built, 'encoder.onnx'), single);
    cpSync(join(built, 'manifest.json'), join(root, 'mine.manifest.json'));
    expect(await load(single)).toMatchObject({ sha256, modelPath: single });
  });

  it('without a manifest is refused with what the model takes and gives', async () => {
    const alone = join(mkdtempSync(join(root, 'alone-')), 'x.onnx');
    cpSync(join(built, 'encoder.onnx'), alone);
    await expect(load(alone)).rejects.toMatchObject({
      code: 'encoder_invalid',
      message: expect.stringContaining(
        'takes image float32 [n, 4, h, w] and gives logits float32 [n, 1, rows, columns]',
      ),
    });
  });

  const bad: readonly [string, string, (manifest: Json) => void][] = [
    ['unknown key', 'tile_sise', (m) => Object.assign(m, { tile_sise: 2 })],
    ['wrong kind', 'output.kind', (m) => Object.assign(m.output as object, { kind: 'logits' })],
    ['map without cells', 'tile_side: needed', (m) => Reflect.deleteProperty(m, 'tile_side')],
    ['cells that do not divide', 'does not divide', (m) => Object.assign(m, { tile_side: 100 })],
    ['other hash', 'SHA-256', (m) => Object.assign(m, { sha256: '0'.repeat(64) })],
    ['other bands', '[n, 4, h, w] does not fit', (m) => Object.assign(m, { bands: ['g', 'r'] })],
    ['other input', 'names one input, picture', (m) => Object.assign(m.input as object, { name: 'picture' })],
    ['other output', 'names output scores', (m) => Object.assign(m.output as object, { name: 'scores' })],
    ['more labels', 'does not fit', (m) => Object.assign(m.output as object, { labels: ['a', 'b'] })],
  ];
  it.each(bad)('with %s is refused', async (name, message, change) => {
    const folder = altered(name, change);
    await expect(load(folder)).rejects.toMatchObject({
      code: 'encoder_invalid',
      message: expect.stringContaining(message),
    });
  });

  it.each([
    ['nowhere', 'no such folder'],
    ['broken.json', 'neither a folder nor a .onnx or .ckpt'],
  ])('that is not one (%s) is refused', async (name, message) => {
    writeFileSync(join(root, 'broken.json'), '{');
    await expect(load(join(root, name))).rejects.toMatchObject({
      code: 'encoder_invalid',
      message: expect.stringContaining(message),
    });
  });

  it('whose files are damaged is refused with the file named', async () => {
    const folder = altered('damaged', (m) => Reflect.deleteProperty(m, 'sha256'));
    truncateSync(join(folder, 'encoder.onnx'), 5000);
    await expect(load(folder)).rejects.toMatchObject({
      code: 'encoder_invalid',
      place: { file: join(folder, 'encoder.onnx') },
    });
    writeFileSync(join(folder, 'manifest.json'), '{"name":');
    await expect(load(folder)).rejects.toMatchObject({
      code: 'encoder_invalid',
      message: expect.stringContaining('not JSON'),
    });
  });
});

describe('the fit of an encoder and a pipeline', () => {
  let manifest: Manifest;
  beforeAll(async () => {
    ({ manifest } = await load(built));
  });

  it('gives the shape of the output', () => {
    expect(outputShape(manifest, 2560)).toEqual({ answers: 1, cells: { ny: 10, nx: 10 } });
    const whole = { ...manifest, output: { ...manifest.output, map: false, labels: ['a', 'b'] } };
    expect(outputShape(whole, 224)).toEqual({ answers: 2, cells: undefined });
  });

  it('needs the same bands in the same order, and the message names both', () => {
    expect(() => checkFit(manifest, { bands: ['g', 'r', 'i', 'z'], windowPx: 512 })).not.toThrow();
    expect(() => checkFit(manifest, { bands: ['r', 'g', 'i', 'z'], windowPx: 512 })).toThrow(
      'gives bands r, g, i, z; encoder cluster-small takes g, r, i, z',
    );
  });

  it('needs a window the encoder takes, and the hint says which', () => {
    const fitting = (windowPx: number, window: Manifest['input']['window']) => () =>
      checkFit({ ...manifest, input: { ...manifest.input, window } }, { bands: manifest.bands, windowPx });
    const multiples = { multiple_of: 256, min: 256, max: 4000 };
    expect(fitting(700, multiples)).toThrow(
      'windows of 700 px; encoder cluster-small takes multiples of 256 px from 256 to 3840',
    );
    expect(fitting(700, multiples)).toThrow(
      expect.objectContaining({ code: 'encoder_mismatch', hint: 'set tile.size=768' }),
    );
    expect(fitting(8192, multiples)).toThrow(expect.objectContaining({ hint: 'set tile.size=3840' }));
    expect(fitting(225, { exact: 224 })).toThrow('windows of 225 px; encoder cluster-small takes 224 px');
  });

  it('counts memory per pixel and row, and its own copy of the input', () => {
    const measured = { ...manifest, memory: { base_bytes: 1000, bytes_per_pixel: 10 } };
    expect(memoryBytes(measured, 100, 1)).toBe(1000 + 10 * 1e4 + 4 * 4 * 1e4);
    expect(memoryBytes(measured, 100, 2)).toBe(1000 + 2 * 10 * 1e4 + 2 * 4 * 4 * 1e4);
  });
});
