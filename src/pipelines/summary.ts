/** What a run did and found, for people: the last words of `run`, and all of `report`. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '../config/units.js';
import { outcomes } from '../engine/errors.js';
import type { Ledger } from '../engine/ledger.js';
import { amount, duration } from '../engine/progress.js';
import type { RunSummary } from '../engine/run.js';
import { type RunSnapshot, slowestStage, type Units } from '../engine/snapshot.js';
import { type TrainingSnapshot, waitShare } from '../engine/training-meter.js';
import { readTable } from '../formats/parquet.js';
import { leftIn } from './scores.js';

export interface SummaryInput {
  readonly name: string;
  readonly dir: string;
  readonly end: RunSummary['end'] | 'running';
  readonly run: string;
  readonly seconds: number | undefined;
  readonly units: Units;
  /** Outcomes of the parts that what the source makes is divided into. */
  readonly parts: RunSummary['items'];
  /** Outcomes of what the source makes. */
  readonly wholes: RunSummary['parents'];
  readonly error: string | undefined;
  readonly snapshot: RunSnapshot | undefined;
  readonly rssPeakBytes: number | undefined;
  readonly ledger: Ledger;
  /** Folder of what the pipeline writes, a training or a scoring leaves. */
  readonly output: string | undefined;
  /** The encoder has never been trained: whatever it says means nothing. */
  readonly isUntrained: boolean;
  /** The command that goes on; undefined when it would end in the same way. */
  readonly command: string | undefined;
}

const goOn = ({ end, command }: SummaryInput): readonly string[] =>
  command !== undefined && ['interrupted', 'failed'].includes(end) ? [row('go on', command)] : [];

const meaning: Readonly<Record<SummaryInput['end'], string>> = {
  complete: 'complete',
  incomplete: 'complete, but some items could not be processed',
  interrupted: 'interrupted; the same command goes on from here',
  failed: 'failed; what is committed is kept',
  running: 'not ended: it is running, or was killed',
};
const mostCauses = 10;
const mostTiles = 5;

/** The summary of a run, a line each for what people ask first. */
export async function summaryText(input: SummaryInput): Promise<string> {
  const lines = [
    `${input.name}: ${meaning[input.end]}${input.seconds === undefined ? '' : `, in ${duration(input.seconds)}`}  (${input.run})`,
    input.error === undefined ? undefined : `  error     ${input.error}`,
    input.units.part === undefined ? undefined : row(input.units.part, counts(input.parts)),
    row(input.units.whole, counts(input.wholes)),
    ...(input.snapshot === undefined ? [] : speed(input.snapshot, input)),
    input.rssPeakBytes === undefined
      ? undefined
      : `  memory    ${formatBytes(input.rssPeakBytes)} at most, the whole process`,
    ...setAside(input),
    ...(await results(input)),
    ...(await left(input)),
    ...goOn(input),
  ];
  return `${lines.filter((line) => line !== undefined).join('\n')}\n`;
}

const row = (name: string, text: string): string => `  ${name.padEnd(8)}  ${text}`;

const counts = (of: RunSummary['items']): string =>
  outcomes
    .filter((outcome) => of[outcome] > 0)
    .map((outcome) => `${amount(of[outcome])} ${outcome}`)
    .join(', ') || 'none';

function speed(snapshot: RunSnapshot, { end, units: { whole } }: SummaryInput): string[] {
  const hours = snapshot.elapsedSeconds / 3600;
  const encoded = Object.entries(snapshot.encoderSeconds).map(
    ([device, seconds]) => `${amount(seconds)} s on ${device}`,
  );
  const made = outcomes.reduce((sum, outcome) => sum + snapshot.tiles[outcome], 0);
  const { training } = snapshot;
  if (encoded.length === 0 && made === 0 && !training?.done.steps)
    return end === 'complete' ? [row('new', 'nothing: earlier starts had done it all')] : [];
  const slowest = row('slowest', slowestStage(snapshot)?.sentence ?? 'nothing stood out');
  if (training !== undefined) return [row('trained', progress(training)), slowest];
  const busy = Math.round((100 * snapshot.encoderBusySeconds) / snapshot.elapsedSeconds);
  return [
    row(
      'sky',
      `${amount(snapshot.squareDegrees)} deg², ${amount(snapshot.squareDegrees / hours)} deg²/h and ${amount(made / hours)} ${whole}/h in this start`,
    ),
    ...(encoded.length === 0
      ? []
      : [row('encoder', `${encoded.join(', ')}; a session was running ${busy} % of the time`)]),
    slowest,
  ];
}

/** How far a training has come, and how fast this start was: with its waits, without what it took to take scores. */
function progress(training: TrainingSnapshot): string {
  const { step, steps, epoch, epochs, done } = training;
  const far = `${amount(step)} of ${amount(steps)} steps, epoch ${epoch} of ${epochs}`;
  const waits = waitShare(training);
  if (waits === undefined) return far;
  const speed = amount(done.samples / (done.seconds + done.waitSeconds));
  return `${far}; ${speed} samples/s, waiting for data ${Math.round(100 * waits)} % of the time`;
}

function setAside({ ledger }: SummaryInput): string[] {
  const causes = [...ledger.items]
    .filter(([, { outcome }]) => outcome !== 'ok' && outcome !== 'no_work')
    .map(([item]) => ({ item, cause: ledger.causeOf(item) }));
  if (causes.length === 0) return [];
  const shown = causes.slice(0, mostCauses).map(({ item, cause }) => {
    const file = cause?.detail?.file;
    return `    ${item}: ${cause?.code}: ${cause?.message}${typeof file === 'string' ? ` (${file})` : ''}; ${cause?.hint ?? ''}`;
  });
  const more =
    causes.length > mostCauses ? [`    and ${causes.length - mostCauses} more, in ${ledger.path}`] : [];
  return ['  set aside', ...shown, ...more];
}

/** Files that are whole, where nothing behind them makes tables. */
function written({ ledger, output }: SummaryInput): string[] {
  const shards = [...ledger.shards.values()];
  if (shards.length === 0) return [];
  const files = shards.reduce((sum, { file }) => sum + file.split(' ').length, 0);
  const bytes = shards.reduce((sum, shard) => sum + shard.bytes, 0);
  const where = output === undefined ? '' : `  in ${output}`;
  return [
    row('written', `${amount(files)} ${files === 1 ? 'file' : 'files'}, ${formatBytes(bytes)}${where}`),
  ];
}

async function results(input: SummaryInput): Promise<string[]> {
  const { dir, isUntrained, units } = input;
  const path = join(dir, 'tiles.parquet');
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) return written(input);
  const { rows } = await readTable(path);
  const found = rows
    .filter((row) => typeof row.highest_probability === 'number')
    .sort((a, b) => Number(b.highest_probability) - Number(a.highest_probability))
    .slice(0, mostTiles)
    .map((row) => {
      const place = `ra ${Number(row.ra).toFixed(4)} dec ${Number(row.dec).toFixed(4)}`;
      return `    ${row.id_str}  ${place}  highest probability ${Number(row.highest_probability).toFixed(3)}, ${row.cells_above_threshold} of ${row.cells} cells above the threshold`;
    });
  const grouped = join(dir, 'grouped.hdf5');
  const isGrouped = (await stat(grouped).catch(() => undefined)) !== undefined;
  return [
    isGrouped ? `  results   ${grouped}  predictions of every window` : '  results',
    `            ${path}  one row for each ${units.whole.replace(/s$/, '')}`,
    ...(found.length > 0 ? ['  highest', ...found] : []),
    ...(isUntrained && found.length > 0
      ? ['  The encoder is UNTRAINED: its weights are random, and these numbers mean nothing.']
      : []),
  ];
}

/** What a training or a scoring left. */
async function left({ dir, output, run }: SummaryInput): Promise<string[]> {
  const there = await leftIn(output ?? dir, run);
  // Whoever moves the folder of a run moves what is in it.
  const all = there.length > 0 ? there : await leftIn(dir, run);
  return all.flatMap(({ what, path, about, lines }) => [
    row(what, `${path}  ${about}`),
    ...lines.map((line) => `    ${line}`),
  ]);
}
