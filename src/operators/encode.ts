/** Runs the encoder on batches, in sessions that live in worker threads. */
import { join } from 'node:path';
import { field, stageSpec } from '../config/spec.js';
import { loadEncoder } from '../encoders/load.js';
import { checkFit, memoryBytes, outputShape } from '../encoders/manifest.js';
import { deviceNames, EncoderSessions } from '../encoders/session.js';
import { EngineError } from '../engine/errors.js';
import { operator, type Stage, type StageNeeds } from '../engine/stage.js';
import { BufferPool } from './support/buffer-pool.js';
import { type BatchFacts, type PredictionFacts, partFacts } from './support/facts.js';
import type { Batch, Prediction, PredictionRow, Window } from './support/nouns.js';
import { parallelField, parallelism } from './support/parallel.js';

export const encodeSpec = stageSpec(
  'encode',
  { takes: 'Batch', gives: 'Prediction' },
  'Runs the encoder: one forward pass for each batch, as many at once as there are sessions.',
  {
    weights: field.path({
      doc: 'cluster-small, which comes with Skypass, a folder with encoder.onnx and manifest.json, a .onnx file with its manifest, a checkpoint (.ckpt, .pt or .pth) of train or of BLISS, or seeded:FAMILY?seed=N (untrained).',
      example: 'encoders/cluster-small',
    }),
    device: field.oneOf(
      [
        field.choice(['auto', ...deviceNames], { doc: 'One device.' }),
        field.list(field.choice(deviceNames, { doc: 'A device.' }), { min: 1, doc: 'Several devices.' }),
      ],
      {
        default: 'auto',
        doc: 'Where the encoder runs; auto takes a GPU that works, else the CPU. A list uses several at once.',
      },
    ),
    sessions: parallelField(
      'Sessions',
      'Forward passes at once on a CPU, each in a thread of its own; auto takes as many as there are cores, and one for a stochastic encoder.',
    ),
    threads_per_session: field.int({
      default: 1,
      min: 1,
      max: 256,
      doc: 'Threads of one forward pass; 1 with many sessions is the fastest.',
    }),
    passes: field.int({
      default: 1,
      min: 1,
      max: 1000,
      doc: 'Forward passes of a stochastic encoder for each window.',
    }),
  },
  {
    common: { credit_items: 64, retries: 0 },
    check: ({ retries }) =>
      retries === 0
        ? []
        : [
            {
              path: 'retries',
              message:
                'should be 0: a batch is let go of when a session has its copy, and cannot be run again',
              hint: 'what failed is tried again by the next start',
            },
          ],
  },
);

/**
 * @emits      one prediction for each batch, without the rows that were set aside
 * @waits      until a session is free and downstream has a place for the prediction
 * @completes  after upstream completes and the last session has answered
 * @fails      `encoder_not_finite` (those windows only); `encoder_run` (that batch only);
 *             `encoder_mismatch` `encoder_invalid` `device_unavailable` before anything starts
 * @order      not kept with more than one session
 * @memory     for each session: its own copy of one batch, and what the encoder needs to run it; the batch itself is let
 *             go of when it has been copied
 */
export const encode = operator<typeof encodeSpec, Batch, Prediction>({
  spec: encodeSpec,
  operational: ['weights', 'device', 'sessions', 'threads_per_session'],

  inspect: async (options, incoming, run): Promise<StageNeeds<PredictionFacts>> => {
    const batches = incoming as BatchFacts;
    const { bands, size, rows, perImage } = batches;
    const encoder = await loadEncoder(options.weights, { buildDir: join(run.dir, 'encoder') });
    const { manifest } = encoder;
    checkFit(manifest, { bands, windowPx: size });
    const shape = outputShape(manifest, size);
    // Sessions of a stochastic encoder would all draw the same numbers.
    const slots = options.sessions === 'auto' && manifest.stochastic ? 1 : parallelism(options.sessions);
    const values =
      shape.answers * options.passes * (shape.cells === undefined ? 1 : shape.cells.ny * shape.cells.nx);
    return {
      facts: {
        kind: 'Prediction',
        ...partFacts(batches),
        answers: manifest.output.labels,
        passes: options.passes,
        cells: shape.cells,
        perImage,
        encoder: {
          name: manifest.name,
          isTrained: manifest.trained,
          sha256: encoder.sha256,
          kind: manifest.output.kind,
        },
        loaded: encoder,
      },
      itemBytes: rows * (4 * values + 256),
      workingBytes: slots * memoryBytes(manifest, size, rows),
      slots,
      identity: { encoder_sha256: encoder.sha256 },
    };
  },

  open: async (stage, options) => {
    const { size } = stage.incoming as BatchFacts;
    const { run, needs } = stage;
    const encoder = (needs.facts as PredictionFacts).loaded;
    const working = await stage.workspace(needs.workingBytes, run.signal);
    const sessions = await EncoderSessions.open(encoder, {
      device: options.device,
      sessions: needs.slots,
      threadsPerSession: options.threads_per_session,
      windowPx: size,
      signal: run.signal,
    });
    run.onClose(async () => {
      await sessions.close();
      working.release();
    });
    run.log.info({ stage: stage.name }, sessions.choice);
    if (!encoder.manifest.trained)
      run.log.warn(
        { stage: stage.name },
        `${encoder.manifest.name} is untrained: its predictions mean nothing`,
      );

    return (ports) =>
      stage.each<Batch, Prediction>(
        ports,
        sessions.slots.length,
        async ({ value: batch, items, lease }, slot) => {
          const place = await slot.reserve(needs.itemBytes);
          const windows = new Set(batch.rows);
          // The session works on its own copy: the windows need not wait in memory until it is done.
          const letGo = (): void => {
            for (const { pixels } of windows) BufferPool.of(run).give(pixels);
            windows.clear();
            lease.release();
          };
          try {
            const { rows, values } = await runBatch(
              stage,
              sessions,
              batch,
              options.passes,
              letGo,
              ports.signal,
            );
            if (rows.length === 0) place.cancel();
            else
              place.emit({ rows, values }, rows.length === items.length ? items : rows.map(({ id }) => id));
          } catch (error) {
            place.cancel();
            throw error;
          } finally {
            letGo();
          }
        },
      );
  },
});

async function runBatch(
  stage: Stage,
  sessions: EncoderSessions,
  { rows, shape }: Batch,
  passes: number,
  onCopied: () => void,
  signal: AbortSignal,
): Promise<Prediction> {
  const { meters } = stage.run;
  const { values, seconds, device } = await sessions.run({
    inputs: rows.map(({ pixels }) => pixels),
    shape,
    passes,
    signal,
    onStart: (where) => meters.encoderRunning(where),
    onCopied,
  });
  meters.encoder(device, seconds);
  const size = values.length / rows.length;
  const good = rows.flatMap((_, i) =>
    values.subarray(i * size, (i + 1) * size).every(Number.isFinite) ? [i] : [],
  );
  if (good.length < rows.length) {
    const bad = rows.filter((_, i) => !good.includes(i)).map(({ id }) => id);
    const error = new EngineError(
      'encoder_not_finite',
      'the encoder returned a value that is not a finite number',
      { stage: stage.name, item: bad[0] ?? '' },
    );
    stage.meter.error(error.code);
    await stage.setAside(bad, error);
  }
  const kept =
    good.length === rows.length
      ? values
      : Float32Array.from(good.flatMap((i) => [...values.subarray(i * size, (i + 1) * size)]));
  return { rows: good.map((i) => identityOf(rows[i] as Window)), values: kept };
}

const identityOf = ({ pixels: _pixels, bands: _bands, wcs: _wcs, ...identity }: Window): PredictionRow =>
  identity;
