/** The curves of a training, kept with it: thinned, so that they stay small however long it takes. */

/** A step. */
export interface StepPoint {
  /** Updates done. */
  readonly step: number;
  readonly loss: number;
  readonly learningRate: number;
  readonly gradientNorm: number;
  readonly samplesPerSecond: number;
}

/** Means over some steps, and the last of these. */
export interface CurvePoint extends StepPoint {
  /** How many they are: as many in each point, but the last may still grow. */
  readonly steps: number;
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
  readonly steps: readonly CurvePoint[];
  readonly scores: readonly ScorePoint[];
}

/** Most points of a curve. */
const mostPoints = 2000;

/** Adds a step. Once there are too many points, each two become one, and so do those that follow. */
export function withStep(history: History, point: StepPoint): History {
  const perPoint = history.steps[0]?.steps ?? 1;
  const steps = [...history.steps];
  const last = steps.at(-1);
  const next = { ...point, steps: 1 };
  if (last !== undefined && last.steps < perPoint) steps.splice(-1, 1, together(last, next));
  else steps.push(next);
  return { ...history, steps: steps.length <= mostPoints ? steps : halved(steps) };
}

export const withScores = (history: History, point: ScorePoint): History => ({
  ...history,
  scores: [...history.scores, point],
});

function halved(points: readonly CurvePoint[]): readonly CurvePoint[] {
  const pairs: CurvePoint[] = [];
  for (let i = 0; i < points.length; i += 2) {
    const [a, b] = [points[i] as CurvePoint, points[i + 1]];
    pairs.push(b === undefined ? a : together(a, b));
  }
  return pairs;
}

function together(a: CurvePoint, b: CurvePoint): CurvePoint {
  const steps = a.steps + b.steps;
  const mean = (name: keyof StepPoint): number => (a.steps * a[name] + b.steps * b[name]) / steps;
  return {
    step: b.step,
    steps,
    loss: mean('loss'),
    learningRate: mean('learningRate'),
    gradientNorm: mean('gradientNorm'),
    samplesPerSecond: mean('samplesPerSecond'),
  };
}
