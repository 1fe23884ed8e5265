/** The curves of a training, kept with it: thinned, so that they stay small however long it takes. */

/** Means over the steps since the point before. */
export interface StepPoint {
  /** Updates done. */
  readonly step: number;
  readonly loss: number;
  readonly learningRate: number;
  readonly gradientNorm: number;
  readonly samplesPerSecond: number;
}

/** Scores of the validation set. */
export interface ScorePoint {
  readonly step: number;
  /** Epochs done, as a fraction. */
  readonly epoch: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Absent where there is no cell with members, or no other. */
  readonly auc?: number;
}

export interface History {
  readonly steps: readonly StepPoint[];
  readonly scores: readonly ScorePoint[];
}

/** Most points of a curve. */
const mostPoints = 2000;

/** Adds a step; once there are too many points, each two become one. */
export function withStep(history: History, point: StepPoint): History {
  const steps = [...history.steps, point];
  return { ...history, steps: steps.length <= mostPoints ? steps : halved(steps) };
}

export const withScores = (history: History, point: ScorePoint): History => ({
  ...history,
  scores: [...history.scores, point],
});

function halved(points: readonly StepPoint[]): readonly StepPoint[] {
  const pairs: StepPoint[] = [];
  for (let i = 0; i < points.length; i += 2) {
    const [a, b] = [points[i] as StepPoint, points[i + 1]];
    pairs.push(b === undefined ? a : between(a, b));
  }
  return pairs;
}

function between(a: StepPoint, b: StepPoint): StepPoint {
  const mean = (name: keyof StepPoint): number => (a[name] + b[name]) / 2;
  return {
    step: b.step,
    loss: mean('loss'),
    learningRate: mean('learningRate'),
    gradientNorm: mean('gradientNorm'),
    samplesPerSecond: mean('samplesPerSecond'),
  };
}
