import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { compareTensors, listing } from '../../src/encoders/checkpoint/compare.js';
import { exportEncoder } from '../../src/encoders/checkpoint/export.js';
import { openCheckpoint } from '../../src/encoders/checkpoint/foreign.js';
import { place, wantedBy } from '../../src/encoders/checkpoint/layouts.js';
import { readCheckpoint, type TrainingState, writeCheckpoint } from '../../src/encoders/checkpoint/state.js';
import { buildModel, type FamilyName, families } from '../../src/encoders/families.js';
import { type Architecture, type ConvLayer, convBlock } from '../../src/encoders/layers.js';
import { loadEncoder } from '../../src/encoders/load.js';
import { seededWeights } from '../../src/encoders/network.js';
import { EncoderSessions } from '../../src/encoders/session.js';
import { initialParameters } from '../../src/encoders/step/layout.js';
import { openPt } from '../../src/formats/pt/read.js';
import { denseTensor, type PtTensor } from '../../src/formats/pt/value.js';

const root = mkdtempSync(join(tmpdir(), 'checkpoints-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const path = (name: string): string => join(root, name);
const fixture = (name: string): string => new URL(`../fixtures/${name}`, import.meta.url).pathname;
const load = (weights: string) => loadEncoder(weights, { buildDir: path('built') });
const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** A state with values that differ everywhere. */
function stateOf(family: FamilyName, changes: Partial<TrainingState> = {}): TrainingState {
  const { architecture } = families[family];
  const parameters = initialParameters(architecture, seededWeights(3));
  return {
    family,
    quantiles: Float32Array.from(architecture.normaliser.initial, (value) => value + 0.25),
    parameters,
    moment1: parameters.map((value, i) => value * 1e-3 + i * 1e-9),
    moment2: parameters.map((value) => value * value * 1e-8),
    step: 321,
    position: { epoch: 2, random: [1, 0.1, -3e-20], best: null, name: 'Käfer' },
    provenance: { seed: 5, data: { fields: 1200, noise: 'bliss' } },
    ...changes,
  };
}

describe('the checkpoint of a training', () => {
  it('gives back what was written, to the last bit', async () => {
    const state = stateOf('cluster-small');
    writeCheckpoint(path('last.ckpt'), state);
    const found = await readCheckpoint(path('last.ckpt'));
    for (const key of ['quantiles', 'parameters', 'moment1', 'moment2'] as const)
      expect(Buffer.from(found[key].buffer).equals(Buffer.from(state[key].buffer))).toBe(true);
    const { family, step, position, provenance } = found;
    expect({ family, step, position, provenance }).toEqual({
      family: state.family,
      step: state.step,
      position: state.position,
      provenance: state.provenance,
    });
  });

  it('has the same bytes for the same state, whatever the order of its keys', () => {
    writeCheckpoint(path('one.ckpt'), stateOf('cluster-small', { position: { a: 1, b: { c: 2, d: 3 } } }));
    writeCheckpoint(path('two.ckpt'), stateOf('cluster-small', { position: { b: { d: 3, c: 2 }, a: 1 } }));
    expect(sha256(path('one.ckpt'))).toBe(sha256(path('two.ckpt')));
  });

  it('replaces the one before, and leaves it when a new one cannot be written', async () => {
    const file = path('replaced.ckpt');
    writeCheckpoint(file, stateOf('cluster-small', { step: 1 }));
    writeCheckpoint(file, stateOf('cluster-small', { step: 2 }));
    const wrong: readonly [Partial<TrainingState>, string][] = [
      [{ parameters: new Float32Array(3) }, 'parameters has 3 values'],
      [{ quantiles: new Float32Array(3) }, 'quantiles has 3 values, expected 14'],
      [{ position: { loss: Number.NaN } }, 'not finite'],
    ];
    for (const [change, message] of wrong)
      expect(() => writeCheckpoint(file, stateOf('cluster-small', change))).toThrow(message);
    expect((await readCheckpoint(file)).step).toBe(2);
    expect(existsSync(`${file}.part`)).toBe(false);
  });

  it('names its tensors as the network does, each where torch looks for it', async () => {
    writeCheckpoint(path('named.ckpt'), stateOf('cluster-small'));
    await using file = await openPt(path('named.ckpt'));
    const value = file.value as ReadonlyMap<string, ReadonlyMap<string, unknown>>;
    const weights = value.get('state_dict') as ReadonlyMap<string, PtTensor>;
    expect(weights.get('backbone.0.conv.weight')?.shape).toEqual([32, 56, 5, 5]);
    expect(weights.get('image_normalizers.0.quantiles')?.shape).toEqual([14]);
    const optimizer = value.get('optimizer') as ReadonlyMap<string, ReadonlyMap<string, unknown>>;
    expect([...weights.keys()].slice(2)).toEqual([...(optimizer.get('exp_avg_sq')?.keys() ?? [])]);
    expect(optimizer.get('step')).toBe(321);
  });

  it('is refused when bytes in it have changed, or are gone', async () => {
    const file = path('damaged.ckpt');
    writeCheckpoint(file, stateOf('cluster-small'));
    const bytes = readFileSync(file);
    bytes[500_000] = (bytes[500_000] as number) ^ 1;
    writeFileSync(file, bytes);
    await expect(readCheckpoint(file)).rejects.toMatchObject({
      code: 'checkpoint_mismatch',
      message: expect.stringContaining('checksum'),
    });
    await expect(load(file)).rejects.toMatchObject({
      code: 'encoder_invalid',
      message: expect.stringContaining('checksum'),
    });
    truncateSync(file, 1_000_000);
    await expect(readCheckpoint(file)).rejects.toMatchObject({
      code: 'checkpoint_mismatch',
      place: { file },
    });
    await expect(load(file)).rejects.toMatchObject({ code: 'encoder_invalid', place: { file } });
  });

  it('is told from the checkpoint of something else', async () => {
    await expect(readCheckpoint(fixture('pt/checkpoint.ckpt'))).rejects.toMatchObject({
      code: 'checkpoint_mismatch',
      message: expect.stringContaining('no checkpoint of a training'),
    });
  });
});

describe('a trained encoder', () => {
  const state = stateOf('cluster-small');
  const trained = { ...state, description: 'Trained on 1200 fields.', provenance: { f1: 0.81 } };

  it('is exported with what is known of its training, and the same way each time', async () => {
    const { sha256: first } = exportEncoder(path('exported'), trained);
    const { manifest, sha256: loaded } = await load(path('exported'));
    expect(loaded).toBe(first);
    expect(manifest).toMatchObject({
      name: 'cluster-small',
      trained: true,
      description: 'Trained on 1200 fields.',
      provenance: { weights: 'trained', f1: 0.81 },
      input: { window: { multiple_of: 256 } },
    });
    expect(exportEncoder(path('again'), trained)).toEqual({ sha256: first });
    expect(readFileSync(path('again/manifest.json'))).toEqual(readFileSync(path('exported/manifest.json')));
  });

  it('says the same whether it is loaded from its checkpoint or from its export', async () => {
    writeCheckpoint(path('best.ckpt'), state);
    exportEncoder(path('best'), trained);
    const answers = await Promise.all(
      [path('best'), path('best.ckpt'), `${path('best.ckpt')}?plan=whole`].map(async (weights) => {
        const encoder = await load(weights);
        await using sessions = await EncoderSessions.open(encoder, { device: 'cpu', sessions: 1 });
        const pixels = new SharedArrayBuffer(16 * 512 * 512);
        new Float32Array(pixels).forEach((_, i, all) => {
          all[i] = 30 * Math.sin(i * i);
        });
        const { values } = await sessions.run({ inputs: [pixels], shape: [4, 512, 512], passes: 1 });
        return Array.from(values);
      }),
    );
    const [exported = [], striped, whole = []] = answers;
    expect(striped).toEqual(exported);
    for (const [i, value] of whole.entries()) expect(value).toBeCloseTo(exported[i] as number, 5);
    expect(new Set(exported).size).toBe(4);
  });

  it('is built from its checkpoint once, and says which one it is of', async () => {
    writeCheckpoint(path('once.ckpt'), stateOf('cluster-small', { step: 77 }));
    const first = await load(path('once.ckpt'));
    expect(first.manifest).toMatchObject({
      trained: true,
      provenance: {
        weights: 'checkpoint',
        file: 'once.ckpt',
        sha256: sha256(path('once.ckpt')),
        global_step: 77,
      },
    });
    expect(await load(path('once.ckpt'))).toEqual(first);
    await expect(load(`${path('once.ckpt')}?plan=fast`)).rejects.toMatchObject({
      code: 'encoder_invalid',
      message: expect.stringContaining('there are striped, whole'),
    });
  });

  it('is not exported with the weights of another one', () => {
    expect(() =>
      exportEncoder(path('wrong'), { ...trained, parameters: state.parameters.subarray(1) }),
    ).toThrow(`cluster-small has ${state.parameters.length} weights`);
  });
});

describe('a checkpoint of torch', () => {
  const folder = 'encoders/checkpoint';
  const golden = JSON.parse(readFileSync(fixture(`${folder}/golden.json`), 'utf8')) as {
    readonly image: readonly number[];
    readonly shape: readonly number[];
    readonly logits: readonly number[];
  };
  const block = (name: string, into: number, out: number, kernel: number, stride = 1) =>
    convBlock(`backbone.${name}`, { in: into, out, kernel, stride, bias: false });
  /** The network of make_checkpoints.py. */
  const narrow: Architecture = {
    normaliser: {
      name: 'image_normalizers.0.quantiles',
      bands: 4,
      pool: 1,
      levels: [0.1, 0.5, 0.9],
      initial: [0, 0, 0],
    },
    cell: 8,
    layers: [
      { kind: 'conv', name: 'preprocess3d.0', in: 12, out: 8, kernel: 5 },
      { kind: 'group-norm', name: 'preprocess3d.1', channels: 8, groups: 4 },
      { kind: 'silu' },
      ...block('0', 8, 8, 5, 4),
      ...block('1.0', 8, 8, 3),
      ...block('1.1', 8, 8, 3),
      ...block('2', 8, 4, 3, 2),
      { kind: 'conv', name: 'head', in: 4, out: 1, kernel: 1 },
    ],
  };

  /** The image of make_checkpoints.py. */
  function image(length: number): Float32Array {
    let random = 1;
    return Float32Array.from({ length }, () => {
      random = (Math.imul(1664525, random) + 1013904223) >>> 0;
      return ((random >>> 8) / 2 ** 24 - 0.5) * 8;
    });
  }

  it('gives the logits it gives in torch, its Conv3d being a convolution over bands and quantiles', async () => {
    await using checkpoint = await openCheckpoint(fixture(`${folder}/narrow.ckpt`));
    const { tensors, sources, ignored } = place(checkpoint.tensors);
    expect(compareTensors(wantedBy(narrow), tensors).faults).toEqual([]);
    expect(ignored).toEqual(['mask_patterns', 'image_normalizers.0.q']);
    const values = await checkpoint.read([...sources.values()]);
    const valuesOf = (name: string) => values.get(sources.get(name) as string) as Float32Array;
    const { bytes } = buildModel('narrow', narrow, valuesOf, 'whole');
    const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1 });
    const pixels = image(golden.image.reduce((product, side) => product * side, 1));
    const { logits } = await session.run({ image: new Tensor('float32', pixels, golden.image) });
    await session.release();
    expect(logits?.dims).toEqual(golden.shape);
    for (const [i, value] of golden.logits.entries()) expect(logits?.data[i]).toBeCloseTo(value, 5);
  });

  it('says how far it was trained, as plain data', async () => {
    await using checkpoint = await openCheckpoint(fixture(`${folder}/narrow.ckpt`));
    expect(checkpoint.facts).toEqual({
      epoch: 7,
      global_step: 1234,
      'pytorch-lightning_version': '2.1.0',
      hyper_parameters: {
        tile_slen: 16,
        survey_bands: ['g', 'r', 'i', 'z'],
        lr: 0.001,
        out: 'an object of pathlib.PurePosixPath',
      },
    });
  });

  it('of one tensor more, one less and one of another shape is refused with just these', async () => {
    await using checkpoint = await openCheckpoint(fixture(`${folder}/narrow.ckpt`));
    const { tensors } = place(checkpoint.tensors);
    const [head, ...others] = [...narrow.layers].reverse();
    const wider = { ...head, kernel: 3, bias: false } as ConvLayer;
    const altered = { ...narrow, layers: [...others.slice(3).reverse(), wider] };
    const missing = { ...narrow, layers: [...narrow.layers, ...block('9', 4, 4, 3)] };
    expect(listing(compareTensors(wantedBy(altered), tensors).faults).split('\n')).toEqual([
      '  mis-shaped  head.weight             expected (1, 4, 3, 3), found (1, 4, 1, 1)',
      '  extra       backbone.2.conv.weight  found (4, 8, 3, 3)',
      '  extra       backbone.2.gn.weight    found (4) float64',
      '  extra       backbone.2.gn.bias      found (4)',
      '  extra       head.bias               found (1)',
    ]);
    expect(listing(compareTensors(wantedBy(missing), tensors).faults).split('\n')).toEqual([
      '  missing     backbone.9.conv.weight  expected (4, 4, 3, 3)',
      '  missing     backbone.9.gn.weight    expected (4)',
      '  missing     backbone.9.gn.bias      expected (4)',
    ]);
  });

  it.each([
    ['_orig_mod.net.backbone.0.conv.weight', 'backbone.0.conv.weight'],
    ['features_net._orig_mod.preprocess3d.0.bias', 'preprocess3d.0.bias'],
    ['module.net.head.weight', 'head.weight'],
    ['image_normalizer.quantiles', 'image_normalizers.0.quantiles'],
    ['image_normalizers.0.quantiles', 'image_normalizers.0.quantiles'],
    ['catalog_net.context_net.0.conv.weight', 'catalog_net.context_net.0.conv.weight'],
    ['mode_metrics.cluster_membership_acc.membership_tp', undefined],
    ['criterion.pos_weight', undefined],
  ])('calls %s here %s', (source, expected) => {
    const { tensors } = place(new Map([[source, denseTensor('0', 'float32', [1])]]));
    expect([...tensors.keys()]).toEqual(expected === undefined ? [] : [expected]);
  });

  it('is refused when a weight is not a number', async () => {
    await using checkpoint = await openCheckpoint(fixture(`${folder}/broken.ckpt`));
    await expect(checkpoint.read(['net.head.bias'])).rejects.toMatchObject({
      code: 'encoder_invalid',
      message: expect.stringContaining('net.head.bias holds NaN'),
    });
  });

  it('that would run a command is refused, and the command is not run', async () => {
    await expect(load(fixture(`${folder}/hostile.ckpt`))).rejects.toMatchObject({
      code: 'encoder_invalid',
      message: expect.stringMatching(/posix\.system called when torch loads it/),
    });
  });

  it.each([
    ['pt/views.pt', 'encoder_mismatch', 'another architecture'],
    ['pt/file_data_0_size_2.pt', 'encoder_invalid', 'holds a list of 2, expected a dict with state_dict'],
    ['npy/arrays.json', 'encoder_invalid', 'neither a folder nor'],
  ])('%s is refused as %s', async (name, code, message) => {
    await expect(load(fixture(name))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  it('that is not there is refused', async () => {
    await expect(load(path('nowhere.ckpt'))).rejects.toMatchObject({
      code: 'encoder_invalid',
      message: expect.stringContaining('ENOENT'),
    });
  });
});

describe('the checkpoint of another architecture', () => {
  it('is refused with every tensor that is missing, extra or mis-shaped', async () => {
    const error = await load(fixture('pt/checkpoint.ckpt')).catch((one: Error) => one);
    expect(error).toMatchObject({ code: 'encoder_mismatch' });
    const { message } = error as Error;
    const { length } = wantedBy(families['cluster-small'].architecture);
    expect(message).toContain(`nearest to cluster-small: 0 of the ${length} tensors of cluster-small fit`);
    expect(message).toMatch(/\n {2}missing {5}head\.weight +expected \(1, 64, 1, 1\)\n/);
    expect(message).toMatch(
      /\n {2}missing {5}backbone\.0\.conv\.weight +expected \(32, 56, 5, 5\) or \(32, 4, 14, 5, 5\)\n/,
    );
    expect(message).toMatch(/\n {2}extra {7}net\.1\.num_batches_tracked +found \(\) int64\n/);
    expect(message.split('\n').length).toBe(1 + length + 9);
  });
});
