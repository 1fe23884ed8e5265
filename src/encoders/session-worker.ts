/** Runs in a worker thread: a native forward pass blocks the event loop of its thread. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { moved, task } from '../engine/workers.js';
import { type DeviceName, sessionOptions } from './devices.js';
import type { OutputKind } from './manifest.js';

/** Everything a thread needs to open a session. Sessions are kept by `key`. */
export interface SessionSpec {
  readonly key: string;
  readonly modelPath: string;
  readonly device: DeviceName;
  readonly threads: number;
  readonly input: string;
  readonly output: string;
  readonly kind: OutputKind;
  readonly answers: number;
  readonly isMap: boolean;
  readonly isStochastic: boolean;
  /** Keep memory between windows: a little faster, but a large encoder holds half as much again. */
  readonly usesArena: boolean;
}

export interface Job {
  readonly spec: SessionSpec;
  /** One image for each row, channels × height × width float32. */
  readonly inputs: readonly SharedArrayBuffer[];
  /** Set to 1 when the inputs have been copied. */
  readonly copied: Int32Array<SharedArrayBuffer>;
  readonly shape: readonly [channels: number, height: number, width: number];
  readonly passes: number;
}

export interface Answer {
  /** (rows, answers, passes) or (rows, answers, passes, ny, nx). */
  readonly values: Float32Array;
  readonly shape: readonly number[];
  /** Time of the forward passes. */
  readonly seconds: number;
}

const sessions = new Map<string, Promise<InferenceSession>>();
/** The input of a forward pass; kept for the next of the same size. */
let joined = new Float32Array(0);

/** Opens the session of a spec in this thread, if it is not open. */
export const open = task(async (spec: SessionSpec): Promise<void> => {
  await sessionOf(spec);
});

/** Ends the session of a spec in this thread. */
export const release = task(async ({ key }: SessionSpec): Promise<void> => {
  const session = await sessions.get(key)?.catch(() => undefined);
  sessions.delete(key);
  await session?.release();
});

/** One forward pass for all rows, or several when the encoder is stochastic. */
export const run = task(async ({ spec, inputs, copied, shape, passes }: Job): Promise<Answer> => {
  const session = await sessionOf(spec);
  const rows = inputs.length;
  const tensor = new Tensor('float32', join(inputs), [rows, ...shape]);
  Atomics.store(copied, 0, 1);
  Atomics.notify(copied, 0);
  const draws = spec.isStochastic ? passes : 1;
  let values: Float32Array | undefined;
  let cells: readonly number[] = [];
  let seconds = 0;
  for (let draw = 0; draw < draws; draw++) {
    const started = performance.now();
    const result = await forward(session, spec, tensor);
    seconds += (performance.now() - started) / 1000;
    const data = result.data as Float32Array;
    cells = cellsOf(result.dims, data, rows, spec);
    values ??= new Float32Array(data.length * passes);
    place(data, values, {
      draw,
      repeat: spec.isStochastic ? 1 : passes,
      passes,
      series: rows * spec.answers,
    });
    result.dispose();
  }
  const answered = values ?? new Float32Array(0);
  if (spec.kind === 'bernoulli-logits')
    for (const [i, logit] of answered.entries()) answered[i] = 1 / (1 + Math.exp(-logit));
  const answer = { values: answered, shape: [rows, spec.answers, passes, ...cells], seconds };
  return moved(answer, [answered.buffer as ArrayBuffer]);
});

function sessionOf(spec: SessionSpec): Promise<InferenceSession> {
  const open = sessions.get(spec.key) ?? create(spec);
  sessions.set(spec.key, open);
  return open;
}

function create({ modelPath, device, threads, usesArena }: SessionSpec): Promise<InferenceSession> {
  return InferenceSession.create(modelPath, {
    ...sessionOptions(device, threads),
    enableCpuMemArena: usesArena,
  });
}

async function forward(
  session: InferenceSession,
  { input, output }: SessionSpec,
  tensor: Tensor,
): Promise<Tensor> {
  try {
    const results = await session.run({ [input]: tensor }, [output]);
    return results[output] as Tensor;
  } catch (cause) {
    throw Object.assign(new Error(`the forward pass failed: ${(cause as Error).message}`), {
      code: 'encoder_run',
    });
  }
}

/** The rows one behind the other, in memory that is this thread's own: a tensor cannot stand on shared memory. */
function join(inputs: readonly SharedArrayBuffer[]): Float32Array {
  const length = inputs.reduce((sum, buffer) => sum + buffer.byteLength, 0) / 4;
  if (joined.length !== length) joined = new Float32Array(length);
  let offset = 0;
  for (const buffer of inputs) {
    joined.set(new Float32Array(buffer), offset);
    offset += buffer.byteLength / 4;
  }
  return joined;
}

/** [ny, nx] of a map, [] of an image's answers; the model's output is (rows, answers[, ny, nx]). */
function cellsOf(
  dims: readonly number[],
  data: Float32Array,
  rows: number,
  { answers, isMap }: SessionSpec,
): readonly number[] {
  const cells = isMap ? dims.slice(2) : [];
  const expected = rows * answers * cells.reduce((product, length) => product * length, 1);
  if (dims[0] === rows && dims[1] === answers && data.length === expected && (!isMap || cells.length === 2))
    return cells;
  const wanted = isMap ? `[${rows}, ${answers}, ny, nx]` : `[${rows}, ${answers}]`;
  throw Object.assign(
    new Error(`the encoder gave an output of shape [${dims.join(', ')}]; its manifest says ${wanted}`),
    {
      code: 'encoder_mismatch',
    },
  );
}

/** Puts the answers of one draw, (series, cells), into (series, passes, cells): `repeat` times from pass `draw` on. */
function place(
  data: Float32Array,
  values: Float32Array,
  { draw, repeat, passes, series }: { draw: number; repeat: number; passes: number; series: number },
): void {
  const cells = data.length / series;
  for (let one = 0; one < series; one++) {
    const answer = data.subarray(one * cells, (one + 1) * cells);
    for (let pass = draw; pass < draw + repeat; pass++) values.set(answer, (one * passes + pass) * cells);
  }
}
