/** An item of a run, as its ledger has it, and what the encoder said of its windows. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { didYouMean } from '../../config/nearest.js';
import { EngineError } from '../../engine/errors.js';
import { Ledger, parentOf } from '../../engine/ledger.js';
import { ShardReader } from '../../formats/hdf5/read-shard.js';
import { checkSeal } from '../../formats/hdf5/seal.js';
import type { InputFile } from '../../operators/support/nouns.js';
import type { PixelBox } from '../../science/orientation.js';
import type { RunRecord } from '../execute.js';
import type { Recipe } from './made-again.js';

/** A window and the probabilities of its cells. */
export interface WindowPrediction {
  readonly box: PixelBox;
  /** Row by row from the first pixel; a single number for encoders that give no map. */
  readonly cells: Float32Array;
  readonly ny: number;
  readonly nx: number;
}

export interface RunItem {
  /** Folder of the run. */
  readonly dir: string;
  readonly run: string;
  readonly item: string;
  /** Files the image was read from, as the ledger has them; empty when it was made by the run itself. */
  readonly inputs: readonly { readonly path: string; readonly checksum: string }[];
  readonly recipe: Recipe;
  /** Whether the run cuts images into windows, about which an encoder says something. */
  readonly isDivided: boolean;
  readonly windows: readonly WindowPrediction[];
  /** What the numbers are. */
  readonly answer: string;
  readonly isTrained: boolean;
}

/** Whether a path is the folder of a run. */
export const isRun = (path: string): boolean => existsSync(join(path, 'ledger.jsonl'));

/**
 * What a run knows of one of its tiles or fields. Predictions come from grouped.hdf5, or from the shards when the run has
 * not ended.
 *
 * @param name the item; the only one when undefined
 * @throws EngineError `config_invalid` when there is no such item; `ledger_damaged`, `hdf5_damaged`
 */
export async function readRunItem(dir: string, name: string | undefined): Promise<RunItem> {
  const ledger = await Ledger.read(join(dir, 'ledger.jsonl'));
  const record = JSON.parse(
    await readFile(join(dir, 'run.json'), 'utf8').catch(() => '{}'),
  ) as Partial<RunRecord>;
  const whole = record.units?.whole ?? 'tiles';
  const own = [...ledger.items.keys()].filter((item) => parentOf(item) === undefined);
  const items = [...new Set([...ledger.parents, ...own])].sort();
  if (items.length === 0) {
    throw new EngineError('config_invalid', 'the run has made no image yet', {
      place: { file: dir },
      hint: 'show the images themselves: a file, or the folder of a tile',
    });
  }
  const item = name ?? (items.length === 1 ? items[0] : undefined);
  if (item === undefined || !items.includes(item)) {
    const known = didYouMean(name ?? '', items) ?? '';
    const found =
      name === undefined
        ? `the run has ${items.length} ${whole}, and one is shown at a time`
        : `the run has no ${whole.replace(/s$/, '')} ${name}`;
    throw new EngineError('config_invalid', `${found} (${known})`, {
      place: { file: dir },
      hint: 'add --tile NAME',
    });
  }
  const size = windowSize(ledger, item);
  const inputs = (ledger.parent(item)?.detail.inputs as readonly InputFile[] | undefined) ?? [];
  const at = (path: string): string => (isAbsolute(path) ? path : resolve(record.cwd ?? '.', path));
  const files = predictionFiles(dir, record.output === undefined ? undefined : at(record.output), ledger);
  const { windows, answer } = size === undefined ? nothingSaid : predictionsOf(files, item, size);
  return {
    dir,
    run: ledger.start?.run ?? record.run ?? dir,
    item,
    inputs: inputs.map(({ name, checksum }) => ({ path: at(name), checksum })),
    recipe: {
      version: record.version ?? '',
      cwd: record.cwd ?? '.',
      config: record.config,
      identity: ledger.start?.identity ?? {},
    },
    isDivided: size !== undefined,
    windows,
    answer,
    isTrained: record.encoder_untrained !== true,
  };
}

/** The side of a window: what decided the result is written into the ledger. */
function windowSize(ledger: Ledger, item: string): number | undefined {
  const stages = Object.values(ledger.start?.identity ?? {}) as readonly {
    operator?: string;
    size?: number | 'whole';
  }[];
  const size = stages.find(({ operator }) => operator === 'tile')?.size;
  return size === 'whole' ? (ledger.parent(item)?.detail.width as number | undefined) : size;
}

/** The file of all predictions, or the shards that are finished. */
function predictionFiles(dir: string, output: string | undefined, { shards }: Ledger): readonly string[] {
  const grouped = join(dir, 'grouped.hdf5');
  if (existsSync(grouped)) return [grouped];
  // The folder of a run may have been moved since.
  const folder = output !== undefined && existsSync(output) ? output : join(dir, 'predictions');
  return [...shards.values()].map(({ file }) => join(folder, file));
}

const nothingSaid = { windows: [], answer: '' } as const;

function predictionsOf(
  files: readonly string[],
  item: string,
  size: number,
): Pick<RunItem, 'windows' | 'answer'> {
  const windows: WindowPrediction[] = [];
  let answer = '';
  for (const path of files) {
    checkSeal(path);
    const reader = ShardReader.open(path);
    try {
      answer = reader.layout.answers[0] ?? '';
      windows.push(...rowsOf(reader, item, size));
    } finally {
      reader.close();
    }
  }
  return { windows, answer };
}

/** Rows are sorted by id, so that those of an item lie together. */
function rowsOf(reader: ShardReader, item: string, size: number): WindowPrediction[] {
  const rows = reader.readIds().flatMap((id, row) => (id.startsWith(`${item}/`) ? [row] : []));
  const { cells: { ny, nx } = { ny: 1, nx: 1 }, answers, passes } = reader.layout;
  return rows.map((row) => {
    const { values, columns } = reader.readNumbers(row, row + 1);
    const [x, y] = [columns.x0?.[0] ?? 0, columns.y0?.[0] ?? 0];
    return {
      box: { x, y, width: size, height: size },
      cells: meanOverPasses(values, answers.length, passes, ny * nx),
      ny,
      nx,
    };
  });
}

/** The first answer, averaged over the passes. */
function meanOverPasses(values: Float32Array, answers: number, passes: number, cells: number): Float32Array {
  if (values.length !== answers * passes * cells)
    throw new RangeError(`${values.length} numbers in a row of ${answers} × ${passes} × ${cells}`);
  return Float32Array.from({ length: cells }, (_, cell) => {
    let sum = 0;
    for (let pass = 0; pass < passes; pass++) sum += values[pass * cells + cell] as number;
    return sum / passes;
  });
}
