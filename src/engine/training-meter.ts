/** The meter of a run that trains: how far it is, how well it does, and how long it waits for what to train on. */
import type { TrainingScore } from './metrics.js';

/** What a training run will do, and what earlier starts have done of it. */
export interface TrainingPlan {
  readonly steps: number;
  readonly epochs: number;
  /** Steps done by earlier starts. Default 0. */
  readonly step?: number;
  /** Epoch they came to, counted from 1. */
  readonly epoch?: number;
}

/** One update of the parameters. */
export interface TrainingStep {
  /** Steps done by now, earlier starts included. */
  readonly step: number;
  /** Counted from 1. */
  readonly epoch: number;
  /** Of the samples of this step. */
  readonly loss: number;
  readonly learningRate: number;
  /** Before it is clipped. */
  readonly gradientNorm: number;
  /** Samples it learnt from. */
  readonly samples: number;
  /** It took, once its samples were there. */
  readonly seconds: number;
  /** It waited for its samples before. */
  readonly waitSeconds: number;
}

/** Scores of the last validation; those that cannot be told are left out or NaN. */
export type ValidationScores = Readonly<Partial<Record<TrainingScore, number>>>;

/** A run that trains, at one instant. */
export interface TrainingSnapshot {
  /** Of the whole run. */
  readonly steps: number;
  readonly epochs: number;
  /** Done, earlier starts included. */
  readonly step: number;
  readonly epoch: number;
  /** Of the last step of this start; undefined before. */
  readonly last: Pick<TrainingStep, 'loss' | 'learningRate' | 'gradientNorm'> | undefined;
  readonly scores: ValidationScores;
  /** Done by this start, whatever it did twice. */
  readonly done: Pick<TrainingStep, 'samples' | 'seconds' | 'waitSeconds'> & { readonly steps: number };
}

/** Share of the time of the steps, since an earlier snapshot or in all, in which their samples were not there. */
export function waitShare({ done }: TrainingSnapshot, since?: TrainingSnapshot): number | undefined {
  const waited = done.waitSeconds - (since?.done.waitSeconds ?? 0);
  const worked = done.seconds - (since?.done.seconds ?? 0);
  return waited + worked > 0 ? waited / (waited + worked) : undefined;
}

export class TrainingMeter {
  #snapshot: TrainingSnapshot | undefined;
  readonly #observer: () => (seconds: number) => void;
  #observe: (seconds: number) => void = () => {};

  /** @param observer called when the run turns out to train, for what takes the seconds of each step */
  constructor(observer: () => (seconds: number) => void) {
    this.#observer = observer;
  }

  /** Undefined in a run that does not train. */
  get snapshot(): TrainingSnapshot | undefined {
    return this.#snapshot;
  }

  /** The run trains. Called once, before the first step. */
  plan({ steps, epochs, step = 0, epoch = 0 }: TrainingPlan): void {
    const done = { steps: 0, samples: 0, seconds: 0, waitSeconds: 0 };
    this.#snapshot = { steps, epochs, step, epoch, last: undefined, scores: {}, done };
    this.#observe = this.#observer();
  }

  /** A step is done. */
  step(one: TrainingStep): void {
    const { step, epoch, loss, learningRate, gradientNorm, samples, seconds, waitSeconds } = one;
    const before = this.#planned();
    const { done } = before;
    this.#snapshot = {
      ...before,
      step,
      epoch,
      last: { loss, learningRate, gradientNorm },
      done: {
        steps: done.steps + 1,
        samples: done.samples + samples,
        seconds: done.seconds + seconds,
        waitSeconds: done.waitSeconds + waitSeconds,
      },
    };
    this.#observe(seconds);
  }

  /** The network was validated. */
  scores(scores: ValidationScores): void {
    const known = Object.entries(scores).filter(([, value]) => !Number.isNaN(value));
    this.#snapshot = { ...this.#planned(), scores: Object.fromEntries(known) };
  }

  #planned(): TrainingSnapshot {
    if (this.#snapshot === undefined) throw new Error('a run trains that was not planned to');
    return this.#snapshot;
  }
}
