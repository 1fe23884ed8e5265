/** Makes one image of a run again, alone: drawn from its seed or its catalogue, or read from its file. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { pino } from 'pino';
import type { Field } from '../../config/field-parts.js';
import type { CheckedStage } from '../../config/lint.js';
import { parseOptions } from '../../config/options.js';
import { asEngineError, EngineError } from '../../engine/errors.js';
import { values } from '../../engine/flow.js';
import type { Detail } from '../../engine/ledger.js';
import { RunMeters } from '../../engine/meters.js';
import type { PlannedStage } from '../../engine/plan.js';
import { Run } from '../../engine/run.js';
import type { Announced } from '../../operators/support/facts.js';
import type { SkyImage } from '../../operators/support/nouns.js';
import { version } from '../../version.js';
import { compile } from '../compile.js';
import { inspect } from '../inspect.js';
import { specsByName } from '../registry.js';

/** How a run made its images, as its folder has it. */
export interface Recipe {
  readonly version: string;
  /** Where relative paths begin. */
  readonly cwd: string;
  /** The pipeline with all references resolved. */
  readonly config: unknown;
  /** What decided the result, stage by stage, as the ledger has it. */
  readonly identity: Detail;
}

/** An image as the run had it; it can be read until it is closed. */
export interface MadeAgain {
  readonly image: SkyImage;
  /** What X and Y of its catalogue call the centre of the first pixel, when it was drawn. */
  readonly origin: number | undefined;
  /** The file it was read or drawn from, and its place in it. */
  readonly from: { readonly path: string; readonly index: number } | undefined;
  close(): Promise<void>;
}

/**
 * Makes an image of a run again, with the same pixels to the last bit.
 *
 * @throws EngineError saying why it cannot be: another version, files that are gone or are others now
 */
export async function makeAgain(item: string, recipe: Recipe): Promise<MadeAgain> {
  try {
    const stages = imageStages(recipe);
    const isDrawn = stages.some(({ operator }) => operator === 'render');
    if (isDrawn && recipe.version !== version) throw otherVersion(recipe.version);
    const { announced, index } = await find(item, stages, recipe);
    const [source, ...rest] = stages as [CheckedStage, ...CheckedStage[]];
    const { paths: [path] = [], index: inFile = 0 } = announced as Partial<FoundItem>;
    const alone = { ...source, options: { ...source.options, ...narrowed(source, index, path) } };
    const made = await run(item, [alone, ...rest]);
    const origin = rest.find(({ operator }) => operator === 'render')?.options.origin as number | undefined;
    return { ...made, origin, from: path === undefined ? undefined : { path, index: inFile } };
  } catch (error) {
    const { code, message, place, hint } = asEngineError(error);
    throw new EngineError(code, `${item} cannot be made again: ${message}`, {
      cause: error,
      ...(place !== undefined && { place }),
      ...(hint !== undefined && { hint }),
    });
  }
}

/** What `read` announces besides the name. */
interface FoundItem extends Announced {
  readonly paths: readonly string[];
  readonly index: number;
}

/** The options that leave a source one item to make, or one file to read. */
function narrowed({ operator, options }: CheckedStage, index: number, path: string | undefined) {
  if (operator === 'sample') return { first: (options.first as number) + index, fields: 1 };
  const isOneFile = path !== undefined && ['dat', 'pt', 'npy'].includes(options.from as string);
  // Whoever looks at a picture need not wait for checksums.
  return { verify: false, ...(isOneFile && { path }) };
}

const otherVersion = (before: string): EngineError =>
  new EngineError(
    'config_invalid',
    `the run was made by skypass ${before}, and this is ${version}, which may draw it otherwise`,
    { hint: `use skypass ${before}, or run the pipeline again` },
  );

/** The stages up to the one that gives images, with their options checked. */
function imageStages({ config, cwd }: Recipe): readonly CheckedStage[] {
  const { stages = [] } = (config ?? {}) as { stages?: readonly Readonly<Record<string, unknown>>[] };
  const checked: CheckedStage[] = [];
  for (const [operator, raw] of stages.flatMap((stage) => Object.entries(stage))) {
    const spec = specsByName.get(operator);
    if (spec === undefined) break;
    const parsed = parseOptions(spec, fromFolder(raw, { fields: spec.fields }, cwd));
    if (parsed.problems !== undefined) {
      const message = `its run.json says what this version does not know: ${parsed.problems[0]?.message}`;
      throw new EngineError('config_invalid', message, { hint: 'run the pipeline again' });
    }
    const { options } = parsed;
    checked.push({
      operator,
      name: options.name ?? operator,
      spec,
      options,
      at: { file: 'run.json', line: 1, column: 1 },
    });
    if (spec.flow(options).gives?.includes('SkyImage')) return checked;
  }
  throw new EngineError('config_invalid', 'its run.json does not say how', {
    hint: 'run the pipeline again, or show an image file',
  });
}

/** Options with relative paths taken from the folder the run was started in; what lies nowhere stays as it is written. */
function fromFolder(
  value: unknown,
  field: Partial<Pick<Field, 'kind' | 'fields' | 'alternatives'>>,
  cwd: string,
): unknown {
  const kinds = [field, ...(field.alternatives ?? [])];
  if (typeof value === 'string') {
    const isPath = kinds.some(({ kind }) => kind === 'path') && !isAbsolute(value);
    return isPath && existsSync(resolve(cwd, value)) ? resolve(cwd, value) : value;
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  const fields = kinds.find((kind) => kind.fields !== undefined)?.fields ?? {};
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const declared = Object.hasOwn(fields, key) ? fields[key] : undefined;
      return [key, declared === undefined ? inner : fromFolder(inner, declared, cwd)];
    }),
  );
}

/** Where an item stands among those of the run, once it is known that they are still made from the same. */
async function find(item: string, stages: readonly CheckedStage[], { identity }: Recipe) {
  const plan = await inspect({
    name: 'show',
    file: 'run.json',
    stages,
    memoryBytes: anyMemory,
    dir: '',
    overwrite: false,
    values: {},
  });
  const changed = plan.flatMap((planned) => changesOf(planned, identity));
  if (changed.length > 0) {
    throw new EngineError('run_mismatch', `what it was made from has changed: ${changed.join('; ')}`, {
      hint: 'put the files of the run back, or run the pipeline again',
    });
  }
  const items = (plan[0]?.needs.facts.announced ?? []) as readonly Announced[];
  const index = items.findIndex(({ name }) => name === item);
  const announced = items[index];
  if (announced !== undefined) return { announced, index };
  throw new EngineError('no_input', 'the file it was made from is gone', { hint: 'put the file back' });
}

/** Files that a stage was made from and are others now: `sample.tiles_checksum: … → …`. */
function changesOf({ declared: { name }, needs }: PlannedStage, identity: Detail): readonly string[] {
  const before = (identity[name] ?? {}) as Detail;
  return Object.entries(needs.identity ?? {})
    .filter(([key, now]) => before[key] !== now)
    .map(([key, now]) => `${name}.${key}: ${String(before[key] ?? 'nothing')} → ${now}`);
}

/** A run that had room for several such images has room for one. */
const anyMemory = Number.MAX_SAFE_INTEGER;

/** The image of this name, from a run of its own that is kept until the image is closed. */
async function run(
  item: string,
  stages: readonly CheckedStage[],
): Promise<Pick<MadeAgain, 'image' | 'close'>> {
  const dir = await mkdtemp(join(tmpdir(), 'skypass-show-'));
  const closers = [() => rm(dir, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const each of closers.splice(0).reverse()) await each();
  };
  try {
    const own = await Run.open({
      dir,
      pipeline: 'show',
      version,
      memoryBytes: anyMemory,
      meters: new RunMeters('show'),
      log: pino({ level: 'silent' }),
    });
    closers.push(() => own[Symbol.asyncDispose]());
    const images = values(compile(stages, own) as Parameters<typeof values<SkyImage>>[0]);
    closers.push(async () => void (await images.return()));
    for (let next = await images.next(); !next.done; next = await images.next()) {
      if (next.value.id === item) return { image: next.value, close };
      await next.value.close();
    }
    const { code = 'internal', message = 'nothing was made' } = own.ledger.causeOf(item) ?? {};
    throw new EngineError(code as EngineError['code'], message);
  } catch (error) {
    await close();
    throw error;
  }
}
