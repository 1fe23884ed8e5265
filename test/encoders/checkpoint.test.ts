import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { exportEncoder } from '../../src/encoders/checkpoint/export.js';
import { readCheckpoint, type TrainingState, writeCheckpoint } from '../../src/encoders/checkpoint/state.js';
import { type FamilyName, families } from '../../src/encoders/families.js';
import { loadEncoder } from '../../src/encoders/load.js';
import { seededWeights } from '../../src/encoders/network.js';
import { EncoderSessions } from '../../src/encoders/session.js';
import { initialParameters } from '../../src/encoders/step/layout.js';
import { openPt } from '../../src/formats/pt/read.js';
import type { PtTensor } from '../../src/formats/pt/value.js';

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
      [{ quantiles: new Float32Array(3) }, 'quantiles has 3 values, expected 6'],
      [{ position: { loss: Number.NaN } }, 'not finite'],
    ];
    for (const [change, message] of wrong)
      expect(() => writeCheckpoint(file, stateOf('cluster-small', change))).toThrow(message);
    expect((await readCheckpoint(file)).step).toBe(2);
    expect(existsSync(`${file}.part`)).toBe(false);
  });

  it.runIf(existsSync('/dev/full'))('says which file did not fit on a full disk', () => {
    const file = path('full.ckpt');
    symlinkSync('/dev/full', `${file}.part`);
    expect(() => writeCheckpoint(file, stateOf('cluster-small'))).toThrow(
      expect.objectContaining({ code: 'ENOSPC', path: file }),
    );
  });

  it('names its tensors as the network does, each where torch looks for it', async () => {
    writeCheckpoint(path('named.ckpt'), stateOf('cluster-small'));
    await using file = await openPt(path('named.ckpt'));
    const value = file.value as ReadonlyMap<string, ReadonlyMap<string, unknown>>;
    const weights = value.get('state_dict') as ReadonlyMap<string, PtTensor>;
    expect(weights.get('backbone.0.conv.weight')?.shape).toEqual([64, 64, 3, 3]);
    expect(weights.get('image_normalizers.0.quantiles')?.shape).toEqual([6]);
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
        training: { seed: 5, data: { fields: 1200 } },
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
