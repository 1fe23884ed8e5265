/** Draws the sources of simulated fields from priors, or from catalogues of real ones. */
import { randomUUID } from 'node:crypto';
import { canonicalJson } from '../config/canonical.js';
import { field, type OptionsOf, stageSpec } from '../config/spec.js';
import { asEngineError, EngineError } from '../engine/errors.js';
import { type Ledger, parentOf } from '../engine/ledger.js';
import { type Slot, type StageNeeds, source } from '../engine/stage.js';
import type { WorkerPool } from '../engine/workers.js';
import { catalogColumns } from '../science/catalog.js';
import { fieldWcs, nominalField } from '../science/field-wcs.js';
import { type FieldPrior, FieldSampler, fieldDefaults, type SampledField } from '../science/priors/field.js';
import { deriveSeed } from '../science/random.js';
import { TanWcs } from '../science/wcs.js';
import type { Announced, CatalogFacts } from './support/facts.js';
import type { Catalog, InputFile } from './support/nouns.js';
import {
  backgroundField,
  clustersField,
  cosmologyField,
  noiseField,
  shapesField,
} from './support/sample/prior-options.js';
import type { SampleRequest } from './support/sample/task.js';
import { type ListedTile, readTileList } from './support/sample/tile-list.js';
import { backgroundCatalogueField, clusterCatalogueField } from './support/sample/user-catalogue-options.js';
import { inspectTable, type UserTables, userTables } from './support/sample/user-catalogues.js';
import { pixelThreads } from './support/threads.js';

export const sampleSpec = stageSpec(
  'sample',
  { takes: null, gives: 'Catalog' },
  'Draws the galaxies, stars and clusters of simulated fields from priors, or from catalogues of real ones.',
  {
    fields: field.optional(
      field.int({
        min: 1,
        max: 10_000_000,
        doc: 'How many fields; left out: one, or as many as there are tiles. A run may be given more of them later.',
        example: 500,
      }),
    ),
    first: field.int({
      default: 0,
      min: 0,
      doc: 'Number of the first field, or of the first tile in the list.',
    }),
    prefix: field.string({
      default: 'galsim_des',
      pattern: /^[A-Za-z0-9][\w.+-]*$/,
      form: 'a word of letters, digits and _ . + -',
      doc: 'What the names of fields begin with, before _000.',
    }),
    seed: field.int({ default: 0, doc: 'Another seed makes other fields of the same names.' }),
    size: field.oneOf(
      [
        field.int({ min: 1, max: 100_000, unit: 'px', doc: 'Side of a square field.' }),
        field.list(field.int({ min: 1, max: 100_000, unit: 'px', doc: 'Width, height.' }), {
          min: 2,
          max: 2,
          doc: 'Width and height.',
        }),
      ],
      { default: 2560, doc: 'Size of a field: the side, or width and height.' },
    ),
    ra: field.number({
      default: nominalField.ra,
      min: 0,
      max: 360,
      unit: 'deg',
      doc: 'Right ascension of the centre of all fields, unless tiles says otherwise.',
    }),
    dec: field.number({
      default: nominalField.dec,
      min: -90,
      max: 90,
      unit: 'deg',
      doc: 'Declination of the centre of all fields, unless tiles says otherwise.',
    }),
    pixel_scale: field.number({
      default: nominalField.pixelScaleArcsec,
      min: 1e-6,
      unit: 'arcsec',
      doc: 'Side of a pixel.',
    }),
    origin: field.number({
      default: 1,
      unit: 'px',
      doc: 'X and Y of the centre of the first pixel. With 1, as in BLISS, positions from 0 to size are half a pixel off the image; with 0.5 they span it.',
    }),
    tiles: field.optional(
      field.path({
        doc: 'A list of tiles as DES publishes it: fields get their names and centres. des-dr2 is the list of DES DR2.',
        example: 'des-dr2',
      }),
    ),
    background: backgroundField,
    clusters: clustersField,
    shapes: shapesField,
    noise: noiseField,
    cosmology: cosmologyField,
    background_catalogue: backgroundCatalogueField,
    cluster_catalogue: clusterCatalogueField,
  },
  { common: { credit_items: 1 } },
);

type SampleOptions = OptionsOf<typeof sampleSpec>;

/** A field that will be drawn. */
interface PlannedField extends Announced {
  readonly ra: number;
  readonly dec: number;
}

interface SampleFacts extends CatalogFacts {
  readonly announced: readonly PlannedField[];
  readonly inputs: readonly InputFile[];
}

/**
 * @emits      one catalogue for each field; none for fields already done
 * @waits      while the next stage has not taken the one before
 * @completes  after the last field, or when the run is asked to stop
 * @fails      before anything starts: `run_mismatch` (fewer fields than there are), `no_input` `prior_columns` `prior_empty` `config_invalid` `fits_*`
 * @order      by number, or as the list of tiles
 * @memory     the sources of one field, and the columns of the user's catalogues once for all threads
 */
export const sample = source<typeof sampleSpec, Catalog>({
  spec: sampleSpec,
  operational: ['fields'],

  inspect: async (options): Promise<StageNeeds<SampleFacts>> => {
    const tables = userTables(options.background_catalogue, options.cluster_catalogue);
    const looks = await Promise.all(Object.entries(tables).map(([name, table]) => inspected(name, table)));
    const rows = Object.fromEntries(looks.map((look) => [look.name, look.rows]));
    const listed = options.tiles === undefined ? undefined : await readTileList(options.tiles);
    const announced = plannedFields(options, listed);
    const { width, height } = sizeOf(options);
    if (options.cluster_catalogue === undefined)
      usable(() => new FieldSampler(priorOf(options)).try(options.pixel_scale));
    const wcs = fieldWcs(width, height, options.ra, options.dec, options.pixel_scale);
    return {
      facts: {
        kind: 'Catalog',
        width,
        height,
        areaSquareDegrees: width * height * new TanWcs(wcs).pixelAreaSquareDegrees,
        announced,
        unit: options.tiles === undefined ? 'fields' : 'tiles',
        seed: options.seed,
        inputs: looks.map(({ input }) => input),
      },
      itemBytes: rowBytes * mostSources(options, rows.members),
      workingBytes: 4 * (6 * (rows.background ?? 0) + 5 * (rows.members ?? 0)),
      slots: 1,
      identity: identityOf(looks, listed),
    };
  },

  open: async (stage, options) => {
    const { run } = stage;
    const { announced, inputs } = stage.needs.facts as SampleFacts;
    refuseFewer(run.ledger, announced);
    const pool = pixelThreads(run);
    const prior = await priorWithCatalogues(options, pool, run.signal);
    const fingerprint = fingerprintOf(options, inputs);
    const key = randomUUID();

    return async (ports) => {
      for (const planned of announced) {
        if (run.stopping.aborted) return;
        if (run.ledger.isDone(planned.name)) continue;
        const draw = async (slot: Slot<Catalog>): Promise<void> => {
          const place = await slot.reserve(stage.needs.itemBytes);
          try {
            const empty = frameOf(planned, options);
            const { seed, width, height, wcs } = empty;
            const frame = { seed, width, height, wcs, origin: options.origin };
            const drawn = await pool.run<SampleRequest, SampledField>(
              'sampleCatalog',
              { key, prior, frame },
              { signal: ports.signal },
            );
            place.emit({ ...empty, ...drawn, inputs, fingerprint }, [planned.name]);
          } catch (error) {
            place.cancel();
            throw error;
          }
        };
        await stage.guard([planned.name], ports, draw);
      }
    };
  },
});

/** Bytes of one source in a catalogue. */
const rowBytes = 8 * catalogColumns.length;

const sizeOf = ({ size }: SampleOptions): { readonly width: number; readonly height: number } => {
  const [width, height] = (typeof size === 'number' ? [size, size] : size) as readonly [number, number];
  return { width, height };
};

/** What is known of a field before its sources are drawn. */
function frameOf({ name, ra, dec }: PlannedField, options: SampleOptions) {
  const { width, height } = sizeOf(options);
  const wcs = fieldWcs(width, height, ra, dec, options.pixel_scale);
  return {
    id: name,
    width,
    height,
    wcs,
    areaSquareDegrees: width * height * new TanWcs(wcs).pixelAreaSquareDegrees,
    seed: deriveSeed(options.seed, name),
  };
}

function plannedFields(
  { fields, first, prefix, ra, dec, tiles }: SampleOptions,
  listed: readonly ListedTile[] | undefined,
): readonly PlannedField[] {
  if (listed === undefined) {
    const name = (index: number): string => `${prefix}_${String(first + index).padStart(3, '0')}`;
    return Array.from({ length: fields ?? 1 }, (_, i) => ({ name: name(i), ra, dec, problem: undefined }));
  }
  const place = { file: tiles ?? '' };
  const left = listed.length - first;
  if (left <= 0) {
    throw new EngineError('no_input', `the list has ${listed.length} tiles, none after the first ${first}`, {
      place,
      hint: 'lower sample.first',
    });
  }
  if (fields !== undefined && fields > left) {
    const after = first === 0 ? '' : ` after the first ${first}`;
    throw new EngineError('no_input', `the list has ${left} tiles${after}, but ${fields} are asked for`, {
      place,
      hint: `use sample.fields=${left} or fewer, or leave it out to take them all`,
    });
  }
  return listed.slice(first, first + (fields ?? left)).map((tile) => ({ ...tile, problem: undefined }));
}

/**
 * A run may be given more fields than it had, and goes on with them; it may not be given fewer.
 *
 * @throws EngineError `run_mismatch`
 */
function refuseFewer(ledger: Ledger, announced: readonly Announced[]): void {
  const known = new Set(announced.map(({ name }) => name));
  const others = new Set(
    [...ledger.parents, ...ledger.items.keys()]
      .map((item) => parentOf(item) ?? item)
      .filter((name) => !known.has(name)),
  );
  if (others.size === 0) return;
  throw new EngineError(
    'run_mismatch',
    `this folder holds ${others.size} fields more than are asked for, such as ${[...others].sort()[0]}`,
    { hint: `use sample.fields=${known.size + others.size} or more, or another run.dir` },
  );
}

/** Sources that a field has at most, but for once in a thousand million million times. */
function mostSources(options: SampleOptions, memberRows: number | undefined): number {
  const { width, height } = sizeOf(options);
  const { background, clusters } = options;
  const most = (mean: number): number => Math.ceil(mean + 8 * Math.sqrt(mean) + 20);
  const members = memberRows ?? most(clusters.richness.max * (1 + clusters.contamination));
  return most(background.density * width * height) + clusters.count * members;
}

const priorOf = (options: SampleOptions): FieldPrior => {
  const { background, clusters, shapes, noise, cosmology, background_catalogue } = options;
  const { star_threshold, radius_scale } = background_catalogue ?? fieldDefaults.user.rules;
  const rules = { star_threshold, radius_scale, offset: background.sizes.offset };
  return {
    background,
    clusters,
    shapes,
    noise,
    cosmology,
    user: { background: undefined, rules, clusters: undefined },
  };
};

/** The prior with the catalogues read; sees whether one of their clusters fits. */
async function priorWithCatalogues(
  options: SampleOptions,
  pool: WorkerPool,
  signal: AbortSignal,
): Promise<FieldPrior> {
  const prior = priorOf(options);
  const tables = userTables(options.background_catalogue, options.cluster_catalogue);
  if (Object.keys(tables).length === 0) return prior;
  const read = await pool.run<UserTables, Pick<FieldPrior['user'], 'background' | 'clusters'>>(
    'readUserCatalogues',
    tables,
    { signal },
  );
  const whole = { ...prior, user: { ...prior.user, ...read } };
  usable(() => new FieldSampler(whole).try(options.pixel_scale));
  return whole;
}

/** Numbers that are right one by one may leave nothing to draw from together. */
function usable(attempt: () => void): void {
  try {
    attempt();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new EngineError('config_invalid', `the priors contradict each other: ${error.message}`, {
      hint: 'check the options of sample that say what is drawn',
      cause: error,
    });
  }
}

/** Another one for another prior, catalogue or seed. */
const fingerprintOf = (options: SampleOptions, inputs: readonly InputFile[]): string => {
  const { fields: _fields, first: _first, ...others } = options;
  return deriveSeed(canonicalJson(others), ...inputs.map(({ checksum }) => checksum));
};

type Look = Awaited<ReturnType<typeof inspectTable>> & { readonly name: string };

async function inspected(name: string, table: UserTables[keyof UserTables]): Promise<Look> {
  const request = table as NonNullable<typeof table>;
  try {
    return { name, ...(await inspectTable(request)) };
  } catch (error) {
    if (asEngineError(error).code !== 'file_unreadable') throw error;
    throw new EngineError('no_input', `the catalogue cannot be read: ${(error as Error).message}`, {
      place: { file: request.path },
      hint: 'check the path of the catalogue in the options of sample',
      cause: error,
    });
  }
}

/** What decides the result besides the options: files, by what is in them. */
const identityOf = (
  looks: readonly Look[],
  listed: readonly ListedTile[] | undefined,
): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(looks.map(({ name, input }) => [`${name}_checksum`, input.checksum])),
  ...(listed !== undefined && {
    tiles_checksum: deriveSeed(...listed.flatMap(({ name, ra, dec }) => [name, ra, dec])),
  }),
});
