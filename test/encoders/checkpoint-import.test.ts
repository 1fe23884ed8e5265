import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import {
  applyHead,
  type HeadShape,
  type HeadStyle,
  headTensors,
  trunk,
} from '../../src/encoders/checkpoint/bliss-catalog.js';
import { compareTensors, listing, type WantedTensor } from '../../src/encoders/checkpoint/compare.js';
import { exportEncoder } from '../../src/encoders/checkpoint/export.js';
import { openCheckpoint } from '../../src/encoders/checkpoint/foreign.js';
import { nearestLayout, place, wantedBy } from '../../src/encoders/checkpoint/layouts.js';
import { buildModel, families } from '../../src/encoders/families.js';
import { GraphBuilder } from '../../src/encoders/graph.js';
import { type Architecture, type ConvLayer, convBlock } from '../../src/encoders/layers.js';
import { loadEncoder } from '../../src/encoders/load.js';
import { Network } from '../../src/encoders/network.js';
import { parameterCount, slotsOf } from '../../src/encoders/step/layout.js';
import { denseTensor, type PtValue, ptDict } from '../../src/formats/pt/value.js';
import { PtWriter } from '../../src/formats/pt/write.js';

const root = mkdtempSync(join(tmpdir(), 'checkpoints-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const path = (name: string): string => join(root, name);
const fixture = (name: string): string => new URL(`../fixtures/${name}`, import.meta.url).pathname;
const load = (weights: string) => loadEncoder(weights, { buildDir: path('built') });

const volume = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);

/** The numbers of the scripts beside the fixtures, from -0.5 on. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 24 - 0.5;
  };
}

/** The logits of a model. */
async function run(model: Uint8Array, feeds: Readonly<Record<string, Tensor>>): Promise<Tensor> {
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1 });
  const { logits } = await session.run(feeds);
  await session.release();
  return logits as Tensor;
}

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

  it('gives the logits it gives in torch, its Conv3d being a convolution over bands and quantiles', async () => {
    await using checkpoint = await openCheckpoint(fixture(`${folder}/narrow.ckpt`));
    const { tensors, sources, ignored } = place(checkpoint.tensors);
    expect(compareTensors(wantedBy(narrow), tensors).faults).toEqual([]);
    expect(ignored).toEqual(['mask_patterns', 'image_normalizers.0.q']);
    const values = await checkpoint.read([...sources.values()]);
    const valuesOf = (name: string) => values.get(sources.get(name) as string) as Float32Array;
    const { bytes } = buildModel('narrow', narrow, valuesOf, 'whole');
    const random = numbers(1);
    const pixels = Float32Array.from({ length: volume(golden.image) }, () => random() * 8);
    const logits = await run(bytes, { image: new Tensor('float32', pixels, golden.image) });
    expect(logits.dims).toEqual(golden.shape);
    for (const [i, value] of golden.logits.entries()) expect(logits.data[i]).toBeCloseTo(value, 5);
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

  it('cannot write to the terminal by the names of its tensors', () => {
    const hostile = new Map([['a\u001b[2J\nb', denseTensor('0', 'float32', [2])]]);
    expect(listing(compareTensors([], hostile).faults)).toBe('  extra       a\ufffd[2J\ufffdb  found (2)');
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

describe("BLISS's catalogue network", () => {
  interface Head {
    readonly style: HeadStyle;
    readonly shape: HeadShape;
    readonly input: readonly number[];
    readonly tensors: number;
    readonly logits: readonly number[];
  }
  const heads = JSON.parse(readFileSync(fixture('encoders/checkpoint/heads.json'), 'utf8')) as Head[];

  it.each(heads)('answers as in torch with $style.block and $style.c3 norms', async (head) => {
    const { style, shape, input, logits: expected } = head;
    const wanted = [...headTensors(style, shape)].sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(wanted.length).toBe(head.tensors);
    const stream = numbers(1);
    const values = new Map(
      wanted.map(({ name, shape: sides }) => {
        const offset = name.endsWith('running_var') ? 1 : 0;
        return [name, Float32Array.from({ length: volume(sides) }, () => stream() + offset)];
      }),
    );
    const graph = new GraphBuilder('head');
    const network = new Network(graph, (name) => values.get(name) as Float32Array);
    const features = graph.input('features', ['n', shape.features, 'h', 'w']);
    graph.output(applyHead(network, features, style, shape), 'logits', ['n', 1, 'h', 'w']);
    const random = numbers(7);
    const pixels = Float32Array.from({ length: volume(input) }, () => random() * 4);
    const found = await run(graph.build(), { features: new Tensor('float32', pixels, input) });
    for (const [i, value] of expected.entries()) expect(found.data[i]).toBeCloseTo(value, 5);
  });

  it('is what a whole checkpoint of BLISS ends in', async () => {
    const wanted = [...wantedBy(trunk), ...headTensors({ block: 'gn', c3: 'bn' })];
    const source = (name: string) => (/^(image_norm|catalog)/.test(name) ? name : `features_net.${name}`);
    const shapeOf = ({ shape, alsoShaped }: WantedTensor) => alsoShaped?.[0] ?? shape;
    const tensors = new Map(
      wanted.map((one) => [source(one.name), denseTensor('0', 'float32', shapeOf(one))]),
    );
    const counter = 'catalog_net.context_net.2.cv1.bn.num_batches_tracked';
    const placed = place(tensors.set(counter, denseTensor('0', 'int64', [])));
    expect(placed.ignored).toEqual([counter]);
    const { layout, comparison } = nearestLayout(placed.tensors);
    expect([layout.name, comparison.faults]).toEqual(['bliss-catalog', []]);
    tensors.delete('catalog_net.detection_net.4.conv.bias');
    expect(nearestLayout(place(tensors).tensors).comparison.faults).toEqual([
      { kind: 'missing', name: 'catalog_net.detection_net.4.conv.bias', expected: '(1)' },
    ]);
  });
});

describe("a checkpoint of BLISS's layers with a plain head", () => {
  it('is placed into the family bliss, number by number', async () => {
    const { architecture } = families.bliss;
    const parameters = new Float32Array(parameterCount(architecture)).map((_, i) => (i % 1009) / 1009 - 0.5);
    const quantiles = Float32Array.from(architecture.normaliser.initial);
    const writer = PtWriter.create(path('lightning.ckpt'));
    const bytesOf = (values: Float32Array) =>
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const state = new Map<PtValue, PtValue>();
    const store = (name: string, values: Float32Array, shape: readonly number[]) =>
      state.set(name, denseTensor(writer.addStorage([bytesOf(values)]).key, 'float32', shape));
    store('image_normalizers.0.quantiles', quantiles, [14]);
    for (const { name, shape, offset, length } of slotsOf(architecture)) {
      const inFile = name === 'preprocess3d.0.weight' ? [64, 4, 14, 5, 5] : shape;
      store(
        `net.${name.replace('head', 'backbone.8')}`,
        parameters.subarray(offset, offset + length),
        inFile,
      );
    }
    writer.finish(ptDict({ epoch: 3, state_dict: state }));
    const { manifest, sha256: found } = await load(path('lightning.ckpt'));
    expect(manifest).toMatchObject({ name: 'bliss', trained: true, provenance: { epoch: 3 } });
    const about = { family: 'bliss', quantiles, parameters, provenance: {}, description: '' } as const;
    expect(exportEncoder(path('bliss'), about).sha256).toBe(found);
  });
});

describe('the checkpoint of another architecture', () => {
  it('is refused with every tensor that is missing, extra or mis-shaped', async () => {
    const error = await load(fixture('pt/checkpoint.ckpt')).catch((one: Error) => one);
    expect(error).toMatchObject({ code: 'encoder_mismatch' });
    const { message } = error as Error;
    const { length } = wantedBy(families['cluster-small'].architecture);
    expect(message).toContain(`nearest to cluster-small: 0 of the ${length} tensors of cluster-small fit`);
    expect(message).toMatch(/\n {2}missing {5}head\.weight +expected \(1, 96, 1, 1\)\n/);
    expect(message).toMatch(
      /\n {2}missing {5}colours\.0\.weight +expected \(32, 24, 1, 1\) or \(32, 4, 6, 1, 1\)\n/,
    );
    expect(message).toMatch(/\n {2}extra {7}net\.1\.num_batches_tracked +found \(\) int64\n/);
    expect(message.split('\n').length).toBe(1 + length + 9);
  });
});
