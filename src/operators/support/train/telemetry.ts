/** What a training tells while it goes on: the meters of the run, and event files for TensorBoard. */
import { join } from 'node:path';
import type { RunMeters } from '../../../engine/meters.js';
import type { TrainingStep } from '../../../engine/training-meter.js';
import { EventFile } from '../../../formats/tfevents.js';
import type { Scores } from '../../../science/scores/scores.js';
import type { ScorePoint } from './history.js';
import type { Position } from './position.js';

export interface TelemetryOptions {
  readonly meters: RunMeters;
  /** Folder of the training. */
  readonly into: string;
  readonly steps: number;
  readonly epochs: number;
  readonly position: Position;
}

export class Telemetry {
  readonly #meters: RunMeters;
  readonly #events: EventFile;

  constructor({ meters, into, steps, epochs, position }: TelemetryOptions) {
    this.#meters = meters;
    meters.training.plan({
      steps,
      epochs,
      step: position.step,
      epoch: Math.min(epochs, position.epoch + 1),
    });
    const scores = position.history.scores.at(-1);
    if (scores !== undefined) meters.training.scores(namedScores(scores));
    this.#events = EventFile.open(join(into, 'events'), { step: position.step + 1 });
  }

  step(step: TrainingStep): void {
    this.#meters.training.step(step);
    this.#scalars(step.step, {
      'train/loss': step.loss,
      'train/learning_rate': step.learningRate,
      'train/gradient_norm': step.gradientNorm,
      'train/samples_per_second': step.samples / (step.seconds + step.waitSeconds),
      'train/epoch': step.epoch,
    });
  }

  /** Scores of the validation set, and of each kind of noise by itself. */
  scores(point: ScorePoint, byNoise: Readonly<Record<string, Scores>>): void {
    const named = namedScores(point);
    this.#meters.training.scores(named);
    const tagged = Object.entries(named).map(([name, value]) => [`validation/${name}`, value] as const);
    const f1 = Object.entries(byNoise).map(
      ([noise, { mode }]) => [`validation_f1/${noise}`, mode.f1.value ?? 0] as const,
    );
    this.#scalars(point.step, Object.fromEntries([...tagged, ...(f1.length > 1 ? f1 : [])]));
    this.flush();
  }

  /** Gives all events to the system. */
  flush(): void {
    this.#events.flush();
  }

  close(): void {
    this.#events.close();
  }

  #scalars(step: number, values: Readonly<Record<string, number>>): void {
    for (const [tag, value] of Object.entries(values)) this.#events.scalar(tag, value, step);
  }
}

const namedScores = ({ loss, accuracy, precision, recall, f1, auc }: ScorePoint) => ({
  loss,
  accuracy,
  precision,
  recall,
  f1,
  ...(auc !== undefined && { auc }),
});
