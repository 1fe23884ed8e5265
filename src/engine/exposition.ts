/**
 * Shows the meters to Prometheus. Nothing else in Skypass knows prom-client: its metrics are filled from a
 * snapshot when somebody asks, so that counting costs an addition and not a hash of labels.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { LabelName, MetricKey, MetricSpec } from './metrics.js';
import { metrics, unusedProcessMetrics } from './metrics.js';
import type { RunSnapshot, StageSnapshot } from './snapshot.js';

type Labels = Partial<Record<LabelName, string>>;
type Reading = readonly [labels: Labels, value: number];

const ofStages =
  (value: (stage: StageSnapshot) => number) =>
  (run: RunSnapshot): Reading[] =>
    run.stages.map((stage) => [{ stage: stage.name, operator: stage.operator }, value(stage)]);

const ofStagesBy =
  (label: LabelName, values: (stage: StageSnapshot) => Readonly<Record<string, number>>) =>
  (run: RunSnapshot): Reading[] =>
    run.stages.flatMap((stage) =>
      Object.entries(values(stage)).map(
        ([key, value]): Reading => [{ stage: stage.name, operator: stage.operator, [label]: key }, value],
      ),
    );

const ofRun =
  (value: (run: RunSnapshot) => number | undefined) =>
  (run: RunSnapshot): Reading[] => {
    const known = value(run);
    return known === undefined ? [] : [[{}, known]];
  };

const ofRunBy =
  (label: LabelName, values: (run: RunSnapshot) => Readonly<Record<string, number>>) =>
  (run: RunSnapshot): Reading[] =>
    Object.entries(values(run)).map(([key, value]) => [{ [label]: key }, value]);

/** How each metric of the catalogue is read off a snapshot; a metric without a line here does not compile. */
const readings: Record<
  Exclude<MetricKey, 'stageRunSeconds' | 'trainingStepSeconds'>,
  (run: RunSnapshot) => Reading[]
> = {
  stageReceivedItems: ofStages((stage) => stage.received.items),
  stageReceivedBytes: ofStages((stage) => stage.received.bytes),
  stageSentItems: ofStages((stage) => stage.sent.items),
  stageSentBytes: ofStages((stage) => stage.sent.bytes),
  stageOutcomes: ofStagesBy('outcome', (stage) => stage.outcomes),
  stageErrors: ofStagesBy('reason', (stage) => stage.errors),
  stageBusySeconds: ofStages((stage) => stage.busySeconds),
  stageSlotsBusy: ofStages((stage) => stage.slotsBusy),
  stageSlots: ofStages((stage) => stage.slots),
  stageQueueItems: ofStages((stage) => stage.queue.items),
  stageQueueBytes: ofStages((stage) => stage.queue.bytes),
  stageQueueItemsLimit: ofStages((stage) => stage.limits.items),
  stageQueueBytesLimit: ofStages((stage) => stage.limits.bytes),
  stageBlockedSeconds: ofStagesBy('reason', (stage) => stage.blockedSeconds),
  skyArea: ofRun((run) => run.squareDegrees),
  windows: ofRunBy('outcome', (run) => run.windows),
  tiles: ofRunBy('outcome', (run) => run.tiles),
  encoderSeconds: ofRunBy('device', (run) => run.encoderSeconds),
  encoderBusySeconds: ofRun((run) => run.encoderBusySeconds),
  memoryInFlight: ofRun((run) => run.memory.inFlight),
  memoryBudget: ofRun((run) => run.memory.budget),
  itemsExpected: ofRun((run) => run.expected),
  itemsSettled: ofRun((run) => run.settled),
  trainingStep: ofRun((run) => run.training?.step),
  trainingStepsExpected: ofRun((run) => run.training?.steps),
  trainingEpoch: ofRun((run) => run.training?.epoch),
  trainingLoss: ofRun((run) => run.training?.last?.loss),
  trainingLearningRate: ofRun((run) => run.training?.last?.learningRate),
  trainingGradientNorm: ofRun((run) => run.training?.last?.gradientNorm),
  trainingValidationScore: ofRunBy('score', (run) => run.training?.scores ?? {}),
  trainingSamples: ofRun((run) => run.training?.done.samples),
  trainingDataWaitSeconds: ofRun((run) => run.training?.done.waitSeconds),
  runInfo: ofRun(() => 1),
};

export interface Exposition {
  readonly registry: Registry;
  /** Where a stage reports the seconds of each run: what a snapshot cannot give. */
  runSeconds(stage: string, operator: string): (seconds: number) => void;
  /** Where a run that trains reports the seconds of each step. */
  trainingStepSeconds(): (seconds: number) => void;
}

/** A registry of its own for one run, holding the whole catalogue. */
export function exposeRun(pipeline: string, snapshot: () => RunSnapshot): Exposition {
  const registry = new Registry();
  const definition = ({ name, help, labels }: MetricSpec) => ({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
  });
  for (const [key, read] of Object.entries(readings)) {
    const spec = metrics[key as keyof typeof readings];
    const current = (): Reading[] =>
      read(snapshot()).map(([labels, value]) => [{ pipeline, ...labels }, value]);
    if (spec.type === 'counter') {
      const counter: Counter = new Counter({
        ...definition(spec),
        collect() {
          counter.reset();
          for (const [labels, value] of current()) counter.inc(labels, value);
        },
      });
    } else {
      const gauge: Gauge = new Gauge({
        ...definition(spec),
        collect() {
          for (const [labels, value] of current()) gauge.set(labels, value);
        },
      });
    }
  }
  const histogramOf = (spec: MetricSpec & Required<Pick<MetricSpec, 'buckets'>>) => {
    const histogram = new Histogram({ ...definition(spec), buckets: [...spec.buckets] });
    return (labels: Labels) => {
      histogram.zero({ pipeline, ...labels });
      const child = histogram.labels({ pipeline, ...labels });
      return (seconds: number) => child.observe(seconds);
    };
  };
  const runSeconds = histogramOf(metrics.stageRunSeconds);
  const stepSeconds = histogramOf(metrics.trainingStepSeconds);
  return {
    registry,
    runSeconds: (stage, operator) => runSeconds({ stage, operator }),
    trainingStepSeconds: () => stepSeconds({}),
  };
}

let processRegistry: Registry | undefined;

/** Memory, CPU and event loop of this process: one registry, because there is one process whatever runs in it. */
export function ofProcess(): Registry {
  if (processRegistry === undefined) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
    for (const name of unusedProcessMetrics) processRegistry.removeSingleMetric(name);
  }
  return processRegistry;
}
