/** Catalogues and images in the forms of the case study, whole or absent, several at once. */
import { resolve } from 'node:path';
import { asEngineError, EngineError } from '../../../engine/errors.js';
import type { Run } from '../../../engine/run.js';
import type { Stage, StageBody, StageNeeds } from '../../../engine/stage.js';
import type { CatalogBand } from '../../../science/catalog.js';
import type { CatalogFacts, ImageFacts } from '../facts.js';
import type { Catalog, Shard, SkyImage } from '../nouns.js';
import { parallelism } from '../parallel.js';
import { fieldThreads } from '../threads.js';
import type { DatasetRecord } from './dataset.js';
import { contentOf, type FieldContent, isCatalog } from './field-content.js';
import { type FieldForm, imageForms, isDesTileName } from './field-files.js';
import { OpenFields } from './open-fields.js';
import { ptPlan } from './pt-fields.js';

export interface FieldOptions {
  readonly dir: string;
  readonly tile_size: number;
  readonly fields_per_file: number;
  readonly band: CatalogBand;
  readonly min_flux: number;
  readonly origin: number;
  readonly overwrite: boolean;
  readonly threads: number | 'auto';
}

type FieldFacts = CatalogFacts | ImageFacts;

const shardBytes = 4096;
/** What one thread holds: rows being encoded, and as they are written. */
const threadBytes = 32 << 20;

const bandsOf = (facts: FieldFacts): readonly string[] => (facts.kind === 'SkyImage' ? facts.bands : []);
const hasTruth = (facts: FieldFacts): boolean => facts.kind === 'Catalog' || facts.hasTruth;
/** Whether the fields come with a catalogue of their tiles, or one can be made. */
const hasTiles = (facts: FieldFacts): boolean =>
  hasTruth(facts) || (facts.kind === 'SkyImage' && facts.hasCells === true);

/**
 * @throws `config_invalid` when the fields hold less than the forms need, or cannot be cut into whole tiles
 */
export function fieldNeeds(
  options: FieldOptions,
  forms: readonly FieldForm[],
  facts: FieldFacts,
): StageNeeds {
  const withPixels = forms.find((form) => imageForms.includes(form));
  if (facts.kind === 'Catalog' && withPixels !== undefined) {
    throw new EngineError('config_invalid', `catalogues have no pixels to write as ${withPixels}`, {
      hint: 'use write.format=dat, or put render before write',
    });
  }
  if (forms.includes('dat') && !hasTruth(facts)) {
    throw new EngineError(
      'config_invalid',
      'nobody knows what is in these images: there is no catalogue to write',
      {
        hint: 'leave dat out of write.format',
      },
    );
  }
  const odd = facts.announced.find(({ name }) => !isDesTileName(name));
  if (forms.includes('des-tiles') && odd !== undefined) {
    throw new EngineError('config_invalid', `${odd.name} cannot be the name of a DES tile`, {
      hint: 'use names of letters, digits, + and -, such as DES0001-0041',
    });
  }
  if (forms.includes('pt') && hasTiles(facts)) checkTiles(facts, options.tile_size);
  const threads = parallelism(options.threads);
  return {
    facts,
    itemBytes: shardBytes,
    workingBytes: threads * threadBytes,
    slots: threads,
  };
}

/** The fields must come out even, or some of their sources would be in no tile. */
function checkTiles({ width, height }: FieldFacts, tile: number): void {
  if (width % tile === 0 && height % tile === 0) return;
  const even = (side: number): string =>
    [Math.floor(side / tile), Math.ceil(side / tile)]
      .filter((count) => count > 0)
      .map((count) => count * tile)
      .join(' or ');
  const divisors = Array.from({ length: Math.min(tile, width, height) }, (_, i) => i + 1).filter(
    (size) => width % size === 0 && height % size === 0,
  );
  const sizes = width === height ? even(width) : `a width of ${even(width)} and a height of ${even(height)}`;
  throw new EngineError(
    'config_invalid',
    `fields of ${width} × ${height} pixels cannot be cut into tiles of ${tile}: both sides must be multiples of it`,
    { hint: `make the fields ${sizes}, or use write.tile_size=${divisors.at(-1)}` },
  );
}

/** Opens the data set, and says how a field is added to it. */
export async function fieldWriter(
  stage: Stage,
  options: FieldOptions,
  forms: readonly FieldForm[],
): Promise<StageBody<SkyImage | Catalog, Shard>> {
  const { run } = stage;
  const facts = stage.incoming as FieldFacts;
  const { width, height } = facts;
  const record = recordOf(run, options, forms, facts);
  const tileSize = record.tile_size ?? undefined;
  const fields = await OpenFields.open({
    dir: options.dir,
    record,
    mayReplace: options.overwrite,
    plan: ptPlan({ bands: record.bands.length, width, height, tileSize }),
    rules: {
      tileSize: options.tile_size,
      origin: options.origin,
      band: options.band,
      minFlux: options.min_flux,
    },
    area: facts.areaSquareDegrees,
    run,
    pool: fieldThreads(run, parallelism(options.threads)),
  });

  return async (ports) => {
    const { outlet, signal } = ports;
    await fields.begin().catch(failWriting);
    for (const shard of fields.finished) (await outlet.reserve(shardBytes)).emit(shard, []);
    await stage.each<SkyImage | Catalog, Shard>(
      ports,
      stage.needs.slots,
      async ({ value }, slot) => {
        // The source may have begun a field before it was known to be there already.
        if (run.ledger.isDone(value.id)) return;
        const content = contentOf(value);
        checkShape(content, record);
        using _memory = await slot.workspace(threadBytes);
        const shards = await fields.write(content, signal).catch(failWriting);
        stage.meter.outcome('ok', 1);
        for (const shard of shards) (await slot.reserve(shardBytes)).emit(shard, []);
      },
      async (value) => {
        if (!isCatalog(value)) await value.close();
      },
    );
    if (run.stopping.aborted) return;
    const shards = await fields.finish().catch(failWriting);
    for (const shard of shards) (await outlet.reserve(shardBytes)).emit(shard, []);
  };
}

/** What dataset.json says of these fields. */
function recordOf(
  run: Run,
  { tile_size, fields_per_file }: FieldOptions,
  forms: readonly FieldForm[],
  facts: FieldFacts,
): DatasetRecord {
  return {
    run: run.id,
    run_dir: resolve(run.dir),
    pipeline: run.pipeline,
    skypass_version: run.version,
    config_sha256: run.identityHash,
    seed: facts.seed ?? null,
    format: forms,
    bands: bandsOf(facts),
    width: facts.width,
    height: facts.height,
    tile_size: forms.includes('pt') && hasTiles(facts) ? tile_size : null,
    fields_per_file,
    has_truth: hasTruth(facts),
    fields: facts.announced.map(({ name }) => name),
  };
}

/** All fields of a data set are alike: the places in a .pt file are. */
function checkShape(field: FieldContent, { width, height, has_truth, tile_size }: DatasetRecord): void {
  const { id: item, sources, cells } = field;
  if (field.width !== width || field.height !== height) {
    const message = `the field is ${field.width} × ${field.height} pixels, the others are ${width} × ${height}`;
    throw new EngineError('bands_differ', message, {
      item,
      hint: 'all fields of a data set must have the same size: write this one by itself',
    });
  }
  if (has_truth && sources === undefined) {
    throw new EngineError(
      'catalog_columns',
      'nobody knows what is in this image, and of the others they do',
      {
        item,
        hint: 'put its catalogue beside it, or leave it out',
      },
    );
  }
  if (tile_size === null || sources !== undefined) return;
  const [nx, ny] = [width / tile_size, height / tile_size];
  if (cells?.nx === nx && cells.ny === ny) return;
  const found = cells === undefined ? 'no' : `${cells.nx} × ${cells.ny}`;
  throw new EngineError('bands_differ', `the field knows ${found} tiles, expected are ${nx} × ${ny}`, {
    item,
    hint: 'use the write.tile_size it was made with',
  });
}

/** What the system says of a file that is written concerns the whole run; what it says of one that is read has a name. */
function failWriting(thrown: unknown): never {
  const { code } = thrown as { code?: unknown };
  const isSystems = typeof code === 'string' && /^E[A-Z0-9]+$/.test(code);
  if (!isSystems || asEngineError(thrown).reach === 'run') throw thrown;
  throw new EngineError('write_failed', (thrown as Error).message, { cause: thrown });
}
