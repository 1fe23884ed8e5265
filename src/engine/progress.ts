/** How far the pass is and how fast it goes: a redrawn block on a terminal, a line every ten seconds elsewhere. */
import type { Outcome } from './errors.js';
import { outcomes } from './errors.js';
import type { Clock, End, RunMeters } from './meters.js';
import type { RunSnapshot, StageSnapshot } from './snapshot.js';
import { growth, slowestStage } from './snapshot.js';
import type { BlockLine, Terminal } from './terminal.js';
import { waitShare } from './training-meter.js';

export interface ProgressOptions {
  readonly meters: RunMeters;
  readonly terminal: Terminal;
  /** Takes the lines where there is no terminal; printed when left out. */
  readonly say?: (line: string) => void;
  readonly now?: Clock;
  /** Calls `tick` every so many seconds until the returned function is called. */
  readonly every?: (seconds: number, tick: () => void) => End;
}

/** Seconds between looks at the meters, each a redraw on a terminal; and between lines elsewhere. */
const lookSeconds = 0.5;
const lineSeconds = 10;
/** Shares of stages are taken over this long. */
const shareSeconds = 30;

const byInterval = (seconds: number, tick: () => void): End => {
  const timer = setInterval(tick, seconds * 1000).unref();
  return () => clearInterval(timer);
};

/**
 * Speed of a growing total over a sliding window: the last minute, or longer if fewer than eight steps fell
 * into it. A total that stands still slows down with every look.
 */
export class Rate {
  #start: { at: number; total: number } | undefined;
  readonly #steps: { at: number; total: number }[] = [];

  add(at: number, total: number): void {
    this.#start ??= { at, total };
    const last = this.#steps.at(-1);
    if (last?.total !== total) this.#steps.push({ at, total });
    while (this.#steps.length > 8 && (this.#steps[1]?.at ?? at) <= at - 60) this.#steps.shift();
  }

  /** Units per second since the first look. */
  overall(now: number): number | undefined {
    const start = this.#start;
    const last = this.#steps.at(-1);
    if (start === undefined || last === undefined || now <= start.at) return undefined;
    return (last.total - start.total) / (now - start.at);
  }

  /** Units per second; undefined until two steps have been seen, for the first holds the warm-up. */
  perSecond(now: number): number | undefined {
    const [first] = this.#steps;
    const last = this.#steps.at(-1);
    if (first === undefined || last === undefined || this.#steps.length < 3 || now <= first.at)
      return undefined;
    return (last.total - first.total) / (now - first.at);
  }
}

/** Three significant digits with thousands separated; `–` for what is not known. */
export function amount(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–';
  return value.toLocaleString(
    'en-US',
    value >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 },
  );
}

/** `4:05`, `1:04:05` or `12 d 1:04:05`; `–` for what is not known. */
export function duration(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return '–';
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  const clock = days + hours > 0 ? `${hours}:${two(minutes)}` : `${minutes}`;
  return `${days > 0 ? `${days} d ` : ''}${clock}:${two(whole % 60)}`;
}

const bar = (share: number): string => {
  const full = Math.round(10 * Math.min(1, Math.max(0, share)));
  return '█'.repeat(full) + '░'.repeat(10 - full);
};

const total = (counts: Readonly<Record<Outcome, number>>): number =>
  outcomes.reduce((sum, key) => sum + counts[key], 0);

/** What is shown at one instant: of late, or of the whole run once it is over. */
interface Look {
  readonly run: RunSnapshot;
  /** The snapshot that shares of stages are counted from; the start of the run when undefined. */
  readonly since: RunSnapshot | undefined;
  readonly itemsPerSecond: number | undefined;
  readonly squareDegreesPerSecond: number | undefined;
  readonly samplesPerSecond: number | undefined;
  /** Time gone and left, in words. */
  readonly time: string;
}

const secondsFor = (amount: number | undefined, perSecond: number | undefined): number | undefined =>
  amount === undefined || !perSecond ? undefined : amount / perSecond;

/** Looks at the meters and remembers enough of the past to tell speeds. */
class Watch {
  readonly #rates = {
    settled: new Rate(),
    items: new Rate(),
    squareDegrees: new Rate(),
    steps: new Rate(),
    samples: new Rate(),
  };
  readonly #recent: RunSnapshot[] = [];

  look(run: RunSnapshot, now: number, isOver = false): Look {
    const { settled, items, squareDegrees, steps, samples } = this.#rates;
    const { training } = run;
    settled.add(now, run.settled);
    items.add(now, total(run.units.part === undefined ? run.tiles : run.windows));
    squareDegrees.add(now, run.squareDegrees);
    if (training !== undefined) {
      steps.add(now, training.done.steps);
      samples.add(now, training.done.samples);
    }
    const recent = this.#recent;
    recent.push(run);
    const isOld = (seen: RunSnapshot): boolean => seen.elapsedSeconds <= run.elapsedSeconds - shareSeconds;
    while (recent[1] !== undefined && isOld(recent[1])) recent.shift();

    const speed = (rate: Rate): number | undefined => (isOver ? rate.overall(now) : rate.perSecond(now));
    // The items of a run that trains are settled long before it has learnt from them as often as it should.
    const left =
      training !== undefined
        ? secondsFor(training.steps - training.step, speed(steps))
        : secondsFor(run.expected === undefined ? undefined : run.expected - run.settled, speed(settled));
    const gone = duration(run.elapsedSeconds);
    return {
      run,
      since: isOver ? undefined : recent[0],
      itemsPerSecond: speed(items),
      squareDegreesPerSecond: speed(squareDegrees),
      samplesPerSecond: speed(samples),
      time: isOver ? `in ${gone}` : `${gone} gone · ${duration(left)} left`,
    };
  }
}

/** What there is most of: the parts where something is divided. */
const unitOf = ({ units }: RunSnapshot): string => units.part ?? units.whole;

/** What of all there is has been done; of a run that trains the steps, for it is seldom done when it has seen all items. */
function countedText(run: RunSnapshot): string {
  const { settled, expected, training } = run;
  if (training !== undefined) return `step ${countOf(training.step, training.steps)}`;
  const unit = unitOf(run);
  return expected === undefined ? `${amount(settled)} ${unit}` : countOf(settled, expected, unit);
}

function countOf(done: number, all: number, unit = ''): string {
  const percent = all === 0 ? 100 : Math.floor((100 * done) / all);
  return `${amount(done)} of ${amount(all)} ${unit && `${unit} `}(${percent} %)`;
}

function speedText({ run, itemsPerSecond, squareDegreesPerSecond: area, samplesPerSecond }: Look): string {
  if (run.training !== undefined) return `${amount(samplesPerSecond)} samples/s`;
  return `${amount(area === undefined ? undefined : area * 3600)} deg²/h · ${amount(itemsPerSecond)} ${unitOf(run)}/s`;
}

/** How a run trains; undefined in one that does not. */
function trainingText({ run, since }: Look): string | undefined {
  const { training } = run;
  if (training === undefined) return undefined;
  const { epoch, epochs, last, scores } = training;
  const waits = waitShare(training, since?.training);
  const parts = [
    `epoch ${amount(epoch)} of ${amount(epochs)}`,
    last && `loss ${amount(last.loss)}`,
    scores.f1 === undefined ? undefined : `F1 ${scores.f1.toFixed(2)}`,
    waits === undefined ? undefined : `waits for data ${Math.round(100 * waits)} %`,
  ];
  return parts.filter((part) => part !== undefined).join(' · ');
}

/** What could not be done so far; empty when all is well. */
function setAsideText({ tiles, windows }: RunSnapshot): string {
  return (['unprocessable', 'failed'] as const)
    .filter((outcome) => tiles[outcome] + windows[outcome] > 0)
    .map((outcome) => `${amount(tiles[outcome] + windows[outcome])} ${outcome}`)
    .join(' · ');
}

function stageText(stage: StageSnapshot, { run, since }: Look, nameWidth: number): string {
  const busy = growth(run, since, stage, (of) => of.busySeconds) / stage.slots;
  const percent = `${Math.round(busy * 100)} %`.padStart(5);
  const queue = `${amount(stage.queue.items)}/${amount(stage.limits.items)}`.padStart(5);
  const sent = amount(stage.sent.items).padStart(9);
  const rate = amount(growth(run, since, stage, (of) => of.sent.items)).padStart(6);
  return `  ${stage.name.padEnd(nameWidth)}  ${bar(busy)} ${percent}  queue ${queue}  ${sent} out  ${rate}/s`;
}

function blockOf(seen: Look): BlockLine[] {
  const { run, since, time } = seen;
  const { inFlight, budget } = run.memory;
  const nameWidth = Math.max(...run.stages.map(({ name }) => name.length), 0);
  const memory = `memory ${amount(inFlight / 2 ** 30)} of ${amount(budget / 2 ** 30)} GiB`;
  const lines: BlockLine[] = [
    { text: `${run.pipeline}  ${countedText(run)} · ${time}`, style: 'bold' },
    { text: `${speedText(seen)} · ${memory}` },
    { text: trainingText(seen) ?? '' },
    { text: setAsideText(run), style: 'warning' },
    { text: slowestStage(run, since)?.sentence ?? '' },
    ...run.stages.map((stage): BlockLine => ({ text: stageText(stage, seen, nameWidth), style: 'dim' })),
  ];
  return lines.filter(({ text }) => text !== '');
}

function lineOf(seen: Look): string {
  const { run, since, time } = seen;
  const parts = [
    countedText(run),
    speedText(seen),
    time,
    trainingText(seen),
    setAsideText(run),
    slowestStage(run, since)?.sentence,
  ];
  return parts.filter(Boolean).join(' · ');
}

export interface Progress {
  /** Draws a last time and leaves that on the screen; not when the run never started. */
  stop(hasStarted?: boolean): void;
}

/**
 * Starts to show the progress of a run, until `stop`. Start it once the run has counted what earlier starts
 * settled: they would pass for speed.
 */
export function startProgress(options: ProgressOptions): Progress {
  const { meters, terminal, every = byInterval } = options;
  const { now = () => performance.now() / 1000, say = (line) => terminal.print(line) } = options;
  const watch = new Watch();
  const show = (seen: Look): void => {
    if (terminal.isTty) terminal.block(blockOf(seen));
    else say(lineOf(seen));
  };

  let shownAt = now();
  const end = every(lookSeconds, () => {
    const seen = watch.look(meters.snapshot(), now());
    if (!terminal.isTty && now() - shownAt < lineSeconds) return;
    shownAt = now();
    show(seen);
  });
  const first = watch.look(meters.snapshot(), now());
  if (terminal.isTty) show(first);

  let isStopped = false;
  return {
    stop(hasStarted = true) {
      if (isStopped) return;
      isStopped = true;
      end();
      if (hasStarted) show(watch.look(meters.snapshot(), now(), true));
      terminal.release();
    },
  };
}
