import { describe, expect, it } from 'vitest';
import { RunMeters } from '../../src/engine/meters.js';
import { labelValues, metrics } from '../../src/engine/metrics.js';

/** A run on a clock that moves only when told. */
function runAt(start = 100) {
  let time = start;
  const meters = new RunMeters('test', () => time);
  return {
    meters,
    pass: (seconds: number) => {
      time += seconds;
    },
  };
}

describe('the catalogue', () => {
  const specs = Object.values(metrics);

  it('names every metric once, with prefix, and only counters end in _total', () => {
    expect(new Set(specs.map((spec) => spec.name)).size).toBe(specs.length);
    for (const spec of specs) {
      expect(spec.name).toMatch(/^skypass_[a-z_]+$/);
      expect(spec.name.endsWith('_total'), spec.name).toBe(spec.type === 'counter');
      expect(spec.help, spec.name).toMatch(/\S/);
    }
  });

  it('uses labels of the closed set only, and always the pipeline', () => {
    for (const spec of specs) {
      expect(spec.labels).toContain('pipeline');
      for (const label of spec.labels) expect(Object.keys(labelValues)).toContain(label);
    }
  });
});

describe('a stage meter', () => {
  it('adds up items, bytes, outcomes and errors', () => {
    const { meters } = runAt();
    const stage = meters.stage('cut', 'tile');
    stage.received(1, 400);
    stage.sent(3, 300);
    stage.sent(1, 100);
    stage.outcome('ok');
    stage.outcome('no_work', 2);
    stage.error('fits_truncated');
    stage.error('fits_truncated');
    expect(meters.snapshot().stages[0]).toMatchObject({
      name: 'cut',
      operator: 'tile',
      received: { items: 1, bytes: 400 },
      sent: { items: 4, bytes: 400 },
      outcomes: { ok: 1, no_work: 2, failed: 0 },
      errors: { fits_truncated: 2 },
    });
  });

  it('counts a wait while it lasts, summed over the slots that wait', () => {
    const { meters, pass } = runAt();
    const stage = meters.stage('read', 'read');
    const endFirst = stage.blocked('downstream');
    pass(10);
    const endSecond = stage.blocked('downstream');
    pass(5);
    expect(meters.snapshot().stages[0]?.blockedSeconds.downstream).toBe(20);
    endFirst();
    pass(1);
    expect(meters.snapshot().stages[0]?.blockedSeconds.downstream).toBe(21);
    endSecond();
    pass(100);
    expect(meters.snapshot().stages[0]?.blockedSeconds).toEqual({
      upstream: 0,
      downstream: 21,
      memory: 0,
      device: 0,
    });
  });

  it('ends work and waits once, however often it is told to', async () => {
    const { meters, pass } = runAt();
    const stage = meters.stage('encode', 'encode');
    const endRun = stage.running();
    const endWait = stage.blocked('device');
    pass(2);
    endRun();
    endWait();
    pass(2);
    endRun();
    endWait();
    expect(meters.snapshot().stages[0]).toMatchObject({
      slotsBusy: 0,
      busySeconds: 2,
      blockedSeconds: { device: 2 },
    });
    expect(await meters.text()).toContain(
      'skypass_stage_run_seconds_count{pipeline="test",stage="encode",operator="encode"} 1\n',
    );
  });

  it('is the same one when asked again, and refuses another operator under its name', () => {
    const { meters } = runAt();
    expect(meters.stage('a', 'tile')).toBe(meters.stage('a', 'tile'));
    expect(() => meters.stage('a', 'batch')).toThrow("stage 'a' is tile, not batch");
  });
});

describe('the meters of a run', () => {
  it('count the encoder as busy while at least one session runs', () => {
    const { meters, pass } = runAt();
    const endFirst = meters.encoderRunning('cpu');
    pass(3);
    const endSecond = meters.encoderRunning('cpu');
    pass(3);
    endFirst();
    meters.encoder('cpu', 6);
    pass(3);
    expect(meters.snapshot()).toMatchObject({ encoderBusySeconds: 9, encoderSeconds: { cpu: 6 } });
    endSecond();
    meters.encoder('cpu', 6);
    pass(10);
    expect(meters.snapshot()).toMatchObject({
      encoderBusySeconds: 9,
      encoderSeconds: { cpu: 12 },
      elapsedSeconds: 19,
    });
  });

  it('say how many items are expected only once somebody has counted', async () => {
    const { meters } = runAt();
    expect(meters.snapshot().expected).toBeUndefined();
    expect(await meters.text()).not.toContain('skypass_items_expected{');
    meters.expected(12);
    expect(await meters.text()).toContain('skypass_items_expected{pipeline="test"} 12\n');
  });

  it('do not mix with those of another run in the same process', async () => {
    const first = runAt().meters;
    const second = new RunMeters('other');
    first.window('ok', 5);
    second.window('ok', 7);
    expect(await first.text()).toContain('skypass_windows_total{pipeline="test",outcome="ok"} 5\n');
    expect(await first.text()).not.toContain('other');
    expect(await second.text()).toContain('skypass_windows_total{pipeline="other",outcome="ok"} 7\n');
  });

  it('say nothing of training in a run that does not train', async () => {
    const { meters } = runAt();
    meters.stage('encode', 'encode');
    expect(meters.snapshot().training).toBeUndefined();
    expect(await meters.text()).not.toMatch(/^skypass_training_/m);
    expect(() => meters.training.scores({ f1: 1 })).toThrow('was not planned');
  });

  it('show how training goes, and count what this start does', async () => {
    const { meters } = runAt();
    meters.training.plan({ steps: 100, epochs: 5, step: 40, epoch: 2 });
    const planned = await meters.text();
    expect(planned).toContain('skypass_training_step{pipeline="test"} 40\n');
    expect(planned).toContain('skypass_training_samples_total{pipeline="test"} 0\n');
    expect(planned).toContain('skypass_training_step_seconds_count{pipeline="test"} 0\n');
    expect(planned).not.toContain('skypass_training_loss{');
    const step = { epoch: 3, learningRate: 0.001, samples: 8, waitSeconds: 0.5 };
    meters.training.step({ ...step, step: 41, loss: 0.4, gradientNorm: 3, seconds: 2 });
    meters.training.step({ ...step, step: 42, loss: 0.3, gradientNorm: 2, seconds: 4 });
    meters.training.scores({ loss: 0.2, f1: 0.8, auc: Number.NaN });
    expect(meters.snapshot().training).toEqual({
      ...{ steps: 100, epochs: 5, step: 42, epoch: 3 },
      last: { loss: 0.3, learningRate: 0.001, gradientNorm: 2 },
      scores: { loss: 0.2, f1: 0.8 },
      done: { steps: 2, samples: 16, seconds: 6, waitSeconds: 1 },
    });
    const text = await meters.text();
    for (const line of [
      'step{pipeline="test"} 42',
      'steps_expected{pipeline="test"} 100',
      'epoch{pipeline="test"} 3',
      'loss{pipeline="test"} 0.3',
      'learning_rate{pipeline="test"} 0.001',
      'gradient_norm{pipeline="test"} 2',
      'validation_score{pipeline="test",score="f1"} 0.8',
      'samples_total{pipeline="test"} 16',
      'data_wait_seconds_total{pipeline="test"} 1',
      'step_seconds_sum{pipeline="test"} 6',
      'step_seconds_bucket{le="3",pipeline="test"} 1',
    ])
      expect(text).toContain(`skypass_training_${line}\n`);
    expect(text).not.toContain('score="auc"');
  });

  it('are all in the text, with zeros from the start, beside those of the process', async () => {
    const { meters } = runAt();
    meters.stage('encode', 'encode').limits(4, Number.POSITIVE_INFINITY);
    const text = await meters.text();
    for (const { name, type, help } of Object.values(metrics)) {
      expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
    }
    expect(text).toContain(
      'skypass_stage_blocked_seconds_total{pipeline="test",stage="encode",operator="encode",reason="memory"} 0\n',
    );
    expect(text).toContain(
      'skypass_stage_queue_bytes_limit{pipeline="test",stage="encode",operator="encode"} +Inf\n',
    );
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect(text.endsWith('\n')).toBe(true);
  });

  it('read the same when scraped twice, whatever area a tile claims', async () => {
    const { meters } = runAt();
    meters.sky(0.5);
    meters.sky(Number.NaN);
    await meters.text();
    expect(await meters.text()).toContain('skypass_sky_area_square_degrees_total{pipeline="test"} 0.5\n');
  });
});
