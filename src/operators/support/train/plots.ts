/**
 * Charts of a training: its curves, and how good its probabilities are. The thread that asks is busy for about a
 * tenth of a second (once for twice that, to read fonts), sharp's own threads for some tenths; steps go on meanwhile.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { palette, reference } from '../../../formats/chart/palette.js';
import { type Axis, type Chart, type Series, writeCharts } from '../../../formats/chart.js';
import type { Estimate } from '../../../science/scores/bootstrap.js';
import type { Scores } from '../../../science/scores/scores.js';
import { percentile } from '../../../science/stretch.js';

/** What a training has been through, in columns: one element for each step or so many steps, and one for each validation. */
export interface History {
  readonly steps: Readonly<Record<'step' | 'loss' | 'learningRate' | 'samplesPerSecond', ArrayLike<number>>>;
  readonly validations: Readonly<
    Record<'step' | 'loss' | 'accuracy' | 'precision' | 'recall' | 'f1' | 'auc', ArrayLike<number>>
  >;
}

/** What a curve of a page of scores is called, and what is known of it. */
export interface NamedScores {
  readonly label: string;
  readonly scores: Scores;
  /** False for numbers that only rank, such as a filter's response: they have no place beside probabilities. */
  readonly isProbability?: boolean;
}

export interface PictureOptions {
  readonly title?: string;
}

/**
 * Draws `curves.png`: loss, validation scores, learning rate and samples per second against the step.
 *
 * @param folder made if need be
 * @returns the path of the picture
 * @throws the system's errors
 */
export async function writeCurves(
  folder: string,
  history: History,
  { title }: PictureOptions = {},
): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'curves.png');
  const { steps } = history;
  const x = stepAxis(history);
  const speed = runningMean(steps.samplesPerSecond);
  const charts: readonly Chart[] = [
    lossChart(history),
    scoresChart(history),
    {
      title: 'Learning rate',
      x,
      y: { label: 'Learning rate', limits: [0, undefined] },
      series: [{ kind: 'line', x: steps.step, y: steps.learningRate }],
    },
    {
      title: 'Speed',
      x,
      y: {
        label: 'Samples per second',
        limits: [0, percentile(steps.samplesPerSecond, 99.5) * 1.1 || undefined],
      },
      series: [
        { kind: 'line', x: steps.step, y: steps.samplesPerSecond, ...single },
        { kind: 'line', x: steps.step, y: speed.means, colour: palette[0] },
      ],
    },
  ];
  await writeCharts(path, charts, title === undefined ? {} : { title });
  return path;
}

/** All curves from the beginning to the last step. */
function stepAxis({ steps }: History): Axis {
  const last = steps.step[steps.step.length - 1];
  return { label: 'Step', isCount: true, limits: [0, last === undefined ? undefined : 1.02 * last] };
}

/** Single steps, pale beneath their mean. */
const single = { colour: '#ccd8e5', width: 0.8 } as const;

function lossChart({ steps, validations }: History): Chart {
  const { means, width } = runningMean(steps.loss);
  const meanOf = width * Math.max(1, (steps.step[1] ?? 0) - (steps.step[0] ?? 0));
  const shown = [...means, ...Array.from(validations.loss)].filter(Number.isFinite);
  // A single bad step may be far above all others: it is cut off.
  const low = shown.reduce((least, each) => Math.min(least, each), percentile(steps.loss, 0.5));
  const high = shown.reduce((most, each) => Math.max(most, each), percentile(steps.loss, 99.5));
  const isWide = low > 0 && high > 6 * low;
  const best = Array.from(validations.loss).reduce(
    (least, loss, i) => (loss < (validations.loss[least] ?? Number.POSITIVE_INFINITY) ? i : least),
    0,
  );
  const bestLoss = validations.loss[best];
  const marks: readonly Series[] =
    bestLoss === undefined
      ? []
      : [
          { kind: 'line', x: validations.step, y: validations.loss, colour: palette[2], width: 1.4 },
          {
            kind: 'points',
            x: validations.step,
            y: validations.loss,
            colour: palette[2],
            label: 'Validation',
          },
          {
            kind: 'points',
            x: [validations.step[best] as number],
            y: [bestLoss],
            colour: palette[3],
            marker: 'diamond',
            label: `Best validation: ${bestLoss.toPrecision(3)}`,
          },
        ];
  const room = isWide ? 1.1 : 1 + 0.05 * (high / low - 1);
  return {
    title: 'Loss',
    x: stepAxis({ steps, validations }),
    y: {
      label: 'Loss (cross-entropy per cell)',
      scale: isWide ? 'log' : 'linear',
      limits: Number.isFinite(low) && low > 0 ? [low / room, high * room] : [],
    },
    series: [
      { kind: 'line', x: steps.step, y: steps.loss, ...single },
      {
        kind: 'line',
        x: steps.step,
        y: means,
        colour: palette[0],
        label: meanOf === 1 ? 'Training' : `Training, mean of ${meanOf} steps`,
      },
      ...marks,
    ],
  };
}

const scoreStyles = [
  { name: 'accuracy', label: 'Accuracy', colour: palette[5], dash: '9 3 2 3' },
  { name: 'auc', label: 'AUC', colour: palette[4], dash: '12 3' },
  { name: 'precision', label: 'Precision', colour: palette[1], dash: '6 3' },
  { name: 'recall', label: 'Recall', colour: palette[2], dash: '2.5 2.5' },
  { name: 'f1', label: 'F1', colour: palette[0] },
] as const;

const scoresChart = ({ steps, validations }: History): Chart => ({
  title: 'Validation scores',
  x: stepAxis({ steps, validations }),
  y: { label: 'Score', limits: [undefined, 1] },
  series: scoreStyles.flatMap(({ name, label, ...style }): readonly Series[] => [
    { kind: 'line', x: validations.step, y: validations[name], label, ...style },
    // A single validation would be a line without length.
    ...(validations.step.length > 1
      ? []
      : [{ kind: 'points', x: validations.step, y: validations[name], colour: style.colour } as const]),
  ]),
});

/** Means of each value and those before it, over a fiftieth of all values. */
export function runningMean(values: ArrayLike<number>): {
  readonly means: Float64Array;
  /** How many values a mean is of, but for the first ones. */
  readonly width: number;
} {
  const width = Math.max(1, Math.round(values.length / 50));
  const means = new Float64Array(values.length);
  for (let i = 0, sum = 0, count = 0; i < values.length; i++) {
    const [entering, leaving] = [values[i] as number, values[i - width]];
    if (Number.isFinite(entering)) [sum, count] = [sum + entering, count + 1];
    if (leaving !== undefined && Number.isFinite(leaving)) [sum, count] = [sum - leaving, count - 1];
    means[i] = sum / count;
  }
  return { means, width };
}

/**
 * Draws `scores.png`: precision against recall over lines of equal F1, the ROC curve, reliability, and how many cells have
 * which probability. Marks are the threshold, bars the bootstrap intervals.
 *
 * @param folder made if need be
 * @param all one curve each; with more than two, legends leave out intervals. Cells are counted of the first
 * @returns the path of the picture
 * @throws the system's errors
 */
export async function writeScores(
  folder: string,
  all: readonly NamedScores[],
  { title }: PictureOptions = {},
): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'scores.png');
  const coloured = all.map((each, i) => ({
    ...each,
    ...(curveStyles[i % curveStyles.length] as CurveStyle),
  }));
  const probable = coloured.filter(({ isProbability = true }) => isProbability);
  const charts = [precisionRecall(coloured), roc(coloured), reliability(probable), counts(probable)];
  const first = all[0]?.scores;
  await writeCharts(path, charts, {
    width: 470,
    height: 430,
    ...(title === undefined ? {} : { title }),
    ...(first === undefined ? {} : { caption: captionOf(first) }),
  });
  return path;
}

interface CurveStyle {
  readonly colour: string;
  readonly marker: 'circle' | 'square' | 'diamond';
  readonly dash?: string;
}
type ColouredScores = NamedScores & CurveStyle;

const curveStyles: readonly CurveStyle[] = [
  { colour: palette[0], marker: 'circle' },
  { colour: palette[1], marker: 'square', dash: '7 3' },
  { colour: palette[2], marker: 'diamond', dash: '2.5 2.5' },
  { colour: palette[4], marker: 'circle', dash: '9 3 2 3' },
];

const captionOf = ({ fields, cells, members, bootstrap: { draws, level } }: Scores): string =>
  [
    `${fields.toLocaleString('en')} fields, ${cells.toLocaleString('en')} cells, ${members.toLocaleString('en')} of them with members`,
    ...(draws > 0
      ? [
          `bars and brackets: ${Math.round(100 * level)} % of ${draws.toLocaleString('en')} draws of whole fields`,
        ]
      : []),
  ].join('  ·  ');

/** A score with its interval, `0.83 [0.80, 0.86]`. */
export function estimateWords({ value, low, high }: Estimate): string {
  if (value === null) return 'none';
  const interval = low === null || high === null ? '' : ` [${low.toFixed(3)}, ${high.toFixed(3)}]`;
  return `${value.toFixed(3)}${interval}`;
}

const valueWords = ({ value }: Estimate): string => estimateWords({ value, low: null, high: null });
/** Many legends have no room for intervals. */
const wordsFor = (all: readonly unknown[]): ((of: Estimate) => string) =>
  all.length > 2 ? valueWords : estimateWords;

const unit = { limits: [0, 1] as const };
const lineStyle = ({ colour, dash }: CurveStyle) => ({ colour, ...(dash === undefined ? {} : { dash }) });
const orGap = (value: number | null): number => value ?? Number.NaN;

function precisionRecall(all: readonly ColouredScores[]): Chart {
  const isBrief = all.length > 2;
  const isoLines = [0.2, 0.4, 0.6, 0.8].map((f1) => {
    // F1 = 2 P R / (P + R), solved for P.
    const x = Array.from({ length: 101 }, (_, i) => f1 / (2 - f1) + (i / 100) * (1 - f1 / (2 - f1)));
    return { f1, x, y: x.map((recall) => (f1 * recall) / (2 * recall - f1)) };
  });
  return {
    title: 'Precision and recall',
    x: { label: 'Recall', ...unit },
    y: { label: 'Precision', limits: [0, 1.02] },
    series: [
      ...isoLines.map(({ x, y }): Series => ({ kind: 'line', x, y, colour: '#c4c4c4', width: 1 })),
      ...all.flatMap((each): readonly Series[] => {
        const { label, scores, marker, colour } = each;
        const { precision, recall, f1 } = scores.mode;
        const said = each.isProbability === false ? 'response' : 'p';
        const threshold = Number(scores.threshold.toFixed(3));
        return [
          {
            kind: 'line',
            x: [0, ...scores.curve.recall],
            y: [scores.curve.precision[0] ?? Number.NaN, ...scores.curve.precision],
            ...lineStyle(each),
            label: isBrief
              ? `${label}: F1 ${valueWords(f1)}, AP ${valueWords(scores.average_precision)}`
              : `${label}: AP ${estimateWords(scores.average_precision)}`,
          },
          {
            kind: 'points',
            x: [orGap(recall.value)],
            y: [orGap(precision.value)],
            low: [orGap(precision.low)],
            high: [orGap(precision.high)],
            marker,
            colour,
            ...(isBrief ? {} : { label: `F1 ${estimateWords(f1)} at ${said} > ${threshold}` }),
          },
        ];
      }),
    ],
    // Where precision and recall are equal, they equal F1.
    notes: isoLines.map(({ f1 }) => ({
      x: f1,
      y: f1 - 0.012,
      words: `F1 = ${f1}`,
      anchor: 'middle',
      colour: '#888888',
    })),
  };
}

const roc = (all: readonly ColouredScores[]): Chart => ({
  title: 'Receiver operating characteristic',
  x: { label: 'False positive rate', ...unit },
  y: { label: 'True positive rate', limits: [0, 1.02] },
  series: [
    { kind: 'line', x: [0, 1], y: [0, 1], ...reference, label: 'Chance' },
    ...all.flatMap((each): readonly Series[] => {
      const { label, scores, marker, colour } = each;
      const { fp, tn } = scores.confusion;
      const { recall } = scores.mode;
      return [
        {
          kind: 'line',
          x: [0, ...scores.curve.false_positive_rate],
          y: [0, ...scores.curve.recall],
          ...lineStyle(each),
          label: `${label}: AUC ${wordsFor(all)(scores.auc)}`,
        },
        {
          kind: 'points',
          x: [fp / (fp + tn)],
          y: [orGap(recall.value)],
          low: [orGap(recall.low)],
          high: [orGap(recall.high)],
          marker,
          colour,
        },
      ];
    }),
  ],
});

const reliability = (all: readonly ColouredScores[]): Chart => ({
  title: 'Reliability',
  x: { label: 'Predicted probability', ...unit },
  y: { label: 'Observed fraction with members', ...unit },
  series: [
    { kind: 'line', x: [0, 1], y: [0, 1], ...reference, label: 'Calibrated' },
    ...all.flatMap((each): readonly Series[] => {
      const { label, scores, marker, colour } = each;
      const bins = scores.reliability.filter(({ predicted }) => predicted !== null);
      const x = bins.map(({ predicted }) => orGap(predicted));
      const y = bins.map(({ observed }) => orGap(observed.value));
      return [
        { kind: 'line', x, y, ...lineStyle(each), width: 1.2 },
        {
          kind: 'points',
          x,
          y,
          low: bins.map(({ observed }) => orGap(observed.low)),
          high: bins.map(({ observed }) => orGap(observed.high)),
          marker,
          colour,
          label: `${label}: error ${wordsFor(all)(scores.calibration_error)}`,
        },
      ];
    }),
  ],
});

function counts([first, second]: readonly ColouredScores[]): Chart {
  const bins = first?.scores.reliability ?? [];
  const edges = [...bins.map(({ from }) => from), bins.at(-1)?.to ?? 1];
  const cells = bins.map((bin) => bin.cells);
  const members = bins.map((bin) => Math.round(bin.cells * (bin.observed.value ?? 0)));
  const of = first === undefined || second === undefined ? '' : `${first.label}: `;
  return {
    title: 'How often a probability is given',
    x: { label: 'Predicted probability', ...unit },
    // A single cell is to be seen.
    y: { label: 'Cells', scale: 'log', limits: [0.7, undefined] },
    series: [
      { kind: 'bars', edges, heights: cells, colour: palette[0], opacity: 0.15, label: `${of}all cells` },
      {
        kind: 'bars',
        edges,
        heights: members,
        colour: palette[1],
        opacity: 0.55,
        label: `${of}with members`,
      },
    ],
  };
}
