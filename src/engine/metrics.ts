/**
 * The metric catalogue: every name, type, unit, label and help string. `meters.ts` fills it, `/metrics` and
 * `metrics.prom` show it, the dashboards in `grafana/` are generated from it.
 *
 * Names are `skypass_<noun>_<unit>[_total]` in base units. Labels come from closed sets, so that a survey of
 * ten thousand tiles makes no more series than a survey of ten: tile names and messages belong to logs and ledger.
 */
import { errorCodes, outcomes } from './errors.js';

/** What a waiting slot waits for. */
export const blockedReasons = ['upstream', 'downstream', 'memory', 'device'] as const;
export type BlockedReason = (typeof blockedReasons)[number];

/** Where an encoder session runs: the execution providers of ONNX Runtime that Skypass names. */
export const devices = ['cpu', 'webgpu', 'cuda', 'tensorrt', 'coreml', 'dml'] as const;
export type Device = (typeof devices)[number];

/** What a network that is trained is judged by. */
export const trainingScores = ['loss', 'accuracy', 'precision', 'recall', 'f1', 'auc'] as const;
export type TrainingScore = (typeof trainingScores)[number];

/** The values a label can take; `config` means the names written in the pipeline's YAML. */
export const labelValues = {
  pipeline: 'config',
  stage: 'config',
  operator: 'config',
  outcome: outcomes,
  reason: [...blockedReasons, ...Object.keys(errorCodes)],
  device: devices,
  score: trainingScores,
} as const satisfies Record<string, 'config' | readonly string[]>;
export type LabelName = keyof typeof labelValues;

export interface MetricSpec {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** Unit of the value; `1` for a plain flag. */
  readonly unit: string;
  readonly labels: readonly LabelName[];
  readonly help: string;
  /** Upper bounds of the buckets of a histogram, in its unit. */
  readonly buckets?: readonly number[];
}

const run = (
  type: MetricSpec['type'],
  name: string,
  unit: string,
  help: string,
  ...more: LabelName[]
): MetricSpec => ({
  name: `skypass_${name}`,
  type,
  unit,
  labels: ['pipeline', ...more],
  help,
});

const stage = (
  type: MetricSpec['type'],
  name: string,
  unit: string,
  help: string,
  ...more: LabelName[]
): MetricSpec => run(type, `stage_${name}`, unit, help, 'stage', 'operator', ...more);

/** From a skipped window to a full-network forward pass on a slow device. */
const runSecondsBuckets = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300];

export const metrics = {
  stageReceivedItems: stage(
    'counter',
    'received_items_total',
    'items',
    'Items the stage took from the edge before it.',
  ),
  stageReceivedBytes: stage('counter', 'received_bytes_total', 'bytes', 'Bytes of the items the stage took.'),
  stageSentItems: stage(
    'counter',
    'sent_items_total',
    'items',
    'Items the stage gave to the edge behind it.',
  ),
  stageSentBytes: stage('counter', 'sent_bytes_total', 'bytes', 'Bytes of the items the stage gave.'),
  stageOutcomes: stage(
    'counter',
    'outcomes_total',
    'items',
    'Items by how they ended in the stage.',
    'outcome',
  ),
  stageErrors: stage(
    'counter',
    'errors_total',
    'errors',
    'Errors by code; a code appears with its first error.',
    'reason',
  ),
  stageRunSeconds: {
    ...stage('histogram', 'run_seconds', 'seconds', 'Time one slot worked on one item, without waiting.'),
    buckets: runSecondsBuckets,
  },
  stageBusySeconds: stage(
    'counter',
    'busy_seconds_total',
    'seconds',
    'Time slots worked, summed over slots; unfinished work counts while it lasts. Divide by the slots for a share.',
  ),
  stageSlotsBusy: stage('gauge', 'slots_busy', 'slots', 'Slots at work now.'),
  stageSlots: stage('gauge', 'slots', 'slots', 'Items the stage may work on at once.'),
  stageQueueItems: stage('gauge', 'queue_items', 'items', 'Items waiting at the entrance of the stage.'),
  stageQueueBytes: stage('gauge', 'queue_bytes', 'bytes', 'Bytes waiting at the entrance of the stage.'),
  stageQueueItemsLimit: stage('gauge', 'queue_items_limit', 'items', 'Most items that may wait.'),
  stageQueueBytesLimit: stage('gauge', 'queue_bytes_limit', 'bytes', 'Most bytes that may wait.'),
  stageBlockedSeconds: stage(
    'counter',
    'blocked_seconds_total',
    'seconds',
    'Time slots waited, by what they waited for, summed over waiting slots; a wait counts while it lasts.',
    'reason',
  ),

  skyArea: run(
    'counter',
    'sky_area_square_degrees_total',
    'square degrees',
    'Sky area whose outcome is known.',
  ),
  windows: run('counter', 'windows_total', 'windows', 'Windows by how they ended.', 'outcome'),
  tiles: run('counter', 'tiles_total', 'tiles', 'Tiles, or simulated fields, by how they ended.', 'outcome'),
  encoderSeconds: run(
    'counter',
    'encoder_seconds_total',
    'seconds',
    'Time of forward passes, summed over sessions.',
    'device',
  ),
  encoderBusySeconds: run(
    'counter',
    'encoder_busy_seconds_total',
    'seconds',
    'Wall time during which at least one encoder session ran.',
  ),
  memoryInFlight: run('gauge', 'memory_in_flight_bytes', 'bytes', 'Bytes of all leases held now.'),
  memoryBudget: run('gauge', 'memory_budget_bytes', 'bytes', 'Bytes all leases together may hold (memory=).'),
  itemsExpected: run('gauge', 'items_expected', 'items', 'Items of the whole run; absent until counted.'),
  itemsSettled: run(
    'gauge',
    'items_settled',
    'items',
    'Items whose outcome is in the ledger, earlier starts included.',
  ),

  trainingStep: run('gauge', 'training_step', 'steps', 'Steps of training done, earlier starts included.'),
  trainingStepsExpected: run('gauge', 'training_steps_expected', 'steps', 'Steps of the whole training.'),
  trainingEpoch: run('gauge', 'training_epoch', 'epochs', 'Epoch of the last step, counted from 1.'),
  trainingLoss: run('gauge', 'training_loss', '1', 'Loss over the samples of the last step.'),
  trainingLearningRate: run('gauge', 'training_learning_rate', '1', 'Learning rate of the last step.'),
  trainingGradientNorm: run(
    'gauge',
    'training_gradient_norm',
    '1',
    'Euclidean norm of the gradient of the last step, before it is clipped.',
  ),
  trainingValidationScore: run(
    'gauge',
    'training_validation_score',
    '1',
    'Scores of the last validation.',
    'score',
  ),
  trainingSamples: run('counter', 'training_samples_total', 'samples', 'Samples that were learnt from.'),
  trainingDataWaitSeconds: run(
    'counter',
    'training_data_wait_seconds_total',
    'seconds',
    'Time steps waited for their samples.',
  ),
  trainingStepSeconds: {
    ...run('histogram', 'training_step_seconds', 'seconds', 'Time of one step, once its samples were there.'),
    buckets: runSecondsBuckets,
  },

  runInfo: run('gauge', 'run_info', '1', 'Always 1: names the pipeline this process runs.'),
} as const satisfies Record<string, MetricSpec>;

export type MetricKey = keyof typeof metrics;

/** What prom-client says of the process itself and the dashboards use; these carry no labels. */
export const processMetrics = {
  residentMemory: 'process_resident_memory_bytes',
  cpuSeconds: 'process_cpu_seconds_total',
  eventLoopLag: 'nodejs_eventloop_lag_p99_seconds',
} as const;

/** Default metrics of prom-client left out: gauges named like counters, and what no one reads. */
export const unusedProcessMetrics = [
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
  'nodejs_active_resources',
  'nodejs_active_resources_total',
] as const;
