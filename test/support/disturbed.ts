/** A pass that is long enough to be disturbed, what it should end with, and ways to disturb it. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { Cli, type Ended, passArgs, skypass } from './cli.js';
import { doneTwice, grouped, ledgerLines, type StoredFile, tileRows } from './results.js';
import { type TempFolder, tempFolder } from './run.js';
import { makeSurvey } from './survey.js';

export interface Undisturbed {
  /** There is room for other runs beside it. */
  readonly folder: string;
  readonly survey: string;
  /** Overrides of every start. */
  readonly overrides: readonly string[];
  readonly windows: number;
  readonly grouped: StoredFile;
  readonly tiles: readonly Record<string, unknown>[];
}

/** 25 overlapping windows a tile, shards of two tiles: everything that can be half done is. */
const overrides = ['tile.step=64', 'write.tiles_per_shard=2', 'encode.sessions=2'];
const windowsPerTile = 25;

/** Makes a survey, and passes over it without disturbance. */
export async function undisturbedPass(folder: string, tiles: number): Promise<Undisturbed> {
  const survey = await makeSurvey(join(folder, 'survey'), tiles);
  const dir = join(folder, 'undisturbed');
  const { code, err } = await skypass(passArgs({ survey, dir }, ...overrides));
  expect(code, err).toBe(0);
  const stored = grouped(dir);
  expect(stored.datasets.id_str?.shape).toEqual([tiles * windowsPerTile]);
  return {
    folder,
    survey,
    overrides,
    windows: tiles * windowsPerTile,
    grouped: stored,
    tiles: await tileRows(dir),
  };
}

/** A pass for the tests of one file: made before the first of them, its folder deleted after the last. */
export function sharedPass(tiles: number): { readonly undisturbed: Undisturbed } {
  let temp: TempFolder;
  let undisturbed: Undisturbed;
  beforeAll(async () => {
    temp = await tempFolder();
    undisturbed = await undisturbedPass(temp.path, tiles);
  }, 120_000);
  afterAll(() => temp[Symbol.asyncDispose]());
  return {
    get undisturbed() {
      return undisturbed;
    },
  };
}

export const startIn = (dir: string, { survey, overrides }: Undisturbed): Cli =>
  new Cli(passArgs({ survey, dir }, ...overrides));

export const finishIn = (dir: string, of: Undisturbed): Promise<Ended> => startIn(dir, of).ended;

/** Windows that have an outcome. */
export async function windowsDone(dir: string): Promise<number> {
  const lines = await ledgerLines(dir);
  return lines.reduce(
    (sum, { type, items }) => sum + (type === 'outcome' ? (items as string[]).length : 0),
    0,
  );
}

/** The finished folder holds what the undisturbed pass made: nothing lost, nothing twice, nothing left over. */
export async function expectUndisturbed(dir: string, of: Undisturbed): Promise<void> {
  const { datasets } = grouped(dir);
  expect(datasets).toEqual(of.grouped.datasets);
  expect(new Set(datasets.id_str?.values).size).toBe(of.windows);
  expect(await tileRows(dir)).toEqual(of.tiles);
  expect(await doneTwice(dir)).toEqual([]);
  const left = (await readdir(dir, { recursive: true })).filter((name) =>
    /\.(part|journal|new|lock)$/.test(name),
  );
  expect(left).toEqual([]);
}

/** Uniform numbers in [0, 1), the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Starts the pass again and again, and kills it each time: while it starts, while it works, and while it finishes.
 * The work of the pass is spread over the kills.
 *
 * @returns how many windows were done at each kill
 */
export async function killAtRandom(
  dir: string,
  of: Undisturbed,
  { kills, seed }: { readonly kills: number; readonly seed: number },
): Promise<readonly number[]> {
  const random = seededRandom(seed);
  const share = (1.5 * of.windows) / kills;
  const doneAtKill: number[] = [];
  while (doneAtKill.length < kills) {
    const before = await windowsDone(dir);
    const cli = startIn(dir, of);
    const [kind, until, delay] = [random(), before + 1 + random() * share, random() * 40];
    if (kind < 0.2) await Promise.race([wait(random() * 2000), cli.ended]);
    else if (before < of.windows) await cli.until(async () => (await windowsDone(dir)) >= until);
    else await cli.until(async () => (await readdir(dir)).some((name) => name.endsWith('.part')));
    await wait(delay);
    cli.kill('SIGKILL');
    const { signal, code, err } = await cli.ended;
    expect(signal === 'SIGKILL' || code === 0, `it ended by itself with ${code}: ${err}`).toBe(true);
    if (signal === 'SIGKILL') doneAtKill.push(await windowsDone(dir));
  }
  return doneAtKill;
}
