// Writes grafana/dashboards/*.json from the metric catalogue. Needs a build: `npm run build && node scripts/grafana.mjs`.
// With --print the dashboard goes to standard output and no file is touched.
import { writeFileSync } from 'node:fs';
import * as bargauge from '@grafana/grafana-foundation-sdk/bargauge';
import * as common from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  FieldColorBuilder,
  FieldColorModeId,
  IntervalVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import { metrics, processMetrics } from '../dist/engine/metrics.js';

// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana fills in the variable, not JavaScript
const datasource = { type: 'prometheus', uid: '${datasource}' };

/** The series of one metric that the variables of the dashboard choose, and others that match. */
const of = ({ name }, ...matches) =>
  `${name}{${['pipeline=~"$pipeline"', 'instance=~"$instance"', ...matches].join(', ')}}`;
/** A metric of the process, where that process runs a chosen pipeline. */
const ofProcess = (name) => `${name}{instance=~"$instance"} and on (job, instance) ${of(metrics.runInfo)}`;
/** Growth per second, at the resolution of the screen: for what happens all the time. */
const rate = (metric) => `rate(${of(metric)}[$__rate_interval])`;
/** Growth per second over the chosen window: for tiles and windows, which may be minutes apart. */
const steadyRate = (metric) => `rate(${of(metric)}[$window])`;
const histogramOf = (metric) => `rate(${of({ name: `${metric.name}_bucket` })}[$__rate_interval])`;
const quantileOf = (quantile, metric, label) =>
  `histogram_quantile(${quantile}, sum by (${label}, le) (${histogramOf(metric)}))`;
const perSlot = (seconds, ...labels) =>
  `sum by (${['stage', ...labels].join(', ')}) (${seconds}) / on (stage) group_left () sum by (stage) (${of(metrics.stageSlots)})`;
/** Seconds until a gauge reaches another, at the pace of the chosen window. */
const timeUntil = (done, expected) => `(${of(expected)} - ${of(done)}) / (deriv(${of(done)}[$window]) > 0)`;
const fill = (level, limit) => `max by (stage) (${of(level)} / ${of(limit)})`;

const rows = [
  {
    title: 'Pass',
    panels: [
      {
        kind: 'stat',
        title: 'Sky',
        description: 'Sky area settled per hour, over the chosen window.',
        unit: 'suffix: deg²/h',
        queries: [[`sum(${steadyRate(metrics.skyArea)}) * 3600`, 'deg²/h']],
      },
      {
        kind: 'stat',
        title: 'Windows',
        description: 'Windows that ended per second, whatever their outcome.',
        unit: 'suffix: windows/s',
        queries: [[`sum(${steadyRate(metrics.windows)})`, 'windows/s']],
      },
      {
        kind: 'stat',
        title: 'Time left',
        description:
          'Items still expected, or steps where a process trains, at the pace of the chosen window; of several processes, the last to end.',
        unit: 'dtdurations',
        queries: [
          [
            `max(${timeUntil(metrics.trainingStep, metrics.trainingStepsExpected)} or ${timeUntil(metrics.itemsSettled, metrics.itemsExpected)})`,
            'left',
          ],
        ],
      },
      {
        kind: 'stat',
        title: 'Settled',
        description: 'Share of the items of the run whose outcome is in the ledger.',
        unit: 'percentunit',
        queries: [[`sum(${of(metrics.itemsSettled)}) / sum(${of(metrics.itemsExpected)})`, 'settled']],
      },
      {
        title: 'Sky area',
        description: 'Square degrees settled per hour.',
        unit: 'suffix: deg²/h',
        queries: [[`sum by (instance) (${steadyRate(metrics.skyArea)}) * 3600`, '{{instance}}']],
      },
      {
        title: 'Windows by outcome',
        description: 'Windows that ended per second.',
        unit: 'suffix: windows/s',
        stacked: true,
        queries: [[`sum by (outcome) (${steadyRate(metrics.windows)})`, '{{outcome}}']],
      },
    ],
  },
  {
    title: 'Stages',
    panels: [
      {
        kind: 'bars',
        title: 'What holds the pass back',
        description:
          'Share of the time a slot of the stage works. The fullest stage sets the pace of all others.',
        unit: 'percentunit',
        queries: [[perSlot(rate(metrics.stageBusySeconds)), '{{stage}}']],
      },
      {
        title: 'Waiting, by reason',
        description:
          'Share of the time a slot waits. Before the slowest stage slots wait for downstream, behind it for upstream.',
        unit: 'percentunit',
        queries: [[perSlot(rate(metrics.stageBlockedSeconds), 'reason'), '{{stage}} for {{reason}}']],
      },
      {
        title: 'Throughput',
        description: 'Items each stage gives to the next.',
        unit: 'suffix: items/s',
        queries: [[`sum by (stage) (${rate(metrics.stageSentItems)})`, '{{stage}}']],
      },
      {
        title: 'Bytes',
        description: 'Bytes each stage takes from the one before.',
        unit: 'Bps',
        queries: [[`sum by (stage) (${rate(metrics.stageReceivedBytes)})`, '{{stage}}']],
      },
      {
        title: 'Queue fill',
        description: 'Items and bytes waiting at the entrance of each stage, as a share of their limit.',
        unit: 'percentunit',
        max: 1,
        queries: [
          [fill(metrics.stageQueueItems, metrics.stageQueueItemsLimit), '{{stage}} items'],
          [fill(metrics.stageQueueBytes, metrics.stageQueueBytesLimit), '{{stage}} bytes'],
        ],
      },
      {
        title: 'Run time, 95th percentile',
        description: 'Time one slot works on one item.',
        unit: 's',
        queries: [[quantileOf(0.95, metrics.stageRunSeconds, 'stage'), '{{stage}}']],
      },
    ],
  },
  {
    title: 'Training',
    panels: [
      {
        kind: 'stat',
        title: 'Steps',
        description: 'Share of the steps of the whole training that are done.',
        unit: 'percentunit',
        queries: [
          [`sum(${of(metrics.trainingStep)}) / sum(${of(metrics.trainingStepsExpected)})`, 'steps done'],
        ],
      },
      {
        kind: 'stat',
        title: 'Epoch',
        description: 'Epoch of the last step; of several processes, the one furthest behind.',
        unit: 'short',
        queries: [[`min(${of(metrics.trainingEpoch)})`, 'epoch']],
      },
      {
        kind: 'stat',
        title: 'Samples',
        description: 'Samples learnt from per second, over the chosen window.',
        unit: 'suffix: samples/s',
        queries: [[`sum(${steadyRate(metrics.trainingSamples)})`, 'samples/s']],
      },
      {
        kind: 'stat',
        title: 'Waits for data',
        description: 'Share of the time in which steps wait for their samples, over the chosen window.',
        unit: 'percentunit',
        queries: [[`avg(${steadyRate(metrics.trainingDataWaitSeconds)})`, 'waits for data']],
      },
      {
        title: 'Loss',
        description: 'Of the samples of each step, and of the last validation.',
        unit: 'short',
        queries: [
          [of(metrics.trainingLoss), 'training, {{instance}}'],
          [of(metrics.trainingValidationScore, 'score="loss"'), 'validation, {{instance}}'],
        ],
      },
      {
        title: 'Validation',
        description: 'Scores of the last validation, 0 to 1.',
        unit: 'short',
        max: 1,
        queries: [[of(metrics.trainingValidationScore, 'score!="loss"'), '{{score}}, {{instance}}']],
      },
      {
        title: 'Learning rate',
        description: 'Of the last step.',
        unit: 'short',
        queries: [[of(metrics.trainingLearningRate), '{{instance}}']],
      },
      {
        title: 'Gradient norm',
        description: 'Of the last step, before it is clipped.',
        unit: 'short',
        queries: [[of(metrics.trainingGradientNorm), '{{instance}}']],
      },
      {
        width: 24,
        title: 'Time of a step',
        description: 'Once its samples are there: the median, and the 95th percentile.',
        unit: 's',
        queries: [
          [quantileOf(0.5, metrics.trainingStepSeconds, 'instance'), 'median, {{instance}}'],
          [quantileOf(0.95, metrics.trainingStepSeconds, 'instance'), '95th percentile, {{instance}}'],
        ],
      },
    ],
  },
  {
    title: 'Encoder and machine',
    panels: [
      {
        title: 'Encoder busy',
        description: 'Share of the time at least one session runs, and sessions at work on each device.',
        unit: 'percentunit',
        queries: [
          [`sum by (instance) (${rate(metrics.encoderBusySeconds)})`, 'busy, {{instance}}'],
          [`sum by (device) (${rate(metrics.encoderSeconds)})`, 'sessions on {{device}}'],
        ],
      },
      {
        title: 'Memory',
        description: 'Bytes of all leases against the budget (memory=), and what the process really holds.',
        unit: 'bytes',
        queries: [
          [`sum by (instance) (${of(metrics.memoryInFlight)})`, 'in flight, {{instance}}'],
          [`sum by (instance) (${of(metrics.memoryBudget)})`, 'budget, {{instance}}'],
          [ofProcess(processMetrics.residentMemory), 'resident, {{instance}}'],
        ],
      },
      {
        title: 'Processor',
        description: 'Cores in use by the process.',
        unit: 'suffix: cores',
        queries: [
          [
            `rate(${processMetrics.cpuSeconds}{instance=~"$instance"}[$__rate_interval]) and on (job, instance) ${of(metrics.runInfo)}`,
            '{{instance}}',
          ],
        ],
      },
      {
        title: 'Event loop delay, 99th percentile',
        description: 'A blocked event loop is a stopped pipeline that looks healthy.',
        unit: 's',
        queries: [[ofProcess(processMetrics.eventLoopLag), '{{instance}}']],
      },
    ],
  },
  {
    title: 'Outcomes',
    panels: [
      {
        kind: 'bars',
        width: 8,
        title: 'Tiles by outcome',
        description: 'Tiles of this start of the run.',
        unit: 'short',
        queries: [[`sum by (outcome) (${of(metrics.tiles)})`, '{{outcome}}']],
      },
      {
        kind: 'bars',
        width: 8,
        title: 'Items by stage and outcome',
        description: 'Items that ended otherwise than ok.',
        unit: 'short',
        queries: [[`sum by (stage, outcome) (${of(metrics.stageOutcomes)}) > 0`, '{{stage}} {{outcome}}']],
      },
      {
        kind: 'bars',
        width: 8,
        title: 'Errors by code',
        description: 'The code is that of the log and the ledger, which name the items.',
        unit: 'short',
        queries: [[`sum by (stage, reason) (${of(metrics.stageErrors)})`, '{{stage}} {{reason}}']],
      },
    ],
  },
];

/** Columns of 24, and rows of the grid. */
const widths = { stat: 6, bars: 12, lines: 12 };
const heights = { stat: 4, bars: 8, lines: 8 };

function panel({
  kind = 'lines',
  title,
  description,
  unit,
  queries,
  max,
  width = widths[kind],
  stacked = false,
}) {
  const builders = {
    stat: () =>
      new stat.PanelBuilder()
        .graphMode(common.BigValueGraphMode.Area)
        .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull'])),
    bars: () =>
      new bargauge.PanelBuilder()
        .orientation(common.VizOrientation.Horizontal)
        .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull'])),
    lines: () =>
      new timeseries.PanelBuilder()
        .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassic))
        .lineWidth(1)
        .fillOpacity(stacked ? 40 : 5)
        .showPoints(common.VisibilityMode.Never)
        .stacking(
          new common.StackingConfigBuilder().mode(
            stacked ? common.StackingMode.Normal : common.StackingMode.None,
          ),
        )
        .legend(
          new common.VizLegendOptionsBuilder()
            .displayMode(common.LegendDisplayMode.Table)
            .placement(common.LegendPlacement.Right)
            .showLegend(true)
            .calcs(['lastNotNull']),
        ),
  };
  const builder = builders[kind]()
    .title(title)
    .description(description)
    .datasource(datasource)
    .unit(unit)
    .min(0)
    .noValue('–')
    .thresholds(
      new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([{ value: null, color: 'blue' }]),
    )
    .span(width)
    .height(heights[kind]);
  if (max !== undefined) builder.max(max);
  queries.forEach(([expr, legend], place) => {
    const refId = String.fromCharCode('A'.charCodeAt(0) + place);
    builder.withTarget(
      new DataqueryBuilder().datasource(datasource).refId(refId).expr(expr).legendFormat(legend).range(),
    );
  });
  return builder;
}

const choice = (name, label, query) =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .query({ query, refId: name })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: ['All'], value: ['$__all'] });

function dashboard() {
  const builder = new DashboardBuilder('Skypass')
    .uid('skypass')
    .description('A survey pass or a training: how fast it goes, what holds it back, what could not be done.')
    .tags(['skypass'])
    .timezone('browser')
    .time({ from: 'now-1h', to: 'now' })
    .refresh('10s')
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(choice('pipeline', 'Pipeline', `label_values(${metrics.runInfo.name}, pipeline)`))
    .withVariable(
      choice('instance', 'Process', `label_values(${metrics.runInfo.name}{pipeline=~"$pipeline"}, instance)`),
    )
    .withVariable(
      new IntervalVariableBuilder('window')
        .label('Window')
        .values('1m,5m,15m,1h')
        .current({ selected: true, text: '5m', value: '5m' }),
    );
  for (const { title, panels } of rows) {
    builder.withRow(new RowBuilder(title));
    for (const definition of panels) builder.withPanel(panel(definition));
  }
  return builder.build();
}

const text = `${JSON.stringify(dashboard(), null, 2)}\n`;
if (process.argv.includes('--print')) process.stdout.write(text);
else writeFileSync(new URL('../grafana/dashboards/skypass.json', import.meta.url), text);
